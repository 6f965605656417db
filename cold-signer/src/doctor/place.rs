//! The programs, the clock, and where the store lies.

use super::Finding;
use policies::text::utc_text;
use psbt_tools::display::escape;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

/// No clock shows a time before this version was written: 2026-11-01, in unix seconds, as in the vault.
const BUILT: u64 = 1_793_491_200;

/// Room that a store may need, in bytes.
const ROOM: u64 = 16 << 20;

/// The vault's program, beside this one, of the same version.
pub fn programs(console: &Path) -> Finding {
    const NAME: &str = "programs";
    let vault = console.with_file_name("cold-vault");
    let version = Command::new(&vault).arg("--version").stdin(Stdio::null()).output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let ours = env!("CARGO_PKG_VERSION");
    match version {
        Ok(text) if text == format!("cold-vault {ours}") => {
            Finding::ok(NAME, format!("cold-signer and cold-vault {ours}"))
        }
        Ok(text) => Finding::bad(
            NAME,
            format!("cold-signer {ours}, but `{}`", escape(&text)),
            "install cold-signer and cold-vault of the same version",
        ),
        Err(error) => Finding::bad(
            NAME,
            format!("{} cannot be started: {error}", escape(&vault.to_string_lossy())),
            "install cold-signer and cold-vault in one folder",
        ),
    }
}

/// A clock is not before this version, and not before the store was last written.
pub fn clock(store: &Path, now: u64) -> Finding {
    const NAME: &str = "clock";
    let written = std::fs::metadata(store).and_then(|metadata| metadata.modified()).ok();
    let written = written.and_then(|time| Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())).unwrap_or(0);
    let fix =
        "compare it with a watch, then as root: date -u -s 'YYYY-MM-DD hh:mm' && hwclock --systohc --utc";
    let shown = utc_text(now);
    if now < BUILT {
        Finding::bad(NAME, format!("{shown}: before this version was written"), fix)
    } else if now < written {
        Finding::bad(NAME, format!("{shown}: before the store was written, {}", utc_text(written)), fix)
    } else {
        Finding::ok(NAME, format!("{shown}: compare it with a watch"))
    }
}

/// The store's permissions, and room beside it.
pub fn store(store: &Path) -> Finding {
    const NAME: &str = "store";
    let shown = escape(&store.to_string_lossy());
    let quoted = format!("'{shown}'");
    match store.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() || metadata.nlink() != 1 => {
            let fix = "the store is a regular file with one name: copy it to its own place, and mind which is newer";
            return Finding::bad(NAME, format!("{shown} is no file with one name"), fix);
        }
        Ok(metadata) if metadata.permissions().mode() & 0o777 != 0o600 => {
            let mode = metadata.permissions().mode() & 0o777;
            let fix = format!("chmod 600 {quoted}; and find out who changed it");
            return Finding::bad(NAME, format!("{shown} has mode {mode:04o}, not 0600"), fix);
        }
        Ok(_) | Err(_) => {}
    }
    let is_there = store.symlink_metadata().is_ok();
    // The nearest folder that exists: a default one is made with the store.
    let folder = store.ancestors().skip(1).map(nonempty).find(|folder| folder.is_dir());
    let free = folder.and_then(|folder| rustix::fs::statvfs(folder).ok());
    match free.map(|free| free.f_bavail.saturating_mul(free.f_frsize)) {
        Some(free) if free < ROOM => Finding::bad(
            NAME,
            format!("{shown}: {} KiB free beside it", free >> 10),
            "free space on that file system: a store that cannot be written signs nothing",
        ),
        Some(_) if is_there => Finding::ok(NAME, shown),
        Some(_) => Finding::note(NAME, format!("{shown}: none yet"), Some("`cold-signer start` makes one")),
        None => Finding::bad(NAME, format!("{shown}: its folder cannot be looked into"), "check --store"),
    }
}

fn nonempty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_clock_before_this_version_or_before_the_store_is_bad() {
        let none = Path::new("/nowhere/vault.store");
        assert_eq!(clock(none, BUILT - 1).state, State::Bad);
        assert_eq!(clock(none, BUILT).state, State::Ok);
        let file = tempfile::NamedTempFile::new().unwrap();
        let later = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(BUILT + 100);
        file.as_file().set_modified(later).unwrap();
        assert_eq!(clock(file.path(), BUILT + 99).state, State::Bad);
        assert_eq!(clock(file.path(), BUILT + 100).state, State::Ok);
    }

    #[test]
    fn a_store_that_others_may_read_or_that_has_two_names_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.store");
        assert_eq!(store(&path).state, State::Note);
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let found = store(&path);
        assert!(found.state == State::Bad && found.fix.unwrap().starts_with("chmod 600 '"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(store(&path).state, State::Ok);
        std::fs::hard_link(&path, folder.path().join("second")).unwrap();
        assert_eq!(store(&path).state, State::Bad);
        assert_eq!(store(folder.path()).state, State::Bad);
    }

    #[test]
    fn a_vault_that_is_missing_or_of_another_version_is_bad() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(programs(&folder.path().join("cold-signer")).state, State::Bad);
    }
}
