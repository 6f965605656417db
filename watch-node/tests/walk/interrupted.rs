//! A program that was killed between making an attempt and writing its file pays nothing twice.

use std::process::{Command, Stdio};
use std::time::Duration;

use policies::wallet::ScriptKind;
use serde_json::json;

use crate::Walk;
use crate::pay::TO;
use crate::people::Vault;

fn funded() -> Walk {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    walk.fund("2btc");
    walk
}

/// A free name in a folder that takes no files: what is made is kept, and its file is not written.
const UNWRITABLE: &str = "/proc/a.psbt";

#[test]
fn a_payment_whose_file_was_never_written_is_picked_up_again() {
    let walk = funded();
    let pay = |to: &str, purpose: &str, file: &str| {
        format!("pay savings --to {TO}={to} --feerate 5 --purpose {purpose} -o {file}")
    };
    let line = pay("0.4btc", "rent", UNWRITABLE);
    let failed = walk.run(&line);
    assert_eq!(failed.code, 1, "{}", failed.stderr);
    assert!(failed.stderr.contains("note: P-0001 is kept; `watch-node payments export P-0001 -o FILE`"));
    assert_eq!(walk.state(), "drafted");
    // Another one is another one.
    for (to, purpose, file) in [("0.1btc", "rent", "b.psbt"), ("0.4btc", "cake", UNWRITABLE)] {
        let _ = walk.run(&pay(to, purpose, file));
    }
    assert_eq!(walk.done("payments")["payments"].as_array().unwrap().len(), 2, "no coin is left for a third");
    // Nor is one with another ceiling, or from other coins, what was asked for.
    let coin = format!(" --coin {}:0", "11".repeat(32));
    for (more, word) in [(" --max-fee 0.001btc", "insufficient-funds"), (&coin, "coin-unavailable")] {
        walk.refused(&(pay("0.4btc", "rent", "d.psbt") + more), 3, word);
    }

    let again = walk.run(&pay("0.4btc", "rent", "a.psbt"));
    assert_eq!((again.code, &again.json()["payment"]), (0, &json!("P-0001")));
    assert_eq!(again.json()["resumed"], true);
    assert!(again.stderr.contains("note: P-0001 was made before"), "{}", again.stderr);
    walk.done("payments export P-0001 -o same.psbt");
    assert_eq!(walk.read("a.psbt"), walk.read("same.psbt"));
    assert_eq!(walk.state(), "exported");
    // What left once is not picked up.
    walk.refused(&pay("0.4btc", "rent", "d.psbt"), 3, "insufficient-funds");
}

#[test]
fn an_export_counts_as_having_left_and_what_was_given_up_is_not_picked_up() {
    let walk = funded();
    let line = |file: &str| format!("pay savings --to {TO}=0.4btc --feerate 5 -o {file}");
    assert_eq!(walk.run(&line(UNWRITABLE)).code, 1);
    walk.done("payments export P-0001 -o a.psbt");
    assert_eq!(walk.state(), "exported");
    assert_eq!(walk.run(&line(UNWRITABLE)).code, 1);
    walk.done("payments abandon P-0002");
    assert_eq!(walk.done(&line("b.psbt"))["payment"], "P-0003");
}

#[test]
fn a_bump_whose_file_was_never_written_is_picked_up_again() {
    let walk = funded();
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    assert_eq!(walk.run(&format!("bump P-0001 --feerate 20 -o {}", UNWRITABLE)).code, 1);
    let again = walk.run("bump P-0001 --feerate 20 -o b.psbt");
    assert_eq!((&again.json()["attempt"], &again.json()["resumed"]), (&json!(2), &json!(true)));
    assert!(again.stderr.contains("note: P-0001 was made before"));
    assert_eq!(walk.done("bump P-0001 --feerate 30 -o c.psbt")["attempt"], 3);
    // A draft that pays others is not what was asked for now.
    assert_eq!(walk.run(&format!("bump P-0001 --feerate 40 -o {}", UNWRITABLE)).code, 1);
    let back = walk.done("bump P-0001 --to-self -o d.psbt");
    assert_eq!((&back["attempt"], &back["resumed"]), (&json!(5), &json!(false)));
}

