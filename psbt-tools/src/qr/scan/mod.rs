//! A scan: the texts of frames one after the other, until a payload is whole.

mod frame;
mod progress;
mod stream;

pub use progress::{Diagnosis, Progress, State, StreamProgress};

use super::fault::Fault;
use super::payload::{Format, Integrity, Payload};
use super::ur;
use bitcoin::hashes::{Hash, sha256};
use frame::Frame;
use progress::Counts;
use stream::{Key, Stream, Told};

/// Most payloads in view that are told apart. The one that was not seen for longest makes room.
const MAX_STREAMS: usize = 8;

/// Most bytes that are kept for all of them together. The largest payload that frames can carry fits: 4,096 parts of
/// 7,089 characters.
const MAX_MEMORY: usize = 40 * 1024 * 1024;

/// Frames that count as recent.
const RECENT: u64 = 32;

/// What a frame did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// It told something new of a payload that is not whole yet, or confirmed what was there.
    New,
    /// It told nothing new: a duplicate, or a frame of a payload that is whole or given up.
    Nothing,
    /// It is no frame that is read, or a broken one. It was counted and changed nothing.
    Ignored(Fault),
    /// What was collected with it is not to be trusted and was thrown away. After [`Fault::Checksum`] it is collected
    /// anew; after any other fault frames with the same header tell nothing more in this scan.
    Broken(Fault),
    /// With it a payload is whole. The frames of others may go on.
    Joined(Payload),
}

/// The state of a scan. It needs no clock: every frame is taken when it comes, in any order.
///
/// To go on with a scan of before, take the texts again that were [`Taken::New`], then call [`Scan::interrupted`].
///
/// Work for one frame is bounded by its 7,089 characters, by one elimination step over at most 4,096 parts, and for the
/// last frame of a payload by inflating 32 MiB.
#[derive(Debug, Default)]
pub struct Scan {
    streams: Vec<Stream>,
    counts: Counts,
}

impl Scan {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the text of one frame.
    pub fn take(&mut self, text: &str) -> Taken {
        self.counts.frames = self.counts.frames.saturating_add(1);
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let taken = match frame::read(text) {
            Ok(frame) => self.take_frame(text, frame),
            Err(fault) => Taken::Ignored(fault),
        };
        self.counts.count(&taken);
        taken
    }

    /// Frames were missed: the camera saw none for seconds, or the scan goes on later. Payloads without a check sum are
    /// joined only after one of the parts from before was seen again, so that nothing of another payload gets among them.
    pub fn interrupted(&mut self) {
        self.streams.iter_mut().for_each(Stream::interrupted);
    }

    /// No more frames follow: the payload without a check sum of which all parts are there, but were not seen again.
    /// Whoever takes it must compare its hash with the sender's.
    ///
    /// # Errors
    /// What is wrong with it, when it is not what its frames say.
    pub fn unconfirmed(&mut self) -> Option<Result<Payload, Fault>> {
        self.streams.iter_mut().find_map(|stream| match stream.unchecked(Integrity::Unchecked) {
            Told::Joined(payload) => Some(Ok(payload)),
            Told::Broken(fault) => Some(Err(fault)),
            Told::New | Told::Nothing | Told::Odd(_) | Told::Anew(_) => None,
        })
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let streams: Vec<StreamProgress> = self.streams.iter().map(Stream::progress).collect();
        let is_recent = |last: u64| self.counts.frames.saturating_sub(last) < RECENT;
        let recent = self.streams.iter().filter(|stream| is_recent(stream.last_seen())).count();
        let mixed =
            self.streams.iter().any(|stream| stream.is_contradicted() && is_recent(stream.last_seen()));
        self.counts.progress(streams, recent, mixed)
    }

    fn take_frame(&mut self, text: &str, frame: Frame<'_>) -> Taken {
        let key = match &frame {
            Frame::Ur(ty, part) => Key::Ur(ur::Header::of(*ty, part)),
            Frame::Bbqr(frame) if frame.header.parts() > 1 => Key::Bbqr(frame.header),
            Frame::Specter(parts, ..) if *parts > 1 => Key::Specter(*parts),
            Frame::WholeUr(..) => Key::Single(Format::Ur, digest(text)),
            Frame::Bbqr(..) => Key::Single(Format::Bbqr, digest(text)),
            Frame::Specter(..) => Key::Single(Format::Specter, digest(text)),
            Frame::Still(format, ..) => Key::Single(*format, digest(text)),
        };
        let now = self.counts.frames;
        self.put_first(key, &frame);
        let Some(stream) = self.streams.first_mut() else { return Taken::Nothing };
        stream.seen(now);
        if stream.is_over() {
            return Taken::Nothing;
        }
        let told = match frame {
            Frame::Ur(_, part) => stream.add_ur(&part),
            Frame::Bbqr(frame) => stream.add_bbqr(&frame),
            Frame::Specter(_, number, piece) => stream.add_specter(number, piece),
            Frame::WholeUr(ty, message) => stream.whole(ur::read(ty, &message)),
            Frame::Still(format, kind, bytes) => stream.still(format, kind, bytes),
        };
        let taken = match told {
            Told::New => Taken::New,
            Told::Nothing => Taken::Nothing,
            Told::Odd(fault) => Taken::Ignored(fault),
            Told::Broken(fault) => Taken::Broken(fault),
            Told::Anew(fault) => {
                self.streams.retain(|stream| stream.key() != &key);
                Taken::Broken(fault)
            }
            Told::Joined(payload) => Taken::Joined(payload),
        };
        self.make_room(&key);
        taken
    }

    /// Puts the stream of a key, which may be new, to the front.
    fn put_first(&mut self, key: Key, frame: &Frame<'_>) {
        let stream = match self.streams.iter().position(|stream| *stream.key() == key) {
            Some(place) => self.streams.remove(place),
            None => Stream::new(key, frame),
        };
        while self.streams.len() >= MAX_STREAMS {
            self.forget(None);
        }
        self.streams.insert(0, stream);
    }

    /// Forgets streams until what is kept is below the limit; the one that was just seen is the last to go, and alone it
    /// is below.
    fn make_room(&mut self, kept: &Key) {
        while self.streams.len() > 1 && self.streams.iter().map(Stream::memory).sum::<usize>() > MAX_MEMORY {
            self.forget(Some(kept));
        }
    }

    /// Forgets the stream that was not seen for longest. Those that were given up go last, or their parts would begin
    /// anew.
    fn forget(&mut self, kept: Option<&Key>) {
        let others = self.streams.iter().enumerate().filter(|(_, stream)| Some(stream.key()) != kept);
        if let Some((place, _)) = others.min_by_key(|(_, stream)| (stream.is_broken(), stream.last_seen())) {
            self.streams.remove(place);
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    sha256::Hash::hash(text.as_bytes()).to_byte_array()
}

#[cfg(test)]
mod tests;
