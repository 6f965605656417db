//! Reading forward through bytes that may end anywhere.

use crate::Error;

/// A position in borrowed bytes; nothing is copied.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, place: &str, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(|| {
            Error::broken(format!("{place}: {len} bytes are announced, {} are left", self.rest.len()))
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// A compact size (Bitcoin's variable-length integer) in its shortest form.
    pub(crate) fn count(&mut self, place: &str) -> Result<u64, Error> {
        let first = self.take(place, 1)?.first().copied().unwrap_or(0);
        let (width, least) = match first {
            0xfd => (2, 0xfd),
            0xfe => (4, 0x1_0000),
            0xff => (8, 0x1_0000_0000),
            small => return Ok(u64::from(small)),
        };
        let mut bytes = [0u8; 8];
        for (to, from) in bytes.iter_mut().zip(self.take(place, width)?) {
            *to = *from;
        }
        let number = u64::from_le_bytes(bytes);
        if number < least {
            return Err(Error::broken(format!("{place}: the length {number} is not in its shortest form")));
        }
        Ok(number)
    }

    /// Bytes behind their compact size.
    pub(crate) fn string(&mut self, place: &str) -> Result<&'a [u8], Error> {
        let len = usize::try_from(self.count(place)?).unwrap_or(usize::MAX);
        self.take(place, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_one_form_from_the_first_number_that_needs_it() {
        let count = |bytes: &[u8]| Cursor::new(bytes).count("here").ok();
        for (bytes, number) in [
            (vec![0xfc], 0xfc),
            (vec![0xfd, 0xfd, 0], 0xfd),
            (vec![0xfd, 0xff, 0xff], 0xffff),
            (vec![0xfe, 0, 0, 1, 0], 0x1_0000),
            (vec![0xff, 0, 0, 0, 0, 1, 0, 0, 0], 0x1_0000_0000),
        ] {
            assert_eq!(count(&bytes), Some(number));
        }
        for longer in [
            vec![0xfd, 0xfc, 0],
            vec![0xfe, 0xff, 0xff, 0, 0],
            vec![0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
        ] {
            assert_eq!(count(&longer), None);
        }
    }
}
