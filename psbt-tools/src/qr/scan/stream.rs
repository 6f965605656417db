//! One payload in view.

use super::frame::Frame;
use super::progress::{State, StreamProgress};
use crate::qr::fault::Fault;
use crate::qr::indexed::Indexed;
use crate::qr::payload::{Format, Integrity, Kind, Payload};
use crate::qr::{bbqr, still, ur};

/// What tells the frames of one payload from those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Ur(ur::Header),
    Bbqr(bbqr::Header),
    Specter(usize),
    /// One code that holds all, by its hash.
    Single(Format, [u8; 32]),
}

/// What a frame told of its payload.
pub(super) enum Told {
    New,
    Nothing,
    /// It cannot be true, and nothing changes.
    Odd(Fault),
    /// The payload is given up.
    Broken(Fault),
    /// All parts are to be collected anew.
    Anew(Fault),
    Joined(Payload),
}

/// The parts that are kept.
#[derive(Debug)]
enum Parts {
    None,
    Ur(Box<ur::Joiner>),
    Bbqr(bbqr::Joiner),
    Specter(Indexed),
}

/// One payload, with what is known of it.
#[derive(Debug)]
pub(super) struct Stream {
    key: Key,
    parts: Parts,
    state: State,
    kind: Kind,
    /// Whether it was given up because two payloads were in view.
    contradicted: bool,
    frames: u64,
    last_seen: u64,
}

impl Stream {
    /// For frames with a key, of which this is the first.
    pub(super) fn new(key: Key, frame: &Frame<'_>) -> Self {
        let (parts, kind) = match frame {
            Frame::Ur(ty, part) => {
                (Parts::Ur(Box::new(ur::Joiner::new(ur::Header::of(*ty, part)))), ty.kind())
            }
            Frame::Bbqr(frame) => (Parts::Bbqr(bbqr::Joiner::new(frame.header)), frame.header.kind()),
            Frame::Specter(parts, ..) => (Parts::Specter(Indexed::new(*parts)), Kind::Bytes),
            Frame::WholeUr(ty, _) => (Parts::None, ty.kind()),
            Frame::Still(_, kind, _) => (Parts::None, *kind),
        };
        Self { key, parts, state: State::Joining, kind, contradicted: false, frames: 0, last_seen: 0 }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Joined | State::Broken)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    pub(super) fn is_contradicted(&self) -> bool {
        self.contradicted
    }

    pub(super) fn last_seen(&self) -> u64 {
        self.last_seen
    }

    pub(super) fn seen(&mut self, now: u64) {
        self.frames = self.frames.saturating_add(1);
        self.last_seen = now;
    }

    pub(super) fn memory(&self) -> usize {
        match &self.parts {
            Parts::None => 0,
            Parts::Ur(joiner) => joiner.memory(),
            Parts::Bbqr(joiner) => joiner.parts.memory(),
            Parts::Specter(parts) => parts.memory(),
        }
    }

    /// See [`super::Scan::interrupted`]. What has a check sum needs no care.
    pub(super) fn interrupted(&mut self) {
        match &mut self.parts {
            Parts::None | Parts::Ur(_) => {}
            Parts::Bbqr(joiner) => joiner.parts.interrupted(),
            Parts::Specter(parts) => parts.interrupted(),
        }
    }

    pub(super) fn progress(&self) -> StreamProgress {
        let (format, parts) = match self.key {
            Key::Ur(header) => (Format::Ur, header.parts()),
            Key::Bbqr(header) => (Format::Bbqr, header.parts()),
            Key::Specter(parts) => (Format::Specter, parts),
            Key::Single(format, _) => (format, 1),
        };
        let known = match &self.parts {
            Parts::None => 0,
            Parts::Ur(joiner) => joiner.rank(),
            Parts::Bbqr(joiner) => joiner.parts.count(),
            Parts::Specter(parts) => parts.count(),
        };
        let state = if self.is_over() || !self.is_complete() { self.state } else { State::Confirming };
        let rank = match state {
            State::Joining | State::Confirming => known,
            State::Joined => parts,
            State::Broken => 0,
        };
        StreamProgress { format, kind: self.kind, state, rank, parts, frames: self.frames }
    }

