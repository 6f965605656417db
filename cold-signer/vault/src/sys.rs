//! The only unsafe code of the vault: pages for secrets, raw descriptor numbers, the environment.

#![allow(unsafe_code)] // each block carries its own SAFETY note

use std::ffi::c_void;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mlock, mmap_anonymous, mprotect, munmap,
};

use crate::Error;

/// Zeroed private memory between two inaccessible guard pages: locked into RAM, left out of core
/// dumps and of forked children. Wiped and unmapped on drop.
pub(crate) struct LockedPages {
    base: NonNull<c_void>,
    mapped: usize,
    data: NonNull<u8>,
    len: usize,
}

// SAFETY: LockedPages owns its mapping exclusively; access follows the borrow rules of the methods.
unsafe impl Send for LockedPages {}

impl LockedPages {
    /// Maps room for `len` bytes.
    pub(crate) fn new(len: usize) -> Result<Self, Error> {
        const NO_ROOM: Error = Error::System { action: "mapping memory", errno: Errno::NOMEM };
        let page = rustix::param::page_size();
        let inner = len.max(1).checked_next_multiple_of(page).ok_or(NO_ROOM)?;
        let mapped = page.checked_mul(2).and_then(|guards| inner.checked_add(guards)).ok_or(NO_ROOM)?;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice aliases nothing.
        let base =
            unsafe { mmap_anonymous(std::ptr::null_mut(), mapped, ProtFlags::empty(), MapFlags::PRIVATE) }
                .map_err(Error::system("mapping memory"))?;
        let base = NonNull::new(base).ok_or(NO_ROOM)?;
        // SAFETY: page < mapped, so the result stays inside the mapping.
        let data = unsafe { base.cast::<u8>().add(page) };
        let pages = Self { base, mapped, data, len };
        let start = data.as_ptr().cast::<c_void>();
        // SAFETY: [start, start + inner) lies inside our own fresh mapping, which nothing refers to yet.
        unsafe {
            mprotect(start, inner, MprotectFlags::READ | MprotectFlags::WRITE)
                .map_err(Error::system("mapping memory"))?;
            madvise(start, inner, Advice::LinuxDontDump).map_err(Error::system("hiding memory"))?;
            madvise(start, inner, Advice::LinuxWipeOnFork).map_err(Error::system("hiding memory"))?;
            mlock(start, inner).map_err(Error::system("locking memory"))?;
        }
        Ok(pages)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: data points at len initialised (zeroed by the kernel) bytes owned by self.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and &mut self makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl Drop for LockedPages {
    fn drop(&mut self) {
        // A `new` that failed half-way may have left the page inaccessible; then there is nothing to wipe.
        // SAFETY: the mapping is ours, the bytes are writable when mprotect says so, and nothing uses the
        // mapping after this.
        unsafe {
            if mprotect(self.data.as_ptr().cast(), self.len, MprotectFlags::READ | MprotectFlags::WRITE)
                .is_ok()
            {
                zeroize::Zeroize::zeroize(self.bytes_mut());
            }
            let _ = munmap(self.base.as_ptr(), self.mapped);
        }
    }
}

/// Takes over a descriptor that the parent process left open at this number (`--passphrase-fd`,
/// the console's socket). Call at most once for each number.
///
/// # Errors
/// [`Error::System`] when nothing is open there.
pub fn adopt_descriptor(number: RawFd) -> Result<OwnedFd, Error> {
    if number < 0 {
        return Err(Error::System { action: "using a descriptor", errno: Errno::BADF });
    }
    // SAFETY: only borrowed for the check below, which answers EBADF for a closed number.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)
        .map_err(Error::system("using a descriptor"))?;
    // SAFETY: the number is open, was opened before this process began, and no Rust object owns it: the
    // contract of this function is that it is called once for each inherited number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes every descriptor except those listed. Must run before any other descriptor is opened by this
/// process, so that no Rust object owns a closed number.
pub(crate) fn close_all_except(keep: &[RawFd]) -> Result<(), Errno> {
    let mut kept: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).collect();
    kept.sort_unstable();
    let mut first = 0_u32;
    for fd in kept {
        if fd > first {
            close_range(first, fd.saturating_sub(1))?;
        }
        first = first.max(fd.saturating_add(1));
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: close_range(2) touches no memory; ownership is the contract of `close_all_except`.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) };
    if answer == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}

/// Empties the environment. Must run while the process has a single thread.
pub(crate) fn clear_environment() {
    for (name, _) in std::env::vars_os() {
        // SAFETY: the contract of this function: no other thread exists that could read the environment.
        unsafe { std::env::remove_var(name) };
    }
}
