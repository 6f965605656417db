//! Writing whole or not at all, never in the place of anything, and reading it back.

use super::obstacle::Obstacle;
use super::open::same_file;
use super::patience::Beat;
use super::read::CHUNK;
use rustix::fd::OwnedFd;
use rustix::fs::{
    Advice, AtFlags, CWD, Mode, OFlags, RenameFlags, Stat, fadvise, fcntl_getfl, fcntl_setfl, fstat, linkat,
    openat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, pread};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

/// What direct reading wants offset, length and memory to be multiples of, on every common medium.
const ALIGNMENT: usize = 4096;

/// How many taken temporary names are passed over.
const ATTEMPTS: usize = 100;

/// Writes a file with this mode under a name that must be free. Gives what the file is, for [`withdraw`].
pub(super) fn new_file(
    folder: &OwnedFd,
    name: &OsStr,
    bytes: &[u8],
    mode: u32,
    beat: Beat<'_>,
) -> Result<Stat, Obstacle> {
    // The name is asked for before the work, and again by what gives it.
    if is_taken(folder, name)? {
        return Err(Obstacle::Exists);
    }
    let mode = Mode::from_raw_mode(mode);
    let written = match nameless(folder, name, bytes, mode, beat)? {
        Some(written) => written,
        None => match hidden(folder, name, bytes, mode, beat)? {
            Some(written) => written,
            None => direct(folder, name, bytes, mode, beat)?,
        },
    };
    match rustix::fs::fsync(folder) {
        // A file system that cannot sync a folder.
        Ok(()) | Err(Errno::INVAL) => Ok(written),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether anything has the name.
pub(super) fn is_taken(folder: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Removes a file that was written here, if the name is still its own.
pub(super) fn withdraw(folder: &OwnedFd, name: &OsStr, written: &Stat) -> Result<(), Errno> {
    if statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|found| same_file(&found, written)) {
        unlinkat(folder, name, AtFlags::empty())?;
    }
    Ok(())
}

/// Writes a file that has no name until it is whole, so that a kill leaves nothing behind (open(2), `O_TMPFILE`).
/// Nothing where the file system, or a missing `/proc`, has no way to name it afterwards.
fn nameless(
    folder: &OwnedFd,
    name: &OsStr,
    bytes: &[u8],
    mode: Mode,
    beat: Beat<'_>,
) -> Result<Option<Stat>, Obstacle> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = match openat(folder, ".", flags, mode) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    fill(&file, bytes, beat)?;
    reads_back(&file, bytes, beat)?;
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, descriptor.as_str(), folder, name, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(Some(fstat(&file)?)),
        Err(Errno::EXIST) => Err(Obstacle::Exists),
        Err(_) => Ok(None),
    }
}

/// Writes a hidden file and renames it. Nothing where the file system can neither rename without replacing nor link.
fn hidden(
    folder: &OwnedFd,
    name: &OsStr,
    bytes: &[u8],
    mode: Mode,
    beat: Beat<'_>,
) -> Result<Option<Stat>, Obstacle> {
    if !can_publish(folder, mode)? {
        return Ok(None);
    }
    let (mut temporary, file) = Temporary::create(folder, mode)?;
    fill(&file, bytes, beat)?;
    let file = closed_and_opened(folder, &temporary.name, file)?;
    reads_back(&file, bytes, beat)?;
    temporary.publish(name)?;
    temporary.is_published = true;
    Ok(Some(fstat(&file)?))
}

