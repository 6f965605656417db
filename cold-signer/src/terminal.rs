//! The operator's terminal: `/dev/tty`, line by line. It is never switched to another mode, so Ctrl-C at any moment
//! ends the program and leaves the terminal as it was. In a visit of several commands it ends the command instead.

use crate::screens::Size;
use crate::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Longest line that is read.
const MAX_LINE_LEN: u64 = 1_024;

/// How often a question looks for Ctrl-C, which may have come just before it began to wait.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Whether Ctrl-C was pressed; there only in a visit of several commands.
static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on Ctrl-C ends a command and not the program. Children end by it as before.
///
/// # Errors
/// [`Error::Terminal`] where the system refuses.
pub fn catch_interrupts() -> Result<()> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(flag))
        .map(drop)
        .map_err(Error::Terminal)
}

/// Forgets a Ctrl-C of an earlier command.
pub fn clear_interrupt() {
    if let Some(flag) = INTERRUPTED.get() {
        flag.store(false, Ordering::Relaxed);
    }
}

/// Whether Ctrl-C was pressed since the command began. Long work looks at it.
pub fn interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Somebody who reads pages and types lines.
pub trait Person {
    /// The size of what the person looks at.
    fn size(&self) -> Size;

    /// Shows text.
    ///
    /// # Errors
    /// [`Error::Terminal`].
    fn show(&mut self, text: &str) -> Result<()>;

    /// Shows a prompt and waits for a line that is typed after it; `None` at the end of input.
    ///
    /// # Errors
    /// [`Error::Terminal`].
    fn ask(&mut self, prompt: &str) -> Result<Option<String>>;
}

/// Columns of standard output, where that is a terminal.
pub fn columns() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The controlling terminal as it was before a vault had it: one that is killed puts nothing right itself.
#[derive(Debug)]
pub struct Before {
    terminal: File,
    modes: Termios,
}

impl Before {
    /// Remembers it; `None` where the program has none.
    pub fn of() -> Option<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let modes = tcgetattr(&terminal).ok()?;
        Some(Self { terminal, modes })
    }

    /// Gives it back as it was, and wipes screen and scroll-back when secrets may be on them.
    pub fn restore(&mut self, wipe: bool) {
        // There is nobody to tell when the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.modes);
        if wipe {
            let _ = self.terminal.write_all(b"\x1b[H\x1b[2J\x1b[3J");
        }
    }
}

/// The controlling terminal.
#[derive(Debug)]
pub struct Terminal {
    input: BufReader<File>,
    output: File,
}

impl Terminal {
    /// Opens it; `None` where the program has none.
    pub fn open() -> Option<Self> {
        let output = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let input = BufReader::new(output.try_clone().ok()?);
        Some(Self { input, output })
    }
}

impl Terminal {
    /// Waits for a line where Ctrl-C does not end the program: reading alone would not see it.
    fn wait(&mut self) -> Result<()> {
        while INTERRUPTED.get().is_some() {
            if interrupted() {
                // The next line of the screen begins at its edge.
                let _ = writeln!(self.output);
                return Err(Error::Stopped("Ctrl-C"));
            }
            match poll(&mut [PollFd::new(&self.output, PollFlags::IN)], Some(&LOOK)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => break,
                Err(errno) => return Err(Error::Terminal(errno.into())),
            }
        }
        Ok(())
    }
}

impl Person for Terminal {
    fn size(&self) -> Size {
        match tcgetwinsize(&self.output) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
                Size { rows: usize::from(size.ws_row), columns: usize::from(size.ws_col) }
            }
            Ok(_) | Err(_) => Size::default(),
        }
    }

    fn show(&mut self, text: &str) -> Result<()> {
        writeln!(self.output, "{text}").map_err(Error::Terminal)
    }

    fn ask(&mut self, prompt: &str) -> Result<Option<String>> {
        // What was typed before the question is no answer to it.
        tcflush(&self.output, QueueSelector::IFlush).map_err(|errno| Error::Terminal(errno.into()))?;
        let stale = self.input.buffer().len();
        self.input.consume(stale);
        write!(self.output, "{prompt} ").and_then(|()| self.output.flush()).map_err(Error::Terminal)?;
        self.wait()?;
        let mut line = Vec::new();
        self.input.by_ref().take(MAX_LINE_LEN).read_until(b'\n', &mut line).map_err(Error::Terminal)?;
        if line.is_empty() {
            return Ok(None);
        }
        let text = String::from_utf8(line)
            .map_err(|_| Error::Terminal(io::Error::from(io::ErrorKind::InvalidData)))?;
        Ok(Some(text.trim().to_owned()))
    }
}
