//! The same streams through the program and its confined child: as the codes of a scan that goes on, and seen in a video.

use crate::seen::{self, Canvas};
use crate::{End, STREAMS, Told, told};
use psbt_tools::display::escape;
use psbt_tools::qr::MAX_FRAME_CHARS;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a child may use up, in the kilobytes of [`libc::rusage`].
const MAX_MEMORY: i64 = 256 * 1024;

/// How long a frame may take, and all texts of before, and the end.
const DEADLINE: Duration = Duration::from_secs(2);

/// Most frames of a video that is quick to read without optimisation.
const MOST_FRAMES: usize = 70;

/// How the program ended.
struct Ended {
    /// `None` by a signal.
    code: Option<i32>,
    answer: serde_json::Value,
    notes: String,
    took: Duration,
    /// Kilobytes that the program, its child, or these tests when they started it had at most, whichever had most.
    memory: i64,
}

#[expect(clippy::zombie_processes)] // it is waited for by its number
fn scan(folder: &Path, arguments: &[&str]) -> Ended {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_psbt-tools"))
        .args(["qr", "scan", "--json"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.join("notes")).unwrap())
        .spawn()
        .unwrap();
    let mut answer = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
    let (code, memory) = waited(child.id());
    let said = std::fs::read_to_string(folder.join("notes")).unwrap();
    // The error stands there as well, for a person.
    let notes = said.split_inclusive('\n').filter(|line| line.starts_with("note: ")).collect();
    let answer = serde_json::from_slice(&answer).unwrap_or_else(|error| panic!("{error}: {code:?} {said}"));
    Ended { code, answer, notes, took: begun.elapsed(), memory }
}

/// The exit code of a process, and the most memory that it, one of its own children, or these tests had.
#[expect(unsafe_code)] // no other call tells the memory
fn waited(process: u32) -> (Option<i32>, i64) {
    let mut status = 0;
    // SAFETY: an all-zero `rusage` is a valid one, and both pointers are to what lives until the call is over.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::wait4(process as i32, &raw mut status, 0, &raw mut usage), process as i32);
        usage
    };
    (libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)), usage.ru_maxrss)
}

/// What the program says to a stream: its exit code, and the reason word by word or the length of the payload.
fn expected(told: &Told, frames: usize) -> (i32, String) {
    if let Some(len) = told.whole {
        return (0, len.to_string());
    }
    if let Some(fault) = &told.last {
        return (3, format!("frames: {fault}"));
    }
    let (foreign, faulty) = (told.progress.foreign, told.progress.faulty);
    let no_payload = format!(
        "malformed: no payload in {frames} frames: {foreign} codes that are not read here, {faulty} broken ones"
    );
    let Some((rank, parts)) = told.furthest() else { return (3, no_payload) };
    let codes = if told.is_resumed { 0 } else { told.progress.frames };
    let missing = if rank == parts {
        format!(
            "all {parts} parts are known, but they have no check sum, and one of before must be seen again"
        )
    } else {
        format!("{rank} of {parts} parts are known, from {codes} codes in {frames} frames")
    };
    (4, format!("parts-missing: {missing}"))
}

impl Ended {
    fn told(&self) -> (i32, String) {
        let error = &self.answer["error"];
        let word = |name: &str| error[name].as_str().unwrap_or_default();
        let told = match self.answer["bytes"].as_u64() {
            Some(len) => len.to_string(),
            None => format!("{}: {}", word("code"), word("message")),
        };
        // A signal, which is never expected, has no code.
        (self.code.unwrap_or(-1), told)
    }
}

/// The faults of all ends, the slowest and the largest of them.
#[derive(Default)]
struct Sum {
    wrong: Vec<String>,
    count: usize,
    codes: [usize; 5],
    slowest: (Duration, String),
    memory: i64,
}

impl Sum {
    fn add(&mut self, what: &str, end: &Ended, expected: &(i32, String), notes: &str, most: Duration) {
        let what: String = what.chars().take(90).collect();
        let told = end.told();
        if told != *expected {
            self.wrong.push(format!("{what}: {told:?} instead of {expected:?}"));
        }
        if end.notes != notes {
            self.wrong.push(format!("{what}: it noted {:?} instead of {notes:?}", end.notes));
        }
        if end.took > most {
            self.wrong.push(format!("{what}: it took {:?}", end.took));
        }
        if end.memory >= MAX_MEMORY {
            self.wrong.push(format!("{what}: {} KiB", end.memory));
        }
        self.count += 1;
        if let Some(count) = usize::try_from(told.0).ok().and_then(|code| self.codes.get_mut(code)) {
            *count += 1;
        }
        if end.took > self.slowest.0 {
            self.slowest = (end.took, what);
        }
        self.memory = self.memory.max(end.memory);
    }
}

