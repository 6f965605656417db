//! Pictures and videos as bytes: nothing of them is parsed here.

use super::from::Size;
use crate::Error;
use crate::display::escape;
use crate::files::is_dash;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Most pictures of one scan.
const MAX_PICTURES: usize = 10_000;

/// Bytes of a video that are carried at a time.
const PIECE: usize = 1024 * 1024;

/// How often a video that pauses lets the scan look for Ctrl-C.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The pictures themselves and those in folders, by name.
pub(super) fn pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut listed = Vec::new();
    for path in paths {
        if !path.is_dir() {
            listed.push(path.clone());
            continue;
        }
        let fault = |source| Error::Read { name: name(path), source };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fault)?.take(MAX_PICTURES) {
            let entry = entry.map_err(fault)?;
            if entry.file_type().map_err(fault)?.is_file() {
                inside.push(entry.path());
            }
        }
        inside.sort();
        listed.append(&mut inside);
    }
    listed.truncate(MAX_PICTURES);
    Ok(listed)
}

/// How a path is named to a person.
pub(super) fn name(path: &Path) -> String {
    if is_dash(path) { "standard input".to_owned() } else { escape(&path.to_string_lossy()) }
}

/// The bytes of a video.
#[derive(Debug)]
pub(super) struct Stream {
    from: Descriptor,
    name: String,
}

#[derive(Debug)]
enum Descriptor {
    Input(io::Stdin),
    File(File),
}

/// What came of it.
pub(super) enum Piece {
    /// Bytes.
    Bytes(Vec<u8>),
    /// None for now.
    Pause,
    /// No more.
    End,
}

impl Stream {
    /// Opens a file or a named pipe, to which nobody may write yet; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let name = name(path);
        if is_dash(path) {
            return Ok(Self { from: Descriptor::Input(io::stdin()), name });
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Self { from: Descriptor::File(File::from(descriptor)), name }),
            Err(errno) => Err(Error::Read { name, source: errno.into() }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Up to so many of its next bytes.
    pub(super) fn next(&mut self, most: usize) -> Result<Piece, Error> {
        let fault = |source: io::Error| Error::Read { name: self.name.clone(), source };
        let ready = match &self.from {
            Descriptor::Input(input) => poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&LOOK)),
            Descriptor::File(file) => poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&LOOK)),
        };
        match ready {
            Ok(0) | Err(Errno::INTR) => return Ok(Piece::Pause),
            Ok(_) => {}
            Err(errno) => return Err(fault(errno.into())),
        }
        let mut bytes = vec![0; most.min(PIECE)];
        let read = match &mut self.from {
            // Without the library's buffer, so that what is asked for is what is there.
            Descriptor::Input(input) => rustix::io::read(&*input, &mut bytes).map_err(io::Error::from),
            Descriptor::File(file) => file.read(&mut bytes),
        };
        match read {
            Ok(0) => Ok(Piece::End),
            Ok(count) => {
                bytes.truncate(count);
                Ok(Piece::Bytes(bytes))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                Ok(Piece::Pause)
            }
            Err(error) => Err(fault(error)),
        }
    }
}

/// Frames of raw brightness, cut out of a stream.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) size: Size,
    bytes: Vec<u8>,
}

impl Raw {
    pub(super) fn new(size: Size) -> Self {
        Self { size, bytes: Vec::new() }
    }

    /// How many bytes its frame still needs.
    pub(super) fn missing(&self) -> usize {
        let side = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
        side(self.size.width).saturating_mul(side(self.size.height)).saturating_sub(self.bytes.len())
    }

    /// Takes as many bytes as were missing or fewer; a whole frame.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.bytes.extend_from_slice(bytes);
        (self.missing() == 0).then(|| std::mem::take(&mut self.bytes))
    }
}
