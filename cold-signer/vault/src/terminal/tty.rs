//! /dev/tty, read key by key so that nothing is echoed that must not be.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, write};
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::{Line, Terminal};
use crate::Error;

/// The controlling terminal. Open it before the sandbox.
pub struct Tty {
    descriptor: OwnedFd,
    /// Echo stays off after a secret was asked for, until [`Terminal::release`]: who types on during key derivation must
    /// not read it on the screen.
    quiet: Option<Raw>,
}

impl Tty {
    /// Opens /dev/tty.
    ///
    /// # Errors
    /// [`Error::System`] where the process has no terminal.
    pub fn open() -> Result<Self, Error> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let descriptor =
            open("/dev/tty", flags, Mode::empty()).map_err(Error::system("opening the terminal"))?;
        Ok(Self { descriptor, quiet: None })
    }

    fn put(&self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            match write(&self.descriptor, bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::System { action: "writing to the terminal", errno }),
            }
        }
        Ok(())
    }

    fn key(&self) -> Result<u8, Error> {
        let mut key = [0];
        loop {
            match read(&self.descriptor, &mut key) {
                Ok(0) => return Err(Error::Cancelled),
                Ok(_) => return Ok(key.first().copied().unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::System { action: "reading the terminal", errno }),
            }
        }
    }
}

impl Terminal for Tty {
    fn show(&mut self, text: &str) -> Result<(), Error> {
        self.put(text.as_bytes())
    }

    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Line, Error> {
        let raw = match self.quiet.take() {
            // Not given back between two questions, not even for a moment: nothing typed there may be seen.
            Some(raw) => raw.again()?,
            None => Raw::enter(self)?,
        };
        self.put(prompt.as_bytes())?;
        let mut line = Line::new()?;
        loop {
            match self.key()? {
                b'\n' | b'\r' => break,
                // ^C and ^D. With ISIG off they arrive as keys, so that `raw` is dropped on the way out.
                0x03 | 0x04 => {
                    self.put(b"\n")?;
                    return Err(Error::Cancelled);
                }
                0x08 | 0x7f => {
                    let before = line.expose().len();
                    line.backspace();
                    if echo && line.expose().len() < before {
                        self.put(b"\x08 \x08")?;
                    }
                }
                // ^U: begin again.
                0x15 => {
                    while !line.expose().is_empty() {
                        line.backspace();
                        if echo {
                            self.put(b"\x08 \x08")?;
                        }
                    }
                }
                control if control < 0x20 => {}
                key => {
                    line.push(key)?;
                    if echo {
                        self.put(&[key])?;
                    }
                }
            }
        }
        if !echo {
            self.quiet = Some(raw);
        }
        self.put(b"\n")?;
        Ok(line)
    }

    fn release(&mut self) {
        self.quiet = None;
    }

    fn clear(&mut self) -> Result<(), Error> {
        // Home, erase the screen, erase the scroll-back (ECMA-48 ED with xterm's 3).
        self.put(b"\x1b[H\x1b[2J\x1b[3J")
    }
}

/// What the terminal's modes are set for.
const ACTION: &str = "setting the terminal";

/// The terminal without echo, line editing and signal keys, until this is dropped.
struct Raw {
    terminal: OwnedFd,
    before: Termios,
    modes: Termios,
}

impl Raw {
    fn enter(tty: &Tty) -> Result<Self, Error> {
        let before = tcgetattr(&tty.descriptor).map_err(Error::system(ACTION))?;
        let terminal = rustix::io::fcntl_dupfd_cloexec(&tty.descriptor, 3).map_err(Error::system(ACTION))?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::ECHONL);
        raw.input_modes |= InputModes::ICRNL;
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        Self { terminal, before, modes: raw }.again()
    }

    /// Sets the modes. Flush: what was typed ahead of the prompt is not taken for an answer.
    fn again(self) -> Result<Self, Error> {
        tcsetattr(&self.terminal, OptionalActions::Flush, &self.modes).map_err(Error::system(ACTION))?;
        Ok(self)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Flush: what was typed meanwhile may be a passphrase and must not reach whoever reads next. Nothing better
        // can be done when the terminal is gone.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
