//! `qr show` as the other side sees it: every picture and every screen is read by a decoder, joined, and compared.

mod qr_data;

use bitcoin::hashes::{Hash, sha256};
use psbt_tools::display::hash_words;
use psbt_tools::qr::Payload;
use qr_data::{join, psbt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_psbt-tools");

fn show(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(["qr", "show"]).args(arguments).current_dir(folder).output().unwrap()
}

/// Among the keys: a signal instead of one.
const TERMINATE: u8 = 0;

/// The end of a screen.
const END: &[u8] = b"\x1b[?2026l";

/// A folder with a payload of that many bytes.
fn folder(len: usize) -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let bytes = psbt(len, 1);
    std::fs::write(folder.path().join("payment.psbt"), &bytes).unwrap();
    (folder, bytes)
}

/// The text of the only code in a picture.
fn read(side: usize, light: impl Fn(usize, usize) -> bool) -> String {
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| if light(x, y) { 255 } else { 0 });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

fn png_text(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut image = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut image).unwrap();
    read(info.width as usize, |x, y| image[y * info.line_size + x / 8] >> (7 - x % 8) & 1 == 1)
}

#[test]
fn a_folder_of_pictures_joins_in_any_order() {
    for (format, len) in [("ur", 8_000), ("bbqr", 8_000), ("ur", 200)] {
        let (folder, bytes) = folder(len);
        let output = show(folder.path(), &["payment.psbt", "--format", format, "--png", "out", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let about: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut pictures: Vec<_> = std::fs::read_dir(folder.path().join("out"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(about["codes"], pictures.len());
        pictures.sort();
        pictures.reverse();
        let texts: Vec<String> = pictures.iter().map(|path| png_text(path)).collect();
        assert_eq!(join(&texts).unwrap().bytes, bytes);
    }
}

#[test]
fn a_moving_picture_joins() {
    let (folder, bytes) = folder(5_000);
    let output = show(folder.path(), &["payment.psbt", "--gif", "out.gif", "--version", "12", "--fps", "10"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let file = File::open(folder.path().join("out.gif")).unwrap();
    let mut decoder = gif::DecodeOptions::new().read_info(file).unwrap();
    let mut texts = Vec::new();
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        let side = usize::from(frame.width);
        texts.push(read(side, |x, y| frame.buffer[y * side + x] == 0));
    }
    assert_eq!(join(&texts).unwrap().bytes, bytes);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_shown_without_a_terminal() {
    let (folder, _) = folder(500);
    let code = |arguments: &[&str]| {
        let output = show(folder.path(), arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(code(&["payment.psbt", "--svg", "out"]), (Some(0), String::new()));
    let (status, text) = code(&["payment.psbt", "--svg", "out"]);
    assert_eq!(status, Some(3));
    assert!(text.contains("out exists already"), "{text}");
    assert_eq!(code(&["payment.psbt", "--gif", "payment.psbt"]).0, Some(3));
    let (status, text) = code(&["payment.psbt", "--version", "1", "--gif", "small.gif"]);
    assert_eq!(status, Some(3));
    assert!(text.contains("hint: choose denser QR codes"), "{text}");
    assert_eq!(code(&["payment.psbt", "--version", "41"]).0, Some(2));
    assert_eq!(code(&["missing.psbt"]).0, Some(1));
}

#[test]
fn a_descriptor_stands_in_one_code_as_it_is_and_nothing_else_does() {
    let (folder, _) = folder(300);
    let descriptor = "wpkh([73c5da0a/84h/0h/0h]xpub/<0;1>/*)#abcdefgh";
    std::fs::write(folder.path().join("wallet.txt"), format!("{descriptor}\n")).unwrap();
    let output = show(folder.path(), &["wallet.txt", "--format", "text", "--png", "out", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let about: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&about["format"], &about["codes"], &about["version"]),
        (&"text".into(), &1.into(), &3.into())
    );
    let text = png_text(&folder.path().join("out/0001.png"));
    assert_eq!(text, descriptor);
    assert_eq!(join([text]).unwrap().bytes, descriptor.as_bytes());
    let refused = |file: &str| {
        let output = show(folder.path(), &[file, "--format", "text", "--png", "refused"]);
        assert_eq!(output.status.code(), Some(3));
        assert!(!folder.path().join("refused").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    std::fs::write(folder.path().join("note.txt"), "hello\n").unwrap();
    for file in ["payment.psbt", "note.txt"] {
        assert!(refused(file).contains("only descriptors go into a code as they are"));
    }
    std::fs::write(folder.path().join("long.txt"), format!("{:a<2954}", "wpkh(")).unwrap();
    assert!(refused("long.txt").contains("a text of 2954 bytes does not fit into one code"));
}

#[test]
fn the_words_that_are_shown_are_those_that_a_scan_finds() {
    let folder = tempfile::tempdir().unwrap();
    let payment = psbt(700, 1);
    let transaction = "0200000001000000000000000000000000000000000000000000000000000000000000000000000000\
                       00ffffffff0100000000000000000000000000";
    let kinds: [(&str, Vec<u8>); 11] = [
        ("psbt", payment.clone()),
        ("psbt", format!("{}\n", data_encoding::BASE64.encode(&payment)).into_bytes()),
        ("psbt", format!("{}\n", data_encoding::HEXLOWER.encode(&payment)).into_bytes()),
        ("transaction", data_encoding::HEXLOWER.decode(transaction.as_bytes()).unwrap()),
        ("transaction", format!("{transaction}\n").into_bytes()),
        ("descriptor", b"\nwpkh([73c5da0a/84h/0h/0h]xpub/<0;1>/*)#abcdefgh\r\n".to_vec()),
        ("descriptor", b"wpkh(xpub/0/*)\nwpkh(xpub/1/*)\n".to_vec()),
        ("descriptor", b"wsh(sortedmulti(2,@0/**,@1/**))\n".to_vec()),
        ("json", b"{\"wallet\": \"main\"}\n".to_vec()),
        ("text", b"hello\n\n".to_vec()),
        ("bytes", [psbt_tools::reply::MAGIC, &qr_data::noise(600, 3)].concat()),
    ];
    let told = |arguments: &[&str]| {
        let output = Command::new(PROGRAM).args(arguments).current_dir(folder.path()).output().unwrap();
        let json = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
        (output.status.code(), json)
    };
    for (at, (kind, bytes)) in kinds.iter().enumerate() {
        let file = format!("file-{at}");
        std::fs::write(folder.path().join(&file), bytes).unwrap();
        for form in ["ur", "bbqr", "text"] {
            let out = format!("{form}-{at}");
            let (exit, shown) =
                told(&["qr", "show", &file, "--format", form, "--version", "15", "--png", &out, "--json"]);
            if form == "text" && *kind != "descriptor" {
                assert_eq!((exit, folder.path().join(&out).exists()), (Some(3), false), "{kind}");
                continue;
            }
            let (exit, scanned) = told(&["qr", "scan", &out, "--json"]);
            assert_eq!(exit, Some(0), "{kind} {form}: {scanned}");
            assert_eq!(scanned["kind"], *kind, "{form}");
            for key in ["words", "sha256", "bytes"] {
                assert_eq!(shown[key], scanned[key], "{kind} {form}");
            }
        }
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_fault() {
    let (folder, _) = folder(300);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(PROGRAM)
        .args(["qr", "show", "payment.psbt", "--png", "out"])
        .current_dir(folder.path())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

/// A terminal of so many lines and columns: the side that a person has, and the program's.
fn terminal(rows: u16, columns: u16) -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, vec![]).unwrap().into_string().unwrap();
    let no_control = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let slave = OpenOptions::new().read(true).write(true).custom_flags(no_control).open(name).unwrap();
    tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(master), slave)
}

/// The code on a screen, if there is one: what the colours of its cells say.
fn screen_text(screen: &str) -> Option<String> {
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for line in screen.split("\r\n").filter(|line| line.contains('\u{2580}')) {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let (mut above, mut below) = (false, false);
        let line = &line[line.find("\x1b[38").unwrap()..];
        for cell in line.split_inclusive(['m', '\u{2580}']) {
            match cell {
                "\x1b[38;2;0;0;0m" => above = true,
                "\x1b[38;2;255;255;255m" => above = false,
                "\x1b[48;2;0;0;0m" => below = true,
                "\x1b[48;2;255;255;255m" => below = false,
                "\u{2580}" => {
                    upper.push(above);
                    lower.push(below);
                }
                _ => {}
            }
        }
        rows.extend([upper, lower]);
    }
    let side = rows.first()?.len();
    Some(read(side * 3, |x, y| !rows[y / 3][x / 3]))
}

/// Shows the payment at a terminal and presses keys, one after each so many screens; gives all screens.
fn play(
    folder: &Path,
    (rows, columns): (u16, u16),
    arguments: &[&str],
    keys: &str,
    each: usize,
) -> Vec<String> {
    let (mut master, slave) = terminal(rows, columns);
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait", PROGRAM, "qr", "show", "payment.psbt"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::from(slave.try_clone().unwrap()))
        .stdout(Stdio::from(slave.try_clone().unwrap()))
        .stderr(Stdio::from(slave.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let (mut seen, mut screens, mut pressed, begun) = (Vec::new(), 0, 0, Instant::now());
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not end");
        let mut ready = [PollFd::new(&master, PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })).unwrap() == 0 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            continue;
        }
        let mut bytes = [0; 65_536];
        let count = master.read(&mut bytes).unwrap();
        // A mark may stand across two reads.
        let old = seen.len().saturating_sub(END.len() - 1);
        seen.extend_from_slice(&bytes[..count]);
        screens += seen[old..].windows(END.len()).filter(|window| *window == END).count();
        if screens >= (pressed + 1) * each && pressed < keys.len() {
            match keys.as_bytes()[pressed] {
                TERMINATE => kill_process(Pid::from_child(&child), Signal::TERM).unwrap(),
                key => master.write_all(&[key]).unwrap(),
            }
            pressed += 1;
        }
    }
    let is_ended = keys.bytes().any(|key| key == TERMINATE);
    assert_eq!(child.wait().unwrap().code(), Some(if is_ended { 4 } else { 0 }));
    let modes = tcgetattr(&slave).unwrap().local_modes;
    assert!(
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG),
        "the terminal is as it was"
    );
    let text = String::from_utf8(seen).unwrap();
    let (screens, after) = text.split_once("\x1b[?1049l").expect("the other screen was left");
    assert_eq!(after.starts_with("error: interrupted"), is_ended, "{after}");
    screens.split("\x1b[?2026h").skip(1).map(str::to_owned).collect()
}

fn joined(screens: &[String]) -> Payload {
    join(screens.iter().filter_map(|screen| screen_text(screen))).unwrap()
}

#[test]
fn what_the_terminal_shows_is_the_payment() {
    let (folder, bytes) = folder(3_000);
    let screens = play(folder.path(), (60, 110), &["--terminal", "--fps", "30"], "q", 12);
    let words = hash_words(&sha256::Hash::hash(&bytes).to_byte_array());
    assert!(screens.iter().all(|screen| screen.contains(&words)));
    assert_eq!(joined(&screens).bytes, bytes);
}

#[test]
fn keys_change_what_the_terminal_shows() {
    let (folder, bytes) = folder(3_000);
    // Denser, another format, and long enough for it to be joined.
    let screens = play(folder.path(), (60, 110), &["--version", "16", "--fps", "30"], "+f\x03", 9);
    assert!(screens.iter().any(|screen| screen.contains("UR version 17")));
    let last: Vec<String> =
        screens.iter().filter(|screen| screen.contains("BBQr version 17")).cloned().collect();
    assert!(last.len() >= 9);
    assert_eq!(joined(&last).bytes, bytes);
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let (folder, _) = folder(3_000);
    assert!(play(folder.path(), (60, 110), &[], "\0", 2).len() >= 2);
}

#[test]
fn a_small_terminal_shows_smaller_codes_or_says_what_fits() {
    let (folder, _) = folder(300);
    let screens = play(folder.path(), (24, 80), &["--fps", "30"], "q", 3);
    assert!(screens.iter().all(|screen| screen.contains("UR version 5") && screen_text(screen).is_some()));
    let (mut master, slave) = terminal(24, 80);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", PROGRAM, "qr", "show", "payment.psbt", "--version", "20"]);
    let streams = [slave.try_clone().unwrap(), slave.try_clone().unwrap()].map(Stdio::from);
    let [input, output] = streams;
    let status =
        command.current_dir(folder.path()).stdin(input).stdout(output).stderr(slave).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let mut bytes = [0; 4_096];
    let count = master.read(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(text.contains("version 20 needs a terminal of 101 columns and 53 lines"), "{text}");
    assert!(text.contains("version 5 would fit"), "{text}");
}
