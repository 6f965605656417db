//! The data folder: `ledger.sqlite`, `authority.pub`, and where the permit key is.

use crate::Error;
use crate::ledger::state::State;
use crate::signer::Signer;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The signed authority, for `cold-signer trust` and `watch-node trust`.
pub const AUTHORITY: &str = "authority.pub";

/// Path of the permit key: its bytes, nothing else. The key itself stays where it is, and may move.
pub const PERMIT_KEY: &str = "permit-key.path";

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

/// The permit key of a data folder. What it signs is verified with the public key in the ledger.
///
/// # Errors
/// [`Error::Psbt`] when its path cannot be read.
pub fn permit_signer(data: &Path, state: &State) -> Result<Signer, Error> {
    let bytes = psbt_tools::files::read(&data.join(PERMIT_KEY), MAX_PATH_LEN)?;
    Ok(Signer::known(Path::new(OsStr::from_bytes(&bytes)), state.permit_key().clone()))
}
