//! A scan that was interrupted goes on.

use super::canvas::{Canvas, y4m};
use super::qr_data::psbt;
use super::{PROGRAM, json, payment, scan, symbols, text};
use bitcoin::hashes::{Hash, sha256};
use psbt_tools::display::hex;
use psbt_tools::qr::Format;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Two films of one payload, each with half of its parts.
fn halves(folder: &Path, format: Format) -> Vec<u8> {
    let bytes = psbt(1_500, 1);
    let canvases: Vec<_> = symbols(format, &bytes, 10).iter().map(|symbol| Canvas::of(symbol, 3)).collect();
    let half = canvases.len() / 2;
    std::fs::write(folder.join("one.y4m"), y4m(&canvases[..half], "mono")).unwrap();
    // One code of before is seen again: what has no check sum needs it.
    std::fs::write(folder.join("other.y4m"), y4m(&canvases[half - 1..], "mono")).unwrap();
    std::fs::write(folder.join("without.y4m"), y4m(&canvases[half..], "mono")).unwrap();
    bytes
}

#[test]
fn a_video_that_ended_early_goes_on_in_another() {
    for format in [Format::Ur, Format::Bbqr] {
        let folder = tempfile::tempdir().unwrap();
        let bytes = halves(folder.path(), format);
        let first = scan(folder.path(), &["--video", "one.y4m", "--resume", "kept", "-o", "read", "--json"]);
        assert_eq!(first.status.code(), Some(4), "{first:?}");
        let error = &json(&first)["error"];
        assert_eq!(error["code"], "parts-missing");
        assert!(error["hint"].as_str().unwrap().contains("--resume kept"), "{error}");
        assert!(folder.path().join("kept").exists());
        let then = scan(folder.path(), &["--video", "other.y4m", "--resume", "kept", "-o", "read"]);
        assert_eq!(then.status.code(), Some(0), "{then:?}");
        assert!(text(&then.stderr).contains("note: going on with "), "{then:?}");
        assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
        assert!(!folder.path().join("kept").exists(), "it is removed when the scan is complete");
    }
}

#[test]
fn what_has_no_check_sum_is_not_joined_with_kept_codes_of_which_none_is_seen_again() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path(), Format::Bbqr);
    let first = scan(folder.path(), &["--video", "one.y4m", "--resume", "kept"]);
    assert_eq!(first.status.code(), Some(4), "{first:?}");
    let then = scan(folder.path(), &["--video", "without.y4m", "--resume", "kept", "-o", "read"]);
    assert_eq!(then.status.code(), Some(4), "{then:?}");
    assert!(text(&then.stderr).contains("one of before must be seen again"), "{then:?}");
    assert!(folder.path().join("kept").exists() && !folder.path().join("read").exists());
}

#[test]
fn parts_of_one_format_are_not_joined_with_those_of_a_kept_other_payload() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path(), Format::Ur);
    let kept = ["--video", "one.y4m", "--resume", "kept"];
    assert_eq!(scan(folder.path(), &kept).status.code(), Some(4));
    let before = std::fs::read(folder.path().join("kept")).unwrap();
    let (symbols, bytes) = payment(800, 9);
    let frames: Vec<_> = symbols.iter().cycle().take(60).map(|symbol| Canvas::of(symbol, 3)).collect();
    std::fs::write(folder.path().join("third.y4m"), y4m(&frames, "mono")).unwrap();
    let third = scan(folder.path(), &["--video", "third.y4m", "--resume", "kept", "-o", "read"]);
    assert_eq!(third.status.code(), Some(0), "{third:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
    assert!(!before.is_empty() && !folder.path().join("kept").exists());
}

