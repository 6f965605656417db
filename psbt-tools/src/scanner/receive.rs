//! From the first frame to the payload.

use super::MAX_PICTURE_LEN;
use super::failure::Failure;
use super::from::From;
use super::notice::{Notice, furthest};
use super::resume::Resume;
use super::session::Session;
use super::source::{Piece, Raw, Stream, name, pictures};
use super::tape::Tape;
use crate::camera::{Camera, Frame};
use crate::interrupt::Interrupt;
use crate::qr::{Payload, State, StreamProgress};
use crate::{Error, files};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The program that runs, which starts itself as the child.
const PROGRAM: &str = "/proc/self/exe";

/// How often a long scan keeps its codes, in case that the machine or the program falls.
const KEEP: Duration = Duration::from_secs(5);

/// How often a camera that gives no frame lets the scan look for Ctrl-C.
const LOOK: Duration = Duration::from_millis(100);

/// What was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The payload. It is hostile as any file.
    pub payload: Payload,
    /// Pictures that were named or in named folders.
    pub pictures: u64,
    /// Frames that were looked at.
    pub frames: u64,
    /// Codes that were read.
    pub codes: u64,
    /// Pictures and frames that were not read.
    pub lost: u64,
    /// The file of the scan that went on.
    pub(super) resume: Option<Resume>,
}

impl Received {
    /// The payload is where it belongs: the file from which the scan went on is removed. One that cannot be is a note on
    /// standard error.
    pub fn done(&self) {
        if let Some(error) = self.resume.as_ref().and_then(|resume| resume.done().err()) {
            // Nobody is left to be told that standard error is gone.
            let _ = writeln!(io::stderr(), "note: {error}");
        }
    }
}

/// Reads codes until a payload is whole, all pictures were looked at, or Ctrl-C is pressed. The program must call
/// [`super::serve`] when its first argument is [`super::CHILD_ARGUMENT`]. The file from which the scan went on stays until
/// [`Received::done`].
///
/// # Errors
/// [`Error::Scan`] with the reason why there is no payload, and files that cannot be read or written.
pub fn receive(from: &From, notice: &mut dyn FnMut(&Notice)) -> Result<Received, Error> {
    let interrupt = Interrupt::watched().map_err(Failure::Start)?;
    let mut keeper = Keeper::open(from.resume.as_deref())?;
    let mut session = Session::new(Path::new(PROGRAM), interrupt, notice);
    if let Some(texts) = keeper.texts.take().filter(|texts| !texts.is_empty()) {
        session.go_on(keeper.name(), texts);
    }
    let mut pictures = 0;
    let received =
        look(from, &mut session, &mut keeper, &mut pictures).and_then(|()| payload(from, &mut session));
    match received {
        Ok(payload) => {
            let Session { frames, codes, lost, .. } = session;
            Ok(Received { payload, pictures, frames, codes, lost, resume: keeper.resume })
        }
        Err(error) => {
            keeper.keep_after(&error, &session)?;
            Err(error)
        }
    }
}

fn look(
    from: &From,
    session: &mut Session<'_>,
    keeper: &mut Keeper,
    pictures: &mut u64,
) -> Result<(), Error> {
    if let Some(device) = &from.camera {
        return camera(Camera::open(device)?, session, keeper);
    }
    if let Some(path) = &from.video {
        let stream = Stream::open(path)?;
        return match from.raw {
            Some(size) => raw(stream, Raw::new(size), session, keeper),
            None => video(stream, session, keeper),
        };
    }
    look_at_pictures(&from.picture, session, keeper, pictures)
}

fn camera(mut camera: Camera, session: &mut Session<'_>, keeper: &mut Keeper) -> Result<(), Error> {
    let name = camera.name().to_owned();
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    follow(session, keeper, |session| {
        match camera.next(LOOK)? {
            Some(Frame::Luma { width, height, pixels }) => {
                session.luma(&name, side(width), side(height), pixels)?;
            }
            Some(Frame::Jpeg(bytes)) => session.jpeg(&name, bytes)?,
            None => {}
        }
        Ok(Goes::On)
    })
}

/// Whether what moves has more to show.
enum Goes {
    On,
    Over,
}

/// Looks at what moves, step by step, until it is over, interrupted, or has shown enough.
fn follow<'a>(
    session: &mut Session<'a>,
    keeper: &mut Keeper,
    mut step: impl FnMut(&mut Session<'a>) -> Result<Goes, Error>,
) -> Result<(), Error> {
    while !session.is_interrupted() && !has_enough(session) {
        match step(session)? {
            Goes::On => keeper.now_and_then(session)?,
            Goes::Over => break,
        }
    }
    Ok(())
}

fn look_at_pictures(
    paths: &[PathBuf],
    session: &mut Session<'_>,
    keeper: &mut Keeper,
    count: &mut u64,
) -> Result<(), Error> {
    for path in pictures(paths)? {
        if session.is_interrupted() {
            break;
        }
        let bytes = files::read(&path, MAX_PICTURE_LEN)?;
        *count = count.saturating_add(1);
        session.picture(&name(&path), bytes)?;
        keeper.now_and_then(session)?;
    }
    Ok(())
}

fn video(mut stream: Stream, session: &mut Session<'_>, keeper: &mut Keeper) -> Result<(), Error> {
    let mut tape = Tape::new(stream.name().to_owned());
    follow(session, keeper, |session| {
        match stream.next(usize::MAX)? {
            Piece::Bytes(bytes) => session.video(&mut tape, &bytes)?,
            Piece::Pause => {}
            Piece::End => return Ok(Goes::Over),
        }
        Ok(Goes::On)
    })
}

