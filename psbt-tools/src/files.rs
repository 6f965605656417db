//! Files in and out: read once into one buffer, written whole or not at all, never overwritten.

use crate::Error;
use crate::display::escape;
use policies::check::Check;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Largest file that is read unless a flag says otherwise: 64 MiB (check C27).
pub const DEFAULT_LIMIT: u64 = 64 * 1024 * 1024;

/// Reads a whole regular file into one buffer; `-` is standard input. What is not a regular file (a device, a pipe, a
/// folder) is not read: opening it does not block.
///
/// # Errors
/// [`Error::Read`] when it is missing or unreadable, [`Error::NotAFile`], and check C27 above `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    if is_dash(path) {
        return bounded(&mut io::stdin().lock(), "standard input", limit);
    }
    let name = name(path);
    let fault = |source: io::Error| Error::Read { name: name.clone(), source };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| fault(errno.into()))?;
    let mut file = File::from(descriptor);
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(name));
    }
    if metadata.len() > limit {
        return Err(too_large(&name, limit));
    }
    bounded(&mut file, &name, limit)
}

/// Writes a new file with this mode: to a temporary file beside it, synced, and only then given its name, which must
/// be free; `-` is standard output. After an error nothing is left behind.
///
/// # Errors
/// [`Error::Exists`] when the name is taken, [`Error::Write`] for everything the system refuses.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let name = name(path);
    let fault = |source: io::Error| Error::Write { name: name.clone(), source };
    if is_dash(path) {
        let mut out = io::stdout().lock();
        return out.write_all(bytes).and_then(|()| out.flush()).map_err(fault);
    }
    // The name is asked for before the work, and again by the renaming itself.
    if path.symlink_metadata().is_ok() {
        return Err(Error::Exists(name));
    }
    if path.file_name().is_none() {
        return Err(Error::NotAFile(name));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let written = match write_nameless(folder, path, bytes, mode) {
        Ok(Named::Yes) => Ok(()),
        Ok(Named::Unsupported) => write_hidden(folder, path, bytes, mode),
        Err(error) => Err(error),
    };
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(Error::Exists(name)),
        written => written.map_err(fault)?,
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}

/// Whether a file got its name.
enum Named {
    Yes,
    /// This file system, or a missing `/proc`, has no way to name it afterwards.
    Unsupported,
}

/// Writes a file that has no name until it is whole, so that a kill leaves nothing behind (open(2), `O_TMPFILE`).
fn write_nameless(folder: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<Named> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mut file = match rustix::fs::open(folder, flags, Mode::from_raw_mode(mode)) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => return Ok(Named::Unsupported),
        Err(errno) => return Err(errno.into()),
    };
    file.write_all(bytes)?;
    file.sync_all()?;
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(CWD, descriptor.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(Named::Yes),
        Err(Errno::EXIST) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => Ok(Named::Unsupported),
    }
}

/// Writes a hidden file and renames it.
fn write_hidden(folder: &Path, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = Temporary::create(folder, path, mode)?;
    temporary.file.write_all(bytes)?;
    temporary.file.sync_all()?;
    temporary.publish(path).map_err(io::Error::from)
}

/// An exclusive file that is unlinked when dropped unless it got its final name.
struct Temporary {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Temporary {
    fn create(folder: &Path, beside: &Path, mode: u32) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let stem =
            beside.file_name().unwrap_or_default().to_string_lossy().chars().take(64).collect::<String>();
        for attempt in 0..100u32 {
            let path = folder.join(format!(".{stem}.{}.{attempt}.part", std::process::id()));
            match rustix::fs::open(&path, flags, Mode::from_raw_mode(mode)) {
                Ok(descriptor) => return Ok(Self { path, file: File::from(descriptor), published: false }),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn publish(&mut self, path: &Path) -> Result<(), Errno> {
        match rustix::fs::renameat_with(CWD, &self.path, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => {
                self.published = true;
                Ok(())
            }
            // File systems without RENAME_NOREPLACE: a hard link does not replace either, and dropping removes the
            // temporary name.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(CWD, &self.path, CWD, path, AtFlags::empty())
            }
            Err(errno) => Err(errno),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.published {
            // There is nobody left to tell; the name is recognisable and hidden.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn bounded(from: &mut impl Read, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read { name: name.to_owned(), source })?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large(name, limit));
    }
    Ok(bytes)
}

fn too_large(name: &str, limit: u64) -> Error {
    Error::refused(Check::BOUNDS, format!("{name} is larger than {limit} bytes"))
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn name(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_has_its_bytes_and_mode_and_nothing_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.psbt");
        write_new(&path, b"bytes", 0o600).unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"bytes");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["out.psbt"]);
    }

    #[test]
    fn an_existing_name_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        write_new(&path, b"first", 0o644).unwrap();
        let error = write_new(&path, b"second", 0o644).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("exists", 3));
        assert_eq!(read(&path, 100).unwrap(), b"first");
        let dangling = folder.path().join("dangling");
        symlink(folder.path().join("nowhere"), &dangling).unwrap();
        assert_eq!(write_new(&dangling, b"x", 0o644).unwrap_err().code(), "exists");
        assert_eq!(names(folder.path()), ["dangling", "taken"]);
    }

    #[test]
    fn both_ways_of_writing_leave_one_file_and_never_replace() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_hidden(folder.path(), &at("hidden"), b"bytes", 0o600).unwrap();
        assert_eq!(
            write_hidden(folder.path(), &at("hidden"), b"other", 0o600).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        match write_nameless(folder.path(), &at("nameless"), b"bytes", 0o600).unwrap() {
            Named::Unsupported => return eprintln!("skipped: no O_TMPFILE on this file system"),
            Named::Yes => {}
        }
        let again = write_nameless(folder.path(), &at("nameless"), b"other", 0o600);
        assert_eq!(again.err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()), ["hidden", "nameless"]);
        assert_eq!(read(&at("nameless"), 5).unwrap(), b"bytes");
        assert_eq!(at("nameless").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_name_taken_meanwhile_is_not_replaced_and_the_temporary_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut temporary = Temporary::create(folder.path(), &path, 0o600).unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        assert_eq!(temporary.publish(&path), Err(Errno::EXIST));
        drop(temporary);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[test]
    fn a_missing_folder_is_a_fault_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let error = write_new(&folder.path().join("no/such"), b"", 0o600).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("unwritable", 1));
        assert!(error.hint().unwrap().contains("create it"));
    }

    #[test]
    fn sizes_are_capped_and_only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big");
        std::fs::write(&path, [0; 11]).unwrap();
        assert_eq!(read(&path, 11).unwrap().len(), 11);
        assert_eq!(read(&path, 10).unwrap_err().code(), "C27");
        assert_eq!(read(folder.path(), 10).unwrap_err().code(), "not-a-file");
        assert_eq!(read(Path::new("/dev/zero"), 10).unwrap_err().code(), "not-a-file");
        let missing = read(&folder.path().join("missing"), 10).unwrap_err();
        assert_eq!((missing.code().as_str(), missing.exit_code()), ("unreadable", 1));
    }

    #[test]
    fn a_pipe_without_a_writer_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(read(&path, 10).unwrap_err().code(), "not-a-file");
    }

    #[test]
    fn a_symlink_to_a_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("real"), b"x").unwrap();
        symlink("real", folder.path().join("link")).unwrap();
        assert_eq!(read(&folder.path().join("link"), 10).unwrap(), b"x");
    }
}