#[test]
fn a_signal_ends_the_scan_and_what_was_read_is_kept() {
    for (signal, with_file) in [(Signal::INT, true), (Signal::TERM, true), (Signal::INT, false)] {
        let folder = tempfile::tempdir().unwrap();
        let bytes = halves(folder.path(), Format::Ur);
        let mut command = Command::new(PROGRAM);
        command.args(["qr", "scan", "--video", "-", "-o", "read", "--json"]).current_dir(folder.path());
        if with_file {
            command.args(["--resume", "kept"]);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&std::fs::read(folder.path().join("one.y4m")).unwrap()).unwrap();
        // Long enough for all that was written; then the video pauses.
        std::thread::sleep(Duration::from_millis(2_500));
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(input);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let error = json(&output)["error"].clone();
        assert_eq!(error["code"], "interrupted");
        assert!(error["message"].as_str().unwrap().contains(" parts are known"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("--resume"), "{error}");
        assert_eq!(folder.path().join("kept").exists(), with_file);
        if with_file {
            let then = scan(folder.path(), &["--video", "other.y4m", "--resume", "kept", "-o", "read"]);
            assert_eq!(then.status.code(), Some(0), "{then:?}");
            assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
        }
    }
}

#[test]
fn a_file_that_no_scan_wrote_is_neither_used_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path(), Format::Ur);
    std::fs::write(folder.path().join("mine"), "my notes").unwrap();
    let output = scan(folder.path(), &["--video", "one.y4m", "--resume", "mine", "--json"]);
    assert_eq!((output.status.code(), &json(&output)["error"]["code"]), (Some(3), &"malformed".into()));
    assert_eq!(std::fs::read(folder.path().join("mine")).unwrap(), b"my notes");
}

#[test]
fn a_file_that_makes_a_payload_by_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path(), Format::Ur);
    let whole = hex(&psbt(100, 7)).to_uppercase() + "\n";
    let sum = hex(&sha256::Hash::hash(whole.as_bytes()).to_byte_array());
    let file = format!("airlock-scan 1 {sum}\n{whole}");
    std::fs::write(folder.path().join("kept"), &file).unwrap();
    std::fs::write(folder.path().join("empty.png"), Canvas::new(300, 300, 90).png()).unwrap();
    for source in [&["--video", "one.y4m"][..], &["empty.png"], &["--video", "/dev/null"]] {
        let output = scan(folder.path(), &[source, &["--resume", "kept", "-o", "read", "--json"]].concat());
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let message = json(&output)["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("kept is no file of an interrupted scan"), "{message}");
        assert!(!folder.path().join("read").exists());
        assert_eq!(std::fs::read_to_string(folder.path().join("kept")).unwrap(), file);
    }
}

#[test]
fn a_name_that_is_taken_is_said_before_the_scan_and_what_was_kept_stays() {
    let folder = tempfile::tempdir().unwrap();
    halves(folder.path(), Format::Ur);
    let first = scan(folder.path(), &["--video", "one.y4m", "--resume", "kept"]);
    assert_eq!(first.status.code(), Some(4), "{first:?}");
    std::fs::write(folder.path().join("taken"), "mine").unwrap();
    // Nothing is opened: that the video is missing is not even seen.
    let taken = scan(folder.path(), &["--video", "missing", "--resume", "kept", "-o", "taken", "--json"]);
    assert_eq!(
        (taken.status.code(), &json(&taken)["error"]["code"]),
        (Some(3), &"exists".into()),
        "{taken:?}"
    );
    // A folder that is missing is seen only when it is written.
    let lost = ["--video", "other.y4m", "--resume", "kept", "-o", "missing/read"];
    assert_ne!(scan(folder.path(), &lost).status.code(), Some(0));
    assert!(folder.path().join("kept").exists());
    let then = scan(folder.path(), &["--video", "other.y4m", "--resume", "kept", "-o", "read"]);
    assert_eq!(then.status.code(), Some(0), "{then:?}");
    assert!(!folder.path().join("kept").exists());
}

#[test]
fn a_pipe_to_which_nobody_writes_yet_can_be_left() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = halves(folder.path(), Format::Ur);
    let pipe = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let start = || {
        let mut command = Command::new(PROGRAM);
        command.args(["qr", "scan", "--video", "pipe", "-o", "read", "--json"]).current_dir(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = start();
    std::thread::sleep(Duration::from_millis(1_500));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &json(&output)["error"]["code"]), (Some(4), &"interrupted".into()));
    let child = start();
    std::thread::sleep(Duration::from_millis(500));
    let mut film = std::fs::read(folder.path().join("one.y4m")).unwrap();
    let other = std::fs::read(folder.path().join("other.y4m")).unwrap();
    film.extend(&other[other.iter().position(|byte| *byte == b'\n').unwrap() + 1..]);
    // It may have enough before all is written.
    let _ = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap().write_all(&film);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(std::fs::read(folder.path().join("read")).unwrap(), bytes);
}
