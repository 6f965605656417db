//! One part of a payload (BCR-2024-001): an array of its number, the count of fragments, the payload's length and
//! CRC-32, and the sum of some fragments.

use super::cbor::{self, Wrong};
use crate::qr::fault::{Fault, form};
use crate::qr::payload::Format;
use crate::qr::{MAX_MESSAGE_LEN, MAX_PARTS};
use minicbor::Encoder;

/// A part whose numbers are within all limits and fit together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(super) number: u32,
    pub(super) parts: usize,
    pub(super) message_len: usize,
    pub(super) checksum: u32,
    pub(super) data: Vec<u8>,
}

impl Part {
    /// Reads a part.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let (number, parts, message_len, checksum, data) = cbor::whole(bytes, |decoder| {
            if cbor::array(decoder)? != 5 {
                return Err("a part has five items");
            }
            let number: u32 = cbor::number(decoder)?;
            let parts: u64 = cbor::number(decoder)?;
            let message_len: u64 = cbor::number(decoder)?;
            let checksum: u32 = cbor::number(decoder)?;
            let data = decoder.bytes().map_err(|_| "a part's last item is bytes")?;
            Ok::<_, Wrong>((number, parts, message_len, checksum, data))
        })
        .map_err(|what| form(Format::Ur, what))?;
        if number == 0 {
            return Err(Fault::Number { number: 0, parts });
        }
        let small = usize::try_from(parts).ok().filter(|parts| (1..=MAX_PARTS).contains(parts));
        let parts = small.ok_or(Fault::Parts(parts))?;
        let small = usize::try_from(message_len).ok().filter(|len| (1..=MAX_MESSAGE_LEN).contains(len));
        let message_len = small.ok_or(Fault::MessageLen(message_len))?;
        let part = Self { number, parts, message_len, checksum, data: data.to_vec() };
        if part.fits() { Ok(part) } else { Err(part.misfit()) }
    }

    /// Whether so many fragments of this length are just enough for the payload. What they are longer is padding of the
    /// last one; senders that fix the count of fragments first pad by less than a byte each.
    fn fits(&self) -> bool {
        let padding = self.parts.saturating_mul(self.data.len()).checked_sub(self.message_len);
        padding.is_some_and(|padding| padding < self.data.len() || padding < self.parts)
    }

    fn misfit(&self) -> Fault {
        Fault::Fragments { parts: self.parts, fragment_len: self.data.len(), message_len: self.message_len }
    }

    /// The part as CBOR.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.data.len().saturating_add(24));
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        // Writing into memory does not fail.
        let _ = Encoder::new(&mut bytes)
            .array(5)
            .and_then(|e| e.u32(self.number))
            .and_then(|e| e.u64(number(self.parts)))
            .and_then(|e| e.u64(number(self.message_len)))
            .and_then(|e| e.u32(self.checksum))
            .and_then(|e| e.bytes(&self.data).map(|_| ()));
        bytes
    }
}

#[cfg(test)]
impl Part {
    /// Makes it lie about its fragments.
    pub(crate) fn flip(&mut self) {
        self.data.iter_mut().for_each(|byte| *byte ^= 1);
    }

    /// Its frame.
    pub(crate) fn text(&self, ty: super::Type) -> String {
        super::frame::write(ty, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::MAX_PARTS;

    fn part(number: u32, parts: usize, message_len: usize, len: usize) -> Part {
        Part { number, parts, message_len, checksum: 0x0167_aa07, data: vec![7; len] }
    }

    #[test]
    fn a_part_reads_back() {
        for part in [part(12, 8, 40, 5), part(1, 1, 1, 1), part(u32::MAX, MAX_PARTS, 4096 * 300, 300)] {
            assert_eq!(Part::read(&part.write()), Ok(part));
        }
    }

    #[test]
    fn numbers_that_are_out_of_bounds_or_do_not_fit_together_are_refused() {
        let reason = |part: Part| Part::read(&part.write()).unwrap_err();
        assert!(matches!(reason(part(0, 8, 40, 5)), Fault::Number { .. }));
        assert!(matches!(reason(part(1, 0, 40, 5)), Fault::Parts(0)));
        assert!(matches!(reason(part(1, 4097, 40, 5)), Fault::Parts(4097)));
        assert!(matches!(reason(part(1, 1, 0, 5)), Fault::MessageLen(0)));
        assert!(matches!(reason(part(1, 4096, MAX_MESSAGE_LEN + 1, 8193)), Fault::MessageLen(_)));
        assert!(matches!(reason(part(1, 8, 41, 5)), Fault::Fragments { .. }));
        assert!(matches!(reason(part(1, 8, 32, 5)), Fault::Fragments { .. }));
        assert!(matches!(reason(part(1, 8, 40, 0)), Fault::Fragments { .. }));
    }

    #[test]
    fn a_part_that_is_not_deterministic_is_refused() {
        let good = part(1, 1, 5, 5).write();
        assert!(Part::read(&good).is_ok());
        for bad in [&good[..good.len() - 1], &[&good[..], &[0]].concat(), &[0x85, 0x18, 1], &[0x80], &[0xa0]]
        {
            assert!(matches!(Part::read(bad), Err(Fault::Form { .. })), "{bad:?}");
        }
    }
}
