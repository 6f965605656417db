//! The parts of one message, in any order, until it is whole.

use super::content::Type;
use super::equations::{Equations, Told};
use super::fountain::Fountain;
use super::part::Part;
use crate::qr::fault::Fault;

/// What all parts of one message have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Header {
    ty: Type,
    parts: usize,
    message_len: usize,
    checksum: u32,
    fragment_len: usize,
}

impl Header {
    /// Of a part.
    pub(crate) fn of(ty: Type, part: &Part) -> Self {
        let Part { number: _, parts, message_len, checksum, ref data } = *part;
        Self { ty, parts, message_len, checksum, fragment_len: data.len() }
    }

    /// The type of the content.
    pub(crate) fn ty(&self) -> Type {
        self.ty
    }

    /// How many fragments there are.
    pub(crate) fn parts(&self) -> usize {
        self.parts
    }
}

/// What is known of one message.
#[derive(Debug, Clone)]
pub(crate) struct Joiner {
    header: Header,
    fountain: Fountain,
    equations: Equations,
}

impl Joiner {
    /// For messages with a header. Takes memory for nothing but the choice of fragments, 16 bytes a part.
    pub(crate) fn new(header: Header) -> Self {
        Self {
            header,
            fountain: Fountain::new(header.parts, header.checksum),
            equations: Equations::new(header.parts, header.fragment_len),
        }
    }

    /// Fragments that are determined: whole at [`Header::parts`].
    pub(crate) fn rank(&self) -> usize {
        self.equations.rank()
    }

    /// Bytes that are kept.
    pub(crate) fn memory(&self) -> usize {
        self.equations.memory().saturating_add(self.header.parts.saturating_mul(16))
    }

    /// Takes a part that has this header; whether it told something new.
    ///
    /// # Errors
    /// [`Fault::Contradiction`] when it cannot be of the same message as those before.
    pub(crate) fn add(&mut self, part: &Part) -> Result<bool, Fault> {
        match self.equations.add(&self.fountain.fragments(part.number), &part.data) {
            Told::New => Ok(true),
            Told::Nothing => Ok(false),
            Told::Contradiction => {
                Err(Fault::Contradiction(usize::try_from(part.number).unwrap_or(usize::MAX)))
            }
        }
    }

    /// The message, once it is whole.
    ///
    /// # Errors
    /// [`Fault::Checksum`] when it is not the one that its parts say: then all parts are to be collected anew.
    pub(crate) fn message(&self) -> Result<Option<Vec<u8>>, Fault> {
        let Some(mut message) = self.equations.solution() else { return Ok(None) };
        message.truncate(self.header.message_len);
        let (stated, computed) = (self.header.checksum, crc32fast::hash(&message));
        if stated != computed {
            return Err(Fault::Checksum { stated, computed });
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::ur::encoder::Encoder;

    fn joined(parts: impl Iterator<Item = Part>) -> (usize, Result<Option<Vec<u8>>, Fault>) {
        let mut joiner: Option<Joiner> = None;
        let mut taken = 0;
        for part in parts {
            let joiner = joiner.get_or_insert_with(|| Joiner::new(Header::of(Type::Bytes, &part)));
            joiner.add(&part).unwrap();
            taken += 1;
            if !matches!(joiner.message(), Ok(None)) {
                return (taken, joiner.message());
            }
        }
        (taken, Ok(None))
    }

    #[test]
    fn the_parts_join_in_order_backwards_and_from_the_middle() {
        let message: Vec<u8> = (0..5_003_u32).map(|i| (i * i % 251) as u8).collect();
        let encoder = Encoder::with_fragments(Type::Bytes, message.clone(), 100).unwrap();
        let (taken, whole) = joined((1..52).map(|number| encoder.part(number)));
        assert_eq!((taken, whole), (51, Ok(Some(message.clone()))));
        assert_eq!(joined((1..52).rev().map(|number| encoder.part(number))).1, Ok(Some(message.clone())));
        let (taken, whole) = joined((1_000..1_100).map(|number| encoder.part(number)));
        assert_eq!(whole, Ok(Some(message)));
        assert!(taken <= 56, "{taken} of 51");
    }

    #[test]
    fn a_message_with_another_check_sum_is_not_handed_out() {
        let encoder = Encoder::with_fragments(Type::Bytes, vec![5; 300], 100).unwrap();
        let parts = (1..4).map(|number| {
            let mut part = encoder.part(number);
            part.data[0] ^= u8::from(number == 2);
            part
        });
        assert!(matches!(joined(parts).1, Err(Fault::Checksum { .. })));
    }
}
