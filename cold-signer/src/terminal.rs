//! The operator's terminal: `/dev/tty`, line by line. It is never switched to another mode, so Ctrl-C at any moment
//! ends the program and leaves the terminal as it was.

use crate::screens::Size;
use crate::{Error, Result};
use rustix::termios::{QueueSelector, tcflush, tcgetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};

/// Longest line that is read.
const MAX_LINE_LEN: u64 = 1_024;

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
