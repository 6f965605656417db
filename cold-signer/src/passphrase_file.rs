//! The file of `--passphrase-file`: opened for the vault, never read here.

use crate::output::warn;
use crate::{Error, Result};
use psbt_tools::display::escape;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Permissions of the group and of everybody else.
const OTHERS: u32 = 0o077;

/// Whether it was said already; a visit of several commands opens the file again and again.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Opens it for the vault.
///
/// # Errors
/// [`Error::Input`].
pub fn open(path: &Path) -> Result<OwnedFd> {
    let fault = |source| Error::Input { name: escape(&path.to_string_lossy()), source };
    File::open(path).map(OwnedFd::from).map_err(fault)
}

/// Warns once when others may read or change it.
pub fn look(path: &Path) {
    if is_open_to_others(path) && !TOLD.swap(true, Ordering::Relaxed) {
        warn(&format!(
            "the passphrase's file is open to other users of this machine: chmod 600 {}",
            escape(&path.to_string_lossy())
        ));
    }
}

/// Only of a regular file: the modes of a pipe say nothing. It is not opened, which a pipe's writer would notice.
fn is_open_to_others(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & OTHERS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;

    #[test]
    fn a_regular_file_with_any_right_of_others_is_open_to_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, open) in
            [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o620, true), (0o644, true)]
        {
            std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_others(file.path()), open, "{mode:o}");
        }
        assert!(!is_open_to_others(Path::new("/dev/null")) && !is_open_to_others(Path::new("/nowhere")));
    }
}
