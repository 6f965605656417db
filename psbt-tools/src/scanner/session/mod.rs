//! One scan: a child, and what is needed to go on with a new one when it falls.

use super::failure::Failure;
use super::notice::{Notice, Watch};
use super::picture;
use super::process::{Lost, Process};
use super::tape::Tape;
use super::wire::{Answer, Order, Report};
use crate::Error;
use crate::display::escape;
use crate::interrupt::Interrupt;
use crate::qr::Payload;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How many children may fall in short order. Each hundred frames that are looked at give one back.
const MAX_FALLS: u32 = 8;

/// Frames that make good for one that fell.
const FRAMES_PER_FALL: u64 = 100;

/// Most texts that are kept: all parts of the payloads that are told apart, and as many that were given up.
const MAX_KEPT: usize = 65_536;

/// Most characters of them.
const MAX_KEPT_CHARS: usize = 40 * 1024 * 1024;

/// A scan that goes on until its source ends or a payload is whole.
pub(super) struct Session<'a> {
    program: PathBuf,
    process: Option<Process>,
    notice: &'a mut dyn FnMut(&Notice),
    interrupt: Interrupt,
    watch: Watch,
    kept: Vec<String>,
    kept_chars: usize,
    /// How many of them are of a scan that was interrupted, and the name of its file, escaped.
    before: u32,
    file: String,
    falls: u32,
    /// How many of them still count.
    fresh_falls: u32,
    pub(super) frames: u64,
    pub(super) codes: u64,
    pub(super) lost: u64,
    last: Report,
}

/// Why an order was not carried out.
enum Stop {
    /// The child fell.
    Fell(Lost),
    /// The rest is not read.
    Unread(String),
    /// The scan ends.
    Ends(Error),
}

impl std::convert::From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        Stop::Fell(lost)
    }
}

impl<'a> Session<'a> {
    /// Nothing seen yet.
    pub(super) fn new(program: &Path, interrupt: Interrupt, notice: &'a mut dyn FnMut(&Notice)) -> Self {
        Self {
            program: program.to_owned(),
            process: None,
            notice,
            interrupt,
            watch: Watch::new(),
            kept: Vec::new(),
            kept_chars: 0,
            before: 0,
            file: String::new(),
            falls: 0,
            fresh_falls: 0,
            frames: 0,
            codes: 0,
            lost: 0,
            last: Report::default(),
        }
    }

    /// Goes on with the texts of a scan of before, which a file of this name has.
    pub(super) fn go_on(&mut self, file: String, texts: Vec<String>) {
        self.file = file;
        (self.notice)(&Notice::Resumed(texts.len()));
        self.watch.resumed(texts.len());
        self.before = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        self.keep(texts);
    }

    /// The texts that told something.
    pub(super) fn kept(&self) -> &[String] {
        &self.kept
    }

    /// What the last frame told.
    pub(super) fn last(&self) -> &Report {
        &self.last
    }

    /// Whether Ctrl-C was pressed.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Looks at a picture file with this name.
    pub(super) fn picture(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        // Only of a moving one is there more to see after a frame that a child fell over.
        let moves = picture::moves(&bytes);
        let mut order = Order::Picture(0, bytes);
        loop {
            let before = self.frames;
            match self.carry_out(&order, &mut |_| Err(Lost::Nonsense)) {
                Ok(()) => return Ok(()),
                Err(Stop::Ends(error)) => return Err(error),
                Err(Stop::Unread(reason)) => {
                    self.unread(name, &reason);
                    return Ok(());
                }
                Err(Stop::Fell(lost)) => self.fell(name, lost)?,
            }
            let seen = u32::try_from(self.frames.saturating_sub(before)).unwrap_or(u32::MAX);
            let Order::Picture(skip, _) = &mut order else { return Ok(()) };
            // Twice without any frame: it is not one of them that fells the children.
            if !moves || (*skip > 0 && seen == 0) {
                return Ok(());
            }
            *skip = skip.saturating_add(seen).saturating_add(1);
        }
    }

    /// Looks at a frame of a camera.
    pub(super) fn luma(&mut self, name: &str, width: u32, height: u32, pixels: Vec<u8>) -> Result<(), Error> {
        self.frame(name, &Order::Luma(width, height, pixels))
    }

    /// Looks at a frame of a camera that is compressed.
    pub(super) fn jpeg(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.frame(name, &Order::Jpeg(bytes))
    }

    fn frame(&mut self, name: &str, order: &Order) -> Result<(), Error> {
        match self.carry_out(order, &mut |_| Err(Lost::Nonsense)) {
            Ok(()) => Ok(()),
            Err(Stop::Ends(error)) => Err(error),
            Err(Stop::Fell(lost)) => self.fell(name, lost),
            Err(Stop::Unread(reason)) => {
                self.unread(name, &reason);
                Ok(())
            }
        }
    }

    /// Looks at the next bytes of a video.
    pub(super) fn video(&mut self, tape: &mut Tape, bytes: &[u8]) -> Result<(), Error> {
        let mut order = Order::Video(0, bytes.to_vec());
        if let Err(lost) = tape.add(bytes) {
            return self.fell(tape.name(), lost);
        }
        loop {
            match self.carry_out(&order, &mut |count| tape.consumed(count)) {
                Ok(()) => return Ok(()),
                Err(Stop::Ends(error)) => return Err(error),
                Err(Stop::Unread(reason)) => {
                    let name = tape.name().to_owned();
                    return Err(Failure::Unread { name, reason: escape(&reason) }.into());
                }
                Err(Stop::Fell(lost)) => self.fell(tape.name(), lost)?,
            }
            order = Order::Video(1, tape.again());
        }
    }

