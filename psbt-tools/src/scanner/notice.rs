//! What a scan tells while it goes on.

use super::decoder::Sight;
use super::process::Lost;
use super::wire::Report;
use crate::qr::{Diagnosis, State, StreamProgress};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Frames from which it is told what hinders.
const WINDOW: usize = 12;

/// How far back the frames a second are counted.
const RATE: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A frame was looked at: how far it is.
    Outlook(Outlook),
    /// A scan of before goes on, with so many codes.
    Resumed(usize),
    /// A picture, or the rest of it, is not read: its name, escaped, and why.
    Unread(String, String),
    /// The decoder fell over a frame of what has this name, and began anew without it.
    Lost(String, Lost),
    /// A payload was given up, and why, escaped.
    GivenUp(String),
}

/// How far a scan is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Frames that were looked at.
    pub frames: u64,
    /// Codes that were read.
    pub codes: u64,
    /// The payload that is furthest, if one began: how many parts are known, of how many.
    pub rank: Option<(usize, usize)>,
    /// Frames that are looked at in ten seconds.
    pub frames_per_ten_seconds: u64,
    /// How long it still takes if it goes on like this.
    pub left: Option<Duration>,
    /// What hinders.
    pub hindrance: Option<Hindrance>,
}

/// What keeps a scan from getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It is too dark.
    Dark,
    /// Light and dark hardly differ: the picture is out of focus, or the screen reflects.
    Flat,
    /// The code is too small in the picture.
    Small,
    /// A code is there, but its content does not read.
    Torn,
    /// There is no code in view.
    Empty,
    /// So many payloads are in view.
    Several(usize),
    /// Two payloads were in view that cannot be told apart.
    Contradiction,
    /// There are codes in view, but none that is read here.
    Foreign,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hindrance::Dark => "too dark: more light, or a brighter screen",
            Hindrance::Flat => "low contrast: focus, avoid reflections, brighten the screen",
            Hindrance::Small => "too small: come closer, or show less dense codes",
            Hindrance::Torn => "torn: hold still, or let the codes change more slowly",
            Hindrance::Empty => "no code in view",
            Hindrance::Several(count) => return write!(f, "{count} payloads in view: show one only"),
            Hindrance::Contradiction => "two payloads were mixed: show one only, and begin a new scan",
            Hindrance::Foreign => "these codes carry nothing that is read here",
        })
    }
}

/// What the last frames told.
#[derive(Debug)]
pub(super) struct Watch {
    begun: Instant,
    /// When the last frames were.
    times: VecDeque<Instant>,
    /// What hindered in them.
    sights: VecDeque<Option<Sight>>,
    outlook: Outlook,
    /// Parts that were known when it began.
    had: usize,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (times, sights) = (VecDeque::new(), VecDeque::new());
        Self { begun: Instant::now(), times, sights, outlook: Outlook::default(), had: 0 }
    }

    /// What was known before the first frame.
    pub(super) fn resumed(&mut self, rank: usize) {
        self.had = rank;
    }

    /// Takes what a frame told.
    pub(super) fn take(&mut self, report: &Report, now: Instant) -> &Outlook {
        self.times.push_back(now);
        while self.times.front().is_some_and(|time| now.saturating_duration_since(*time) > RATE) {
            self.times.pop_front();
        }
        self.sights.push_back(report.sight);
        if self.sights.len() > WINDOW {
            self.sights.pop_front();
        }
        let read = u64::try_from(report.read).unwrap_or(u64::MAX);
        self.outlook.frames = self.outlook.frames.saturating_add(1);
        self.outlook.codes = self.outlook.codes.saturating_add(read);
        self.outlook.frames_per_ten_seconds = self.rate(now);
        self.outlook.rank = furthest(&report.progress.streams).map(|stream| (stream.rank, stream.parts));
        self.outlook.left = self.left(now);
        self.outlook.hindrance = self.hindrance(report);
        &self.outlook
    }

    fn rate(&self, now: Instant) -> u64 {
        let since = self.times.front().map_or(Duration::ZERO, |first| now.saturating_duration_since(*first));
        let count = u64::try_from(self.times.len().saturating_sub(1)).unwrap_or(u64::MAX);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        count.saturating_mul(10_000).checked_div(millis).unwrap_or_default()
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        let (rank, parts) = self.outlook.rank?;
        let new = u32::try_from(rank.checked_sub(self.had)?).ok()?;
        let missing = u32::try_from(parts.saturating_sub(rank)).ok()?;
        now.saturating_duration_since(self.begun).checked_mul(missing)?.checked_div(new)
    }

    fn hindrance(&self, report: &Report) -> Option<Hindrance> {
        match report.progress.diagnosis {
            Some(Diagnosis::SeveralStreams(count)) => return Some(Hindrance::Several(count)),
            Some(Diagnosis::Contradiction) => return Some(Hindrance::Contradiction),
            Some(Diagnosis::OnlyForeign) => return Some(Hindrance::Foreign),
            None => {}
        }
        let count = |wanted: Option<Sight>| self.sights.iter().filter(|sight| **sight == wanted).count();
        // As long as a third of the frames read, nothing hinders much.
        if count(None).saturating_mul(3) >= self.sights.len() {
            return None;
        }
        let sights = [Sight::Torn, Sight::Small, Sight::Flat, Sight::Dark, Sight::Empty];
        let most = sights.into_iter().rev().max_by_key(|sight| count(Some(*sight)))?;
        Some(match most {
            Sight::Dark => Hindrance::Dark,
            Sight::Flat => Hindrance::Flat,
            Sight::Small => Hindrance::Small,
            Sight::Torn => Hindrance::Torn,
            Sight::Empty => Hindrance::Empty,
        })
    }
}

