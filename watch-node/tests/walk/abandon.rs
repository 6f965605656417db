//! A payment that was refused or forgotten: its coins are free again, and nothing is forgotten.

use policies::wallet::ScriptKind;
use serde_json::json;

use crate::Walk;
use crate::pay::TO;
use crate::people::{Vault, receipt, receipts_file};

fn asked() -> (Vault, Walk) {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    (vault, walk)
}

#[test]
fn what_was_given_up_frees_its_coins_and_says_what_may_still_be_under_way() {
    let (_, walk) = asked();
    let told = walk.done("payments abandon P-0001");
    assert_eq!((&told["state"], &told["freed_sat"]), (&json!("abandoned"), &json!(100_000_000)));
    assert_eq!((walk.state().as_str(), &told["again"]), ("abandoned", &json!(false)));
    let balance = walk.done("balance savings");
    assert_eq!((&balance["reserved_sat"], &balance["spendable_sat"]), (&json!(0), &json!(100_000_000)));
    let text = walk.text("payments abandon P-0001");
    for said in [
        "is abandoned already",
        "have its files destroyed",
        "its budget stays charged",
        "`watch-node bump P-0001 --to-self`",
    ] {
        assert!(text.contains(said), "{text}");
    }
    walk.refused("bump P-0001 -o b.psbt", 3, "not-replaceable");
    assert!(walk.run("bump P-0001 -o b.psbt").stderr.contains("it was abandoned"));
    walk.refused("payments abandon P-0002", 3, "unknown-payment");
    walk.done("payments export P-0001 -o again.psbt");
    assert_eq!(walk.read("a.psbt"), walk.read("again.psbt"));
    assert_eq!(walk.done("reconcile")["verdict"], "clean");
}

#[test]
fn what_may_be_under_way_is_not_given_up() {
    let refused = |walk: &Walk, reason: &str| {
        walk.refused("payments abandon P-0001", 3, "under-way");
        let stderr = walk.run("payments abandon P-0001").stderr;
        assert!(stderr.contains(reason) && stderr.contains("--to-self"), "{stderr}");
        assert_ne!(walk.state(), "abandoned");
    };
    let (vault, walk) = asked();
    walk.write("permitted.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), None));
    walk.done("reconcile --permits permitted.psbt");
    refused(&walk, "a permit for it is known");
    let (vault, walk) = asked();
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    walk.refused("reconcile --receipts receipts.json", 4, "incomplete");
    refused(&walk, "its vault says that it signed");
    let (vault, walk) = asked();
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), None, None));
    walk.done("submit signed.psbt");
    refused(&walk, "it came back signed");
    walk.done("sync");
    refused(&walk, "the chain source has shown it");
    // One attempt of several is enough.
    let (vault, walk) = asked();
    walk.done("bump P-0001 -o b.psbt");
    walk.write("permitted.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), None));
    walk.done("reconcile --permits permitted.psbt");
    refused(&walk, "a permit for it is known");
}

#[test]
fn a_signed_file_is_taken_up_again_while_its_coins_are_free() {
    let (vault, walk) = asked();
    walk.done("payments abandon P-0001");
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    for line in ["submit signed.psbt", "submit signed.psbt --take-up P-0002"] {
        walk.refused(line, 3, "abandoned");
        assert!(walk.run(line).stderr.contains("`--take-up P-0001`"));
    }
    assert_eq!(walk.state(), "abandoned");
    let told = walk.done("submit signed.psbt --take-up P-0001")["submitted"][0].clone();
    assert_eq!((&told["taken_up"], &told["payment"]), (&json!(true), &json!("P-0001")));
    assert_eq!(walk.state(), "broadcast");
    assert!(walk.text("payments show 1").contains("broadcast"));
    walk.done("sync");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(
        (walk.state().as_str(), walk.done("reconcile")["verdict"].as_str().unwrap()),
        ("confirmed", "clean")
    );
}

#[test]
fn a_signed_file_is_refused_once_another_payment_counts_on_its_coins() {
    let (vault, walk) = asked();
    walk.done("payments abandon P-0001");
    walk.done(&format!("pay savings --to {TO}=0.3btc --feerate 5 -o b.psbt"));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.refused("submit signed.psbt", 3, "abandoned");
    let stderr = walk.run("submit signed.psbt").stderr;
    assert!(
        stderr.contains("P-0001 was given up, and its coin") && stderr.contains("have the file destroyed"),
        "{stderr}"
    );
    assert_eq!(walk.state(), "abandoned");
    // Its papers are kept: it may be broadcast elsewhere, and then it is told.
    let told = walk.done("reconcile");
    assert_eq!(told["spends"][0]["verdict"], "signed-not-broadcast");
    assert_eq!(
        (&told["spends"][0]["payment"], &told["spends"][0]["stage"]),
        (&json!("P-0001"), &json!("abandoned"))
    );
}