    /// Whether all parts of a format without check sum are there.
    fn is_complete(&self) -> bool {
        match &self.parts {
            Parts::None | Parts::Ur(_) => false,
            Parts::Bbqr(joiner) => joiner.parts.is_complete(),
            Parts::Specter(parts) => parts.is_complete(),
        }
    }

    pub(super) fn add_ur(&mut self, part: &ur::Part) -> Told {
        let Parts::Ur(joiner) = &mut self.parts else { return Told::Nothing };
        match joiner.add(part) {
            Ok(true) => {}
            Ok(false) => return Told::Nothing,
            // Either this part or one before is wrong: the check sum will say.
            Err(fault) => return Told::Odd(fault),
        }
        let message = match joiner.message() {
            Ok(None) => return Told::New,
            Ok(Some(message)) => message,
            Err(fault) => return Told::Anew(fault),
        };
        let Key::Ur(header) = self.key else { return Told::Nothing };
        let integrity = if header.parts() > 1 { Integrity::Crc32 } else { Integrity::Single };
        self.end(Format::Ur, integrity, ur::read(header.ty(), &message))
    }

    pub(super) fn add_bbqr(&mut self, frame: &bbqr::Frame) -> Told {
        let Parts::Bbqr(joiner) = &mut self.parts else { return Told::Nothing };
        let told = joiner.add(frame);
        let is_confirmed = joiner.parts.is_confirmed();
        self.after_part(told, is_confirmed)
    }

    pub(super) fn add_specter(&mut self, number: usize, piece: &str) -> Told {
        let Parts::Specter(parts) = &mut self.parts else { return Told::Nothing };
        let told = parts.add(number, piece.as_bytes());
        let is_confirmed = parts.is_confirmed();
        self.after_part(told, is_confirmed)
    }

    fn after_part(&mut self, told: Result<bool, Fault>, is_confirmed: bool) -> Told {
        match told {
            Err(fault) => self.give_up(fault),
            Ok(_) if is_confirmed => self.unchecked(Integrity::Repeated),
            Ok(true) => Told::New,
            Ok(false) => Told::Nothing,
        }
    }

    /// Ends with the parts of a format without check sum.
    pub(super) fn unchecked(&mut self, integrity: Integrity) -> Told {
        let (format, content) = match &self.parts {
            _ if !self.is_complete() => return Told::Nothing,
            Parts::Bbqr(joiner) => (Format::Bbqr, joiner.payload()),
            Parts::Specter(parts) => (Format::Specter, specter_content(parts)),
            Parts::None | Parts::Ur(_) => return Told::Nothing,
        };
        let integrity = if matches!(self.key, Key::Single(..)) { Integrity::Single } else { integrity };
        self.end(format, integrity, content)
    }

    pub(super) fn whole(&mut self, content: Result<(Kind, Vec<u8>), Fault>) -> Told {
        self.end(Format::Ur, Integrity::Single, content)
    }

    pub(super) fn still(&mut self, format: Format, kind: Kind, bytes: Vec<u8>) -> Told {
        self.end(format, Integrity::Single, Ok((kind, bytes)))
    }

    fn end(&mut self, format: Format, integrity: Integrity, content: Result<(Kind, Vec<u8>), Fault>) -> Told {
        match content {
            Ok((kind, bytes)) => {
                self.parts = Parts::None;
                self.state = State::Joined;
                self.kind = kind;
                Told::Joined(Payload { format, kind, integrity, bytes })
            }
            Err(fault) => self.give_up(fault),
        }
    }

    fn give_up(&mut self, fault: Fault) -> Told {
        self.parts = Parts::None;
        self.state = State::Broken;
        self.contradicted = matches!(fault, Fault::Contradiction(_) | Fault::UnequalParts(..));
        Told::Broken(fault)
    }
}

/// Specter's parts are pieces of a text that is like that of a single code.
fn specter_content(parts: &Indexed) -> Result<(Kind, Vec<u8>), Fault> {
    let text = parts.joined();
    let read = std::str::from_utf8(&text).ok().and_then(still::read);
    let what = "it is no PSBT, transaction or descriptor";
    read.map(|(_, kind, bytes)| (kind, bytes)).ok_or(Fault::Content { expected: "readable", what })
}
