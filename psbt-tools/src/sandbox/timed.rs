//! The starter's end of the socket, with one deadline for an order and its answer: a child that drips bytes, or does not
//! take those that are meant for it, holds its starter no longer than one that is silent.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// A socket that does not block, until a moment of the monotonic clock.
#[derive(Debug)]
pub struct Timed<'a> {
    /// Must not block: see [`UnixStream::set_nonblocking`].
    pub socket: &'a UnixStream,
    /// After it, everything is [`io::ErrorKind::TimedOut`].
    pub until: Instant,
}

impl Timed<'_> {
    /// Repeats the attempt whenever the socket is ready for it. The deadline is asked for before each, so that a peer
    /// that is always ready for one byte more cannot move it.
    fn attempt<T>(&self, ready: PollFlags, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = Timespec::try_from(left).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            match poll(&mut [PollFd::new(self.socket, ready)], Some(&left)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(errno) => return Err(errno.into()),
            }
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        self.attempt(PollFlags::IN, || socket.read(into))
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        self.attempt(PollFlags::OUT, || socket.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
