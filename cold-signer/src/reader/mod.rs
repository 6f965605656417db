//! The reader: a child that parses one document in a sandbox. Here is the console's side of it; [`child`] is the
//! other.

pub mod child;
mod message;

pub use message::{Answer, Descriptors, Open, Order, Reading};

use crate::{Error, Result};
use cold_wire::{FrameError, InputSignature, read_frame, write_frame};
use policies::codec::Canonical;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The hidden argument that makes this program the reader.
pub const MODE: &str = "__reader";

/// How long one answer may take: longer than the processor time a reader has.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long a reader that closed its socket may take to end by itself, so that its own end can be told.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running reader; it is killed when this is dropped.
#[derive(Debug)]
pub struct Reader {
    child: Child,
    socket: UnixStream,
}

impl Reader {
    /// Starts `program` as a reader and waits until its sandbox is closed. The socket is its standard input: no other
    /// descriptor of the console reaches it.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::ReaderStopped`], or why the sandbox cannot be closed.
    pub fn spawn(program: &Path) -> Result<Self> {
        let fault = |source| Error::Start { program: program.to_owned(), source };
        let (socket, other) = UnixStream::pair().map_err(fault)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
        let child = Command::new(program)
            .arg(MODE)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(fault)?;
        let mut reader = Self { child, socket };
        match reader.hear()? {
            Answer::Ready => Ok(reader),
            other => Err(no(other)),
        }
    }

    /// Hands over the document.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is no PSBT, [`Error::ReaderStopped`] when it made the reader fall.
    pub fn open(&mut self, open: Open) -> Result<Reading> {
        self.say(&Order::Open(open))?;
        match self.hear()? {
            Answer::Read(reading) => Ok(*reading),
            other => Err(no(other)),
        }
    }

    /// Puts signatures and receipt into the document and ends the reader.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a signature does not verify, [`Error::ReaderStopped`].
    pub fn attach(mut self, signatures: Vec<InputSignature>, receipt: Vec<u8>) -> Result<Vec<u8>> {
        self.say(&Order::Attach { signatures, receipt })?;
        match self.hear()? {
            Answer::Written(bytes) => Ok(bytes),
            other => Err(no(other)),
        }
    }

    fn say(&mut self, order: &Order) -> Result<()> {
        match write_frame(&mut self.socket, &order.to_bytes()) {
            Ok(()) => Ok(()),
            Err(FrameError::TooLong(found)) => {
                Err(Error::ReaderNonsense(format!("the document needs a frame of {found} bytes")))
            }
            Err(FrameError::Closed | FrameError::Io(_)) => Err(self.stopped()),
        }
    }

    fn hear(&mut self) -> Result<Answer> {
        match read_frame(&mut self.socket) {
            Ok(frame) => Answer::from_bytes(&frame).map_err(|error| Error::ReaderNonsense(error.to_string())),
            Err(FrameError::TooLong(found)) => {
                Err(Error::ReaderNonsense(format!("a frame of {found} bytes")))
            }
            Err(FrameError::Closed | FrameError::Io(_)) => Err(self.stopped()),
        }
    }

    fn stopped(&mut self) -> Error {
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(Some(status)) => return Error::ReaderStopped(how(status)),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        Error::ReaderStopped("it does not answer".to_owned())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended already; there is nothing to be done about it here.
        let _ = self.socket.shutdown(Shutdown::Both);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn no(answer: Answer) -> Error {
    match answer {
        Answer::Unreadable { code, message, hint, exit } => Error::Unreadable { code, message, hint, exit },
        Answer::Ready | Answer::Read(_) | Answer::Written(_) => {
            Error::ReaderNonsense("an answer to another question".to_owned())
        }
    }
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "unknown".to_owned(),
    }
}
