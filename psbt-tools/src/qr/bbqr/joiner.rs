//! The parts of one payload, in any order, until it is whole.

use super::header::{Encoding, Frame, Header};
use crate::qr::deflate::inflate;
use crate::qr::fault::Fault;
use crate::qr::indexed::Indexed;
use crate::qr::payload::Kind;

/// What is known of one payload.
#[derive(Debug, Clone)]
pub(crate) struct Joiner {
    header: Header,
    pub(crate) parts: Indexed,
}

impl Joiner {
    /// For payloads with a header.
    pub(crate) fn new(header: Header) -> Self {
        Self { header, parts: Indexed::new(header.parts) }
    }

    /// Takes a part that has this header; whether it told something new.
    ///
    /// # Errors
    /// [`Fault::Contradiction`] and [`Fault::UnequalParts`] when it is of another payload than those before. There is no
    /// telling which of them are of which.
    pub(crate) fn add(&mut self, frame: &Frame) -> Result<bool, Fault> {
        let Frame { header: _, number, ref bytes } = *frame;
        let is_last = number.saturating_add(1) == self.header.parts;
        if let Some(len) = self.parts.len_before_last().filter(|len| !is_last && *len != bytes.len()) {
            return Err(Fault::UnequalParts(len, bytes.len()));
        }
        self.parts.add(number, bytes)
    }

    /// The payload of all parts that are there.
    ///
    /// # Errors
    /// [`Fault::Deflate`], [`Fault::Bomb`], [`Fault::Content`] when it is not what its frames say.
    pub(crate) fn payload(&self) -> Result<(Kind, Vec<u8>), Fault> {
        let joined = self.parts.joined();
        let bytes = match self.header.encoding {
            Encoding::Hex | Encoding::Base32 => joined,
            Encoding::Deflated => inflate(&joined)?,
        };
        self.header.kind().checked(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::bbqr::parse;

    fn add(joiner: &mut Joiner, text: &str) -> Result<bool, Fault> {
        joiner.add(&parse(text).unwrap().unwrap())
    }

    fn joiner(text: &str) -> Joiner {
        Joiner::new(parse(text).unwrap().unwrap().header)
    }

    #[test]
    fn two_payloads_with_one_header_are_not_joined() {
        let mut parts = joiner("B$HB030001");
        assert_eq!(add(&mut parts, "B$HB030001"), Ok(true));
        assert_eq!(add(&mut parts, "B$HB030102"), Ok(true));
        assert_eq!(add(&mut parts, "B$HB030109"), Err(Fault::Contradiction(2)));
        let mut parts = joiner("B$HB030001");
        assert_eq!(add(&mut parts, "B$HB0302010203"), Ok(true));
        assert_eq!(add(&mut parts, "B$HB030001"), Ok(true));
        assert_eq!(add(&mut parts, "B$HB03010203"), Err(Fault::UnequalParts(1, 2)));
    }

    #[test]
    fn a_part_is_needed_from_each_place() {
        let mut parts = joiner("B$HB020001");
        add(&mut parts, "B$HB020102").unwrap();
        assert!(!parts.parts.is_complete());
        add(&mut parts, "B$HB020001").unwrap();
        assert!(parts.parts.is_complete());
        assert_eq!(parts.payload(), Ok((Kind::Bytes, vec![1, 2])));
    }
}
