//! The signatures of a reply: 64 bytes each, beside two that say for which input and by which key.

use super::key::{Key, Named, Place};
use crate::Error;
use bitcoin::{EcdsaSighashType, TapSighashType, ecdsa, secp256k1, taproot};
use policies::codec::{CodecError, Decoder, Encoder};
use policies::signature::InputSignature;

/// Most signatures of one reply.
pub const MAX_SIGNATURES: usize = policies::signature::MAX_SIGNATURES;

/// A step from one signature's input to the next that does not fit one byte: the input's number follows.
const FAR: u8 = 0xff;

/// Beside the kind of the key: `SIGHASH_ALL` is written behind the signature (ECDSA always has it, BIP340 where it is not the
/// default).
const ALL: u8 = 0x10;

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// Index of the input, from zero.
    pub(super) input: u32,
    /// Which key.
    pub(super) key: Key,
    /// Whether its sighash type is written: `ALL`.
    all: bool,
    /// R and S (ECDSA), or R and s (BIP340).
    compact: [u8; 64],
}

impl Signature {
    /// A signature as the vault releases it; `None` for one of another sighash type, or in another encoding than ours.
    pub(super) fn of(given: &InputSignature, place: &Place<'_>) -> Option<Self> {
        let named: Named = (given.public_key.clone(), given.leaf);
        let (compact, all) = if place.script.is_p2tr() {
            let signature = taproot::Signature::from_slice(&given.signature).ok()?;
            let all = match signature.sighash_type {
                TapSighashType::Default => false,
                TapSighashType::All => true,
                TapSighashType::None
                | TapSighashType::Single
                | TapSighashType::AllPlusAnyoneCanPay
                | TapSighashType::NonePlusAnyoneCanPay
                | TapSighashType::SinglePlusAnyoneCanPay => return None,
            };
            (*signature.signature.as_ref(), all)
        } else {
            let signature = ecdsa::Signature::from_slice(&given.signature).ok()?;
            if signature.sighash_type != EcdsaSighashType::All {
                return None;
            }
            (signature.signature.serialize_compact(), true)
        };
        let key = match (place.script.is_p2tr(), given.leaf) {
            (true, None) => Key::Output,
            _ => Key::of(place, &named),
        };
        let signature = Self { input: given.input, key, all, compact };
        let again = signature.released(place)?;
        (again.signature == given.signature).then_some(signature)
    }

    /// The signature as the vault released it, with the key that it names; `None` when the input has no such key.
    pub(super) fn released(&self, place: &Place<'_>) -> Option<InputSignature> {
        let (public_key, leaf) = self.key.find(place)?;
        let signature = if place.script.is_p2tr() {
            let sighash_type = if self.all { TapSighashType::All } else { TapSighashType::Default };
            let signature = secp256k1::schnorr::Signature::from_slice(&self.compact).ok()?;
            taproot::Signature { signature, sighash_type }.to_vec()
        } else if self.all {
            let signature = secp256k1::ecdsa::Signature::from_compact(&self.compact).ok()?;
            ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All }.to_vec()
        } else {
            return None;
        };
        Some(InputSignature { input: self.input, public_key, leaf, signature })
    }

    fn place(&self) -> (u32, &Key) {
        (self.input, &self.key)
    }
}

/// Puts them into their order.
///
/// # Errors
/// [`Error::NotWritten`] for more than a reply holds, or two by one key for one input.
pub(super) fn ordered(mut signatures: Vec<Signature>) -> Result<Vec<Signature>, Error> {
    signatures.sort_by(|a, b| a.place().cmp(&b.place()));
    let repeated = signatures.iter().zip(signatures.iter().skip(1)).any(|(a, b)| a.place() == b.place());
    if repeated || signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
        return Err(super::answer::not_written(&format!("{} signatures", signatures.len())));
    }
    Ok(signatures)
}

/// Count, then each: the step from the input before, the kind of the key and the sighash type, the key, 64 bytes.
pub(super) fn encode(to: &mut Encoder, signatures: &[Signature]) {
    let mut before = 0;
    to.list(signatures, |to, signature| {
        match u8::try_from(signature.input.saturating_sub(before)) {
            Ok(step) if step < FAR => to.u8(step),
            Ok(_) | Err(_) => {
                to.u8(FAR);
                to.u32(signature.input);
            }
        }
        before = signature.input;
        to.u8(signature.key.kind() | if signature.all { ALL } else { 0 });
        signature.key.encode(to);
        to.fixed(&signature.compact);
    });
}

/// Reads them; each stands behind the one before.
pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Vec<Signature>, CodecError> {
    let wrong = |reason: &str| CodecError::invalid("signature", reason);
    let mut last: Option<(u32, Key)> = None;
    let signatures = from.list("signatures", MAX_SIGNATURES, |from| {
        let before = last.as_ref().map_or(0, |(input, _)| *input);
        let input = match from.u8("step")? {
            FAR => from.u32("input")?,
            step => match before.checked_add(u32::from(step)) {
                Some(input) => input,
                None => return Err(wrong("its input has no number")),
            },
        };
        let how = from.u8("key")?;
        let key = Key::decode(how & !ALL, from)?;
        let place = (input, key.clone());
        if last.as_ref().is_some_and(|last| *last >= place) {
            return Err(wrong("they are out of order, or one stands twice"));
        }
        last = Some(place);
        Ok(Signature { input, key, all: how & ALL != 0, compact: from.fixed("signature")? })
    })?;
    if signatures.is_empty() { Err(wrong("there is none")) } else { Ok(signatures) }
}
