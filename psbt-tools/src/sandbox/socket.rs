//! The confined side's end of the socket.

use std::io::{self, Read, Write};

/// Descriptor 0, the socket to the process that started this one.
#[derive(Debug)]
pub struct Socket;

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(rustix::stdio::stdin(), into)?)
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(rustix::stdio::stdin(), from)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
