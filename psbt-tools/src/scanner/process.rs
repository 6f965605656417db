//! The scanner's end of one child.

use super::wire::{Answer, Order};
use super::{CHILD_ARGUMENT, PANICKED};
use crate::sandbox::Confined;
use std::io::{self, BufWriter, ErrorKind};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long one frame may take.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// How long a new child may take over all codes so far.
const REPLAY: Duration = Duration::from_secs(60);

/// How long a child may take until its sandbox is closed.
const START: Duration = Duration::from_secs(20);

/// The number of SIGSYS: what the filter on system calls kills with. An allocator that gets no more memory wants to say
/// so, which is such a call.
const SIGSYS: i32 = 31;

/// Signals of a processor time that is used up: SIGXCPU and SIGKILL.
const SIGXCPU: i32 = 24;
const SIGKILL: i32 = 9;

/// Why a child cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// A frame took longer than two seconds.
    #[error("deadline: a frame took longer than 2 seconds")]
    Deadline,
    /// It panicked: a code that the decoders cannot take.
    #[error("crash: the decoder gave up on it")]
    Crash,
    /// The sandbox ended it.
    #[error(
        "memory: the sandbox stopped the decoder, which wanted more than 256 MiB or a forbidden system call"
    )]
    Memory,
    /// Its processor time was used up.
    #[error("time: the decoder used up its processor time")]
    Time,
    /// It said something that it never says.
    #[error("nonsense: the decoder answered what it never answers")]
    Nonsense,
}

impl Lost {
    /// The short word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Lost::Deadline => "deadline",
            Lost::Crash => "crash",
            Lost::Memory => "memory",
            Lost::Time => "time",
            Lost::Nonsense => "nonsense",
        }
    }
}

/// A running child.
#[derive(Debug)]
pub(super) struct Process {
    confined: Confined,
    /// How long the order that it carries out may take.
    wait: Duration,
}

impl Process {
    /// Starts `program` as a child. Ctrl-C at the terminal is for the scanner only, which keeps what was read.
    pub(super) fn spawn(program: &Path) -> io::Result<Self> {
        let confined = Confined::spawn(Command::new(program).arg(CHILD_ARGUMENT).process_group(0))?;
        Ok(Self { confined, wait: DEADLINE })
    }

    /// Waits until its sandbox is closed.
    pub(super) fn greeting(&mut self) -> Result<Answer, Lost> {
        self.hear(later(START))
    }

    /// Gives it an order.
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Lost> {
        self.wait = if matches!(order, Order::Texts(..)) { REPLAY } else { DEADLINE };
        let mut to = BufWriter::new(self.confined.until(later(self.wait)));
        let written = order.write(&mut to);
        // What is left in the buffer after an error is of no use.
        drop(to.into_parts());
        written.map_err(|error| self.lost(&error))
    }

    /// Its next answer, which must come in time.
    pub(super) fn answer(&mut self) -> Result<Answer, Lost> {
        self.hear(later(self.wait))
    }

    fn hear(&mut self, until: Instant) -> Result<Answer, Lost> {
        let answer = Answer::read(&mut self.confined.until(until));
        answer.map_err(|error| self.lost(&error))
    }

    fn lost(&mut self, error: &io::Error) -> Lost {
        if error.kind() == ErrorKind::TimedOut {
            Lost::Deadline
        } else if error.kind() == ErrorKind::InvalidData {
            Lost::Nonsense
        } else {
            self.confined.ending().map_or(Lost::Nonsense, how)
        }
    }
}

fn how(status: ExitStatus) -> Lost {
    match (status.signal(), status.code()) {
        (Some(SIGSYS), _) => Lost::Memory,
        (Some(SIGXCPU | SIGKILL), _) => Lost::Time,
        (Some(_), _) | (None, Some(PANICKED)) => Lost::Crash,
        (None, Some(_) | None) => Lost::Nonsense,
    }
}

fn later(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now)
}
