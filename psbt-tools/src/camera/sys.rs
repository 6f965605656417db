//! The only unsafe code for cameras: system calls that have no safe wrapper.

#![allow(unsafe_code)] // each block carries its own SAFETY note

use super::layout::{
    Buffer, BufferRequest, Capability, Format, FormatDescription, FrameInterval, FrameSize, Parameters,
};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::time::Duration;

/// The letter of all these calls.
const LETTER: u32 = b'V' as u32;

/// A call to a camera, and what it hands over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<T> {
    /// For a person.
    pub(super) name: &'static str,
    number: libc::Ioctl,
    of: PhantomData<T>,
}

impl<T> Call<T> {
    const fn new(name: &'static str, number: libc::Ioctl) -> Self {
        Self { name, number, of: PhantomData }
    }
}

// From linux/videodev2.h. The numbers hold direction and size of the structure, so that no other one can be meant.
pub(super) const QUERYCAP: Call<Capability> = Call::new("QUERYCAP", libc::_IOR::<Capability>(LETTER, 0));
pub(super) const ENUM_FMT: Call<FormatDescription> =
    Call::new("ENUM_FMT", libc::_IOWR::<FormatDescription>(LETTER, 2));
pub(super) const S_FMT: Call<Format> = Call::new("S_FMT", libc::_IOWR::<Format>(LETTER, 5));
pub(super) const REQBUFS: Call<BufferRequest> = Call::new("REQBUFS", libc::_IOWR::<BufferRequest>(LETTER, 8));
pub(super) const QUERYBUF: Call<Buffer> = Call::new("QUERYBUF", libc::_IOWR::<Buffer>(LETTER, 9));
pub(super) const QBUF: Call<Buffer> = Call::new("QBUF", libc::_IOWR::<Buffer>(LETTER, 15));
pub(super) const DQBUF: Call<Buffer> = Call::new("DQBUF", libc::_IOWR::<Buffer>(LETTER, 17));
pub(super) const STREAMON: Call<u32> = Call::new("STREAMON", libc::_IOW::<u32>(LETTER, 18));
pub(super) const STREAMOFF: Call<u32> = Call::new("STREAMOFF", libc::_IOW::<u32>(LETTER, 19));
pub(super) const S_PARM: Call<Parameters> = Call::new("S_PARM", libc::_IOWR::<Parameters>(LETTER, 22));
pub(super) const ENUM_FRAMESIZES: Call<FrameSize> =
    Call::new("ENUM_FRAMESIZES", libc::_IOWR::<FrameSize>(LETTER, 74));
pub(super) const ENUM_FRAMEINTERVALS: Call<FrameInterval> =
    Call::new("ENUM_FRAMEINTERVALS", libc::_IOWR::<FrameInterval>(LETTER, 75));

/// Asks a device; a signal in between begins it again.
pub(super) fn ask<T>(device: &File, call: Call<T>, argument: &mut T) -> io::Result<()> {
    loop {
        // SAFETY: the number is one of those above, which only this module makes; it holds the size of `T`, of which the
        // kernel reads and writes no more. `argument` is a valid, exclusive `T`, made of integers only, for which every
        // bit pattern is valid. None of the structures points elsewhere: buffers are mapped (V4L2_MEMORY_MMAP) and of
        // one plane.
        let answer =
            unsafe { libc::ioctl(device.as_raw_fd(), call.number, std::ptr::from_mut::<T>(argument)) };
        if answer >= 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// What a device said within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// Nothing.
    Not,
    /// There is something to fetch.
    Yes,
    /// Something is wrong with it; fetching says what.
    Broken,
}

/// Waits until a device has a frame, at most so long. A signal counts as nothing.
pub(super) fn wait(device: &File, within: Duration) -> io::Result<Ready> {
    let mut descriptor = libc::pollfd { fd: device.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // Rounded up, so that it does not spin in the last millisecond.
    let milliseconds = within.as_micros().div_ceil(1_000);
    let milliseconds = libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: one valid, exclusive pollfd, as the count says.
    let answer = unsafe { libc::poll(&raw mut descriptor, 1, milliseconds) };
    if answer < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok(Ready::Not) } else { Err(error) };
    }
    Ok(match (answer, descriptor.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL)) {
        (0, _) => Ready::Not,
        (_, 0) => Ready::Yes,
        (_, _) => Ready::Broken,
    })
}

/// Memory that a device writes into, for reading only.
#[derive(Debug)]
pub(super) struct Mapping {
    address: NonNull<u8>,
    len: usize,
}

// SAFETY: it is owned by one `Mapping` alone, which is unmapped wherever it is dropped.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps so many bytes of a device.
    pub(super) fn new(device: &File, len: usize, offset: u32) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is there.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_SHARED,
                device.as_raw_fd(),
                libc::off_t::from(offset),
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { address, len })
    }

    /// A copy of its first bytes; `None` when it has fewer.
    pub(super) fn copy(&self, len: usize) -> Option<Vec<u8>> {
        if len > self.len {
            return None;
        }
        let mut bytes = vec![0; len];
        // SAFETY: `len` bytes are mapped and readable for as long as `self` lives, and `bytes` is a new allocation of as
        // many. No reference into the mapping is made: should a device write while it is read, the copy has bytes of
        // both, and nothing depends on which.
        unsafe { std::ptr::copy_nonoverlapping(self.address.as_ptr(), bytes.as_mut_ptr(), len) };
        Some(bytes)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this address and length were mapped by `new`, and nothing refers to them any more.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_numbers_are_those_of_the_kernels_header() {
        assert_eq!(QUERYCAP.number as u32, 0x8068_5600);
        assert_eq!(ENUM_FMT.number as u32, 0xc040_5602);
        assert_eq!(S_FMT.number as u32, 0xc0d0_5605);
        assert_eq!(REQBUFS.number as u32, 0xc014_5608);
        assert_eq!(QUERYBUF.number as u32, 0xc058_5609);
        assert_eq!(QBUF.number as u32, 0xc058_560f);
        assert_eq!(DQBUF.number as u32, 0xc058_5611);
        assert_eq!(STREAMON.number as u32, 0x4004_5612);
        assert_eq!(STREAMOFF.number as u32, 0x4004_5613);
        assert_eq!(S_PARM.number as u32, 0xc0cc_5616);
        assert_eq!(ENUM_FRAMESIZES.number as u32, 0xc02c_564a);
        assert_eq!(ENUM_FRAMEINTERVALS.number as u32, 0xc034_564b);
    }

    #[test]
    fn what_is_no_camera_says_so_and_a_mapping_never_gives_more_than_it_has() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 5_000]).unwrap();
        let error = ask(&file, QUERYCAP, &mut Capability::default()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        let mapping = Mapping::new(&file, 5_000, 0).unwrap();
        assert_eq!(mapping.copy(5_000).unwrap(), [7; 5_000]);
        assert_eq!(mapping.copy(5_001), None);
        assert!(Mapping::new(&file, 0, 0).is_err());
    }
}
