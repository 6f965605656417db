//! A signature as the vault releases it: the one shape for vault, wire and PSBT.

use crate::codec::{CodecError, Decoder, Encoder};
use bitcoin::hashes::Hash;
use bitcoin::taproot::TapLeafHash;

/// Longest public key, in bytes: compressed ECDSA (SEC 1).
const MAX_KEY_LEN: usize = 33;

/// Longest signature, in bytes: DER with its sighash byte is at most 73.
const MAX_SIGNATURE_LEN: usize = 80;

/// Most signatures for one transaction: several for each input where a wallet's key stands in several places.
pub const MAX_SIGNATURES: usize = 400_000;

/// A signature by one key for one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSignature {
    /// Index of the input, from zero.
    pub input: u32,
    /// The key: 33 bytes compressed for ECDSA; for taproot 32 bytes, the internal key or the leaf's.
    pub public_key: Vec<u8>,
    /// The leaf of a taproot script path (BIP342); `None` for everything else.
    pub leaf: Option<TapLeafHash>,
    /// The signature as it is pushed to the stack: DER and sighash byte, or 64 or 65 bytes of BIP340.
    pub signature: Vec<u8>,
}

impl InputSignature {
    /// Appends it.
    pub fn encode(&self, to: &mut Encoder) {
        to.u32(self.input);
        to.string(&self.public_key);
        to.option(self.leaf.as_ref(), |to, leaf| to.fixed(leaf.as_byte_array()));
        to.string(&self.signature);
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that are none, or too long.
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            input: from.u32("input")?,
            public_key: from.string("public key", MAX_KEY_LEN)?.to_vec(),
            leaf: from.option("leaf", |from| from.fixed("leaf").map(TapLeafHash::from_byte_array))?,
            signature: from.string("signature", MAX_SIGNATURE_LEN)?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_survives_its_bytes_and_lengths_are_capped() {
        let signature = |key: usize, length: usize, leaf| InputSignature {
            input: 7,
            public_key: vec![2; key],
            leaf,
            signature: vec![3; length],
        };
        let decoded = |signature: &InputSignature| {
            let mut to = Encoder::default();
            signature.encode(&mut to);
            let bytes = to.finish();
            InputSignature::decode(&mut Decoder::new(&bytes)).map_err(|_| ())
        };
        for good in [signature(33, 72, None), signature(32, 64, Some(TapLeafHash::from_byte_array([9; 32])))]
        {
            assert_eq!(decoded(&good), Ok(good.clone()));
        }
        assert!(decoded(&signature(34, 72, None)).is_err());
        assert!(decoded(&signature(33, 81, None)).is_err());
    }
}
