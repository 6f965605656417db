//! The only unsafe code of the console: system calls that have no safe wrapper.

#![allow(unsafe_code)] // each block carries its own SAFETY note

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// The version of Landlock that the kernel speaks.
pub(crate) fn landlock_abi() -> io::Result<i64> {
    /// LANDLOCK_CREATE_RULESET_VERSION of linux/landlock.h.
    const VERSION: u32 = 1;
    // SAFETY: with this flag landlock_create_ruleset(2) takes no memory of ours: null and zero are what it asks for.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// Whether the kernel gives secret memory.
pub(crate) fn has_secret_memory() -> bool {
    // SAFETY: memfd_secret(2) touches no memory of ours.
    let answer = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
    let Ok(number) = i32::try_from(answer) else { return false };
    if number < 0 {
        return false;
    }
    // SAFETY: the kernel just made this descriptor, and nothing else owns it.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
    true
}
