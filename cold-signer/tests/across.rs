//! Payments that come and leave by QR codes: pictures, videos, a camera that is not there, and a terminal.

#[path = "../../psbt-tools/tests/camera_device/mod.rs"]
mod camera_device;
mod common;

use bitcoin::hashes::{Hash, sha256};
use camera_device::{DEVICE, FakeCamera};
use common::laptop::{Laptop, code};
use common::terminal::{Act, honest, play_on};
use psbt_tools::display::{hash_words, hex};
use psbt_tools::document::{Document, Encoding};
use psbt_tools::qr::Version;
use psbt_tools::show::{Codes, Content, Form, Pictures, Symbol};
use serde_json::Value;
use std::path::Path;

/// A laptop with a key, a payment of its wallet in `a.psbt`, and the spend's id.
fn laptop() -> (Laptop, String) {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest"]);
    let spend = laptop.write("a.psbt", &laptop.wallet("main"), None);
    (laptop, spend.id().to_string())
}

fn codes(laptop: &Laptop, file: &str, form: Form, version: u8) -> Codes {
    let content = Content::of(std::fs::read(laptop.path(file)).unwrap()).unwrap();
    Codes::new(&content, form, Version::new(version).unwrap()).unwrap()
}

/// What another device shows of a file, as pictures in a folder.
fn pictures(laptop: &Laptop, file: &str, form: Form, folder: &str) {
    Pictures::Png(&laptop.path(folder)).write(&codes(laptop, file, form, 10)).unwrap();
}

/// A code as a camera sees it that is held before it.
fn seen(code: &Symbol, width: usize, height: usize) -> Vec<u8> {
    let scale = height / (code.side() + 12);
    let (left, above) = ((width - code.side() * scale) / 2, (height - code.side() * scale) / 2);
    let dark = |x: usize, y: usize| {
        x >= left && y >= above && code.is_dark((x - left) / scale, (y - above) / scale, 0)
    };
    (0..height).flat_map(|y| (0..width).map(move |x| if dark(x, y) { 40 } else { 210 })).collect()
}

fn sha256(laptop: &Laptop, file: &str) -> [u8; 32] {
    sha256::Hash::hash(&std::fs::read(laptop.path(file)).unwrap()).to_byte_array()
}

/// What pictures carry, as `review` reads them: the payment is signed by now, which changes nothing about its bytes.
fn carried(laptop: &Laptop, folder: &str) -> Value {
    let (_, json) = laptop.run(&["review", "--picture", folder]);
    json
}

#[test]
fn a_payment_comes_and_leaves_in_the_format_of_its_question() {
    let (laptop, spend) = laptop();
    for (form, word) in [(Form::Ur, "ur"), (Form::Bbqr, "bbqr")] {
        let (come, leave, out) = (format!("come-{word}"), format!("leave-{word}"), format!("{word}.psbt"));
        pictures(&laptop, "a.psbt", form, &come);
        let reviewed = laptop.done(&["review", "--picture", &come]);
        assert_eq!(reviewed["sha256"], hex(&sha256(&laptop, "a.psbt")));
        let sign = ["sign", "--picture", &come, "--consent", &spend, "--qr", "--png", &leave, "-o", &out];
        let (exit, json, told) = laptop.run_telling("passphrase", &sign);
        assert_eq!(exit, 0, "{json}");
        assert_eq!((&json["scanned"]["format"], &json["qr"]["format"]), (&word.into(), &word.into()));
        let words = hash_words(&sha256(&laptop, "a.psbt"));
        assert!(told.lines().nth(1).unwrap().ends_with(&words), "{told}");
        assert_eq!(json["qr"]["words"], hash_words(&sha256(&laptop, &out)));
        assert_eq!((&json["words"], &json["out_words"]), (&words.into(), &json["qr"]["words"]));
        assert_eq!(carried(&laptop, &leave)["sha256"], hex(&sha256(&laptop, &out)), "{word}");
        assert_eq!(laptop.transaction(&out).compute_txid().to_string(), json["unsigned_txid"]);
    }
    // The format can be said otherwise, and a file can be answered by codes.
    let sign = ["sign", "a.psbt", "--consent", &spend, "--qr=bbqr", "--gif", "leave.gif"];
    let json = laptop.done(&sign);
    assert_eq!((&json["qr"]["format"], &json["out"]), (&"bbqr".into(), &Value::Null));
    assert!(!laptop.path("a-signed.psbt").exists(), "without -o nothing is written");
}

