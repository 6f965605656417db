//! C21: what BIP174, BIP370 and BIP371 forbid.

use bitcoin::ScriptBuf;
use bitcoin::hashes::Hash;

use super::super::maps;
use super::super::payment::stranger;
use super::super::purse::Kind::{Leaf, Owner, Pkh, ShMulti, ShWpkh, ShWsh, Tr, Wpkh, Wsh};
use super::super::row::Change;
use super::super::row::{Off, Row, Versions, refuse};

const NO_LAX: Off = Off::Never("no parser gives a value for it, a lax one neither");

/// A row of version 0.
const fn zero(
    name: &'static str,
    kinds: &'static [super::super::purse::Kind],
    edit: &'static [Change],
) -> Row {
    Row { versions: Versions::Zero, ..refuse(21, name, kinds, edit) }
}

/// A row of version 2.
const fn two(
    name: &'static str,
    kinds: &'static [super::super::purse::Kind],
    edit: &'static [Change],
) -> Row {
    Row { versions: Versions::Two, ..refuse(21, name, kinds, edit) }
}

pub const ROWS: &[Row] = &[
    refuse(
        21,
        "a redeem script of a native input",
        &[Wpkh, Tr, Wsh, Pkh],
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].redeem_script = Some(stranger(2));
        })],
    ),
    refuse(
        21,
        "a witness script of another output",
        &[Wpkh, Pkh, Wsh, Owner],
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[0].witness_script = Some(stranger(2));
        })],
    ),
    refuse(
        21,
        "a redeem script of another output",
        &[ShWpkh, ShMulti, ShWsh],
        &[Change::Psbt(|psbt, _| {
            psbt.inputs[1].redeem_script = psbt.inputs[0].redeem_script.clone();
        })],
    ),
    refuse(
        21,
        "a redeem script of change that is not its own",
        &[ShWpkh, Wpkh, ShMulti],
        &[Change::Psbt(|psbt, _| {
            psbt.outputs[1].redeem_script = Some(stranger(2));
        })],
    ),
    refuse(
        21,
        "a witness script of change that is not its own",
        &[Wsh, ShWsh, Leaf],
        &[Change::Psbt(|psbt, _| {
            psbt.outputs[1].witness_script = Some(ScriptBuf::from_bytes(vec![0x51]));
        })],
    ),
    Row {
        off: NO_LAX,
        ..zero(
            "a key twice in an input",
            &[Wpkh, Tr],
            &[Change::Bytes(|bytes, _| {
                maps::edit(bytes, |maps| {
                    let first = maps[1][0].clone();
                    maps[1].push(first);
                });
            })],
        )
    },
    Row {
        off: NO_LAX,
        ..zero(
            "a key twice in the global map",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| {
                for _ in 0..2 {
                    maps::add(bytes, 0, &[0x77, 1], &[2]);
                }
            })],
        )
    },
    zero("bytes behind the last map", &[Wpkh, Wsh], &[Change::Bytes(|bytes, _| bytes.push(0))]),
    Row {
        off: NO_LAX,
        ..zero("a map missing", &[Wpkh], &[Change::Bytes(|bytes, _| bytes.truncate(bytes.len() - 1))])
    },
    zero(
        "a sequence of version 2",
        &[Wpkh, Tr],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[0x10], &[0xfd, 0xff, 0xff, 0xff]))],
    ),
    zero(
        "a coin of version 2",
        &[Wpkh, Pkh],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[0x0e], &[9; 32]))],
    ),
    zero(
        "an amount of version 2",
        &[Wpkh, Wsh],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 3, &[3], &[1, 0, 0, 0, 0, 0, 0, 0]))],
    ),
    zero(
        "a script of version 2",
        &[Tr],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 3, &[4], stranger(7).as_bytes()))],
    ),
    zero(
        "a transaction version of version 2",
        &[Wpkh],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 0, &[2], &[2, 0, 0, 0]))],
    ),
    zero("flags of version 2", &[Leaf], &[Change::Bytes(|bytes, _| maps::add(bytes, 0, &[6], &[3]))]),
    Row {
        off: NO_LAX,
        ..zero(
            "a number longer than need be",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| {
                let last = bytes.len() - 1;
                bytes.truncate(last);
                bytes.extend([0xfd, 0x02, 0x00, 0x77, 0x01, 0x00, 0x00]);
            })],
        )
    },
    Row {
        off: NO_LAX,
        ..zero("no unsigned transaction", &[Wpkh], &[Change::Bytes(|bytes, _| maps::remove(bytes, 0, &[0]))])
    },
    Row {
        off: NO_LAX,
        ..zero(
            "a scriptSig in the unsigned transaction",
            &[Pkh, Wpkh],
            &[Change::Bytes(|bytes, _| {
                // Behind version, count and outpoint.
                maps::change(bytes, 0, &[0], |transaction| drop(transaction.splice(41..42, [1, 0x51])));
            })],
        )
    },
    Row {
        off: NO_LAX,
        ..zero(
            "a sighash type of five bytes",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[3], &[1, 0, 0, 0, 0]))],
        )
    },
    Row {
        off: NO_LAX,
        ..zero(
            "a sighash type with key data",
            &[Tr],
            &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[3, 1], &[1, 0, 0, 0]))],
        )
    },
    Row {
        off: NO_LAX,
        ..zero(
            "a derivation of half a step",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| {
                maps::edit(bytes, |maps| {
                    let derivation = maps[1].iter_mut().find(|(key, _)| key[0] == 6).unwrap();
                    derivation.1.pop();
                });
            })],
        )
    },
    Row {
        off: NO_LAX,
        ..zero(
            "an internal key of 31 bytes",
            &[Tr],
            &[Change::Bytes(|bytes, _| {
                maps::change(bytes, 1, &[0x17], |key| key.truncate(31));
            })],
        )
    },
    refuse(
        21,
        "a document that does not hash to its key",
        &[Wpkh, Tr],
        &[Change::Psbt(|psbt, _| {
            let key = bitcoin::psbt::raw::ProprietaryKey {
                prefix: b"airlock".to_vec(),
                subtype: 4,
                key: bitcoin::hashes::sha256::Hash::hash(b"another").to_byte_array().to_vec(),
            };
            psbt.proprietary.insert(key, b"a receipt".to_vec());
        })],
    ),
    Row {
        off: NO_LAX,
        ..two(
            "an unsigned transaction in version 2",
            &[Wpkh, Tr],
            &[Change::Bytes(|bytes, payment| {
                let transaction = bitcoin::consensus::serialize(&payment.psbt().unsigned_tx);
                maps::add(bytes, 0, &[0], &transaction);
            })],
        )
    },
    Row {
        off: NO_LAX,
        ..two("no count of inputs", &[Wpkh], &[Change::Bytes(|bytes, _| maps::remove(bytes, 0, &[4]))])
    },
    Row {
        off: NO_LAX,
        ..two("no coin", &[Wpkh, Wsh], &[Change::Bytes(|bytes, _| maps::remove(bytes, 1, &[0x0e]))])
    },
    Row { off: NO_LAX, ..two("no amount", &[Tr], &[Change::Bytes(|bytes, _| maps::remove(bytes, 3, &[3]))]) },
    Row {
        off: NO_LAX,
        ..two(
            "a count of inputs one too low",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| maps::change(bytes, 0, &[4], |count| *count = vec![1]))],
        )
    },
    two(
        "a required height of zero",
        &[Wpkh],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[0x12], &[0; 4]))],
    ),
    two(
        "a required time that is a height",
        &[Tr],
        &[Change::Bytes(|bytes, _| maps::add(bytes, 1, &[0x11], &[1, 0, 0, 0]))],
    ),
    Row {
        off: NO_LAX,
        ..two(
            "a height here and a time there",
            &[Wpkh, Leaf],
            &[Change::Bytes(|bytes, _| {
                maps::add(bytes, 1, &[0x12], &[1, 0, 0, 0]);
                maps::add(bytes, 2, &[0x11], &500_000_001u32.to_le_bytes());
            })],
        )
    },
    two("flags of two bytes", &[Wsh], &[Change::Bytes(|bytes, _| maps::add(bytes, 0, &[6], &[0, 0]))]),
    two(
        "a transaction of version 1",
        &[Wpkh, Tr],
        &[Change::Bytes(|bytes, _| maps::change(bytes, 0, &[2], |version| version[0] = 1))],
    ),
    Row {
        off: NO_LAX,
        ..two(
            "version 2 that says it is 0",
            &[Wpkh],
            &[Change::Bytes(|bytes, _| maps::change(bytes, 0, &[0xfb], |version| version[0] = 0))],
        )
    },
    two(
        "a redeem script beside another",
        &[ShWsh],
        &[Change::Psbt(|psbt, _| psbt.inputs[0].redeem_script = Some(stranger(3)))],
    ),
];