/// Gives all streams to `each`, two at a time.
fn all(each: impl Fn(&Path, &str, &[String], &End, &Mutex<Sum>) + Sync) -> Sum {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let folder = tempfile::tempdir().unwrap();
                while let Some((what, texts, end)) = STREAMS.0.get(next.fetch_add(1, Relaxed)) {
                    each(folder.path(), what, texts, end, &sum);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

fn report(what: &str, sum: &Sum) {
    let Sum { wrong, count, codes, slowest, memory } = sum;
    eprintln!(
        "hostile streams {what}: {count}; {} whole, {} refused, {} with more needed; at most {memory} KiB; slowest {slowest:?}",
        codes[0], codes[3], codes[4]
    );
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether a stream with a fault still waits for more: which of two parts of a UR is wrong is told by its check sum only.
fn goes_on(what: &str, end: &End) -> bool {
    what.starts_with("UR ") && *end == End::Fault("contradiction")
}

/// The file of a scan that goes on with these texts.
fn kept(texts: &[String]) -> String {
    use bitcoin::hashes::{Hash, sha256};
    let body: String = texts.iter().flat_map(|text| [text.as_str(), "\n"]).collect();
    format!("airlock-scan 1 {}\n{body}", sha256::Hash::hash(body.as_bytes()))
}

fn no_scan() -> (i32, String) {
    (3, "malformed: kept is no file of an interrupted scan, or was changed".to_owned())
}

#[test]
fn every_stream_ends_a_scan_that_goes_on_with_it() {
    let sum = all(|folder, what, texts, end, sum| {
        Canvas::new(64).save(&folder.join("blank.png"));
        std::fs::write(folder.join("kept"), kept(texts)).unwrap();
        let ended = scan(folder, &["blank.png", "--resume", "kept"]);
        let is_text = |text: &String| {
            text.len() <= MAX_FRAME_CHARS && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        let (expected, notes) = if texts.iter().all(is_text) {
            let notes = format!("note: going on with {} codes of before\n", texts.len());
            // One that is empty, which no scan keeps, is none.
            let taken = if texts.iter().all(String::is_empty) { &[] } else { texts };
            let told = told(taken, true);
            // A payload is what was seen, not what a file says.
            (if told.whole.is_some() { no_scan() } else { expected(&told, 1) }, notes)
        } else {
            (no_scan(), String::new())
        };
        let is_declared = match end {
            End::Payload(_) => expected == no_scan(),
            End::Waiting => expected.0 == 4,
            // Whether parts without a check sum are one payload is not asked before one of them is seen again.
            End::Fault(_) => expected.0 == 3 || told(texts, false).last.is_some() || goes_on(what, end),
        };
        assert!(is_declared, "{what}: {expected:?} instead of {end:?}");
        // The texts, the picture, the end, and what it takes to start.
        sum.lock().unwrap().add(what, &ended, &expected, &notes, DEADLINE * 4);
    });
    assert_eq!(sum.count, STREAMS.0.len());
    report("of a scan of before", &sum);
}

#[test]
fn every_stream_that_a_short_video_holds_ends_it_with_its_reason() {
    let sum = all(|folder, what, texts, end, sum| {
        if texts.len() > MOST_FRAMES {
            return;
        }
        // A payload after a lie must be alone in view for a while.
        let times = if matches!(end, End::Payload(_)) { 5 } else { 1 };
        let Some(video) = seen::video(&vec![texts; times].concat()) else { return };
        std::fs::write(folder.join("video"), video).unwrap();
        let ended = scan(folder, &["--video", "video"]);
        let told = told(texts, false);
        let expected = expected(&told, texts.len());
        let notes: String = told.broken.iter().map(|fault| format!("note: {}\n", escape(fault))).collect();
        let declared = match end {
            End::Payload(_) => 0,
            End::Waiting => 4,
            End::Fault(_) if goes_on(what, end) => 4,
            End::Fault(_) => 3,
        };
        assert_eq!(expected.0, declared, "{what}: {expected:?} instead of {end:?}");
        let frames = u32::try_from(texts.len() * times).unwrap();
        sum.lock().unwrap().add(what, &ended, &expected, &notes, DEADLINE * (frames + 2));
    });
    assert!(sum.count >= 300, "{}", sum.count);
    report("in videos", &sum);
}
