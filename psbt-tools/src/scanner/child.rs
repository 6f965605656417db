//! The child's side: confine, say so, then decode and join what comes until the scanner has enough.

use super::decoder::{Decoder, Look};
use super::picture::{self, luma::Luma};
use super::video::{Next, Video};
use super::wire::{Answer, Order, Report};
use super::{LIMITS, PANICKED};
use crate::qr::{Fault, Payload, Scan, Taken};
use crate::sandbox::{Socket, confine};
use std::io;
use std::process::ExitCode;

/// Runs the child on descriptor 0. Before the first byte it gives up every way to open anything.
pub fn serve() -> ExitCode {
    // The same end whether a panic unwinds or aborts; its message may quote what was read.
    std::panic::set_hook(Box::new(|_| std::process::exit(PANICKED)));
    let mut socket = Socket;
    if let Err(error) = confine(&LIMITS) {
        // The scanner sees that it ended, if not why.
        let _ = Answer::Open(error.to_string()).write(&mut socket);
        return ExitCode::FAILURE;
    }
    match answer(&mut socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Answers orders until the last.
fn answer(socket: &mut Socket) -> io::Result<()> {
    Answer::Ready.write(socket)?;
    let mut work =
        Work { socket, decoder: Decoder::default(), video: Video::default(), joined: Joined::default() };
    loop {
        match Order::read(work.socket)? {
            Order::Texts(before, texts) => work.joined.go_on(before, &texts),
            Order::Picture(skip, bytes) => work.picture(skip, &bytes)?,
            Order::Jpeg(bytes) => work.frames(&bytes, 0, Decoder::look)?,
            Order::Video(skip, bytes) => work.video(skip, &bytes)?,
            Order::Luma(width, height, pixels) => work.luma(width, height, pixels)?,
            Order::End => {
                let last = match work.joined.end() {
                    Some(Ok(payload)) => Answer::Payload(payload),
                    Some(Err(fault)) => Answer::Unread(format!("{fault}; {}", fault.hint())),
                    None => Answer::Done,
                };
                return last.write(work.socket);
            }
        }
        Answer::Done.write(work.socket)?;
    }
}

/// How a frame is looked at.
type Glance = fn(&mut Decoder, &Luma) -> Look;

struct Work<'a> {
    socket: &'a mut Socket,
    decoder: Decoder,
    video: Video,
    joined: Joined,
}

impl Work<'_> {
    fn look(&mut self, luma: &Luma, look: Glance) -> io::Result<()> {
        let look = look(&mut self.decoder, luma);
        let mut report = self.joined.take(&look.texts);
        report.sight = look.sight;
        Answer::Report(Box::new(report)).write(self.socket)
    }

    fn picture(&mut self, skip: u32, bytes: &[u8]) -> io::Result<()> {
        let look = if picture::moves(bytes) { Decoder::look } else { Decoder::look_closely };
        self.frames(bytes, skip, look)
    }

    fn frames(&mut self, bytes: &[u8], skip: u32, look: Glance) -> io::Result<()> {
        let mut number = 0_u32;
        let mut sent = Ok(());
        let read = picture::each(bytes, |luma| {
            number = number.saturating_add(1);
            if number > skip {
                sent = self.look(luma, look);
            }
            sent.is_ok()
        });
        sent?;
        match read {
            Ok(()) => Ok(()),
            Err(unread) => Answer::Unread(unread.to_string()).write(self.socket),
        }
    }

    fn video(&mut self, skip: u32, bytes: &[u8]) -> io::Result<()> {
        let mut left = skip;
        self.video.take(bytes);
        loop {
            match self.video.next(left > 0) {
                Ok(Next::Nothing) => return Ok(()),
                Ok(Next::Header) => {}
                Ok(Next::Frame(_)) if left > 0 => left = left.saturating_sub(1),
                Ok(Next::Frame(luma)) => self.look(&luma, Decoder::look)?,
                Err(unread) => return Answer::Unread(unread.to_string()).write(self.socket),
            }
            Answer::Consumed(self.video.consumed()).write(self.socket)?;
        }
    }

    fn luma(&mut self, width: u32, height: u32, pixels: Vec<u8>) -> io::Result<()> {
        let side = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
        match Luma::new(side(width), side(height), pixels) {
            Some(luma) => self.look(&luma, Decoder::look),
            None => Answer::Unread("it has no pixels, too many, or not those it should have".to_owned())
                .write(self.socket),
        }
    }
}

/// What the codes so far told.
#[derive(Default)]
struct Joined {
    scan: Scan,
    payload: Option<Payload>,
    are_several: bool,
}

impl Joined {
    /// Takes the texts of a scan of before: so many from before an interruption, and those after it.
    fn go_on(&mut self, before: u32, texts: &[String]) {
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(texts.len());
        let (before, after) = texts.split_at_checked(before).unwrap_or_default();
        if !before.is_empty() {
            self.take(before);
            self.scan.interrupted();
        }
        self.take(after);
    }

    fn take(&mut self, texts: &[String]) -> Report {
        let mut report = Report { read: texts.len(), ..Report::default() };
        for text in texts {
            let is_kept = match self.scan.take(text) {
                Taken::New => true,
                Taken::Joined(payload) => {
                    self.join(payload);
                    true
                }
                // Kept as well, so that a new child gives it up again.
                Taken::Broken(fault) => {
                    report.faults.push(format!("{fault}; {}", fault.hint()));
                    true
                }
                Taken::Nothing | Taken::Ignored(_) => false,
            };
            if is_kept && text.bytes().all(super::wire::is_printable) {
                report.kept.push(text.clone());
            }
        }
        report.progress = self.scan.progress();
        report.is_whole = self.payload.is_some();
        report.are_several = self.are_several;
        report
    }

    fn join(&mut self, joined: Payload) {
        match &self.payload {
            Some(payload) if payload.bytes != joined.bytes => self.are_several = true,
            Some(_) => {}
            None => self.payload = Some(joined),
        }
    }

    /// The payload: one that is whole, or one of which all parts are there.
    fn end(mut self) -> Option<Result<Payload, Fault>> {
        match self.payload.take() {
            Some(payload) => Some(Ok(payload)),
            None => self.scan.unconfirmed(),
        }
    }
}
