//! The reader: a child that parses one document in a sandbox. Here is the console's side of it; [`child`] is the
//! other.

pub mod child;
mod message;
mod messages;

pub use message::{Answer, Descriptors, Open, Order, Reading, WalletText};
pub use messages::{
    Finish, Finished, MAX_PREVIOUS, MessageAnswer, MessageOrder, ProvenHolding, ReservesOrder,
};

use crate::{Error, Result};
use cold_wire::{FrameError, read_frame, write_frame};
use policies::codec::Canonical;
use policies::signature::InputSignature;
use policies::text::duration_text;
use psbt_tools::sandbox::Confined;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// The hidden argument that makes this program the reader.
pub const MODE: &str = "__reader";

/// How long an order and its answer may take: longer than the processor time a reader has.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running reader; it is killed when this is dropped.
#[derive(Debug)]
pub struct Reader {
    confined: Confined,
    patience: Duration,
}

impl Reader {
    /// Starts `program` as a reader and waits until its sandbox is closed. Ctrl-C at the terminal ends it together with
    /// what it was to do.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::ReaderStopped`], or why the sandbox cannot be closed.
    pub fn spawn(program: &Path) -> Result<Self> {
        let fault = |source| Error::Start { program: program.to_owned(), source };
        let confined = Confined::spawn(Command::new(program).arg(MODE)).map_err(fault)?;
        let mut reader = Self { confined, patience: PATIENCE };
        match reader.hear(reader.deadline())? {
            Answer::Ready => Ok(reader),
            other => Err(no(other)),
        }
    }

    /// Hands over the document.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is no PSBT, [`Error::ReaderStopped`] when it made the reader fall.
    pub fn open(&mut self, open: Open) -> Result<Reading> {
        match self.order(&Order::Open(open))? {
            Answer::Read(reading) => Ok(*reading),
            other => Err(no(other)),
        }
    }

    /// Reads a description of a wallet, decrypted with a token where it needs one.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is none, [`Error::ReaderStopped`] when it made the reader fall.
    pub fn wallet(&mut self, file: Vec<u8>, token: Option<String>) -> Result<WalletText> {
        match self.order(&Order::Wallet { file, token })? {
            Answer::Wallet(wallet) => Ok(wallet),
            other => Err(no(other)),
        }
    }

    /// Does something about a message.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a document is none or a signature does not verify, [`Error::ReaderStopped`].
    pub fn message(&mut self, order: MessageOrder) -> Result<MessageAnswer> {
        match self.order(&Order::Message(order))? {
            Answer::Message(answer) => Ok(answer),
            other => Err(no(other)),
        }
    }

    /// Puts signatures and receipt into the document and ends the reader.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a signature does not verify, [`Error::ReaderStopped`].
    pub fn attach(self, signatures: Vec<InputSignature>, receipt: Vec<u8>) -> Result<Vec<u8>> {
        self.write(Order::Attach { signatures, receipt, reply: false })
    }

    /// Makes a reply to the document of them, and ends the reader.
    ///
    /// # Errors
    /// Those of [`Reader::attach`], and [`Error::Unreadable`] for what a reply cannot carry.
    pub fn reply(self, signatures: Vec<InputSignature>, receipt: Vec<u8>) -> Result<Vec<u8>> {
        self.write(Order::Attach { signatures, receipt, reply: true })
    }

