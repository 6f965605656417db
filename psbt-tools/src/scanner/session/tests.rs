//! Children that fall in every way there is. Each is a script that greets as a child does.

use super::*;
use crate::interrupt::Interrupt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// A program of this script; `$N` counts how often it was started.
fn program(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("child");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path).unwrap();
    let here = folder.to_string_lossy();
    let count = format!("PATH=/usr/bin:/bin\necho >> {here}/starts\nN=$(wc -l < {here}/starts)\n");
    write!(file, "#!/bin/sh\n{count}printf 'R\\0\\0\\0\\0' >&0\n{script}\n").unwrap();
    path
}

/// What a scan of a frame by such a child ends with, and what it said meanwhile.
fn scanned(script: &str) -> (Result<(), Error>, Vec<Notice>) {
    let folder = tempfile::tempdir().unwrap();
    let mut said = Vec::new();
    let mut notice = |notice: &Notice| said.push(notice.clone());
    let program = program(folder.path(), script);
    let mut session = Session::new(&program, Interrupt::watched().unwrap(), &mut notice);
    let result = session.luma("frame", 2, 1, vec![0, 255]);
    (result, said)
}

fn lost(script: &str) -> Option<Lost> {
    match scanned(script) {
        (Ok(()), said) => said.iter().find_map(|notice| match notice {
            Notice::Lost(_, lost) => Some(*lost),
            _ => None,
        }),
        (Err(error), _) => panic!("{error}"),
    }
}

/// A report as a child writes it.
fn report(report: &Report) -> String {
    let mut bytes = Vec::new();
    Answer::Report(Box::new(report.clone())).write(&mut bytes).unwrap();
    let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{octal}' >&0\n")
}

const DONE: &str = "printf 'D\\0\\0\\0\\0' >&0\n";

#[test]
fn every_way_to_fall_has_its_own_reason_and_costs_the_frame_only() {
    // What a panic ends with, unwinding or aborting.
    assert_eq!(lost("exit 101"), Some(Lost::Crash));
    assert_eq!(lost("kill -ABRT $$"), Some(Lost::Crash));
    assert_eq!(lost("kill -SEGV $$"), Some(Lost::Crash));
    // What an allocator without memory comes to in the sandbox.
    assert_eq!(lost("kill -SYS $$"), Some(Lost::Memory));
    assert_eq!(lost("kill -XCPU $$"), Some(Lost::Time));
    assert_eq!(lost("kill -KILL $$"), Some(Lost::Time));
    assert_eq!(lost("sleep 60"), Some(Lost::Deadline));
    assert_eq!(lost("exit 0"), Some(Lost::Nonsense));
    let reasons = [Lost::Crash, Lost::Memory, Lost::Time, Lost::Deadline, Lost::Nonsense];
    assert!(reasons.iter().all(|lost| lost.to_string().starts_with(&format!("{}: ", lost.code()))));
}

#[test]
fn an_answer_that_no_child_gives_is_nonsense() {
    let plausible = Report { read: 1, kept: vec!["A".to_owned()], ..Report::default() };
    let many = Report { read: 17, ..Report::default() };
    let control = Report { kept: vec!["A\x1b[2J".to_owned()], ..Report::default() };
    let long = Report { kept: vec!["A".repeat(7_090)], ..Report::default() };
    for nonsense in [
        "printf 'Z\\0\\0\\0\\0' >&0\nsleep 60".to_owned(),
        "printf 'F\\377\\377\\377\\377' >&0\nsleep 60".to_owned(),
        "printf 'R\\0\\0\\0\\0' >&0\nsleep 60".to_owned(),
        "printf 'C\\0\\0\\0\\1a' >&0\nsleep 60".to_owned(),
        "printf 'F\\0\\0\\0\\2{}' >&0\nsleep 60".to_owned(),
        format!("{}sleep 60", report(&many)),
        format!("{}sleep 60", report(&control)),
        format!("{}sleep 60", report(&long)),
        format!("printf 'U\\0\\0\\0\\1a' >&0\n{}sleep 60", report(&plausible)),
    ] {
        assert_eq!(lost(&nonsense), Some(Lost::Nonsense), "{nonsense}");
    }
    assert_eq!(lost(&format!("{}{DONE}sleep 60", report(&plausible))), None);
    // One frame is answered once, and nothing of it is consumed.
    let twice = report(&plausible).repeat(2);
    assert_eq!(lost(&format!("{twice}{DONE}sleep 60")), Some(Lost::Nonsense));
    let consumed = "printf 'C\\0\\0\\0\\10\\0\\0\\0\\0\\0\\0\\0\\1' >&0\n";
    assert_eq!(lost(&format!("{consumed}{DONE}sleep 60")), Some(Lost::Nonsense));
}

