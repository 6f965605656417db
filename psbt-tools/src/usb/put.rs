//! One file onto a medium, then its sidecar.

use super::name::{MAX_LEN, check};
use super::refusal::Refusal;
use super::sidecar::{sidecar_name, text};
use super::{BadName, ENDING};
use crate::Error;
use crate::display::escape;
use crate::files::{Folder, Obstacle};
use bitcoin::hashes::{Hash, sha256};
use std::ffi::OsStr;

/// Everybody may read it: a stick is no place for secrets.
const MODE: u32 = 0o644;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The file's name.
    pub name: String,
    /// The sidecar's name.
    pub sidecar: String,
    /// Of the bytes.
    pub sha256: [u8; 32],
}

/// Writes a file and its sidecar; both names must be free, and each is read back before it gets its name.
///
/// # Errors
/// [`Refusal::Name`], [`Error::Exists`], [`Error::Write`] and [`Error::Medium`]. Without its sidecar, the file is taken
/// away again where the medium lets it be.
pub fn put(folder: &Folder, name: &OsStr, bytes: &[u8]) -> Result<Put, Error> {
    let shown = escape(&name.to_string_lossy());
    let bad = |fault| Error::from(Refusal::Name(shown.clone(), fault));
    let text_of_name = check(name).map_err(bad)?;
    let length = |text: &str| text.len().max(text.encode_utf16().count());
    if length(text_of_name).saturating_add(ENDING.len()) > MAX_LEN {
        return Err(bad(BadName::TooLong));
    }
    let sidecar = sidecar_name(name);
    let shown_sidecar = format!("{shown}{ENDING}");
    let writing = |shown: &str| {
        let shown = shown.to_owned();
        move |obstacle: Obstacle| obstacle.writing(&shown)
    };
    if folder.is_taken(&sidecar).map_err(writing(&shown_sidecar))? {
        return Err(Error::Exists(shown_sidecar));
    }
    let sha256 = sha256::Hash::hash(bytes).to_byte_array();
    let written = folder.write_new(name, bytes, MODE).map_err(writing(&shown))?;
    let line = text(text_of_name, &sha256);
    match folder.write_new(&sidecar, line.as_bytes(), MODE) {
        Ok(_) => Ok(Put { name: shown, sidecar: shown_sidecar, sha256 }),
        Err(obstacle) => {
            // What is reported is why the sidecar is not there.
            let _ = folder.withdraw(written);
            Err(obstacle.writing(&shown_sidecar))
        }
    }
}