#[test]
fn a_payment_in_text_is_written_as_text_and_shown_in_binary() {
    let (laptop, spend) = laptop();
    let binary = std::fs::read(laptop.path("a.psbt")).unwrap();
    for encoding in [Encoding::Base64, Encoding::Hex] {
        let [file, out, leave] = ["a", "signed", "leave"].map(|name| format!("{name}-{encoding:?}"));
        std::fs::write(laptop.path(&file), encoding.encode_bytes(binary.clone())).unwrap();
        let json = laptop.done(&["sign", &file, "--consent", &spend, "-o", &out, "--png", &leave]);
        assert_eq!(json["out_words"], hash_words(&sha256(&laptop, &out)));
        let written = Document::parse(std::fs::read(laptop.path(&out)).unwrap()).unwrap();
        assert_eq!(written.encoding(), encoding);
        let carries = sha256::Hash::hash(written.psbt_bytes()).to_byte_array();
        assert_eq!(json["qr"]["words"], hash_words(&carries));
        assert_eq!(carried(&laptop, &leave)["sha256"], hex(&carries));
    }
}

#[test]
fn a_reply_leaves_by_qr_codes() {
    let (laptop, spend) = laptop();
    pictures(&laptop, "a.psbt", Form::Ur, "come");
    let sign = ["sign", "--picture", "come", "--consent", &spend, "--reply", "--qr", "--png", "leave"];
    let json = laptop.done(&sign);
    assert_eq!((&json["reply"], &json["out"]), (&true.into(), &Value::Null));
    assert_eq!(json["qr"]["bytes"], json["bytes"]);
    let whole = laptop.done(&["sign", "a.psbt", "--consent", &spend, "-o", "whole.psbt"]);
    assert!(json["bytes"].as_u64() < whole["bytes"].as_u64(), "{json} {whole}");
}

#[test]
fn a_video_and_a_camera_bring_the_same() {
    let (laptop, spend) = laptop();
    let shown: Vec<Symbol> =
        codes(&laptop, "a.psbt", Form::Ur, 12).series().map(|code| code.unwrap()).collect();
    let mut video = b"YUV4MPEG2 W480 H480 F8:1 Cmono\n".to_vec();
    for code in &shown {
        video.extend(b"FRAME\n");
        video.extend(seen(code, 480, 480));
    }
    std::fs::write(laptop.path("come.y4m"), video).unwrap();
    let json = laptop.done(&["sign", "--video", "come.y4m", "--consent", &spend, "-o", "by-video.psbt"]);
    assert_eq!(json["scanned"]["sha256"], hex(&sha256(&laptop, "a.psbt")));

    let frames: Vec<Vec<u8>> = shown.iter().map(|code| seen(code, 640, 480)).collect();
    let Some(mut camera) = FakeCamera::new("YUYV:640x480@30", &frames) else { return };
    camera.gap = 32;
    let by_camera = |arguments: &[&str]| {
        let mut command = laptop.command("passphrase", arguments);
        camera.plug_in(&mut command);
        laptop.run_so(arguments, command)
    };
    let sign = ["sign", "--camera", DEVICE, "--consent", &spend, "-o", "by-camera.psbt"];
    let (exit, json, told) = by_camera(&sign);
    assert_eq!(exit, 0, "{json} {told}");
    assert_eq!(json["scanned"]["sha256"], hex(&sha256(&laptop, "a.psbt")));
    assert_eq!(sha256(&laptop, "by-camera.psbt"), sha256(&laptop, "by-video.psbt"));
    assert_eq!(camera.log(), "on\noff\n");
    // Without it there is no camera, which is said before anybody is asked for a passphrase.
    let (exit, json) = laptop.run_with("missing", &["review", "--camera", DEVICE]);
    assert_eq!((exit, code(&json)), (1, "camera"), "{json}");
    assert_eq!(json["error"]["message"], format!("there is no camera {DEVICE}"));
}

