//! C13, C14, C28 and C33: sighash types, signatures that are there, signatures that are released, and what came back.

use bitcoin::absolute::LockTime;
use bitcoin::psbt::{Psbt, PsbtSighashType};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use bitcoin::transaction::Version;
use bitcoin::{Amount, EcdsaSighashType, PublicKey, TapLeafHash, TapSighashType};

use super::super::maps;
use super::super::payment::{Payment, stranger};
use super::super::purse::Kind::{Internal, Leaf, Owner, Pkh, ShMulti, ShWpkh, ShWsh, Tr, Wpkh, Wsh};
use super::super::purse::{ALL, Kind, SINGLE, TREES};
use super::super::row::Change;
use super::super::row::{Off, Row, Versions, refuse};
use super::super::signing::{EVERYTHING, Types, ecdsa, sign, sign_input};

const HONEST_TYPE: &[Change] = &[Change::Psbt(|psbt, _| ask_for(psbt, 1))];
const SIGNED: &[Change] = &[Change::Psbt(|psbt, payment| sign(psbt, payment, signer(payment.kind)))];
const FINAL: &[Change] = &[Change::Psbt(finalise)];

pub const ROWS: &[Row] = &[
    Row { twin: HONEST_TYPE, ..refuse(13, "NONE", ALL, &[Change::Psbt(|psbt, _| ask_for(psbt, 2))]) },
    Row {
        twin: HONEST_TYPE,
        ..refuse(13, "SINGLE", &[Wpkh, Tr, Pkh], &[Change::Psbt(|psbt, _| ask_for(psbt, 3))])
    },
    Row {
        twin: HONEST_TYPE,
        ..refuse(13, "ALL|ANYONECANPAY", &[Tr, Wsh], &[Change::Psbt(|psbt, _| ask_for(psbt, 0x81))])
    },
    Row {
        twin: HONEST_TYPE,
        ..refuse(13, "NONE|ANYONECANPAY", &[Wpkh, Leaf], &[Change::Psbt(|psbt, _| ask_for(psbt, 0x82))])
    },
    Row {
        twin: HONEST_TYPE,
        ..refuse(13, "SINGLE|ANYONECANPAY", &[ShWsh, Wpkh], &[Change::Psbt(|psbt, _| ask_for(psbt, 0x83))])
    },
    Row {
        twin: HONEST_TYPE,
        ..refuse(13, "DEFAULT before taproot", &[Wpkh, Pkh, Wsh], &[Change::Psbt(|psbt, _| ask_for(psbt, 0))])
    },
    Row {
        twin: HONEST_TYPE,
        ..refuse(
            13,
            "ALL with another high byte",
            &[Tr, Wpkh],
            &[Change::Psbt(|psbt, _| ask_for(psbt, 0x1_0001))],
        )
    },
    Row {
        both: SIGNED,
        ..refuse(
            14,
            "signatures exchanged between inputs",
            &[Wpkh, Tr, Pkh, ShWpkh, ShMulti, ShWsh, Wsh, Owner, Leaf, Internal],
            &[Change::Psbt(|psbt, _| exchange(psbt))],
        )
    },
    Row {
        twin: SIGNED,
        ..refuse(
            14,
            "a genuine signature that leaves the outputs open",
            &[Wpkh, Tr, Pkh, Wsh, Leaf],
            &[Change::Psbt(|psbt, payment| {
                sign_input(
                    psbt,
                    payment,
                    0,
                    signer(payment.kind),
                    Types(EcdsaSighashType::None, TapSighashType::None),
                );
            })],
        )
    },
    Row {
        twin: SIGNED,
        ..refuse(
            14,
            "a genuine signature that leaves the other inputs open",
            &[Wpkh, Tr, ShWsh],
            &[Change::Psbt(|psbt, payment| {
                let types = Types(EcdsaSighashType::AllPlusAnyoneCanPay, TapSighashType::AllPlusAnyoneCanPay);
                sign_input(psbt, payment, 1, signer(payment.kind), types);
            })],
        )
    },
    Row {
        both: SIGNED,
        ..refuse(
            14,
            "signatures over another amount for the recipient",
            &[Wpkh, Tr, Pkh, Wsh, Leaf, Internal],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[0].value -= Amount::from_sat(1_000);
            })],
        )
    },
    Row {
        both: SIGNED,
        ..refuse(
            14,
            "signatures over another recipient",
            &[Tr, ShMulti, ShWpkh],
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.output[0].script_pubkey = stranger(44);
            })],
        )
    },
    Row {
        twin: SIGNED,
        ..refuse(
            14,
            "a signature by a key that is not in the script",
            &[Wpkh, Pkh, Wsh, ShMulti],
            &[Change::Psbt(|psbt, _| {
                let key = SecretKey::from_slice(&[5; 32]).unwrap();
                let public = PublicKey::new(key.public_key(&Secp256k1::new()));
                psbt.inputs[0].partial_sigs.insert(public, ecdsa([7; 32], &key, EcdsaSighashType::All));
            })],
        )
    },
    Row {
        both: FINAL,
        ..refuse(
            14,
            "final witnesses exchanged between inputs",
            &[Wpkh, Tr, Pkh, ShWpkh],
            &[Change::Psbt(|psbt, _| {
                let (first, second) = psbt.inputs.split_at_mut(1);
                std::mem::swap(&mut first[0].final_script_witness, &mut second[0].final_script_witness);
                if first[0].final_script_sig.as_ref().is_none_or(|script| script.len() != 23) {
                    std::mem::swap(&mut first[0].final_script_sig, &mut second[0].final_script_sig);
                }
            })],
        )
    },
    Row {
        both: SIGNED,
        off: Off::Never("no signature has such a sighash type"),
        versions: Versions::Zero,
        ..refuse(
            14,
            "a signature with a sighash type that does not exist",
            &[Wpkh, Wsh],
            &[Change::Bytes(|bytes, _| {
                maps::edit(bytes, |maps| {
                    let signature = maps[1].iter_mut().find(|(key, _)| key[0] == 2).unwrap();
                    *signature.1.last_mut().unwrap() = 5;
                });
            })],
        )
    },
    refuse(
        28,
        "a signature with a bit flipped",
        &[Wpkh, Tr, Pkh, ShWsh, Leaf],
        &[Change::Signatures(|signatures, _| {
            // Of an ECDSA signature the last byte is the sighash type.
            let at = signatures[0].signature.len() - 2;
            signatures[0].signature[at] ^= 1;
        })],
    ),
    refuse(
        28,
        "signatures exchanged between inputs",
        &[Wpkh, Tr, ShMulti, Internal, Leaf],
        &[Change::Signatures(|signatures, _| {
            let (first, second) = signatures.split_at_mut(1);
            std::mem::swap(&mut first[0].signature, &mut second[0].signature);
        })],
    ),
    Row {
        off: Off::Never("there is no such input to put it into"),
        ..refuse(
            28,
            "a signature for an input that is not there",
            &[Wpkh, Tr],
            &[Change::Signatures(|signatures, _| {
                signatures[0].input = 2;
            })],
        )
    },
    refuse(
        28,
        "a signature by a cosigner's key",
        &[Wsh, ShMulti],
        &[Change::Signatures(|signatures, payment| {
            let keypath = payment.parts.inputs[0].keypath;
            let keys = payment.purse().wallet.derived(keypath).unwrap().keys.clone();
            let other = keys.iter().map(|key| key.inner.serialize().to_vec());
            signatures[0].public_key =
                other.into_iter().find(|key| *key != signatures[0].public_key).unwrap();
        })],
    ),
    Row {
        off: Off::Never("the output commits to no such leaf"),
        ..refuse(
            28,
            "a signature for a leaf that is not there",
            TREES,
            &[Change::Signatures(|signatures, _| {
                use bitcoin::hashes::Hash;
                signatures[0].leaf = Some(TapLeafHash::from_byte_array([9; 32]));
            })],
        )
    },
    refuse(
        33,
        "another version",
        &[Wpkh, Tr],
        &[Change::Returned(|psbt| psbt.unsigned_tx.version = Version::ONE)],
    ),
    refuse(
        33,
        "a locktime",
        &[Wpkh],
        &[Change::Returned(|psbt| psbt.unsigned_tx.lock_time = LockTime::from_consensus(1))],
    ),
    refuse(
        33,
        "another sequence",
        &[Tr],
        &[Change::Returned(|psbt| psbt.unsigned_tx.input[1].sequence.0 -= 1)],
    ),
    refuse(
        33,
        "another coin",
        &[Wpkh, Wsh],
        &[Change::Returned(|psbt| psbt.unsigned_tx.input[0].previous_output.vout = 0)],
    ),
    refuse(
        33,
        "a higher amount",
        &[Pkh, Tr],
        &[Change::Returned(|psbt| psbt.unsigned_tx.output[0].value += Amount::ONE_SAT)],
    ),
    refuse(
        33,
        "another recipient",
        &[Wpkh, Leaf],
        &[Change::Returned(|psbt| psbt.unsigned_tx.output[0].script_pubkey = stranger(6))],
    ),
    refuse(33, "change left out", &[Wsh], &[Change::Returned(|psbt| drop(psbt.unsigned_tx.output.pop()))]),
    refuse(
        33,
        "outputs in another order",
        &[Wpkh],
        &[Change::Returned(|psbt| psbt.unsigned_tx.output.reverse())],
    ),
];

