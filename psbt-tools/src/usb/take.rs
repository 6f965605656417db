//! One file from a medium.

use super::kind::Kind;
use super::list::list;
use super::refusal::Refusal;
use super::sidecar::Sidecar;
use crate::Error;
use crate::display::escape;
use crate::files::{DEFAULT_LIMIT, Folder};
use bitcoin::hashes::{Hash, sha256};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A file that was read, once.
#[derive(Debug)]
pub struct Take {
    /// Its name on the medium.
    pub name: OsString,
    /// Its content.
    pub bytes: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Of the content.
    pub sha256: [u8; 32],
    /// What its sidecar says: right or absent.
    pub sidecar: Sidecar,
}

/// Reads the file of this name, or else the only payment in the folder. `called` is how the person calls the folder.
///
/// # Errors
/// [`Refusal`] when there is no payment or more than one, or when the sidecar contradicts; why the file cannot be read.
pub fn take(folder: &Folder, called: &str, name: Option<&OsStr>) -> Result<Take, Error> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => only(folder, called)?,
    };
    let shown = escape(&name.to_string_lossy());
    if Path::new(&name).file_name() != Some(&name) {
        return Err(Refusal::NotIn(shown).into());
    }
    let bytes = folder.read(&name, DEFAULT_LIMIT).map_err(|obstacle| obstacle.reading(&shown))?;
    let sha256 = sha256::Hash::hash(&bytes).to_byte_array();
    let sidecar = Sidecar::beside(folder, &name, &sha256).map_err(|obstacle| obstacle.reading(&shown))?;
    if let Sidecar::Wrong(why) = sidecar {
        return Err(Refusal::Sidecar(shown, why).into());
    }
    Ok(Take { kind: Kind::of(&bytes), name, bytes, sha256, sidecar })
}

fn only(folder: &Folder, called: &str) -> Result<OsString, Error> {
    let listing = list(folder).map_err(|obstacle| obstacle.reading(called))?;
    let mut payments: Vec<_> = listing
        .entries
        .iter()
        .filter(|entry| entry.kind.is_payment())
        .map(|entry| entry.name.clone())
        .collect();
    if listing.ended.is_some() {
        return Err(Refusal::Unseen(called.to_owned()).into());
    }
    match (payments.pop(), payments.is_empty()) {
        (Some(name), true) => Ok(name.into()),
        (Some(last), false) => {
            payments.push(last);
            Err(Refusal::Ambiguous(payments).into())
        }
        (None, _) => {
            let files = listing.entries.len();
            Err(Refusal::NoPayment { folder: called.to_owned(), files }.into())
        }
    }
}
