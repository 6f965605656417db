//! Streams that were made to do harm: each ends with its reason, none with a panic, none with a payload that nobody sent.

mod contents;
mod counts;
mod frames;
mod mixtures;
mod program;
#[path = "../qr_data/mod.rs"]
mod qr_data;
mod seen;
mod texts;

use frames::bbqr_parts;
use psbt_tools::qr::{Fault, Integrity, Progress, Scan, State, Taken};
use qr_data::psbt;
use std::sync::LazyLock;

/// What becomes of a stream: the last reason that it gave, or what it gave instead.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// Ignored or given up, with the name of the fault.
    Fault(&'static str),
    /// Nothing wrong, nothing whole.
    Waiting,
    /// A payload of so many bytes.
    Payload(usize),
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::FrameTooLong(_) => "frame too long",
        Fault::Foreign => "foreign",
        Fault::Form { .. } => "form",
        Fault::Type { .. } => "type",
        Fault::FrameChecksum { .. } => "frame checksum",
        Fault::Parts(_) => "parts",
        Fault::Number { .. } => "number",
        Fault::Sequence { .. } => "sequence",
        Fault::MessageLen(_) => "message length",
        Fault::Fragments { .. } => "fragments",
        Fault::Contradiction(_) => "contradiction",
        Fault::UnequalParts(..) => "unequal parts",
        Fault::Checksum { .. } => "checksum",
        Fault::Deflate(_) => "deflate",
        Fault::Bomb => "bomb",
        Fault::Content { .. } => "content",
        Fault::TooLarge { .. } => "too large",
    }
}

fn end(frames: &[String]) -> End {
    let (mut scan, mut end) = (Scan::new(), End::Waiting);
    for frame in frames {
        match scan.take(frame) {
            Taken::Joined(payload) => return End::Payload(payload.bytes.len()),
            Taken::Ignored(fault) | Taken::Broken(fault) => end = End::Fault(name(&fault)),
            Taken::New | Taken::Nothing => {}
        }
        let progress = scan.progress();
        assert!(
            progress.streams.len() <= 8 && progress.streams.iter().all(|stream| stream.rank <= stream.parts)
        );
    }
    match scan.unconfirmed() {
        Some(Ok(payload)) => End::Payload(payload.bytes.len()),
        Some(Err(fault)) => End::Fault(name(&fault)),
        None => end,
    }
}

/// What a scan of all frames tells, to the last one.
struct Told {
    /// Whether it is a scan that goes on with these frames.
    is_resumed: bool,
    /// Why payloads were given up, with what to do next.
    broken: Vec<String>,
    /// The same at the end.
    last: Option<String>,
    /// Bytes of the payload.
    whole: Option<usize>,
    progress: Progress,
}

impl Told {
    /// Parts that are known of the payload that is furthest, and all of them.
    fn furthest(&self) -> Option<(usize, usize)> {
        let alive = self.progress.streams.iter().filter(|stream| stream.state != State::Broken);
        alive.max_by_key(|stream| stream.rank).map(|stream| (stream.rank, stream.parts))
    }
}

fn told(frames: &[String], is_resumed: bool) -> Told {
    let words = |fault: Fault| format!("{fault}; {}", fault.hint());
    let (mut scan, mut broken, mut whole, mut last) = (Scan::new(), Vec::new(), None, None);
    for frame in frames {
        match scan.take(frame) {
            Taken::Joined(payload) => whole = Some(payload.bytes.len()),
            Taken::Broken(fault) => broken.push(words(fault)),
            Taken::Ignored(_) | Taken::New | Taken::Nothing => {}
        }
    }
    if is_resumed {
        scan.interrupted();
    }
    let progress = scan.progress();
    match scan.unconfirmed() {
        Some(Ok(payload)) => whole = whole.or(Some(payload.bytes.len())),
        Some(Err(fault)) => last = Some(words(fault)),
        None => {}
    }
    Told { is_resumed, broken, last, whole, progress }
}

/// The streams, each with what it is and how it must end.
#[derive(Default)]
struct Streams(Vec<(String, Vec<String>, End)>);

impl Streams {
    fn fault(&mut self, what: impl Into<String>, frames: Vec<String>, fault: &'static str) {
        self.0.push((what.into(), frames, End::Fault(fault)));
    }

    fn waits(&mut self, what: impl Into<String>, frames: Vec<String>) {
        self.0.push((what.into(), frames, End::Waiting));
    }
}

static STREAMS: LazyLock<Streams> = LazyLock::new(|| {
    let mut streams = Streams::default();
    counts::huge_counts(&mut streams);
    texts::broken_texts(&mut streams);
    contents::wrong_content(&mut streams);
    contents::bombs(&mut streams);
    mixtures::two_payloads(&mut streams);
    mixtures::liars_among_ur(&mut streams);
    streams
});

#[test]
fn every_hostile_stream_ends_with_its_reason() {
    eprintln!("hostile streams: {}", STREAMS.0.len());
    assert!(STREAMS.0.len() >= 300, "{}", STREAMS.0.len());
    let mut wrong = Vec::new();
    for (what, frames, expected) in &STREAMS.0 {
        let begun = std::time::Instant::now();
        let found = end(frames);
        let what: String = what.chars().take(90).collect();
        if found != *expected {
            wrong.push(format!("{what}: {found:?} instead of {expected:?}"));
        }
        assert!(begun.elapsed().as_secs() < 2, "{what}: {:?}", begun.elapsed());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), STREAMS.0.len(), wrong.join("\n"));
}

/// A limit of what is known about the format, kept as a test: two codes in exact lockstep cannot be told from one, so
/// what they give is never more than unconfirmed or repeated, and its hash is to be compared.
#[test]
fn parts_without_a_check_sum_are_never_called_checked() {
    let (a, b) = (bbqr_parts('2', 'P', &psbt(800, 1), 200), bbqr_parts('2', 'P', &psbt(800, 2), 200));
    let mut scan = Scan::new();
    let lockstep = (0..16).map(|at: usize| [&a, &b][at % 2][at % 4].clone());
    let payload = lockstep.filter_map(|text| match scan.take(&text) {
        Taken::Joined(payload) => Some(payload),
        _ => None,
    });
    assert!(payload.into_iter().all(|payload| payload.integrity == Integrity::Repeated));
}