#[test]
fn an_interrupted_scan_goes_on_where_it_stopped() {
    let (laptop, spend) = laptop();
    // Every part once: the last of them comes later.
    let shown = codes(&laptop, "a.psbt", Form::Ur, 7);
    Pictures::Png(&laptop.path("all")).write(&shown).unwrap();
    for number in 1..=shown.parts() {
        let folder = laptop.path(if number < shown.parts() { "come" } else { "rest" });
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("{number:04}.png");
        std::fs::copy(laptop.path("all").join(&name), folder.join(&name)).unwrap();
    }
    let sign = |folder: &'static str| {
        ["sign", "--picture", folder, "--resume", "scan", "--consent", &spend, "-o", "signed.psbt"]
            .map(str::to_owned)
    };
    let run = |line: &[String]| laptop.run(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let (exit, json) = run(&sign("come"));
    assert_eq!((exit, code(&json)), (4, "parts-missing"), "{json}");
    let (exit, json) = run(&sign("rest"));
    assert_eq!(exit, 0, "{json}");
    assert!(laptop.path("signed.psbt").exists() && !laptop.path("scan").exists());
}

#[test]
fn what_cannot_be_shown_or_written_is_refused_before_anything_is_signed() {
    let (laptop, spend) = laptop();
    pictures(&laptop, "a.psbt", Form::Ur, "come");
    std::fs::write(laptop.path("note.txt"), "no payment at all\n").unwrap();
    pictures(&laptop, "note.txt", Form::Ur, "note");
    let refused = |arguments: &[&str], exit: i32, word: &str| {
        let (found, json) = laptop.run(&[arguments, &["--consent", &spend]].concat());
        assert_eq!((found, code(&json)), (exit, word), "{arguments:?}: {json}");
    };
    refused(&["sign", "a.psbt", "--qr"], 2, "screen");
    refused(&["sign", "--picture", "come"], 2, "usage");
    refused(&["sign", "--picture", "come", "-o", "."], 2, "usage");
    refused(&["sign", "a.psbt", "a.psbt", "--png", "out"], 2, "usage");
    refused(&["sign", "a.psbt", "--picture", "come", "-o", "b.psbt"], 2, "usage");
    refused(&["sign", "--picture", "come", "--png", "come"], 3, "exists");
    refused(&["sign", "--picture", "come", "-o", "a.psbt"], 3, "exists");
    refused(&["sign", "--picture", "note", "-o", "b.psbt"], 3, "malformed");
    refused(&["sign", "--picture", "missing", "-o", "b.psbt"], 1, "unreadable");
    assert_eq!(laptop.done(&["receipts", "-o", "none.json"])["count"], 0);
}

#[test]
fn an_export_and_a_signed_payment_are_shown_in_the_terminal() {
    let (laptop, spend) = laptop();
    let export = ["export", "--wallet", "main", "--qr", "-o", "main.json"];
    let (status, screen) = play_on(&laptop, (60, 110), &export, |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    let words = hash_words(&sha256(&laptop, "main.json"));
    assert!(screen.contains("UR version") && screen.contains('\u{2580}'), "{screen}");
    assert!(
        screen.contains(&words) && screen.ends_with(&format!("shown as QR codes: {words}\r\n")),
        "{screen}"
    );

    pictures(&laptop, "a.psbt", Form::Bbqr, "come");
    let sign = ["sign", "--picture", "come", "--qr", "-o", "signed.psbt"];
    let (status, screen) = play_on(&laptop, (60, 110), &sign, |_, screen| honest(screen));
    assert_eq!(status.code(), Some(0), "{screen}");
    // First what came, then the payment, then what leaves.
    let at = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text} in {screen}"));
    let came = at(&hash_words(&sha256(&laptop, "a.psbt")));
    assert!(came < at(&spend) && at(&spend) < at("BBQr version"));
    assert!(screen.contains(&hash_words(&sha256(&laptop, "signed.psbt"))), "{screen}");
}

