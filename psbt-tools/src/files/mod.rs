//! Files in and out: read once into one buffer, written whole or not at all, read back, never overwritten. What comes
//! from a medium leads nowhere outside it, and a medium that gives no answer is given up.

mod folder;
mod obstacle;
mod open;
mod patience;
mod read;
mod write;

use crate::Error;
use crate::display::escape;
use open::{place, regular, step};
use rustix::fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

pub use folder::{Folder, Names, Written};
pub use obstacle::{Obstacle, Other as NotAFile};
pub use open::Mount;
pub use patience::Patience;

/// Largest file that is read unless a flag says otherwise: 64 MiB (check C27).
pub const DEFAULT_LIMIT: u64 = 64 * 1024 * 1024;

/// Reads a whole regular file into one buffer; `-` is standard input, and `/dev/stdin`, `/dev/fd/N` and
/// `/proc/self/fd/N` are what this program was started with. What is not a regular file (a device, a pipe, a folder) is
/// not read: opening it does not block. A symbolic link that lies on another mount than `/` or the home folder is not
/// followed out of its mount.
///
/// # Errors
/// [`Error::Read`] when it is missing or unreadable, [`Error::NotAFile`], [`Error::Medium`] when it changed while it was
/// read or the medium gave no answer, and check C27 above `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    read_within(path, limit, &Patience::default())
}

/// The same with another patience.
///
/// # Errors
/// Those of [`read`].
pub fn read_within(path: &Path, limit: u64, patience: &Patience) -> Result<Vec<u8>, Error> {
    if is_dash(path) {
        return stream(&mut io::stdin().lock(), limit).map_err(|obstacle| obstacle.reading("standard input"));
    }
    if is_inherited(path) {
        return inherited(path, limit).map_err(|obstacle| obstacle.reading(&name(path)));
    }
    let typed = path.to_owned();
    let read = patience.wait(patience.reading, move |beat| {
        let place = place(&typed)?;
        read::whole(regular(&place.folder, &place.name, step)?, limit, beat)
    });
    read.map_err(|obstacle| obstacle.reading(&name(path)))
}

/// Writes a new file with this mode: without a name or to a temporary file beside it, synced and read back, and only then
/// given its name, which must be free; `-` is standard output. After an error nothing is left behind.
///
/// # Errors
/// [`Error::Exists`] when the name is taken, [`Error::Medium`] when it reads back different or the medium gives no answer,
/// [`Error::Write`] for everything the system refuses.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let name = name(path);
    if is_dash(path) {
        let mut out = io::stdout().lock();
        return out
            .write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|source| Error::Write { name, source });
    }
    let (folder, file) = target(path)?;
    folder.write_new(file, bytes, mode).map(|_| ()).map_err(|obstacle| obstacle.writing(&name))
}

/// Refuses a path at which [`write_new`] could not write, because its name is taken or its folder is not there: asked
/// before work whose result would then be lost. The writing itself never replaces anything either.
///
/// # Errors
/// Those of [`write_new`].
pub fn require_free(path: &Path) -> Result<(), Error> {
    if is_dash(path) {
        return Ok(());
    }
    let (folder, file) = target(path)?;
    match folder.is_taken(file) {
        Ok(false) => Ok(()),
        Ok(true) => Err(Error::Exists(name(path))),
        Err(obstacle) => Err(obstacle.writing(&name(path))),
    }
}

/// The folder in which a new file is to be, and its name there.
fn target(path: &Path) -> Result<(Folder, &OsStr), Error> {
    let name = name(path);
    let Some(file) = path.file_name() else {
        return Err(match path.symlink_metadata() {
            Ok(_) => Error::Exists(name),
            Err(_) => Error::NotAFile(name),
        });
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((Folder::open_for(folder, Patience::default(), |obstacle| obstacle.writing(&name))?, file))
}

/// Paths that mean a descriptor of this process and can lead nowhere else, whoever typed them.
fn is_inherited(path: &Path) -> bool {
    let text = path.as_os_str().to_str().unwrap_or_default();
    let number = text.strip_prefix("/dev/fd/").or_else(|| text.strip_prefix("/proc/self/fd/"));
    text == "/dev/stdin" || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// A file or a pipe that the shell opened, as `<(command)` does.
fn inherited(path: &Path, limit: u64) -> Result<Vec<u8>, Obstacle> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = rustix::fs::open(path, flags, Mode::empty())?;
    if open::kind(&fstat(&descriptor)?) != FileType::Fifo {
        return read::whole(descriptor, limit, &|_| Ok(()));
    }
    fcntl_setfl(&descriptor, fcntl_getfl(&descriptor)?.difference(OFlags::NONBLOCK))?;
    stream(&mut File::from(descriptor), limit)
}

fn stream(from: &mut impl io::Read, limit: u64) -> Result<Vec<u8>, Obstacle> {
    let bytes = read::bounded(from, limit, &|_| Ok(()))?;
    if bytes.len() as u64 > limit { Err(Obstacle::TooLarge(limit)) } else { Ok(bytes) }
}

/// Whether a path stands for standard input or output.
pub fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

#[cfg(test)]
mod tests;
