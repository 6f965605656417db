//! What the kernel must be able to do.

use super::{Finding, kernel_file};
use crate::reader::Reader;
use crate::sys;
use psbt_tools::display::escape;
use rustix::process::{Resource, getrlimit};
use std::path::Path;

/// Memory that the vault locks, in bytes.
const LOCKED: u64 = 8 << 20;

/// System call filters (seccomp(2)): the action that both sandboxes end a process with.
pub fn seccomp(root: &Path) -> Finding {
    const NAME: &str = "seccomp";
    match kernel_file(&root.join("proc/sys/kernel/seccomp/actions_avail")) {
        Some(actions) if actions.split_whitespace().any(|action| action == "kill_process") => {
            Finding::ok(NAME, "filters can end a process")
        }
        _ => Finding::bad(NAME, "not in this kernel", "use a kernel with CONFIG_SECCOMP_FILTER=y"),
    }
}

/// Landlock (landlock(7)), ABI 1 or later.
pub fn landlock() -> Finding {
    const NAME: &str = "landlock";
    match sys::landlock_abi() {
        Ok(version @ 1..) => Finding::ok(NAME, format!("ABI {version}")),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Finding::bad(
            NAME,
            "in the kernel, but switched off",
            "boot with `landlock` first in the kernel's `lsm=` parameter, e.g. lsm=landlock,lockdown,yama",
        ),
        Ok(_) | Err(_) => Finding::bad(
            NAME,
            "not in this kernel",
            "use a kernel of 5.13 or later with CONFIG_SECURITY_LANDLOCK=y",
        ),
    }
}

/// A reader that says it is ready has closed its sandbox.
pub fn reader(console: &Path) -> Finding {
    const NAME: &str = "reader sandbox";
    match Reader::spawn(console) {
        Ok(_) => Finding::ok(NAME, "a reader was started and closed its sandbox"),
        Err(error) => Finding::bad(NAME, escape(&error.to_string()), error.hint()),
    }
}

/// What a process may keep from being swapped out (mlock(2)).
pub fn locked_memory() -> Finding {
    const NAME: &str = "locked memory";
    match getrlimit(Resource::Memlock).current {
        None => Finding::ok(NAME, "no limit"),
        Some(limit) if limit >= LOCKED => Finding::ok(NAME, format!("up to {} MiB", limit >> 20)),
        Some(limit) => Finding::bad(
            NAME,
            format!("up to {} KiB", limit >> 10),
            "ulimit -l 8192, or `* - memlock 8192` in /etc/security/limits.conf and a new login",
        ),
    }
}

/// Memory that not even the kernel maps (memfd_secret(2)).
pub fn secret_memory() -> Finding {
    const NAME: &str = "secret memory";
    if sys::has_secret_memory() {
        Finding::ok(NAME, "there; this version does not use it yet")
    } else {
        let fix = "this version does not use it yet; later, a kernel of 5.14 booted with secretmem.enable=1";
        Finding::note(NAME, "not in this kernel", Some(fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_kernel_that_cannot_end_a_process_by_a_filter_is_bad() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(seccomp(root.path()).state, State::Bad);
        let folder = root.path().join("proc/sys/kernel/seccomp");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("actions_avail"), "kill_thread trap errno allow\n").unwrap();
        assert_eq!(seccomp(root.path()).state, State::Bad);
        std::fs::write(folder.join("actions_avail"), "kill_process kill_thread trap\n").unwrap();
        assert_eq!(seccomp(root.path()).state, State::Ok);
    }
}
