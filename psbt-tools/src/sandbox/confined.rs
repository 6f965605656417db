//! The starter's end of a child that puts itself under the sandbox.

use super::Timed;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a child that closed its socket may take to end by itself, so that its own end can be told.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running child and the socket to it; it is killed when this is dropped.
#[derive(Debug)]
pub struct Confined {
    child: Child,
    socket: UnixStream,
}

impl Confined {
    /// Starts a program. The socket is its standard input, see [`super::Socket`]: no other descriptor reaches it, and no
    /// variable.
    ///
    /// # Errors
    /// What the system says.
    pub fn spawn(program: &mut Command) -> io::Result<Self> {
        let (socket, other) = UnixStream::pair()?;
        let child = program
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Self::of(child, socket)
    }

    /// A child that was started otherwise, and the socket to it.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(child: Child, socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { child, socket })
    }

    /// The socket, until then.
    pub fn until(&self, until: Instant) -> Timed<'_> {
        Timed { socket: &self.socket, until }
    }

    /// How it ended by itself, once it has closed its socket; `None` when it has not ended.
    pub fn ending(&mut self) -> Option<ExitStatus> {
        let closed = Instant::now();
        while closed.elapsed() < LAST_WORDS {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Ok(ended) => return ended,
                Err(_) => break,
            }
        }
        None
    }

    /// Kills it, and gives the end that it came to.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        // What cannot be killed has ended already.
        let _ = self.child.kill();
        self.child.wait()
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.kill();
    }
}