    fn write(mut self, order: Order) -> Result<Vec<u8>> {
        match self.order(&order)? {
            Answer::Written(bytes) => Ok(bytes),
            other => Err(no(other)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.patience
    }

    fn order(&mut self, order: &Order) -> Result<Answer> {
        let until = self.deadline();
        self.say(order, until)?;
        self.hear(until)
    }

    fn say(&mut self, order: &Order, until: Instant) -> Result<()> {
        match write_frame(&mut self.confined.until(until), &order.to_bytes()) {
            Ok(()) => Ok(()),
            Err(FrameError::TooLong(found)) => {
                Err(Error::ReaderNonsense(format!("the document needs a frame of {found} bytes")))
            }
            Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => Err(self.slow()),
            Err(FrameError::Closed | FrameError::Io(_)) => Err(self.stopped()),
        }
    }

    fn hear(&mut self, until: Instant) -> Result<Answer> {
        match read_frame(&mut self.confined.until(until)) {
            Ok(frame) => Answer::from_bytes(&frame).map_err(|error| Error::ReaderNonsense(error.to_string())),
            Err(FrameError::TooLong(found)) => {
                Err(Error::ReaderNonsense(format!("a frame of {found} bytes")))
            }
            Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => Err(self.slow()),
            Err(FrameError::Closed | FrameError::Io(_)) => Err(self.stopped()),
        }
    }

    /// Kills it at once: it had its time.
    fn slow(&mut self) -> Error {
        // However it ended.
        let _ = self.confined.kill();
        Error::ReaderStopped(format!("no whole answer within {}", duration_text(self.patience.as_secs())))
    }

    fn stopped(&mut self) -> Error {
        Error::ReaderStopped(self.confined.ending().map_or("it does not answer".to_owned(), how))
    }
}

fn no(answer: Answer) -> Error {
    match answer {
        Answer::Unreadable { code, message, hint, exit } => Error::Unreadable { code, message, hint, exit },
        Answer::Ready | Answer::Read(_) | Answer::Written(_) | Answer::Wallet(_) | Answer::Message(_) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    /// A reader that is this thread: its process only waits to be killed.
    fn fake(peer: impl FnOnce(UnixStream) + Send + 'static) -> Reader {
        let (socket, other) = UnixStream::pair().unwrap();
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        std::thread::spawn(move || peer(other));
        Reader { confined: Confined::of(child, socket).unwrap(), patience: Duration::from_secs(1) }
    }

    #[test]
    fn ctrl_c_at_the_terminal_reaches_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let (program, told) = (folder.path().join("reader"), folder.path().join("told"));
        let script =
            format!("#!/bin/sh\nread -r stat < /proc/$$/stat\necho \"$stat\" > '{}'\n", told.display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
        let error = loop {
            match Reader::spawn(&program).unwrap_err() {
                // A child that another test is starting may hold the file that was written here until it runs.
                Error::Start { source, .. } if source.kind() == io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => break other,
            }
        };
        assert!(matches!(&error, Error::ReaderStopped(how) if how == "exit code 0"), "{error}");
        // proc_pid_stat(5): the process group is the third field behind the name.
        let group = |stat: String| stat.rsplit(") ").next()?.split(' ').nth(2)?.parse::<u32>().ok();
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert_eq!(group(std::fs::read_to_string(told).unwrap()).unwrap(), group(own).unwrap());
    }

    fn outlasted(mut reader: Reader, document: usize) {
        let begun = Instant::now();
        let open = Open { document: vec![0; document], wallets: vec![], now: 0 };
        let error = reader.open(open).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!((error.code().as_str(), error.exit_code()), ("reader-stopped", 3));
        assert!(error.to_string().contains("no whole answer within 1 seconds"), "{error}");
        assert_eq!(reader.confined.ending().unwrap().signal(), Some(9), "it was killed");
    }

    #[test]
    fn an_answer_byte_by_byte_moves_no_deadline() {
        outlasted(
            fake(|mut socket| {
                let mut bytes = [0, 1, 0, 0].into_iter().chain(std::iter::repeat(7));
                while socket.write_all(&[bytes.next().unwrap()]).is_ok() {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }),
            0,
        );
    }

    #[test]
    fn a_reader_that_takes_nothing_or_little_is_not_waited_for() {
        outlasted(
            fake(|socket| {
                std::thread::sleep(Duration::from_secs(10));
                drop(socket);
            }),
            8 << 20,
        );
        outlasted(
            fake(|mut socket| {
                let mut some = [0; 4_096];
                while socket.read(&mut some).is_ok_and(|count| count > 0) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }),
            32 << 20,
        );
    }

    #[test]
    fn an_answer_in_time_is_heard() {
        let mut reader = fake(|mut socket| {
            read_frame(&mut socket).unwrap();
            let answer =
                Answer::Unreadable { code: "C21".into(), message: "m".into(), hint: "h".into(), exit: 3 };
            write_frame(&mut socket, &answer.to_bytes()).unwrap();
        });
        let open = Open { document: vec![0; 8 << 20], wallets: vec![], now: 0 };
        assert_eq!(reader.open(open).unwrap_err().code(), "C21");
    }
}
