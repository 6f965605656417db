//! Why a file or a folder was not read or written.

use crate::Error;
use policies::check::Check;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::time::Duration;

/// What stood in the way. [`Obstacle::code`] is a word for programs.
#[derive(Debug)]
pub enum Obstacle {
    /// The system's reason.
    System(io::Error),
    /// It is a folder, a device, a pipe or a socket.
    NotAFile(Other),
    /// A symbolic link that is not followed.
    Symlink,
    /// It lies on another file system than its folder.
    OtherMount,
    /// Larger than this many bytes.
    TooLarge(u64),
    /// It became another file, or another content, while it was read.
    Changed,
    /// What was written reads back as something else.
    Different,
    /// The name is taken.
    Exists,
    /// The medium gave no answer for this long, or next to none.
    Deadline(Duration),
    /// Given up by the person.
    Interrupted,
}

/// What is no regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// A folder.
    Folder,
    /// A character or block device.
    Device,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// Something that this program does not know.
    Unknown,
}

impl Other {
    /// Of anything but a regular file and a symbolic link.
    pub(super) fn of(kind: FileType) -> Self {
        match kind {
            FileType::Directory => Other::Folder,
            FileType::CharacterDevice | FileType::BlockDevice => Other::Device,
            FileType::Fifo => Other::Fifo,
            FileType::Socket => Other::Socket,
            FileType::RegularFile | FileType::Symlink | FileType::Unknown => Other::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Other::Folder => "folder",
            Other::Device => "device",
            Other::Fifo => "fifo",
            Other::Socket => "socket",
            Other::Unknown => "unknown",
        }
    }
}

impl Obstacle {
    /// A short kebab-case word.
    pub fn code(&self) -> &'static str {
        match self {
            Obstacle::System(_) => "unreadable",
            Obstacle::NotAFile(other) => other.as_str(),
            Obstacle::Symlink => "symlink",
            Obstacle::OtherMount => "other-mount",
            Obstacle::TooLarge(_) => "too-large",
            Obstacle::Changed => "changed-while-read",
            Obstacle::Different => "reads-back-different",
            Obstacle::Exists => "exists",
            Obstacle::Deadline(_) => "deadline",
            Obstacle::Interrupted => "interrupted",
        }
    }

    /// The failure of reading what has this name, escaped.
    pub fn reading(self, name: &str) -> Error {
        self.into_error(name, |name, source| Error::Read { name, source })
    }

    /// The failure of writing what has this name, escaped.
    pub fn writing(self, name: &str) -> Error {
        self.into_error(name, |name, source| Error::Write { name, source })
    }

    fn into_error(self, name: &str, system: fn(String, io::Error) -> Error) -> Error {
        let name = name.to_owned();
        match self {
            Obstacle::System(source) => system(name, source),
            Obstacle::NotAFile(_) => Error::NotAFile(name),
            Obstacle::Exists => Error::Exists(name),
            Obstacle::TooLarge(limit) => {
                Error::refused(Check::BOUNDS, format!("{name} is larger than {limit} bytes"))
            }
            obstacle @ (Obstacle::Symlink
            | Obstacle::OtherMount
            | Obstacle::Changed
            | Obstacle::Different
            | Obstacle::Deadline(_)
            | Obstacle::Interrupted) => Error::Medium { name, obstacle },
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Obstacle::Symlink => "name the file itself: what lies on a medium leads nowhere else",
            Obstacle::OtherMount => "name that file by its own path",
            Obstacle::Changed => "wait until nothing writes there any more, and try again",
            Obstacle::Different => "the medium is damaged or a fake: use another one",
            Obstacle::Deadline(_) => {
                "pull the medium and plug it in again; if that does not help, use another one"
            }
            Obstacle::Interrupted => "nothing was written; begin again when you are ready",
            Obstacle::System(_) | Obstacle::NotAFile(_) | Obstacle::TooLarge(_) | Obstacle::Exists => {
                "check the file and the medium"
            }
        }
    }

    /// 1 for a fault of the medium, 3 for what is refused.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Obstacle::Symlink
            | Obstacle::OtherMount
            | Obstacle::Changed
            | Obstacle::TooLarge(_)
            | Obstacle::Exists => 3,
            Obstacle::System(_)
            | Obstacle::NotAFile(_)
            | Obstacle::Different
            | Obstacle::Deadline(_)
            | Obstacle::Interrupted => 1,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::System(source) => write!(f, "cannot be read: {source}"),
            Obstacle::NotAFile(Other::Unknown) => f.write_str("is no regular file"),
            Obstacle::NotAFile(other) => write!(f, "is no regular file but a {}", other.as_str()),
            Obstacle::Symlink => f.write_str("is reached through a symbolic link that is not followed"),
            Obstacle::OtherMount => f.write_str("lies on another file system than its folder"),
            Obstacle::TooLarge(limit) => write!(f, "is larger than {limit} bytes"),
            Obstacle::Changed => f.write_str("changed while it was read"),
            Obstacle::Different => f.write_str("reads back different from what was written"),
            Obstacle::Exists => f.write_str("exists already"),
            Obstacle::Deadline(silence) => {
                write!(f, "is on a medium that gave no answer within {} s", silence.as_secs_f32())
            }
            Obstacle::Interrupted => f.write_str("was interrupted"),
        }
    }
}

impl From<io::Error> for Obstacle {
    fn from(error: io::Error) -> Self {
        Obstacle::System(error)
    }
}

impl From<Errno> for Obstacle {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EXIST => Obstacle::Exists,
            Errno::XDEV => Obstacle::OtherMount,
            errno => Obstacle::System(errno.into()),
        }
    }
}
