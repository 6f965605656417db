//! One writer at a time, across processes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(10);

/// An exclusive lock on a file; the kernel lets go of it when the process ends, however it ends.
#[must_use]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits up to ten seconds for the lock, then says [`Error::Locked`].
    pub fn take(path: &Path) -> Result<Self> {
        let file =
            File::options().create(true).truncate(false).write(true).open(path).map_err(Error::file(path))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(Error::Locked(path.to_owned())),
                Err(TryLockError::Error(source)) => {
                    return Err(Error::File { path: path.to_owned(), source });
                }
            }
        }
    }
}