/// Whether a file here gets its name later without replacing another. Tried with an empty one of its own: on some file systems
/// in user space what once had two names is read through the wrong one.
fn can_publish(folder: &OwnedFd, mode: Mode) -> Result<bool, Obstacle> {
    let (mut trial, file) = Temporary::create(folder, mode)?;
    drop(file);
    for _ in 0..ATTEMPTS {
        match trial.publish(OsStr::new(&temporary_name())) {
            Ok(()) => return Ok(true),
            // What an earlier process of this number left behind.
            Err(Errno::EXIST) => {}
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::MLINK) => {
                return Ok(false);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Obstacle::Exists)
}

/// Writes under the name itself, made exclusively: all that is left on some file systems in user space (FAT). A kill
/// leaves a part behind, which has no sidecar; anything else would be able to replace a file.
fn direct(
    folder: &OwnedFd,
    name: &OsStr,
    bytes: &[u8],
    mode: Mode,
    beat: Beat<'_>,
) -> Result<Stat, Obstacle> {
    let file = File::from(openat(folder, name, EXCLUSIVE, mode)?);
    let written = fstat(&file)?;
    let filled = fill(&file, bytes, beat)
        .and_then(|()| closed_and_opened(folder, name, file))
        .and_then(|file| reads_back(&file, bytes, beat));
    match filled {
        Ok(()) => Ok(written),
        Err(obstacle) => {
            // What is reported is the first failure.
            let _ = withdraw(folder, name, &written);
            Err(obstacle)
        }
    }
}

const EXCLUSIVE: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// A name that this process has not used before.
fn temporary_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!(".airlock-{}-{}.part", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// An exclusive file that is unlinked when dropped unless it got its final name.
struct Temporary<'a> {
    folder: &'a OwnedFd,
    name: OsString,
    is_published: bool,
}

impl<'a> Temporary<'a> {
    fn create(folder: &'a OwnedFd, mode: Mode) -> Result<(Self, File), Obstacle> {
        for _ in 0..ATTEMPTS {
            let name = temporary_name();
            match openat(folder, &name, EXCLUSIVE, mode) {
                Ok(descriptor) => {
                    let temporary = Self { folder, name: name.into(), is_published: false };
                    return Ok((temporary, File::from(descriptor)));
                }
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Obstacle::Exists)
    }

    /// Gives it another name, which must be free.
    fn publish(&mut self, name: &OsStr) -> Result<(), Errno> {
        match renameat_with(self.folder, &self.name, self.folder, name, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            // File systems without RENAME_NOREPLACE: a hard link does not replace either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(self.folder, &self.name, self.folder, name, AtFlags::empty())?;
                unlinkat(self.folder, &self.name, AtFlags::empty())?;
            }
            Err(errno) => return Err(errno),
        }
        self.name = name.to_owned();
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // There is nobody left to tell; the name is recognisable and hidden.
            let _ = unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

/// The file anew: some file systems in user space write for good only when it is closed.
fn closed_and_opened(folder: &OwnedFd, name: &OsStr, file: File) -> Result<File, Obstacle> {
    drop(file);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(folder, name, flags, Mode::empty())?))
}

/// Writes and syncs.
fn fill(file: &File, bytes: &[u8], beat: Beat<'_>) -> Result<(), Obstacle> {
    let mut writer = file;
    for chunk in bytes.chunks(CHUNK) {
        writer.write_all(chunk)?;
        beat(chunk.len())?;
    }
    file.sync_all()?;
    // A sync that took its time has earned as much again.
    beat(bytes.len())
}

/// Compares what the medium gives back, past the page cache where that can be had: else it would be our own memory that is compared.
fn reads_back(file: &File, bytes: &[u8], beat: Beat<'_>) -> Result<(), Obstacle> {
    let flags = fcntl_getfl(file)?;
    let mut is_direct = fcntl_setfl(file, flags | OFlags::DIRECT).is_ok();
    // Advice only; some file systems know neither.
    let _ = fadvise(file, 0, None, Advice::DontNeed);
    let mut memory = vec![0u8; CHUNK.saturating_add(ALIGNMENT)];
    let begin = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let memory = memory.get_mut(begin..begin.saturating_add(CHUNK)).unwrap_or_default();
    let mut left = bytes;
    loop {
        let at = bytes.len().saturating_sub(left.len());
        let count = match pread(file, &mut *memory, at as u64) {
            Ok(count) => count,
            Err(Errno::INTR) => continue,
            Err(Errno::INVAL) if is_direct => {
                fcntl_setfl(file, flags)?;
                is_direct = false;
                continue;
            }
            Err(errno) => return Err(errno.into()),
        };
        let found = memory.get(..count).unwrap_or_default();
        if count == 0 {
            break;
        }
        left = left.strip_prefix(found).ok_or(Obstacle::Different)?;
        beat(count)?;
    }
    if left.is_empty() { Ok(()) } else { Err(Obstacle::Different) }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
