//! C01 to C05 and C15: what inputs spend.

use bitcoin::psbt::Psbt;
use bitcoin::{Amount, ScriptBuf};
use cold_wire::Bundle;
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendParts};
use policies::wallet::{Branch, Keypath};

use super::super::payment::{COIN, Payment, stranger};
use super::super::purse::Kind::{
    Internal, Leaf, Owner, Pkh, Recovery, ShMulti, ShWpkh, ShWsh, Tr, Wpkh, Wsh,
};
use super::super::purse::{BEFORE_TAPROOT, LEGACY, SEGWIT_0, TAPROOT, WITH_WITNESS};
use super::super::row::Change::{self, Earlier};
use super::super::row::{Off, Row, Versions, ask, refuse};

pub const ROWS: &[Row] = &[
    refuse(
        1,
        "the previous transaction is missing",
        SEGWIT_0,
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[1].non_witness_utxo = None;
        })],
    ),
    refuse(
        1,
        "all previous transactions are missing and one amount is a lie",
        SEGWIT_0,
        &[Change::Psbt(|psbt, _| {
            psbt.inputs.iter_mut().for_each(|input| input.non_witness_utxo = None);
            psbt.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1_000);
        })],
    ),
    Row {
        off: Off::Never("no amount is named, and a spend names each"),
        ..refuse(
            1,
            "nothing says what a coin is worth",
            TAPROOT,
            &[Change::Psbt(|psbt, _| {
                psbt.inputs[1].non_witness_utxo = None;
                psbt.inputs[1].witness_utxo = None;
            })],
        )
    },
    refuse(
        1,
        "another transaction than the one spent, with another amount",
        &[Wpkh, Pkh, ShMulti, ShWsh, Owner],
        &[Change::Psbt(|psbt, _| {
            let input = &mut psbt.inputs[0];
            let lie = COIN + Amount::from_sat(1_000);
            input.non_witness_utxo.as_mut().unwrap().output[1].value = lie;
            input.witness_utxo.iter_mut().for_each(|output| output.value = lie);
        })],
    ),
    refuse(
        1,
        "a previous transaction with another input",
        &[ShWpkh, Tr, Wsh],
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].non_witness_utxo.as_mut().unwrap().input[0].sequence.0 ^= 1;
        })],
    ),
    refuse(
        1,
        "a reader that withholds the previous transactions",
        BEFORE_TAPROOT,
        &[Change::Bundle(|bundle, _| {
            bundle.evidence = Evidence::default();
        })],
    ),
    refuse(
        2,
        "a witness UTXO with another amount",
        WITH_WITNESS,
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].witness_utxo.as_mut().unwrap().value += Amount::from_sat(1_000);
        })],
    ),
    refuse(
        2,
        "a witness UTXO with another script",
        &[Wpkh, Tr, Wsh],
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].witness_utxo.as_mut().unwrap().script_pubkey = stranger(5);
        })],
    ),
    refuse(
        2,
        "a reader that lies about an amount",
        &[Wpkh, Tr, Pkh, Wsh, Leaf],
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| parts.inputs[0].value += Amount::from_sat(1_000));
        })],
    ),
    Row {
        off: Off::With(&[1]),
        ..refuse(
            3,
            "a legacy input with a witness UTXO only",
            LEGACY,
            &[Change::Psbt(|psbt, payment| {
                psbt.inputs[1].non_witness_utxo = None;
                psbt.inputs[1].witness_utxo = Some(payment.prevouts()[1].clone());
            })],
        )
    },
    Row {
        off: Off::With(&[1]),
        ..refuse(
            3,
            "a nested input that hides its program has a witness UTXO only",
            &[ShWpkh, ShWsh],
            &[Change::Psbt(|psbt, _| {
                psbt.inputs[1].non_witness_utxo = None;
                psbt.inputs[1].redeem_script = None;
                psbt.inputs[1].witness_script = None;
            })],
        )
    },
    refuse(
        4,
        "an output that does not exist",
        WITH_WITNESS,
        &[Change::Psbt(|psbt, _| {
            psbt.unsigned_tx.input[0].previous_output.vout = 2;
        })],
    ),
    refuse(
        4,
        "the highest output index",
        &[Tr, Wsh],
        &[Change::Psbt(|psbt, _| {
            psbt.unsigned_tx.input[1].previous_output.vout = u32::MAX;
        })],
    ),
    Row {
        off: Off::Never("only the previous transaction names a legacy amount, and it has no such output"),
        ..refuse(
            4,
            "an output of a legacy coin that does not exist",
            LEGACY,
            &[Change::Psbt(|psbt, _| {
                psbt.unsigned_tx.input[0].previous_output.vout = 2;
            })],
        )
    },
    refuse(
        4,
        "a reader that names an output that does not exist",
        &[Wpkh, Pkh, Tr],
        &[Change::Bundle(|bundle, _| {
            edit_spend(bundle, |parts| parts.inputs[0].outpoint.vout = 7);
        })],
    ),
    refuse(
        5,
        "a coin that was signed in another payment",
        &[Wpkh, Tr, Pkh, ShWsh, Wsh, Recovery, Leaf],
        &[Earlier(|payment| {
            payment.add_coin(Keypath { branch: Branch::External, index: 1 }, COIN);
            // The anchor is another coin, so that it is another payment.
            payment.parts.inputs.remove(0);
            payment.previous.remove(0);
            payment.parts.inputs.reverse();
            payment.previous.reverse();
            payment.parts.outputs[0].script = stranger(20);
        })],
    ),
    ask(
        5,
        "a payment that was signed with a lower fee",
        &[Wpkh, Tr, Wsh, Internal],
        &[Earlier(|payment| payment.parts.outputs[1].value += Amount::from_sat(2_000))],
    ),
    ask(
        5,
        "a payment that is taken back",
        &[Wpkh, Pkh],
        &[
            Earlier(|_| ()),
            Change::Payment(|payment| {
                payment.parts.outputs.remove(0);
                payment.parts.outputs[0].value = Amount::from_sat(99_980_000);
            }),
        ],
    ),
    refuse(15, "a coin twice", &[Wpkh, Tr, Pkh, ShWpkh, Wsh, Leaf], &[Change::Psbt(twice)]),
    Row {
        versions: Versions::Zero,
        ..refuse(
            15,
            "a coin twice with another sequence",
            &[Wpkh, Internal],
            &[Change::Psbt(|psbt, payment| {
                twice(psbt, payment);
                psbt.unsigned_tx.input[2].sequence.0 -= 1;
            })],
        )
    },
];

fn twice(psbt: &mut Psbt, _: &Payment) {
    psbt.unsigned_tx.input.push(psbt.unsigned_tx.input[0].clone());
    psbt.inputs.push(psbt.inputs[0].clone());
    psbt.unsigned_tx.output[1].value += COIN;
}

/// Another spend in the place of the bundle's.
pub fn edit_spend(bundle: &mut Bundle, edit: impl FnOnce(&mut SpendParts)) {
    let spend = &bundle.spend;
    let mut parts = SpendParts {
        network: spend.network(),
        wallet: spend.wallet(),
        version: spend.version(),
        lock_time: spend.lock_time(),
        inputs: spend.inputs().to_vec(),
        outputs: spend.outputs().to_vec(),
    };
    edit(&mut parts);
    bundle.spend = Spend::new(parts).unwrap_or_else(|findings| panic!("{findings:?}"));
}

/// A script that is no address.
pub fn bare(bytes: &[u8]) -> ScriptBuf {
    ScriptBuf::from_bytes(bytes.to_vec())
}