#[test]
fn what_a_later_payment_pays_is_not_paid_twice() {
    let (vault, walk) = asked();
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    let refused = |line: &str| {
        walk.refused(line, 3, "abandoned");
        let stderr = walk.run(line).stderr;
        assert!(stderr.contains("P-0001 was given up, and the later P-0002 pays the same"), "{stderr}");
    };
    walk.fund("1btc");
    walk.done("payments abandon P-0001");
    let coins = walk.done("coins")["coins"].as_array().unwrap().clone();
    let first = walk.done("payments abandon P-0001")["coins"][0].clone();
    let other = coins.iter().map(|coin| &coin["outpoint"]).find(|coin| **coin != first).unwrap();
    let other = other.as_str().unwrap();
    walk.done(&format!("pay savings --to {TO}=0.4btc --coin {other} --feerate 5 -o b.psbt"));
    refused("submit signed.psbt --take-up P-0001");
    assert_eq!(walk.state(), "abandoned");
    // Nor when that payment went all the way, nor after the first was taken back.
    walk.write("signed-2.psbt", &vault.answer(&walk.read("b.psbt"), Some(5), Some(8)));
    walk.done("submit signed-2.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    refused("submit signed.psbt --take-up P-0001");
    walk.done("bump P-0001 --to-self -o back.psbt");
    refused("submit signed.psbt");
}

#[test]
fn a_later_payment_that_was_given_up_too_stands_in_nobodys_way() {
    let (vault, walk) = asked();
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
    walk.done("payments abandon P-0001");
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o b.psbt"));
    walk.done("payments abandon P-0002");
    walk.done("submit signed.psbt --take-up P-0001");
    assert_eq!(walk.state(), "broadcast");
}

#[test]
fn coins_that_a_gatekeeper_holds_for_what_was_given_up_are_taken_back() {
    let (vault, walk) = asked();
    walk.done("payments abandon P-0001");
    walk.done(&format!("pay savings --to {TO}=0.3btc --feerate 5 -o b.psbt"));
    let back = walk.done("bump P-0001 --to-self -o back.psbt");
    assert_eq!((&back["attempt"], back["recipients"].as_array().unwrap().len()), (&json!(2), 0));
    assert_eq!(walk.done("payments show 1")["abandoned"], json!(null));
    walk.write("signed.psbt", &vault.answer(&walk.read("back.psbt"), Some(5), Some(8)));
    walk.done("submit signed.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.state(), "confirmed");
    assert_eq!(walk.done("payments show 2")["state"], "replaced");
    assert_eq!(walk.done("reconcile")["verdict"], "clean");

    // What another payment has a permit for is not taken from it.
    let (vault, walk) = asked();
    walk.done("payments abandon P-0001");
    walk.done(&format!("pay savings --to {TO}=0.3btc --feerate 5 -o b.psbt"));
    walk.write("permitted.psbt", &vault.answer(&walk.read("b.psbt"), Some(5), None));
    walk.done("reconcile --permits permitted.psbt");
    walk.refused("bump P-0001 --to-self -o back.psbt", 3, "not-replaceable");
    assert!(walk.run("bump P-0001 --to-self -o back.psbt").stderr.contains("P-0002, which is under way"));
}

#[test]
fn what_was_given_up_and_broadcast_elsewhere_is_seen_and_reserves_its_coins_again() {
    let (vault, walk) = asked();
    walk.done("payments abandon P-0001");
    let mut psbt = vault.sign_psbt(&walk.read("a.psbt"));
    psbt_tools::finalize::finalize(&mut psbt).unwrap();
    let transaction = psbt.extract_tx_unchecked_fee_rate();
    use watch_node::chain::Relay;
    watch_node::chain::embedded::Embedded::open(&walk.path("node")).unwrap().submit(&transaction).unwrap();
    walk.done("sync");
    assert_eq!(walk.state(), "seen");
    let store = watch_node::store::Store::open(&walk.path("node")).unwrap();
    assert_eq!(store.coins(None).unwrap()[0].reserved_for, Some(1));
    walk.refused("reconcile", 3, "unauthorised");
    assert_eq!(walk.done("bump P-0001 -o b.psbt")["attempt"], 2);
    assert_eq!(walk.done("payments show 1")["abandoned"], json!(null));
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.state(), "confirmed");
}
