//! `PSBT_GLOBAL_TX_MODIFIABLE` (BIP370): what may still be added to a transaction.

use crate::strict::fields::IN_MUSIG2_PARTIAL_SIG;
use bitcoin::Psbt;

/// Inputs may be added and removed.
pub(crate) const INPUTS: u8 = 1;
/// Outputs may be added and removed.
pub(crate) const OUTPUTS: u8 = 2;
/// An input and the output of its number belong together.
pub(crate) const SINGLE: u8 = 4;

/// Sighash types (BIP341 takes them over): the part without `ANYONECANPAY`, and that.
const BASE: u32 = 0x1f;
const NONE: u32 = 2;
const SINGLE_OUTPUT: u32 = 3;
const ANYONE_CAN_PAY: u32 = 0x80;

/// The flags as they are beside a PSBT's signatures (BIP370, "Signer"): one that commits to the inputs ends adding
/// them, one that commits to outputs ends adding those, and one for a single output binds pairs.
pub(super) fn beside_signatures(flags: u8, psbt: &Psbt) -> u8 {
    sighash_types(psbt).fold(flags, |mut flags, kind| {
        if kind & ANYONE_CAN_PAY == 0 {
            flags &= !INPUTS;
        }
        if kind & BASE != NONE {
            flags &= !OUTPUTS;
        }
        if kind & BASE == SINGLE_OUTPUT {
            flags |= SINGLE;
        }
        flags
    })
}

/// The flags of copies of one PSBT: adding is allowed when all allow it, and what one says otherwise holds.
pub(crate) fn united(one: u8, other: u8) -> u8 {
    let allowed = INPUTS | OUTPUTS;
    (one & other & allowed) | ((one | other) & !allowed)
}

/// The type of every signature; one inside a final witness or of several signers counts as ALL.
fn sighash_types(psbt: &Psbt) -> impl Iterator<Item = u32> {
    psbt.inputs.iter().flat_map(|input| {
        let is_final = input.final_script_sig.is_some() || input.final_script_witness.is_some();
        let is_musig2 = input.unknown.keys().any(|key| key.type_value == IN_MUSIG2_PARTIAL_SIG);
        let ecdsa = input.partial_sigs.values().map(|signature| signature.sighash_type.to_u32());
        let taproot = input.tap_key_sig.iter().chain(input.tap_script_sigs.values());
        let taproot = taproot.map(|signature| u32::from(signature.sighash_type as u8));
        ecdsa.chain(taproot).chain((is_final || is_musig2).then_some(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::ecdsa::Signature;
    use bitcoin::sighash::EcdsaSighashType::{
        self, All, AllPlusAnyoneCanPay, None, Single, SinglePlusAnyoneCanPay,
    };
    use bitcoin::{ScriptBuf, ecdsa};

    fn with(input: bitcoin::psbt::Input) -> Psbt {
        let empty = bitcoin::hex::FromHex::from_hex("70736274ff01000a0200000000000000000000");
        let bytes: Vec<u8> = empty.unwrap();
        Psbt { inputs: vec![input], ..crate::strict::parse(&bytes).unwrap() }
    }

    fn signed(sighash_type: EcdsaSighashType) -> Psbt {
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
        let signature =
            ecdsa::Signature { signature: Signature::from_compact(&[1; 64]).unwrap(), sighash_type };
        with(bitcoin::psbt::Input { partial_sigs: [(key, signature)].into(), ..Default::default() })
    }

    #[test]
    fn a_signature_ends_what_it_commits_to() {
        for (kind, expected) in [
            (All, 0),
            (AllPlusAnyoneCanPay, INPUTS),
            (None, OUTPUTS),
            (Single, SINGLE),
            (SinglePlusAnyoneCanPay, INPUTS | SINGLE),
        ] {
            assert_eq!(beside_signatures(INPUTS | OUTPUTS, &signed(kind)), expected, "{kind}");
        }
        assert_eq!(beside_signatures(0xff, &with(Default::default())), 0xff, "unsigned");
        let last = bitcoin::psbt::Input { final_script_sig: Some(ScriptBuf::new()), ..Default::default() };
        assert_eq!(
            beside_signatures(0xfb, &with(last)),
            0xf8,
            "what is final is signed, other flags are kept"
        );
    }

    #[test]
    fn copies_allow_what_all_allow() {
        assert_eq!(united(INPUTS | OUTPUTS, OUTPUTS | SINGLE), OUTPUTS | SINGLE);
        assert_eq!(united(0x08, 0x10), 0x18);
    }
}
