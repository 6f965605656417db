//! How far a scan is, and what hinders it.

use super::{RECENT, Taken};
use crate::qr::fault::Fault;
use crate::qr::payload::{Format, Kind};
use serde::{Deserialize, Serialize};

/// What became of a payload in view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Parts of it are missing.
    Joining,
    /// All parts are there; without a check sum some of them are to be seen again.
    Confirming,
    /// It is whole.
    Joined,
    /// It was given up.
    Broken,
}

/// How far one payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamProgress {
    /// The format of its frames.
    pub format: Format,
    /// What its frames say that it is.
    pub kind: Kind,
    /// What became of it.
    pub state: State,
    /// Parts that are known, or that would follow from the others: never goes back, whole at `parts`.
    pub rank: usize,
    /// Parts that there are.
    pub parts: usize,
    /// Frames of it, duplicates too.
    pub frames: u64,
}

/// What keeps a scan from getting on, for the last frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Diagnosis {
    /// So many payloads are in view at once.
    SeveralStreams(usize),
    /// Two payloads that cannot be told apart were in view: show one, and begin a new scan.
    Contradiction,
    /// There are codes in view, none of which is read here.
    OnlyForeign,
}

/// How far a scan is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Texts that were taken.
    pub frames: u64,
    /// Those that told something new.
    pub new: u64,
    /// Those that told nothing new.
    pub duplicates: u64,
    /// Those of no format, or with content of a type that is not read.
    pub foreign: u64,
    /// Those of a format that were broken, or contradict others.
    pub faulty: u64,
    /// The payloads in view, the one that was seen last first.
    pub streams: Vec<StreamProgress>,
    /// What hinders, if anything.
    pub diagnosis: Option<Diagnosis>,
}

/// The counts of a scan.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) frames: u64,
    new: u64,
    duplicates: u64,
    foreign: u64,
    faulty: u64,
    /// Foreign texts without any other since.
    foreign_in_a_row: u64,
}

impl Counts {
    /// Counts what a frame did.
    pub(super) fn count(&mut self, taken: &Taken) {
        let is_foreign =
            matches!(taken, Taken::Ignored(Fault::Foreign | Fault::Type { .. } | Fault::FrameTooLong(_)));
        let count = match taken {
            Taken::New | Taken::Joined(_) => &mut self.new,
            Taken::Nothing => &mut self.duplicates,
            Taken::Ignored(_) if is_foreign => &mut self.foreign,
            Taken::Ignored(_) | Taken::Broken(_) => &mut self.faulty,
        };
        *count = count.saturating_add(1);
        self.foreign_in_a_row = if is_foreign { self.foreign_in_a_row.saturating_add(1) } else { 0 };
    }

    pub(super) fn progress(&self, streams: Vec<StreamProgress>, recent: usize, mixed: bool) -> Progress {
        let diagnosis = if mixed {
            Some(Diagnosis::Contradiction)
        } else if recent > 1 {
            Some(Diagnosis::SeveralStreams(recent))
        } else if self.foreign_in_a_row >= RECENT {
            Some(Diagnosis::OnlyForeign)
        } else {
            None
        };
        let Self { frames, new, duplicates, foreign, faulty, .. } = *self;
        Progress { frames, new, duplicates, foreign, faulty, streams, diagnosis }
    }
}
