//! The program as a person sees it: output, errors, hints and exit codes, each pinned by a snapshot.

mod common;
mod raw;

use bitcoin::consensus::serialize;
use common::{Payment, payment, payment_after, payment_from, payment_of, stranger};
use policies::wallet::{Branch, ScriptKind};
use psbt_tools::convert::to_version_2;
use psbt_tools::document::Encoding;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::finalize::finalize;
use std::path::Path;

const COSIGNERS: &str = "wsh(sortedmulti(2,@0,@1,@2))";
const INHERITANCE: &str = "wsh(or_d(multi(2,@0,@1),and_v(v:pkh(@2),older(144))))";

/// The files that the snapshots read, made from the honest payment.
fn fixtures() -> Vec<(&'static str, Vec<u8>)> {
    let wpkh = payment(ScriptKind::Wpkh);
    let text = |psbt| Encoding::Base64.encode(psbt);
    let unsigned = wpkh.psbt();
    let mut signed = unsigned.clone();
    attach_signatures(&mut signed, &wpkh.signatures(&unsigned.unsigned_tx)).unwrap();
    let mut half = signed.clone();
    half.inputs[1].partial_sigs.clear();
    let mut forged = signed.clone();
    let other = *forged.inputs[1].partial_sigs.values().next().unwrap();
    *forged.inputs[0].partial_sigs.values_mut().next().unwrap() = other;
    let mut last = signed.clone();
    finalize(&mut last).unwrap();
    let mut spoofed = unsigned.clone();
    spoofed.unsigned_tx.output[1].script_pubkey = stranger(8);
    let mut other_half = signed.clone();
    other_half.inputs[0].partial_sigs.clear();
    let mut permitted = unsigned.clone();
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Permit, b"a permit".to_vec()).unwrap();
    envelope.write(&mut permitted);
    let mut altered = permitted.clone();
    altered.unsigned_tx.output[0].script_pubkey = stranger(8);
    altered.unsigned_tx.output[0].value += bitcoin::Amount::ONE_SAT;
    let mut conflict = unsigned.clone();
    for source in conflict.outputs[1].bip32_derivation.values_mut() {
        source.1 = "m/84h/1h/0h/1/6".parse().unwrap();
    }
    let mut blind = half.clone();
    blind.inputs[0].witness_utxo = None;
    blind.inputs[0].non_witness_utxo = None;
    let mut asking = unsigned.clone();
    asking.unsigned_tx.output.push(bitcoin::TxOut {
        value: bitcoin::Amount::ZERO,
        script_pubkey: bitcoin::ScriptBuf::new_op_return(b"invoice \x1b[2J 17"),
    });
    asking.outputs.push(Default::default());
    let mut old = unsigned.clone();
    old.unsigned_tx.version.0 = 1;
    let mut trailing = unsigned.serialize();
    trailing.push(0);
    let version_2: &[u8] = b"cHNidP8BAgQCAAAAAQQBAQEFAQIB+wQCAAAAAAEOIAsK2SFBnByHGXNdctxzn56p4GONH+TB7vD5lECEgV/IAQ8EAAAAAAABAwgACK8vAAAAAAEEFgAUxDD2TEdW2jENvRoIVXLvKZkmJywAAQMIi73rCwAAAAABBBYAFE3Rk6yWSlasG54cyoRU/i9HT4UTAA==\n";
    let tr = payment(ScriptKind::Tr);
    vec![
        ("unsigned.psbt", text(&unsigned)),
        ("taproot.psbt", text(&tr.psbt())),
        ("signed.psbt", text(&signed)),
        ("half.psbt", text(&half)),
        ("other-half.psbt", text(&other_half)),
        ("permitted.psbt", text(&permitted)),
        ("altered.psbt", text(&altered)),
        ("conflict.psbt", text(&conflict)),
        ("blind.psbt", text(&blind)),
        ("forged.psbt", text(&forged)),
        ("final.psbt", text(&last)),
        ("spoofed.psbt", text(&spoofed)),
        ("asking.psbt", text(&asking)),
        ("trailing.psbt", trailing),
        ("version2.psbt", version_2.to_vec()),
        ("modifiable.psbt", modifiable()),
        ("locks.psbt", locks()),
        ("second.psbt", text(&payment_of(ScriptKind::Wpkh, 8).psbt())),
        ("old.psbt", text(&old)),
        ("raw.tx", serialize(&funding_of(&wpkh))),
        ("empty", Vec::new()),
        ("cosigned.psbt", text(&payment_from(COSIGNERS).signed_by(&[1]))),
        ("inherited.psbt", text(&payment_after(INHERITANCE, 144).signed_by(&[2]))),
    ]
}

/// Version 2 of the honest payment, with some of its fields.
fn version_2(edit: impl FnOnce(&mut [raw::Fields])) -> Vec<u8> {
    let mut maps = raw::maps(&to_version_2(&payment(ScriptKind::Wpkh).psbt().serialize()).unwrap());
    edit(&mut maps);
    Encoding::Base64.encode_bytes(raw::file(&maps))
}

/// One to which inputs and outputs may be added.
fn modifiable() -> Vec<u8> {
    version_2(|maps| drop(maps[0].insert(vec![0x06], vec![3])))
}

/// One whose inputs require a height and a time.
fn locks() -> Vec<u8> {
    version_2(|maps| {
        maps[1].insert(vec![0x12], 900_000u32.to_le_bytes().to_vec());
        maps[2].insert(vec![0x11], 1_800_000_000u32.to_le_bytes().to_vec());
    })
}

fn funding_of(payment: &Payment) -> bitcoin::Transaction {
    payment.evidence.transactions().next().unwrap().clone()
}

#[test]
fn snapshots_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/psbt-tools.in");
    // As for the snapshots themselves: TRYCMD=overwrite writes them anew.
    let overwrite = std::env::var_os("TRYCMD").is_some_and(|value| value == "overwrite");
    for (name, bytes) in fixtures() {
        if overwrite {
            std::fs::write(folder.join(name), &bytes).unwrap();
        }
        assert_eq!(std::fs::read(folder.join(name)).unwrap_or_default(), bytes, "{name} is out of date");
    }
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}

#[test]
fn the_descriptors_in_the_snapshots_are_those_of_the_payments() {
    let commands = include_str!("cmd/psbt-tools.trycmd");
    let wallets = common::KINDS.map(|kind| payment(kind).wallet).into_iter();
    for wallet in wallets.chain([COSIGNERS, INHERITANCE].map(|template| payment_from(template).wallet)) {
        for branch in [Branch::External, Branch::Internal] {
            assert!(commands.contains(&wallet.descriptor(branch)), "{}", wallet.descriptor(branch));
        }
    }
}
