//! Why a scan ends without a payload.

use super::process::Lost;
use std::io;

/// Each with what was found; [`Failure::hint`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The child cannot be started.
    #[error("the decoder cannot be started: {0}")]
    Start(io::Error),
    /// The child's sandbox cannot be closed.
    #[error("{0}")]
    Sandbox(String),
    /// Too many children fell.
    #[error("the decoder fell {count} times, the last time: {lost}")]
    Exhausted {
        /// How often.
        count: u32,
        /// The last reason.
        lost: Lost,
    },
    /// A video that is not read.
    #[error("{name} is not read: {reason}")]
    Unread {
        /// Its name, escaped.
        name: String,
        /// Why.
        reason: String,
    },
    /// Parts of a payload do not make one.
    #[error("{0}")]
    GivenUp(String),
    /// Several payloads were seen.
    #[error("several payloads are in view: {0}")]
    Several(String),
    /// Nothing could be looked at.
    #[error("{0}")]
    NoFrame(String),
    /// No code of a payload was seen.
    #[error("{0}")]
    Nothing(String),
    /// Parts are missing at the end of all pictures or of the video.
    #[error("{what}")]
    PartsMissing {
        /// What is there.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// Ctrl-C.
    #[error("interrupted: {what}")]
    Interrupted {
        /// What is there.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// A file that shall be gone on from is none.
    #[error("{0} is no file of an interrupted scan, or was changed")]
    NoResume(String),
}

impl Failure {
    /// The code in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Start(_) => "scanner",
            Failure::Sandbox(_) => "sandbox",
            Failure::Exhausted { lost, .. } => lost.code(),
            Failure::Unread { .. } | Failure::NoFrame(_) | Failure::Nothing(_) | Failure::NoResume(_) => {
                "malformed"
            }
            Failure::GivenUp(_) => "frames",
            Failure::Several(_) => "several-payloads",
            Failure::PartsMissing { .. } => "parts-missing",
            Failure::Interrupted { .. } => "interrupted",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        match self {
            Failure::Start(_) => "the program starts itself again: check the limits on processes and memory",
            Failure::Sandbox(_) => {
                "codes are read only in the sandbox; use a kernel of 5.13 or later with Landlock and seccomp"
            }
            Failure::Exhausted { .. } => "what is shown was made to do harm, or carry it as a file",
            Failure::Unread { .. } => {
                "write it again, as `ffmpeg -i VIDEO -pix_fmt gray -strict -1 out.y4m` does"
            }
            Failure::GivenUp(_) => "show one code only and begin a new scan",
            Failure::Several(_) => "show one of them only, and begin a new scan",
            Failure::NoFrame(_) => "name PNG, JPEG or GIF pictures of codes, or a Y4M video",
            Failure::Nothing(_) => "come closer, hold still, and have one code in view at a time",
            Failure::PartsMissing { hint, .. } | Failure::Interrupted { hint, .. } => hint,
            Failure::NoResume(_) => "name the file that the interrupted scan wrote, or a new name",
        }
    }

    /// The exit code: 1 fault, 3 refused, 4 more is needed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Start(_) | Failure::Sandbox(_) => 1,
            Failure::Exhausted { .. }
            | Failure::Unread { .. }
            | Failure::GivenUp(_)
            | Failure::Several(_)
            | Failure::NoFrame(_)
            | Failure::Nothing(_)
            | Failure::NoResume(_) => 3,
            Failure::PartsMissing { .. } | Failure::Interrupted { .. } => 4,
        }
    }
}
