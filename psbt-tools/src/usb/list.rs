//! What is on a medium.

use super::kind::Kind;
use super::name::{BadName, check};
use super::sidecar::{ENDING, Sidecar};
use crate::display::escape_bytes;
use crate::files::{DEFAULT_LIMIT, Folder, Obstacle};
use bitcoin::hashes::{Hash, sha256};
use std::ffi::{OsStr, OsString};
use std::fmt;

/// Most names that are listed, those that are left out among them.
pub const MAX_LISTED: usize = 1_000;

/// Most names that are looked at.
pub const MAX_LOOKED_AT: usize = 100_000;

/// Most bytes that are read for one list: 256 MiB.
pub const MAX_READ: u64 = 256 << 20;

/// A list, in the order of the names' bytes.
#[derive(Debug)]
pub struct Listing {
    /// The files.
    pub entries: Vec<Entry>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// Names that were found, [`MAX_LOOKED_AT`] at most.
    pub found: usize,
    /// Why there may be more.
    pub ended: Option<Ended>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, which may be shown.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub bytes: usize,
    /// Of its bytes.
    pub sha256: [u8; 32],
    /// What its sidecar says.
    pub sidecar: Sidecar,
}

/// A name that was left out.
#[derive(Debug)]
pub struct Skipped {
    /// Escaped.
    pub name: String,
    /// The reason.
    pub why: Why,
}

/// Why something is left out.
#[derive(Debug)]
pub enum Why {
    /// It cannot or must not be read.
    Obstacle(Obstacle),
    /// It cannot be shown or carried.
    Name(BadName),
    /// Its name begins with a dot: another program's business.
    Hidden,
    /// A sidecar whose file is not there.
    Orphan,
    /// Too much was read before it.
    Unread,
}

/// Where a list ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There are more names than are listed.
    Listed,
    /// There are more names than are looked at.
    LookedAt,
}

impl Why {
    /// A short kebab-case word.
    pub fn code(&self) -> &'static str {
        match self {
            Why::Obstacle(obstacle) => obstacle.code(),
            Why::Name(_) => "name",
            Why::Hidden => "hidden",
            Why::Orphan => "orphan-sidecar",
            Why::Unread => "too-much-read",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Obstacle(obstacle) => obstacle.fmt(f),
            Why::Name(fault) => fault.fmt(f),
            Why::Hidden => f.write_str("is hidden"),
            Why::Orphan => f.write_str("is a sidecar without its file"),
            Why::Unread => write!(f, "was not read: more than {} MiB were", MAX_READ >> 20),
        }
    }
}

impl Ended {
    /// A short kebab-case word.
    pub fn code(self) -> &'static str {
        match self {
            Ended::Listed => "too-many-listed",
            Ended::LookedAt => "too-many-entries",
        }
    }
}

/// Looks at everything in a folder, within bounds; folders in it are not entered.
///
/// # Errors
/// When the folder itself cannot be listed. What is wrong with one file is said of this file; after a file that the medium
/// gives no answer to, no other is tried.
pub fn list(folder: &Folder) -> Result<Listing, Obstacle> {
    let names = folder.names(MAX_LOOKED_AT)?;
    let ended = match names.is_complete {
        false => Some(Ended::LookedAt),
        true => (names.names.len() > MAX_LISTED).then_some(Ended::Listed),
    };
    let names = names.names;
    let mut listing = Listing { entries: Vec::new(), skipped: Vec::new(), found: names.len(), ended };
    let mut left = MAX_READ;
    for name in names.iter().take(MAX_LISTED) {
        match look(folder, &names, name, left) {
            Ok(Some(entry)) => {
                left = left.saturating_sub(entry.bytes as u64);
                listing.entries.push(entry);
            }
            Ok(None) => {}
            Err(Why::Obstacle(obstacle @ (Obstacle::Deadline(_) | Obstacle::Interrupted))) => {
                return Err(obstacle);
            }
            Err(why) => listing.skipped.push(Skipped { name: escape_bytes(name.as_encoded_bytes()), why }),
        }
    }
    Ok(listing)
}

/// One name; nothing where it is the sidecar of another.
fn look(folder: &Folder, names: &[OsString], name: &OsStr, left: u64) -> Result<Option<Entry>, Why> {
    let text = check(name).map_err(Why::Name)?;
    if text.starts_with('.') {
        return Err(Why::Hidden);
    }
    let size = folder.size(name).map_err(Why::Obstacle)?;
    if let Some(of) = stem(text) {
        let has_file = names.iter().any(|other| other.eq_ignore_ascii_case(of));
        return if has_file { Ok(None) } else { Err(Why::Orphan) };
    }
    if size <= DEFAULT_LIMIT && size > left {
        return Err(Why::Unread);
    }
    let bytes = folder.read(name, DEFAULT_LIMIT).map_err(Why::Obstacle)?;
    let sha256 = sha256::Hash::hash(&bytes).to_byte_array();
    let sidecar = Sidecar::of(folder, names, name, &sha256);
    Ok(Some(Entry { name: text.to_owned(), kind: Kind::of(&bytes), bytes: bytes.len(), sha256, sidecar }))
}

/// The name of the file whose sidecar has this one.
fn stem(name: &str) -> Option<&str> {
    let at = name.len().checked_sub(ENDING.len()).filter(|at| *at > 0)?;
    let (stem, ending) = name.split_at_checked(at)?;
    ending.eq_ignore_ascii_case(ENDING).then_some(stem)
}