/// The payload that is furthest.
pub(super) fn furthest(streams: &[StreamProgress]) -> Option<&StreamProgress> {
    streams.iter().filter(|stream| stream.state != State::Broken).max_by_key(|stream| stream.rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::{Format, Kind, Progress};

    fn report(sight: Option<Sight>, rank: usize) -> Report {
        let stream = StreamProgress {
            format: Format::Ur,
            kind: Kind::Psbt,
            state: State::Joining,
            rank,
            parts: 40,
            frames: 1,
        };
        let streams = if rank == 0 { Vec::new() } else { vec![stream] };
        let read = usize::from(sight.is_none());
        Report { read, sight, progress: Progress { streams, ..Progress::default() }, ..Report::default() }
    }

    #[test]
    fn speed_and_time_left_follow_from_what_was_seen() {
        let mut watch = Watch::new();
        let begun = watch.begun;
        let mut outlook = Outlook::default();
        for number in 1..=20_u32 {
            let now = begun + Duration::from_millis(100) * number;
            outlook = watch.take(&report(None, number as usize), now).clone();
        }
        assert_eq!((outlook.frames, outlook.codes, outlook.rank), (20, 20, Some((20, 40))));
        assert_eq!(outlook.frames_per_ten_seconds, 100);
        assert_eq!(outlook.left, Some(Duration::from_secs(2)));
        assert_eq!(outlook.hindrance, None);
    }

    #[test]
    fn parts_of_before_do_not_make_it_faster() {
        let mut watch = Watch::new();
        watch.resumed(19);
        let now = watch.begun + Duration::from_secs(1);
        let outlook = watch.take(&report(None, 20), now);
        assert_eq!(outlook.left, Some(Duration::from_secs(20)));
        assert_eq!(watch.take(&report(None, 19), now).left, None);
    }

    #[test]
    fn what_hinders_is_what_most_frames_show() {
        let mut watch = Watch::new();
        let now = watch.begun;
        let mut take = |sight| watch.take(&report(sight, 0), now).hindrance;
        assert_eq!(take(Some(Sight::Dark)), Some(Hindrance::Dark));
        for _ in 0..8 {
            take(Some(Sight::Torn));
        }
        assert_eq!(take(Some(Sight::Small)), Some(Hindrance::Torn));
        for _ in 0..5 {
            take(None);
        }
        assert_eq!(take(Some(Sight::Torn)), None, "every second frame reads");
    }

    #[test]
    fn several_payloads_are_said_before_anything_else() {
        let mut watch = Watch::new();
        let now = watch.begun;
        let mut several = report(Some(Sight::Torn), 3);
        several.progress.diagnosis = Some(Diagnosis::SeveralStreams(2));
        assert_eq!(watch.take(&several, now).hindrance, Some(Hindrance::Several(2)));
    }
}
