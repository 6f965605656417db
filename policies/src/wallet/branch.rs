//! Where in a wallet a script is: its branch and its index.

use crate::codec::{CodecError, Decoder, Encoder};
use std::fmt;

/// Highest unhardened child index, 2³¹ − 1 (BIP32).
pub const MAX_INDEX: u32 = 0x7fff_ffff;

/// Which of a wallet's two chains of addresses: BIP44's "change" level. A multipath descriptor (BIP389) lists the
/// external chain first, the internal one second, by whatever numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Branch {
    /// Addresses given to payers: `/0/*` in most descriptors.
    External,
    /// Change: `/1/*` in most descriptors.
    Internal,
}

impl Branch {
    /// Both, in their order.
    pub const ALL: [Branch; 2] = [Branch::External, Branch::Internal];

    /// 0 or 1: its place in a multipath descriptor, and its number where a wallet has one key.
    pub const fn number(self) -> u32 {
        match self {
            Branch::External => 0,
            Branch::Internal => 1,
        }
    }

    /// The branch of this number.
    pub const fn from_number(number: u32) -> Option<Branch> {
        match number {
            0 => Some(Branch::External),
            1 => Some(Branch::Internal),
            _ => None,
        }
    }
}

/// Where in the wallet a script is: branch and unhardened index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keypath {
    /// The chain of addresses.
    pub branch: Branch,
    /// The index on it, 0 to [`MAX_INDEX`].
    pub index: u32,
}

impl fmt::Display for Keypath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.branch.number(), self.index)
    }
}

impl Keypath {
    /// Appends branch and index.
    pub fn encode(&self, to: &mut Encoder) {
        to.u8(match self.branch {
            Branch::External => 0,
            Branch::Internal => 1,
        });
        to.u32(self.index);
    }

    /// Reads branch and index.
    ///
    /// # Errors
    /// [`CodecError`] for another branch or a hardened index.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let number = u32::from(from.u8("branch")?);
        let branch = Branch::from_number(number)
            .ok_or_else(|| CodecError::invalid("branch", format!("{number} is not 0 or 1")))?;
        let index = from.u32("index")?;
        if index > MAX_INDEX {
            return Err(CodecError::invalid("index", format!("{index} is hardened")));
        }
        Ok(Self { branch, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keypath_survives_its_encoding_and_no_index_is_hardened() {
        for branch in Branch::ALL {
            for index in [0, 5, MAX_INDEX] {
                let mut to = Encoder::default();
                Keypath { branch, index }.encode(&mut to);
                let bytes = to.finish();
                assert_eq!(Keypath::decode(&mut Decoder::new(&bytes)), Ok(Keypath { branch, index }));
            }
            for index in [MAX_INDEX + 1, u32::MAX] {
                let mut to = Encoder::default();
                Keypath { branch, index }.encode(&mut to);
                let bytes = to.finish();
                assert!(Keypath::decode(&mut Decoder::new(&bytes)).is_err());
            }
        }
        assert!(Keypath::decode(&mut Decoder::new(&[2, 0, 0, 0, 0])).is_err());
        assert_eq!(
            [0, 1, 2].map(Branch::from_number),
            [Some(Branch::External), Some(Branch::Internal), None]
        );
    }
}
