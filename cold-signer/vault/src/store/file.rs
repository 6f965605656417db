//! The descriptors of the store: one for reading, one that can only append.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, fdatasync, flock, fstat, open};
use rustix::io::{Errno, pread, write};

use crate::Error;

/// Reads a store file; knows nothing of records.
pub(super) struct Reader(OwnedFd);

impl Reader {
    /// Opens a regular file of mode 0600 with one name, owned by this user, without following a link.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = open(path, flags, Mode::empty())
            .map_err(|errno| Error::OpenStore { path: path.to_owned(), errno })?;
        let stat = fstat(&descriptor).map_err(Error::system("reading the store's status"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Error::BadFile("it is no regular file".to_owned()));
        }
        let mode = Mode::from_raw_mode(stat.st_mode).bits() & 0o7777;
        if mode != 0o600 {
            return Err(Error::BadFile(format!("its mode is {mode:04o}, not 0600")));
        }
        if stat.st_nlink != 1 {
            return Err(Error::BadFile(format!("it has {} names", stat.st_nlink)));
        }
        let me = rustix::process::geteuid().as_raw();
        if stat.st_uid != me {
            return Err(Error::BadFile(format!("it belongs to user {}, not {me}", stat.st_uid)));
        }
        Ok(Self(descriptor))
    }

    /// Length of the file in bytes.
    pub(super) fn len(&self) -> Result<u64, Error> {
        let stat = fstat(&self.0).map_err(Error::system("reading the store's status"))?;
        u64::try_from(stat.st_size).map_err(|_| Error::BadFile("its size is negative".to_owned()))
    }

    /// Up to `limit` bytes from `offset`; fewer only at the end of the file.
    pub(super) fn read(&self, offset: u64, limit: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; limit];
        let mut filled = 0_usize;
        while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
            let place = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match pread(&self.0, room, place) {
                Ok(0) => break,
                Ok(got) => filled = filled.saturating_add(got),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::System { action: "reading the store", errno }),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Appends to a store file. After one failed write or fsync it never works again: the kernel may have
/// dropped the dirty pages, so that a second fsync would report a success that never happened.
pub(super) struct Appender {
    descriptor: OwnedFd,
    poisoned: bool,
}

impl Appender {
    /// Opens the file behind `reader` for appending and takes the lock.
    pub(super) fn open(path: &Path, reader: &Reader) -> Result<Self, Error> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = open(path, flags, Mode::empty())
            .map_err(|errno| Error::OpenStore { path: path.to_owned(), errno })?;
        let ours = fstat(&descriptor).map_err(Error::system("reading the store's status"))?;
        let theirs = fstat(&reader.0).map_err(Error::system("reading the store's status"))?;
        if (ours.st_dev, ours.st_ino) != (theirs.st_dev, theirs.st_ino) {
            return Err(Error::BadFile("it was exchanged while it was opened".to_owned()));
        }
        match flock(&descriptor, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { descriptor, poisoned: false }),
            Err(Errno::WOULDBLOCK) => Err(Error::StoreInUse),
            Err(errno) => Err(Error::System { action: "locking the store", errno }),
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Writes all bytes and waits until they are durable.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        // Poisoned before the attempt and cleared after it: no way out of here leaves it usable by mistake.
        self.poisoned = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            match write(&self.descriptor, rest) {
                Ok(0) => return Err(Error::System { action: "writing the store", errno: Errno::IO }),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::System { action: "writing the store", errno }),
            }
        }
        fdatasync(&self.descriptor).map_err(Error::system("syncing the store"))?;
        self.poisoned = false;
        Ok(())
    }
}

#[cfg(test)]
impl Appender {
    /// Exchanges the descriptor, to inject failures.
    pub(super) fn replace(&mut self, descriptor: OwnedFd) -> OwnedFd {
        std::mem::replace(&mut self.descriptor, descriptor)
    }
}
