//! The data folder: `ledger.sqlite`, `authority.pub`, and where the permit key is.

use crate::Error;
use crate::ledger::state::State;
use crate::signer::Signer;
use policies::authority::{Authority, SignedAuthority};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The signed authority, for `cold-signer trust` and `watch-node trust`.
pub const AUTHORITY: &str = "authority.pub";

/// Path of the permit key: its bytes, nothing else. The key itself stays where it is, and may move.
pub const PERMIT_KEY: &str = "permit-key.path";

/// Longest `authority.pub` that is read, in bytes.
const MAX_AUTHORITY_LEN: u64 = 16 << 20;

/// Longest path that is read.
const MAX_PATH_LEN: u64 = 16 << 10;

/// `$XDG_DATA_HOME/airlock/gatekeeper`, or that under `~/.local/share` (XDG Base Directory Specification).
///
/// # Errors
/// [`Error::Usage`] when there is no home.
pub fn default_folder() -> Result<PathBuf, Error> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map(|share| share.join("airlock/gatekeeper"))
        .ok_or_else(|| Error::Usage {
            message: "there is no home folder to keep the ledger in".to_owned(),
            hint: "name a folder with --data".to_owned(),
        })
}

/// The authority of a data folder, as vaults pin it: signed by its permit keys, the ledger's among them.
///
/// # Errors
/// [`Error::Psbt`] when it cannot be read, [`Error::Document`] when it is not this ledger's.
pub fn authority(data: &Path, state: &State) -> Result<Authority, Error> {
    let refuse = |reason: String| Error::document("this gatekeeper's authority.pub", reason);
    let bytes = psbt_tools::files::read(&data.join(AUTHORITY), MAX_AUTHORITY_LEN)?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is no text".to_owned()))?;
    let signed = SignedAuthority::from_armor(&text).map_err(|error| refuse(error.to_string()))?;
    let authority = signed.verified().map_err(|error| refuse(error.to_string()))?;
    if !authority.permit_keys.contains(state.permit_key()) {
        return Err(refuse("it does not name the ledger's permit key".to_owned()));
    }
    Ok(authority.clone())
}

/// The permit key of a data folder. What it signs is verified with the public key in the ledger.
///
/// # Errors
/// [`Error::Psbt`] when its path cannot be read.
pub fn permit_signer(data: &Path, state: &State) -> Result<Signer, Error> {
    let bytes = psbt_tools::files::read(&data.join(PERMIT_KEY), MAX_PATH_LEN)?;
    Ok(Signer::known(Path::new(OsStr::from_bytes(&bytes)), state.permit_key().clone()))
}
