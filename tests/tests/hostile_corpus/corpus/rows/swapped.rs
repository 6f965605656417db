//! C24: another payment is handed in for signing than the one that was reviewed.

use bitcoin::{Amount, Sequence};

use super::super::payment::stranger;
use super::super::purse::ALL;
use super::super::purse::Kind::{Leaf, Pkh, Recovery, ShWsh, Tr, Wpkh, Wsh};
use super::super::row::Change::Swapped;
use super::super::row::{Row, refuse};
use super::coins::edit_spend;

pub const ROWS: &[Row] = &[
    refuse(
        24,
        "another recipient after the review",
        ALL,
        &[Swapped(|bundle, _| edit_spend(bundle, |parts| parts.outputs[0].script = stranger(66)))],
    ),
    refuse(
        24,
        "a higher amount after the review",
        &[Wpkh, Tr, ShWsh, Leaf],
        &[Swapped(|bundle, _| {
            edit_spend(bundle, |parts| {
                parts.outputs[0].value += Amount::from_sat(1_000);
                parts.outputs[1].value -= Amount::from_sat(1_000);
            });
        })],
    ),
    refuse(
        24,
        "a higher fee after the review",
        &[Tr, Pkh, Wsh],
        &[Swapped(|bundle, _| {
            edit_spend(bundle, |parts| parts.outputs[1].value -= Amount::from_sat(1_000));
        })],
    ),
    refuse(
        24,
        "one input fewer after the review",
        &[Wpkh, Recovery],
        &[Swapped(|bundle, _| {
            edit_spend(bundle, |parts| {
                let gone = parts.inputs.remove(1);
                parts.outputs[1].value -= gone.value;
            });
        })],
    ),
    refuse(
        24,
        "another sequence after the review",
        &[Wpkh, Leaf],
        &[Swapped(|bundle, _| {
            edit_spend(bundle, |parts| parts.inputs[0].sequence = Sequence::ENABLE_LOCKTIME_NO_RBF);
        })],
    ),
];