fn raw(
    mut stream: Stream,
    mut raw: Raw,
    session: &mut Session<'_>,
    keeper: &mut Keeper,
) -> Result<(), Error> {
    let size = raw.size;
    follow(session, keeper, |session| {
        match stream.next(raw.missing())? {
            Piece::Bytes(bytes) => {
                if let Some(pixels) = raw.add(&bytes) {
                    session.luma(stream.name(), size.width, size.height, pixels)?;
                }
            }
            Piece::Pause => {}
            Piece::End => return Ok(Goes::Over),
        }
        Ok(Goes::On)
    })
}

/// Whether what moves can end: a payload is whole, and no other was in view for a while.
fn has_enough(session: &Session<'_>) -> bool {
    session.last().are_several || session.last().is_settled
}

/// The only payload.
fn payload(from: &From, session: &mut Session<'_>) -> Result<Payload, Error> {
    let last = session.last();
    let streams = &last.progress.streams;
    let is_moving = from.picture.is_empty();
    let is_confirming = streams.iter().any(|stream| stream.state == State::Confirming);
    // Of pictures nobody knows which is the last.
    let is_only = if is_moving { last.is_settled } else { last.is_alone };
    let are_several = last.are_several || is_confirming && streams.len() > 1 || last.is_whole && !is_only;
    if are_several {
        return Err(Failure::Several(named(streams)).into());
    }
    if session.is_interrupted() && !last.is_whole {
        let (what, hint) = (so_far(session), from.how_to_go_on());
        return Err(Failure::Interrupted { what, hint }.into());
    }
    if session.is_interrupted() && !is_moving {
        let what = "a payload is whole, but not all pictures were looked at".to_owned();
        return Err(Failure::Interrupted { what, hint: "scan all of them again".to_owned() }.into());
    }
    let is_any = furthest(streams).is_some();
    if let Some(payload) = session.end()? {
        return Ok(payload);
    }
    if !is_any {
        let failure = if session.frames == 0 { Failure::NoFrame } else { Failure::Nothing };
        return Err(failure(so_far(session)).into());
    }
    Err(Failure::PartsMissing { what: so_far(session), hint: from.how_to_go_on() }.into())
}

impl From {
    fn how_to_go_on(&self) -> String {
        match &self.resume {
            Some(path) => format!("go on with `--resume {}`: what was read is kept there", name(path)),
            None if !self.picture.is_empty() => {
                "name pictures of the other parts as well, all together".to_owned()
            }
            None => "scan again; with `--resume FILE` a scan goes on where it ended".to_owned(),
        }
    }
}

/// How far it came, for a person.
fn so_far(session: &Session<'_>) -> String {
    let (frames, progress) = (session.frames, &session.last().progress);
    match furthest(&progress.streams) {
        Some(best) if best.rank == best.parts => format!(
            "all {} parts are known, but they have no check sum, and one of before must be seen again",
            best.parts
        ),
        Some(best) => format!(
            "{} of {} parts are known, from {} codes in {frames} frames",
            best.rank, best.parts, session.codes
        ),
        None => format!(
            "no payload in {frames} frames: {} codes that are not read here, {} broken ones",
            progress.foreign, progress.faulty
        ),
    }
}

/// `UR psbt of 12 parts, BBQr psbt of 5 parts`.
fn named(streams: &[StreamProgress]) -> String {
    let one = |stream: &StreamProgress| {
        let parts = if stream.parts == 1 { "1 part".to_owned() } else { format!("{} parts", stream.parts) };
        format!("{} by {} in {parts}", stream.kind, stream.format)
    };
    streams.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The file that a scan goes on from.
struct Keeper {
    resume: Option<Resume>,
    texts: Option<Vec<String>>,
    last: Instant,
    kept: usize,
}

impl Keeper {
    fn open(path: Option<&Path>) -> Result<Self, Error> {
        let (resume, texts) = path.map(Resume::open).transpose()?.unzip();
        let kept = texts.as_ref().map_or(0, Vec::len);
        Ok(Self { resume, texts, last: Instant::now(), kept })
    }

    /// Keeps new texts, but not all the time.
    fn now_and_then(&mut self, session: &Session<'_>) -> Result<(), Error> {
        if self.is_due(session) && self.last.elapsed() > KEEP {
            self.keep(session)?;
        }
        Ok(())
    }

    fn keep(&mut self, session: &Session<'_>) -> Result<(), Error> {
        self.last = Instant::now();
        self.kept = session.kept().len();
        self.resume.as_mut().map_or(Ok(()), |resume| resume.keep(session.kept()))
    }

    /// Keeps the texts of a scan that is worth going on with.
    fn keep_after(&mut self, error: &Error, session: &Session<'_>) -> Result<(), Error> {
        let is_over = matches!(
            error,
            Error::Scan(
                Failure::Several(_) | Failure::GivenUp(_) | Failure::NoFrame(_) | Failure::Nothing(_)
            )
        );
        if !is_over && self.is_due(session) { self.keep(session) } else { Ok(()) }
    }

    /// Whether there are new texts. Those of a payload that is whole are nothing to go on from: it is to be seen.
    fn is_due(&self, session: &Session<'_>) -> bool {
        session.kept().len() > self.kept && !session.last().is_whole
    }

    fn name(&self) -> String {
        self.resume.as_ref().map(Resume::name).unwrap_or_default()
    }
}