/// Whose signature a file brings along: the vault's own where it is the only one.
fn signer(kind: Kind) -> usize {
    usize::from(!SINGLE.contains(&kind))
}

fn ask_for(psbt: &mut Psbt, sighash: u32) {
    psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(sighash));
}

fn exchange(psbt: &mut Psbt) {
    let (first, second) = psbt.inputs.split_at_mut(1);
    let (first, second) = (&mut first[0], &mut second[0]);
    std::mem::swap(&mut first.tap_key_sig, &mut second.tap_key_sig);
    // The keys stay where they are: only what they are said to have signed changes.
    for (one, other) in first.partial_sigs.values_mut().zip(second.partial_sigs.values_mut()) {
        std::mem::swap(one, other);
    }
    for (one, other) in first.tap_script_sigs.values_mut().zip(second.tap_script_sigs.values_mut()) {
        std::mem::swap(one, other);
    }
}

/// Signed by the only key, final, and still with what finds the wallet.
fn finalise(psbt: &mut Psbt, payment: &Payment) {
    let derivations = psbt.inputs.clone();
    for at in 0..psbt.inputs.len() {
        sign_input(psbt, payment, at, 0, EVERYTHING);
    }
    psbt_tools::finalize::finalize(psbt).unwrap_or_else(|error| panic!("{error}"));
    for (input, before) in psbt.inputs.iter_mut().zip(derivations) {
        input.bip32_derivation = before.bip32_derivation;
        input.tap_key_origins = before.tap_key_origins;
    }
}