#[test]
fn an_answer_byte_by_byte_moves_no_deadline() {
    let begun = Instant::now();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do printf 'F' >&0; sleep 0.4; done; sleep 60";
    let lost = lost(script).unwrap();
    assert!(matches!(lost, Lost::Deadline | Lost::Nonsense), "{lost}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_new_child_is_given_what_the_fallen_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Report { read: 1, kept: vec!["UR:ONE".to_owned()], ..Report::default() };
    // The first falls after its first frame; the second shows what it was told.
    let script = format!(
        "if [ $N = 1 ]; then {}{DONE}dd bs=15 count=2 of=/dev/null 2>/dev/null <&0; exit 101; fi\n\
         dd bs=15 count=1 of={}/told 2>/dev/null <&0\n{DONE}{DONE}sleep 60",
        report(&kept),
        folder.path().to_string_lossy()
    );
    let program = program(folder.path(), &script);
    let mut notice = |_: &Notice| {};
    let mut session = Session::new(&program, Interrupt::watched().unwrap(), &mut notice);
    session.luma("frame", 2, 1, vec![0, 255]).unwrap();
    session.luma("frame", 2, 1, vec![0, 255]).unwrap();
    session.luma("frame", 2, 1, vec![0, 255]).unwrap();
    assert_eq!(session.kept(), ["UR:ONE"]);
    assert_eq!(std::fs::read(folder.path().join("told")).unwrap(), b"T\0\0\0\x0a\0\0\0\0UR:ONE");
}

#[test]
fn a_video_is_answered_once_for_each_frame_that_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let once = report(&Report::default());
    let program = program(folder.path(), &format!("{once}{once}{DONE}sleep 60"));
    let mut lost = Vec::new();
    let mut notice = |notice: &Notice| {
        if let Notice::Lost(_, why) = notice {
            lost.push(*why);
        }
    };
    let mut session = Session::new(&program, Interrupt::watched().unwrap(), &mut notice);
    let error = session.video(&mut Tape::new("v".to_owned()), b"YUV4MPEG2").unwrap_err();
    assert_eq!((error.code().as_str(), lost.len()), ("nonsense", 9));
}

#[test]
fn a_moving_picture_has_no_more_frames_than_are_read_however_often_a_child_falls() {
    let order = |skip, bytes: &[u8]| Order::Picture(skip, bytes.to_vec()).most_reports();
    assert_eq!((order(0, b"GIF89a"), order(19_999, b"GIF89a"), order(20_001, b"GIF89a")), (20_000, 1, 0));
    assert_eq!(order(0, b"\x89PNG"), 1);
    assert_eq!((Order::Jpeg(b"GIF89a".to_vec()).most_reports(), Order::End.most_reports()), (1, 0));
}

#[test]
fn a_child_that_always_falls_ends_the_scan_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), "exit 101");
    let mut notice = |_: &Notice| {};
    let mut session = Session::new(&program, Interrupt::watched().unwrap(), &mut notice);
    let results: Vec<_> = (0..9).map(|_| session.luma("frame", 2, 1, vec![0, 255])).collect();
    assert!(results.iter().take(8).all(Result::is_ok));
    let error = results.into_iter().next_back().unwrap().unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("crash", 3));
    assert!(error.to_string().starts_with("the decoder fell 9 times, the last time: crash: "));
}

#[test]
fn a_sandbox_that_cannot_be_closed_ends_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let path = program(folder.path(), "");
    std::fs::write(&path, "#!/bin/sh\nprintf 'O\\0\\0\\0\\4no\\033!' >&0\nexec /bin/sleep 60\n").unwrap();
    let mut notice = |_: &Notice| {};
    let mut session = Session::new(&path, Interrupt::watched().unwrap(), &mut notice);
    let error = session.luma("frame", 2, 1, vec![0, 255]).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("sandbox", 1));
    assert_eq!(error.to_string(), "no\\u{1b}!");
    let missing = folder.path().join("missing");
    let mut session = Session::new(&missing, Interrupt::watched().unwrap(), &mut notice);
    let error = session.luma("frame", 2, 1, vec![0, 255]).unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("scanner", 1));
}
