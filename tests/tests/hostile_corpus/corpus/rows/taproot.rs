//! C29: key path and script path confused, other trees, leaves and annexes.

use bitcoin::opcodes::all::OP_PUSHNUM_1;
use bitcoin::psbt::Psbt;
use bitcoin::script::Builder;
use bitcoin::taproot::{LeafVersion, TapLeafHash, TapNodeHash, TapTree, TaprootBuilder};
use bitcoin::{Witness, XOnlyPublicKey};

use super::super::payment::{Payment, stranger};
use super::super::purse::Kind::{Internal, Leaf, Pkh, Tr, Wpkh, Wsh};
use super::super::purse::{TAPROOT, TREES};
use super::super::row::Change;
use super::super::row::{Row, refuse};
use super::super::signing::{EVERYTHING, sign_input};
use super::ownership::paid_by;

pub const ROWS: &[Row] = &[
    refuse(
        29,
        "another internal key of an input",
        TAPROOT,
        &[Change::Psbt(|psbt, payment| {
            psbt.inputs[0].tap_internal_key = Some(other_key(payment));
        })],
    ),
    refuse(
        29,
        "another internal key of change",
        TAPROOT,
        &[Change::Psbt(|psbt, payment| {
            psbt.outputs[1].tap_internal_key = Some(other_key(payment));
        })],
    ),
    refuse(
        29,
        "a script tree that is not the wallet's",
        TAPROOT,
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].tap_merkle_root = Some(TapNodeHash::assume_hidden([3; 32]));
        })],
    ),
    refuse(
        29,
        "a script tree in change that is not the wallet's",
        TAPROOT,
        &[Change::Psbt(|psbt, _| {
            let tree = TaprootBuilder::new().add_leaf(0, stranger(1)).unwrap();
            psbt.outputs[1].tap_tree = Some(TapTree::try_from(tree).unwrap());
        })],
    ),
    refuse(
        29,
        "another script behind a leaf's proof",
        TREES,
        &[Change::Psbt(|psbt, _| {
            let leaf = psbt.inputs[0].tap_scripts.values_mut().next().unwrap();
            leaf.0 = Builder::new().push_opcode(OP_PUSHNUM_1).into_script();
        })],
    ),
    refuse(
        29,
        "a leaf of an unknown version",
        TREES,
        &[Change::Psbt(|psbt, _| {
            let leaf = psbt.inputs[0].tap_scripts.values_mut().next().unwrap();
            leaf.1 = LeafVersion::from_consensus(0xc2).unwrap();
        })],
    ),
    refuse(
        29,
        "a key said to stand in another leaf",
        TAPROOT,
        &[Change::Psbt(|psbt, _| {
            let origin = psbt.inputs[0].tap_key_origins.values_mut().next().unwrap();
            origin.0.push(TapLeafHash::from_script(&stranger(1), LeafVersion::TapScript));
        })],
    ),
    refuse(
        29,
        "a key of change said to stand in another leaf",
        &[Leaf, Tr],
        &[Change::Psbt(|psbt, _| {
            let origin = psbt.outputs[1].tap_key_origins.values_mut().next().unwrap();
            origin.0.push(TapLeafHash::from_script(&stranger(1), LeafVersion::TapScript));
        })],
    ),
    Row {
        both: &[Change::Psbt(finalise)],
        ..refuse(
            29,
            "a final witness with an annex",
            &[Tr, Internal],
            &[Change::Psbt(|psbt, _| {
                psbt.inputs[0].final_script_witness.as_mut().unwrap().push([0x50, 1]);
            })],
        )
    },
    Row {
        both: &[Change::Psbt(finalise)],
        ..refuse(
            29,
            "a final witness that takes another script path",
            &[Tr, Internal],
            &[Change::Psbt(|psbt, _| {
                let script = stranger(1).to_bytes();
                psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&[script, vec![0xc0; 33]]));
            })],
        )
    },
    refuse(
        29,
        "taproot fields of an input that is none",
        &[Wpkh, Pkh, Wsh],
        &[Change::Psbt(|psbt, payment| {
            psbt.inputs[0].tap_internal_key = Some(other_key(payment));
        })],
    ),
    refuse(
        29,
        "taproot fields of change that is none",
        &[Wsh, Wpkh],
        &[Change::Psbt(|psbt, payment| {
            psbt.outputs[1].tap_internal_key = Some(other_key(payment));
        })],
    ),
];

fn other_key(payment: &Payment) -> XOnlyPublicKey {
    let derived = paid_by(payment.foreign(), payment.number);
    let keys = derived.purse().wallet.derived(payment.parts.inputs[0].keypath).unwrap().keys.clone();
    keys[0].inner.x_only_public_key().0
}

/// By the key path, with what finds the wallet.
fn finalise(psbt: &mut Psbt, payment: &Payment) {
    for at in 0..psbt.inputs.len() {
        sign_input(psbt, payment, at, 0, EVERYTHING);
        let signature = psbt.inputs[at].tap_key_sig.take().unwrap();
        psbt.inputs[at].final_script_witness = Some(Witness::p2tr_key_spend(&signature));
    }
}