    /// Ends the scan: the payload, if there is one.
    pub(super) fn end(&mut self) -> Result<Option<Payload>, Error> {
        loop {
            let answer = self.child().and_then(|child| {
                child.order(&Order::End)?;
                Ok(child.answer()?)
            });
            match answer {
                Ok(Answer::Payload(payload)) => return Ok(Some(payload)),
                Ok(Answer::Done) => return Ok(None),
                Ok(Answer::Unread(reason)) => return Err(Failure::GivenUp(escape(&reason)).into()),
                Ok(_) => self.fell("the end", Lost::Nonsense)?,
                Err(Stop::Fell(lost)) => self.fell("the end", lost)?,
                Err(Stop::Ends(error)) => return Err(error),
                Err(Stop::Unread(reason)) => return Err(Failure::GivenUp(escape(&reason)).into()),
            }
        }
    }

    /// Gives an order, and takes the answers.
    fn carry_out(
        &mut self,
        order: &Order,
        consumed: &mut dyn FnMut(u64) -> Result<(), Lost>,
    ) -> Result<(), Stop> {
        self.child()?.order(order)?;
        let mut left = order.most_reports();
        loop {
            if self.is_interrupted() {
                self.process = None;
                return Ok(());
            }
            match self.child()?.answer()? {
                Answer::Report(report) => {
                    left = left.checked_sub(1).ok_or(Lost::Nonsense)?;
                    self.take(*report)?;
                }
                Answer::Consumed(count) => {
                    consumed(count)?;
                    left = order.most_reports();
                }
                Answer::Done => return Ok(()),
                Answer::Unread(reason) => {
                    // What follows in this order is its end.
                    let is_end = self.child()?.answer()? == Answer::Done;
                    return Err(if is_end { Stop::Unread(reason) } else { Lost::Nonsense.into() });
                }
                Answer::Ready | Answer::Open(_) | Answer::Payload(_) => return Err(Lost::Nonsense.into()),
            }
        }
    }

    fn take(&mut self, mut report: Report) -> Result<(), Stop> {
        self.frames = self.frames.saturating_add(1);
        self.codes = self.codes.saturating_add(u64::try_from(report.read).unwrap_or(u64::MAX));
        if self.frames.is_multiple_of(FRAMES_PER_FALL) {
            self.fresh_falls = self.fresh_falls.saturating_sub(1);
        }
        let texts = std::mem::take(&mut report.kept);
        if !self.keep(texts) {
            return Err(Lost::Nonsense.into());
        }
        for fault in &report.faults {
            (self.notice)(&Notice::GivenUp(escape(fault)));
        }
        let outlook = self.watch.take(&report, Instant::now()).clone();
        self.last = report;
        (self.notice)(&Notice::Outlook(outlook));
        Ok(())
    }

    /// Keeps texts for a new child; whether there is room for them.
    fn keep(&mut self, texts: Vec<String>) -> bool {
        for text in texts {
            let chars = self.kept_chars.saturating_add(text.len());
            if chars > MAX_KEPT_CHARS || self.kept.len() >= MAX_KEPT {
                return false;
            }
            self.kept_chars = chars;
            self.kept.push(text);
        }
        true
    }

    /// The child; a new one is given what was kept.
    fn child(&mut self) -> Result<&mut Process, Stop> {
        if self.process.is_none() {
            let mut process =
                Process::spawn(&self.program).map_err(|source| Stop::Ends(Failure::Start(source).into()))?;
            match process.greeting()? {
                Answer::Ready => {}
                Answer::Open(reason) => return Err(Stop::Ends(Failure::Sandbox(escape(&reason)).into())),
                Answer::Report(_)
                | Answer::Consumed(_)
                | Answer::Unread(_)
                | Answer::Done
                | Answer::Payload(_) => return Err(Lost::Nonsense.into()),
            }
            if !self.kept.is_empty() {
                process.order(&Order::Texts(self.before, self.kept.clone()))?;
                match process.answer()? {
                    Answer::Done => {}
                    Answer::Unread(_) => {
                        return Err(Stop::Ends(Failure::NoResume(self.file.clone()).into()));
                    }
                    Answer::Ready
                    | Answer::Open(_)
                    | Answer::Report(_)
                    | Answer::Consumed(_)
                    | Answer::Payload(_) => return Err(Lost::Nonsense.into()),
                }
            }
            self.process = Some(process);
        }
        self.process.as_mut().ok_or(Stop::Fell(Lost::Nonsense))
    }

    /// A child fell: the next order begins with a new one, unless too many did.
    fn fell(&mut self, name: &str, lost: Lost) -> Result<(), Error> {
        self.process = None;
        self.lost = self.lost.saturating_add(1);
        self.falls = self.falls.saturating_add(1);
        self.fresh_falls = self.fresh_falls.saturating_add(1);
        (self.notice)(&Notice::Lost(name.to_owned(), lost));
        if self.fresh_falls > MAX_FALLS {
            return Err(Failure::Exhausted { count: self.falls, lost }.into());
        }
        Ok(())
    }

    fn unread(&mut self, name: &str, reason: &str) {
        self.lost = self.lost.saturating_add(1);
        (self.notice)(&Notice::Unread(name.to_owned(), escape(reason)));
    }
}

#[cfg(test)]
mod tests;
