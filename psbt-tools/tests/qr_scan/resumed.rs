//! A scan that was interrupted goes on.

use super::canvas::{Canvas, y4m};
use super::qr_data::psbt;
use super::{PROGRAM, json, payment, scan, symbols, text};
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