#[test]
fn a_descriptor_leaves_as_one_and_a_registered_wallet_comes_by_codes() {
    let (laptop, _) = laptop();
    let json = laptop.done(&["export", "--wallet", "main", "--format", "descriptor", "--png", "wallet"]);
    assert_eq!(json["qr"]["parts"], 1);
    let other = Laptop::new();
    let made =
        other.done(&["new-key", "--wallet", "office", "--network", "regtest", "--script", "wsh-multi"]);
    let (key, stranger) = (
        made["key"].as_str().unwrap(),
        "[d34db33f/48'/1'/0'/2']tpubDFH9dgzveyD8zTbPUFuLrGmCydNvxehyNdUXKJAQN8x4aZ4j6UZqGfnqFrD4NqyaTVGKbvEW54tsvPTK2UoSbCC1PJY8iCNiwTL3RWZEheQ",
    );
    let descriptor = format!("wsh(sortedmulti(2,{key}/<0;1>/*,{stranger}/<0;1>/*))\n");
    std::fs::write(other.path("office.txt"), descriptor).unwrap();
    pictures(&other, "office.txt", Form::Ur, "come");
    let registered = other.done(&["register", "--wallet", "office", "--picture", "come"]);
    assert_eq!(registered["registered"], true, "{registered}");
    let shown = other.done(&["export", "--wallet", "office", "--format", "descriptor", "--png", "wallet"]);
    assert_eq!(shown["qr"]["format"], "ur");
    assert!(Path::new(&other.path("wallet/0001.png")).exists());
}

#[test]
fn a_signal_ends_what_is_shown_and_leaves_the_terminal_as_it_was() {
    let (laptop, _) = laptop();
    pictures(&laptop, "a.psbt", Form::Ur, "come");
    let show = "export --wallet main --format descriptor --qr";
    // A scan first: what it left behind must not end the program while something is shown.
    let lines = ["review --picture come", show, show, show];
    // Each screen is drawn again and again: what ends it is sent once.
    let mut ends = vec!["TERM", "q", "INT"];
    let mut next = lines.iter();
    let (mut is_shown, mut after) = (false, Vec::new());
    let (status, screen) = play_on(&laptop, (60, 110), &["shell"], |_, screen| {
        if screen.contains("+ - density") {
            let end = if is_shown { None } else { ends.pop() };
            is_shown = true;
            return match end {
                Some("q") => Act::Type("q".to_owned()),
                Some(signal) => Act::Signal(signal),
                None => Act::Type(String::new()),
            };
        }
        if screen.contains("  q quit") {
            return Act::Type("q".to_owned());
        }
        if is_shown {
            after.push(screen.to_owned());
            is_shown = false;
        }
        Act::Type(next.next().map_or("quit", |line| line).to_string())
    });
    // SIGINT ended the first one and locked the vault; the second was seen whole; SIGTERM ended the third and the program.
    assert_eq!(status.code(), Some(0), "{screen}");
    let [first, second] = after.as_slice() else { panic!("{after:?}") };
    assert!(first.contains("error: interrupted") && !first.contains("shown as"), "{first}");
    assert!(first.contains("Ctrl-C: the vault is locked"), "{first}");
    assert!(second.contains("shown as QR codes") && !second.contains("interrupted"), "{second}");
    let third = screen.rsplit("\x1b[?1049l").next().unwrap();
    assert!(third.contains("error: interrupted") && !third.contains("shown as"), "{third}");
    assert!(third.ends_with("the vault is locked\r\n"), "{third}");
    assert!(ends.is_empty());

    // Of one command it is the exit code that says so.
    let (mut sent, words) = (false, ["export", "--wallet", "main", "--format", "descriptor", "--qr"]);
    let (status, screen) = play_on(&laptop, (60, 110), &words, |_, _| {
        if std::mem::replace(&mut sent, true) { Act::Type(String::new()) } else { Act::Signal("TERM") }
    });
    assert_eq!(status.code(), Some(4), "{screen}");
    assert!(screen.contains("error: interrupted") && !screen.contains("shown as"), "{screen}");
}
