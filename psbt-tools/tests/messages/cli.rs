//! `verify-message` and `verify-reserves` as a person sees them: output, errors, hints and exit codes.

use crate::reserves::{signed, unsigned, utxos};
use crate::signer::{Kind, sign};
use bitcoin::Sequence;
use bitcoin::absolute::LockTime;
use policies::message::bip322::Locks;
use std::path::Path;
use std::process::{Command, Stdio};

/// The files that the snapshots read.
fn fixtures() -> Vec<(&'static str, String)> {
    let proof = |text| sign(text, Kind::Wpkh, Locks::NONE, &[Kind::Tr, Kind::Pkh]).1.encode();
    let locks = Locks { lock_time: LockTime::from_consensus(900_000), sequence: Sequence(144) };
    let mut spent = utxos();
    spent.coins.pop_first();
    vec![
        ("message.txt", "for the auditors".to_owned()),
        ("proof.txt", proof("for the auditors") + "\n"),
        ("first.json", crate::partial::first().encode()),
        ("three.txt", crate::partial::message().as_str().to_owned()),
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

/// What a command answers whose standard output goes there.
fn answered(arguments: &[&str], to: impl Into<Stdio>) -> Option<i32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd/messages.in");
    let mut command = Command::new(env!("CARGO_BIN_EXE_psbt-tools"));
    command.args(arguments).current_dir(folder).stdout(to).stderr(Stdio::null());
    command.status().unwrap().code()
}

#[test]
fn a_reader_that_went_away_is_no_fault_and_a_full_disk_is_one() {
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let psbt = "../psbt-tools.in/final.psbt";
    let lines: [&[&str]; 5] = [
        &["verify-reserves", "reserves.json"],
        &["diff", psbt, psbt],
        &["convert", psbt, "--to", "v0", "-o", "-"],
        &["extract", psbt],
        &["diff", psbt, psbt, "--json"],
    ];
    for line in lines {
        let said = answered(line, Stdio::null());
        assert_eq!(answered(line, closed()), said, "{line:?}");
        assert_eq!(answered(line, full()), Some(1), "{line:?}");
    }
    // What is refused stays refused.
    assert_eq!(answered(&["verify-reserves", "altered.json"], closed()), Some(3));
    let missing = ["verify-reserves", "nowhere.json", "--json"];
    assert_eq!((answered(&missing, closed()), answered(&missing, full())), (Some(1), Some(1)));
}
