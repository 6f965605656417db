//! The only unsafe code of this package: system calls that have no safe wrapper.

#![allow(unsafe_code)] // each block carries its own SAFETY note

use std::io;

/// Closes every descriptor from `first` on. Must run in a process that has opened nothing itself, so that no Rust
/// object owns a closed number.
pub(crate) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: close_range(2) touches no memory; that nothing owns these numbers is the contract of this function.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
