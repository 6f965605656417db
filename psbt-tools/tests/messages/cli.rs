//! `verify-message` and `verify-reserves` as a person sees them: output, errors, hints and exit codes.

use crate::reserves::{signed, unsigned, utxos};
use crate::signer::{Kind, sign};
use bitcoin::Sequence;
use bitcoin::absolute::LockTime;
use policies::message::bip322::Locks;
use std::path::Path;

/// The files that the snapshots read.
fn fixtures() -> Vec<(&'static str, String)> {
    let proof = |text| sign(text, Kind::Wpkh, Locks::NONE, &[Kind::Tr, Kind::Pkh]).1.encode();
    let locks = Locks { lock_time: LockTime::from_consensus(900_000), sequence: Sequence(144) };
    let mut spent = utxos();
    spent.coins.pop_first();
    vec![
        ("message.txt", "for the auditors".to_owned()),
        ("proof.txt", proof("for the auditors") + "\n"),
        ("locked.txt", sign("for the auditors", Kind::Wpkh, locks, &[]).1.encode() + "\n"),
        ("unsigned.json", unsigned().encode()),
        ("reserves.json", signed().encode()),
        ("altered.json", signed().encode().replace("audit of 2026", "audit of 2027")),
        ("utxos.json", utxos().encode()),
        ("spent.json", spent.encode()),
    ]
}

#[test]
fn snapshots_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/messages.in");
    // As for the snapshots themselves: TRYCMD=overwrite writes them anew.
    let overwrite = std::env::var_os("TRYCMD").is_some_and(|value| value == "overwrite");
    for (name, text) in fixtures() {
        if overwrite {
            std::fs::write(folder.join(name), &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(folder.join(name)).unwrap_or_default(),
            text,
            "{name} is out of date"
        );
    }
    trycmd::TestCases::new().case("tests/cmd/messages.trycmd");
}
