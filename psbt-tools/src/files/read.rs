//! Reading once, bounded, and held to have been one content all the while.

use super::obstacle::Obstacle;
use super::open::{require_regular, same_file};
use super::patience::Beat;
use rustix::fd::OwnedFd;
use rustix::fs::{Stat, fstat};
use std::fs::File;
use std::io::{self, Read};

/// Bytes between two beats.
pub(super) const CHUNK: usize = 1 << 20;

/// The whole content of an open regular file.
pub(super) fn whole(descriptor: OwnedFd, limit: u64, beat: Beat<'_>) -> Result<Vec<u8>, Obstacle> {
    let before = fstat(&descriptor)?;
    require_regular(&before)?;
    let size = u64::try_from(before.st_size).unwrap_or(u64::MAX);
    if size > limit {
        return Err(Obstacle::TooLarge(limit));
    }
    let mut file = File::from(descriptor);
    // One byte more than it should have shows that it grew.
    let bytes = bounded(&mut file, size, beat)?;
    let after = fstat(&file)?;
    match bytes.len() as u64 == size && is_unchanged(&before, &after) {
        true => Ok(bytes),
        false => Err(Obstacle::Changed),
    }
}

/// At most `limit` bytes and one more.
pub(super) fn bounded(from: &mut impl Read, limit: u64, beat: Beat<'_>) -> Result<Vec<u8>, Obstacle> {
    let mut from = from.take(limit.saturating_add(1));
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK.min(usize::try_from(limit).unwrap_or(CHUNK).saturating_add(1))];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(bytes),
            Ok(count) => {
                bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
                beat(count)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Size, and the times of content and of the inode: who writes can set the first time back, but not the second.
fn is_unchanged(before: &Stat, after: &Stat) -> bool {
    let marks =
        |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    same_file(before, after) && marks(before) == marks(after)
}
