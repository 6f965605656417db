//! A passphrase: UTF-8, normalised to NFKD as BIP39 does, so that two keyboards mean the same bytes.

use std::os::fd::AsFd;

use rustix::io::Errno;
use unicode_normalization::UnicodeNormalization;

use crate::Error;
use crate::secret::Secret;

/// Longest passphrase accepted, in bytes as typed.
pub const MAX_PASSPHRASE: usize = 1024;

/// NFKD at most multiplies UTF-8 bytes by eleven (U+FDFA: 3 bytes to 33).
const MAX_EXPANSION: usize = 11;

/// A non-empty normalised passphrase.
pub struct Passphrase {
    bytes: Secret,
    len: usize,
}

impl Passphrase {
    /// Normalises typed bytes.
    ///
    /// # Errors
    /// [`Error::BadPassphrase`] for empty or non-UTF-8 input, [`Error::TooLong`] past [`MAX_PASSPHRASE`].
    pub fn new(typed: &[u8]) -> Result<Self, Error> {
        if typed.is_empty() {
            return Err(Error::BadPassphrase("it is empty"));
        }
        let room = typed.len().saturating_mul(MAX_EXPANSION);
        if typed.len() > MAX_PASSPHRASE {
            return Err(Error::TooLong { what: "a passphrase", got: typed.len(), limit: MAX_PASSPHRASE });
        }
        let text = std::str::from_utf8(typed).map_err(|_| Error::BadPassphrase("it is not UTF-8"))?;
        let mut bytes = Secret::zeroed(room)?;
        let mut len = 0_usize;
        for letter in text.nfkd() {
            let end = len.saturating_add(letter.len_utf8());
            let place = bytes
                .expose_mut()
                .get_mut(len..end)
                .ok_or(Error::BadPassphrase("it cannot be normalised"))?;
            letter.encode_utf8(place);
            len = end;
        }
        Ok(Self { bytes, len })
    }

    /// Reads the first line of an inherited descriptor; a final `\n` or `\r\n` is not part of it.
    /// At most [`MAX_PASSPHRASE`] bytes and the newline are read.
    ///
    /// # Errors
    /// As [`Passphrase::new`], and [`Error::System`] when reading fails.
    pub fn from_descriptor(descriptor: impl AsFd) -> Result<Self, Error> {
        let mut buffer = Secret::zeroed(MAX_PASSPHRASE.saturating_add(2))?;
        let mut filled = 0_usize;
        loop {
            let room = buffer.expose_mut().get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                break;
            }
            let got = match rustix::io::read(&descriptor, room) {
                Ok(got) => got,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Error::System { action: "reading the passphrase", errno }),
            };
            let fresh = buffer.expose().get(filled..filled.saturating_add(got)).unwrap_or_default();
            let done = got == 0 || fresh.contains(&b'\n');
            filled = filled.saturating_add(got);
            if done {
                break;
            }
        }
        let read = buffer.expose().get(..filled).unwrap_or_default();
        let line = match read.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = read.get(..end).unwrap_or_default();
                line.strip_suffix(b"\r").unwrap_or(line)
            }
            None => read,
        };
        Self::new(line)
    }

    /// The normalised bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.expose().get(..self.len).unwrap_or_default()
    }

    /// Whether two entries are the same passphrase, in constant time.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.expose(), other.expose()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read_back(content: &[u8]) -> Result<Passphrase, Error> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        Passphrase::from_descriptor(&file)
    }

    #[test]
    fn only_the_first_line_without_its_newline_counts() {
        for content in [&b"open sesame"[..], b"open sesame\n", b"open sesame\r\n", b"open sesame\nmore\n"] {
            assert_eq!(read_back(content).ok().unwrap().expose(), b"open sesame");
        }
        assert_eq!(read_back(b"a\r").ok().unwrap().expose(), b"a\r");
    }

    #[test]
    fn empty_long_and_non_utf8_passphrases_are_refused() {
        assert!(matches!(read_back(b""), Err(Error::BadPassphrase(_))));
        assert!(matches!(read_back(b"\nx"), Err(Error::BadPassphrase(_))));
        assert!(matches!(read_back(b"\xff"), Err(Error::BadPassphrase(_))));
        assert!(read_back(&[b'a'; MAX_PASSPHRASE]).is_ok());
        assert!(matches!(read_back(&[b'a'; MAX_PASSPHRASE + 1]), Err(Error::TooLong { .. })));
    }

    #[test]
    fn composed_and_decomposed_letters_are_the_same_passphrase() {
        let composed = Passphrase::new("é".as_bytes()).ok().unwrap();
        let decomposed = Passphrase::new("e\u{301}".as_bytes()).ok().unwrap();
        assert!(composed.same_as(&decomposed));
        assert_eq!(Passphrase::new("\u{fdfa}".as_bytes()).ok().unwrap().expose().len(), 33);
    }
}