#[test]
fn what_is_picked_up_has_the_fee_that_is_typed_now() {
    let walk = funded();
    let pay = |rate: &str, file: &str| format!("pay savings --to {TO}=0.4btc --feerate {rate} -o {file}");
    let refused = |line: &str, why: &str| {
        walk.refused(line, 3, "draft-differs");
        let stderr = walk.run(line).stderr;
        for said in [why, "with a fee of", "`watch-node payments export P-0001 -o FILE`", "abandon P-0001`"] {
            assert!(stderr.contains(said), "{stderr}");
        }
    };
    assert_eq!(walk.run(&pay("400", UNWRITABLE)).code, 1);
    refused(&pay("2", "a.psbt"), "not what --feerate 2 gives");
    refused(&pay("399", "a.psbt"), "not what --feerate 399 gives");
    assert_eq!(walk.done(&pay("400", "a.psbt"))["resumed"], true);
    assert_eq!(walk.run(&format!("bump P-0001 --feerate 900 -o {}", UNWRITABLE)).code, 1);
    refused("bump P-0001 --feerate 410 --max-fee 60000sat -o b.psbt", "above --max-fee 0.000 600 00 BTC");
    refused("bump P-0001 --max-fee 60000sat -o b.psbt", "above --max-fee 0.000 600 00 BTC");
    refused("bump P-0001 --feerate 901 -o b.psbt", "not what --feerate 901 gives");
    let again = walk.done("bump P-0001 --feerate 900 --max-fee 0.01btc -o b.psbt");
    assert_eq!((&again["attempt"], &again["resumed"]), (&json!(2), &json!(true)));
}

#[test]
fn what_has_no_change_is_picked_up_at_its_feerate() {
    let walk = Walk::funded(&Vault::new(ScriptKind::Wpkh, 8));
    // One input and one output are 110 virtual bytes; what is left beyond their fee is too little for change.
    let pay = |rate: &str, file: &str| format!("pay savings --to {TO}=0.99999btc --feerate {rate} -o {file}");
    assert_eq!(walk.run(&pay("6", UNWRITABLE)).code, 1);
    walk.refused(&pay("2", "a.psbt"), 3, "draft-differs");
    walk.refused(&pay("10", "a.psbt"), 3, "draft-differs");
    let again = walk.done(&pay("6", "a.psbt"));
    assert_eq!(
        (&again["resumed"], &again["fee_sat"], &again["change_sat"]),
        (&json!(true), &json!(1_000), &json!(0))
    );
}

#[test]
fn nothing_is_made_for_a_folder_that_does_not_exist() {
    let walk = funded();
    walk.refused(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o nowhere/a.psbt"), 1, "unwritable");
    assert_eq!(walk.done("payments")["payments"], json!([]));
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.refused("bump P-0001 --feerate 20 -o nowhere/b.psbt", 1, "unwritable");
    assert_eq!(walk.done("bump P-0001 --feerate 20 -o b.psbt")["attempt"], 2);
}

#[test]
fn a_kill_at_any_moment_and_a_retry_make_one_payment() {
    let walk = funded();
    let mut made = 0;
    let mut states = vec![];
    for round in 0..20_u64 {
        let file = format!("{round}.psbt");
        let line = format!("pay savings --to {TO}=0.01btc --feerate 5 --purpose nr-{round} -o {file}");
        let mut child = Command::new(env!("CARGO_BIN_EXE_watch-node"))
            .args(["--data", "node"])
            .args(line.split_whitespace())
            .current_dir(walk.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(2_000 + round * 500));
        let _ = child.kill();
        child.wait().unwrap();
        let killed = walk.done("payments")["payments"].as_array().unwrap().clone();
        states.push(killed.get(made).map_or("none".to_owned(), |payment| payment["state"].to_string()));
        match walk.path(&file).exists() {
            true => walk.refused(&line, 3, "exists"),
            false => drop(walk.done(&line)),
        }
        made += 1;
        assert_eq!(walk.done("payments")["payments"].as_array().unwrap().len(), made, "round {round}");
        walk.done(&format!("payments export {made} -o again-{file}"));
        assert_eq!(walk.read(&file), walk.read(&format!("again-{file}")));
        walk.done(&format!("bump {made} --to-self -o back-{file}"));
        walk.run(&format!("payments abandon {made}"));
    }
    eprintln!("killed at {states:?}");
}
