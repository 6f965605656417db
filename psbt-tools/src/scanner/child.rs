//! The child's side: confine, say so, then decode and join what comes until the scanner has enough.

use super::decoder::Decoder;
use super::picture::{self, luma::Luma};
use super::video::{Next, Video};
use super::wire::{Answer, Order, Report};
use super::{Glance, LIMITS, PANICKED, glance};
use crate::qr::{Fault, Payload, Scan, State, StreamProgress, Taken};
use crate::sandbox::{Socket, confine};
use std::io;
use std::process::ExitCode;

/// Frames of a payload alone after which another that was in view before is gone.
const QUIET: u32 = 32;

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
            Order::Texts(before, texts) => {
                if !work.joined.go_on(before, &texts) {
                    Answer::Unread("its codes make a payload by themselves".to_owned()).write(work.socket)?;
                }
            }
            Order::Picture(skip, bytes) => work.picture(skip, &bytes)?,
            Order::Jpeg(bytes) => work.jpeg(&bytes)?,
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
        self.frames(bytes, skip, glance(bytes))
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

    fn jpeg(&mut self, bytes: &[u8]) -> io::Result<()> {
        match picture::still_jpeg(bytes) {
            Ok(luma) => self.look(&luma, Decoder::look),
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
    /// Once parts of anything else were in view: frames since in which the payload was.
    quiet: Option<u32>,
}

impl Joined {
    /// Takes the texts of a scan of before: so many from before an interruption, and those after it. Those from before are
    /// parts of a payload of which some are still to be seen: whether they are no more than that.
    fn go_on(&mut self, before: u32, texts: &[String]) -> bool {
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(texts.len());
        let (before, after) = texts.split_at_checked(before).unwrap_or_default();
        if !before.is_empty() {
            self.take(before);
            self.scan.interrupted();
        }
        let is_open = self.payload.is_none();
        self.take(after);
        is_open
    }

    fn take(&mut self, texts: &[String]) -> Report {
        let mut report = Report { read: texts.len(), ..Report::default() };
        let (mut is_seen, mut is_other) = (false, false);
        for text in texts {
            let before = self.last_seen();
            let taken = self.scan.take(text);
            let last = self.last_seen();
            if matches!(taken, Taken::Broken(_)) {
                is_other = true;
            } else if self.payload.is_some() && last != before {
                let is_own = last.is_some_and(|last| last.state == State::Joined);
                is_seen |= is_own;
                is_other |= !is_own;
            }
            let is_kept = match taken {
                Taken::New => true,
                Taken::Joined(payload) => {
                    is_other |= self.join(payload);
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
        self.quiet = match self.quiet {
            _ if is_other => Some(0),
            Some(quiet) if is_seen => Some(quiet.saturating_add(1)),
            quiet => quiet,
        };
        report.is_alone = self.quiet.is_none();
        report.is_settled = report.is_whole && self.quiet.is_none_or(|quiet| quiet >= QUIET);
        report
    }

    /// The payload of which a part was seen last.
    fn last_seen(&self) -> Option<StreamProgress> {
        self.scan.progress().streams.first().copied()
    }

    /// Takes a payload; whether parts of others were seen before it.
    fn join(&mut self, joined: Payload) -> bool {
        if let Some(payload) = &self.payload {
            self.are_several |= payload.bytes != joined.bytes;
            return false;
        }
        self.payload = Some(joined);
        self.scan.progress().streams.iter().any(|stream| stream.state != State::Joined)
    }

    /// The payload: one that is whole, or one of which all parts are there.
    fn end(mut self) -> Option<Result<Payload, Fault>> {
        match self.payload.take() {
            Some(payload) => Some(Ok(payload)),
            None => self.scan.unconfirmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::hex;
    use crate::qr::{Format, Frames, Kind, Version};

    /// One code that holds all.
    fn single() -> String {
        hex(&[b"psbt\xff", [0xab; 40].as_slice()].concat())
    }

    fn parts() -> Frames {
        let bytes = [b"psbt\xff", [7; 900].as_slice()].concat();
        Frames::new(Format::Ur, Kind::Psbt, &bytes, Version::new(8).unwrap()).unwrap()
    }

    fn settled(joined: &mut Joined, text: &str) -> bool {
        joined.take(&[text.to_owned()]).is_settled
    }

    #[test]
    fn a_payload_that_was_alone_in_view_is_settled_at_once() {
        let mut joined = Joined::default();
        assert!(!settled(&mut joined, "HTTPS://EXAMPLE.COM"));
        let report = joined.take(&[single(), "HTTPS://EXAMPLE.COM".to_owned()]);
        assert!(report.is_whole && report.is_alone && report.is_settled);
    }

    #[test]
    fn only_frames_of_the_payload_itself_let_another_be_forgotten() {
        let (mut joined, parts) = (Joined::default(), parts());
        assert!(!settled(&mut joined, &parts.frame(0)));
        assert!(!settled(&mut joined, &single()));
        assert!((0..100).all(|_| !settled(&mut joined, "HTTPS://EXAMPLE.COM")));
        assert!((0..QUIET - 1).all(|_| !settled(&mut joined, &single())));
        // The same part again tells nothing new, and is seen all the same.
        assert!(!settled(&mut joined, &parts.frame(0)));
        assert!((0..QUIET - 1).all(|_| !settled(&mut joined, &single())));
        let report = joined.take(&[single()]);
        assert!(report.is_settled && !report.is_alone);
    }

    #[test]
    fn a_payload_in_many_guises_does_not_make_others_forgotten() {
        let (mut joined, parts) = (Joined::default(), parts());
        assert!(!settled(&mut joined, &parts.frame(0)));
        let mut guise = single();
        for at in 0..20 {
            let report = joined.take(std::slice::from_ref(&guise));
            assert!(report.is_whole && !report.are_several && !report.is_alone && !report.is_settled, "{at}");
            let letter = guise.rfind(|letter: char| letter.is_ascii_lowercase()).unwrap();
            guise[letter..=letter].make_ascii_uppercase();
        }
    }

    #[test]
    fn codes_of_before_are_parts_only() {
        let parts = parts();
        let most: Vec<String> = (1..parts.parts() as u64).map(|number| parts.frame(number)).collect();
        let mut joined = Joined::default();
        assert!(joined.go_on(most.len() as u32, &most));
        assert!(joined.take(&[parts.frame(0)]).is_settled);
        assert!(!Joined::default().go_on(1, &[single()]));
        // Of this scan, told again after a fall.
        assert!(Joined::default().go_on(0, &[single()]));
    }
}
