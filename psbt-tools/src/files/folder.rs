//! A folder that is held open: what is named in it is looked for in this folder and nowhere else, whatever happens to
//! its path meanwhile.

use super::obstacle::Obstacle;
use super::open::{Mount, beneath, place, regular, require_regular, step};
use super::patience::Patience;
use super::{read, write};
use crate::Error;
use crate::display::escape;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, OFlags, Stat, fstat};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Names between two beats, and what one of them counts for.
const NAMES: usize = 256;
const NAME_WEIGHT: usize = 1024;

/// An open folder. Every answer is waited for as long as its [`Patience`] says.
#[derive(Debug, Clone)]
pub struct Folder {
    descriptor: Arc<OwnedFd>,
    patience: Patience,
}

/// The names in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// In the order of their bytes.
    pub names: Vec<OsString>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// A file that was just written.
#[derive(Debug)]
pub struct Written {
    name: OsString,
    status: Stat,
}

impl Folder {
    /// Opens the folder that a person typed; symbolic links as for [`super::read`].
    ///
    /// # Errors
    /// [`Error::Read`] when there is none, [`Error::Medium`] for a link that is not followed or a medium without answer.
    pub fn open(path: &Path, patience: Patience) -> Result<Self, Error> {
        Self::open_for(path, patience, |obstacle| obstacle.reading(&escape(&path.to_string_lossy())))
    }

    /// The same with another error.
    pub(super) fn open_for(
        path: &Path,
        patience: Patience,
        fault: impl FnOnce(Obstacle) -> Error,
    ) -> Result<Self, Error> {
        let typed = path.to_owned();
        let opened = patience.wait(patience.listing, move |_| {
            let place = place(&typed)?;
            Ok(step(&place.folder, &place.name, OFlags::RDONLY | OFlags::DIRECTORY)?)
        });
        match opened {
            Ok(descriptor) => Ok(Self { descriptor: Arc::new(descriptor), patience }),
            Err(obstacle) => Err(fault(obstacle)),
        }
    }

    /// The names in it but `.` and `..`, at most so many.
    ///
    /// # Errors
    /// What the medium says, or that it says nothing.
    pub fn names(&self, most: usize) -> Result<Names, Obstacle> {
        self.wait(self.patience.listing, move |folder, beat| {
            let mut found = Names { names: Vec::new(), is_complete: true };
            for (count, entry) in Dir::read_from(folder)?.enumerate() {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                if found.names.len() >= most {
                    found.is_complete = false;
                    break;
                }
                found.names.push(OsStr::from_bytes(name).to_owned());
                if count.is_multiple_of(NAMES) {
                    beat(NAMES.saturating_mul(NAME_WEIGHT))?;
                }
            }
            found.names.sort();
            found.names.dedup();
            Ok(found)
        })
    }

    /// The size of a regular file, in bytes.
    ///
    /// # Errors
    /// What it is instead, or what the medium says.
    pub fn size(&self, name: &OsStr) -> Result<u64, Obstacle> {
        let name = name.to_owned();
        self.wait(self.patience.reading, move |folder, _| {
            let status = fstat(beneath(folder, &name, OFlags::PATH)?)?;
            require_regular(&status)?;
            Ok(u64::try_from(status.st_size).unwrap_or(u64::MAX))
        })
    }

    /// Reads a regular file of at most `limit` bytes, once.
    ///
    /// # Errors
    /// What it is instead, that it is larger or changed meanwhile, what the medium says, or that it says nothing.
    pub fn read(&self, name: &OsStr, limit: u64) -> Result<Vec<u8>, Obstacle> {
        let name = name.to_owned();
        self.wait(self.patience.reading, move |folder, beat| {
            read::whole(regular(folder, &name, beneath)?, limit, beat)
        })
    }

    /// Whether anything has this name.
    ///
    /// # Errors
    /// What the medium says, or that it says nothing.
    pub fn is_taken(&self, name: &OsStr) -> Result<bool, Obstacle> {
        let name = name.to_owned();
        self.wait(self.patience.reading, move |folder, _| Ok(write::is_taken(folder, &name)?))
    }

    /// Writes a new file, synced and read back before it gets its name.
    ///
    /// # Errors
    /// [`Obstacle::Exists`], [`Obstacle::Different`], what the medium says, or that it says nothing. Nothing is left behind
    /// where the medium still lets it be removed.
    pub fn write_new(&self, name: &OsStr, bytes: &[u8], mode: u32) -> Result<Written, Obstacle> {
        let (there, bytes) = (name.to_owned(), bytes.to_vec());
        let status = self.wait(self.patience.writing, move |folder, beat| {
            write::new_file(folder, &there, &bytes, mode, beat)
        })?;
        Ok(Written { name: name.to_owned(), status })
    }

    /// Removes what was written, unless something else has the name by now.
    ///
    /// # Errors
    /// What the medium says, or that it says nothing.
    pub fn withdraw(&self, written: Written) -> Result<(), Obstacle> {
        self.wait(self.patience.reading, move |folder, _| {
            Ok(write::withdraw(folder, &written.name, &written.status)?)
        })
    }

    /// Where it lies.
    ///
    /// # Errors
    /// What the system says.
    pub fn mount(&self) -> Result<Mount, Obstacle> {
        Ok(Mount::of(&*self.descriptor)?)
    }

    /// Whether a medium is mounted here: the folder above lies elsewhere.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_mount_point(&self) -> Result<bool, Obstacle> {
        let above = step(&self.descriptor, OsStr::new(".."), OFlags::PATH)?;
        Ok(Mount::of(&above)? != self.mount()?)
    }

    /// Whether it lies where `/` or the home folder does, and not on a medium.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_own_disk(&self) -> Result<bool, Obstacle> {
        Ok(self.mount()?.is_own())
    }

    fn wait<T: Send + 'static>(
        &self,
        silence: std::time::Duration,
        work: impl FnOnce(&OwnedFd, super::patience::Beat<'_>) -> Result<T, Obstacle> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let descriptor = Arc::clone(&self.descriptor);
        self.patience.wait(silence, move |beat| work(&descriptor, beat))
    }
}
