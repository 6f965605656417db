//! C20: what cannot be mined now, or never by this vault's signature.

use bitcoin::Sequence;
use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;

use super::super::payment::Payment;
use super::super::purse::Kind::{Leaf, Owner, Pkh, Recovery, Tr, Wpkh, Wsh};
use super::super::row::Change;
use super::super::row::{Row, Versions, ask, refuse};

pub const ROWS: &[Row] = &[
    Row {
        twin: &[Change::Payment(|payment| payment.parts.lock_time = LockTime::from_consensus(20_000_000))],
        ..ask(
            20,
            "a height that no chain has",
            &[Wpkh, Tr, Pkh, Wsh, Leaf],
            &[Change::Payment(|payment| {
                payment.parts.lock_time = LockTime::from_consensus(30_000_000);
            })],
        )
    },
    Row {
        twin: &[Change::Payment(|payment| payment.parts.lock_time = LockTime::from_consensus(1_600_000_000))],
        ..ask(
            20,
            "a time in many years",
            &[Tr, Wpkh, Owner],
            &[Change::Payment(|payment| {
                payment.parts.lock_time = LockTime::from_consensus(4_200_000_000);
            })],
        )
    },
    Row {
        twin: &[Change::Payment(|payment| wait(payment, Sequence::from_height(144)))],
        ..ask(
            20,
            "a relative lock of more than a day",
            &[Wpkh, Tr, Wsh],
            &[Change::Payment(|payment| wait(payment, Sequence::from_height(145)))],
        )
    },
    ask(
        20,
        "a relative lock of a year of seconds",
        &[Leaf, Pkh],
        &[Change::Payment(|payment| wait(payment, Sequence::from_512_second_intervals(61_000)))],
    ),
    refuse(
        20,
        "the recovery key without its relative lock",
        &[Recovery],
        &[Change::Payment(|payment| wait(payment, Sequence::ENABLE_RBF_NO_LOCKTIME))],
    ),
    refuse(
        20,
        "the recovery key a block too early",
        &[Recovery],
        &[Change::Payment(|payment| wait(payment, Sequence::from_height(9)))],
    ),
    refuse(
        20,
        "the recovery key with a lock in seconds",
        &[Recovery],
        &[Change::Payment(|payment| wait(payment, Sequence::from_512_second_intervals(20)))],
    ),
    Row {
        versions: Versions::Zero,
        ..refuse(
            20,
            "the recovery key in a version without relative locks",
            &[Recovery],
            &[Change::Payment(|payment| payment.parts.version = Version::ONE)],
        )
    },
];

fn wait(payment: &mut Payment, sequence: Sequence) {
    payment.parts.inputs[0].sequence = sequence;
}
