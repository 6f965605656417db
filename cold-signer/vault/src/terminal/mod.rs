//! The vault's own terminal: passphrases, words, dice. Nothing said here passes through the console.

mod ceremony;
mod tty;

pub use ceremony::{ask_dice, ask_new_passphrase, ask_passphrase, ask_words, show_machine_part, teach_words};
pub use tty::Tty;

use crate::Error;
use crate::secret::Secret;

/// Longest line that a person may type, in bytes.
pub const MAX_LINE: usize = 1024;

/// A screen and a keyboard. [`Tty`] is the real one; tests drive the ceremonies with a script.
pub trait Terminal {
    /// Shows text as it is.
    ///
    /// # Errors
    /// [`Error::System`] when the terminal is gone.
    fn show(&mut self, text: &str) -> Result<(), Error>;

    /// Shows a prompt and reads one line. With `echo` off nothing typed appears.
    ///
    /// # Errors
    /// [`Error::Cancelled`] for ^C, ^D or the terminal's end; [`Error::TooLong`] past [`MAX_LINE`].
    fn ask(&mut self, prompt: &str, echo: bool) -> Result<Line, Error>;

    /// Wipes the screen and its scroll-back.
    ///
    /// # Errors
    /// As [`Terminal::show`].
    fn clear(&mut self) -> Result<(), Error>;

    /// Gives the terminal back as it was found: after a secret, echo stays off until then.
    fn release(&mut self) {}
}

/// A typed line without its newline, in locked memory.
pub struct Line {
    buffer: Secret,
    len: usize,
}

impl Line {
    /// An empty line.
    ///
    /// # Errors
    /// [`Error::System`] when memory cannot be locked.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { buffer: Secret::zeroed(MAX_LINE)?, len: 0 })
    }

    /// Adds a byte.
    ///
    /// # Errors
    /// [`Error::TooLong`].
    pub fn push(&mut self, byte: u8) -> Result<(), Error> {
        let place = self.buffer.expose_mut().get_mut(self.len).ok_or(Error::TooLong {
            what: "a typed line",
            got: MAX_LINE.saturating_add(1),
            limit: MAX_LINE,
        })?;
        *place = byte;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Takes the last character back: one whole UTF-8 sequence.
    pub fn backspace(&mut self) {
        while self.len > 0 {
            self.len = self.len.saturating_sub(1);
            let Some(byte) = self.buffer.expose_mut().get_mut(self.len) else { return };
            let continuation = *byte & 0xc0 == 0x80;
            *byte = 0;
            if !continuation {
                return;
            }
        }
    }

    /// The bytes typed.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.buffer.expose().get(..self.len).unwrap_or_default()
    }
}
