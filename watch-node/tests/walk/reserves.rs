//! What wallets hold at a block, as a document for their keys to sign.

use policies::wallet::ScriptKind;
use psbt_tools::message::reserves::Reserves;

use crate::Walk;
use crate::pay::TO;
use crate::people::Vault;

#[test]
fn a_proof_of_reserves_names_every_confirmed_coin_at_the_scanned_block() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.fund("0.25btc");
    // A payment that is under way has not moved them yet.
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    let told = walk.done("reserves savings --message audit -o reserves.json");
    assert_eq!((&told["total_sat"], &told["holdings"][0]["coins"]), (&125_000_000.into(), &2.into()));
    let reserves = Reserves::decode(&walk.read("reserves.json")).unwrap();
    assert_eq!(reserves.statement().purpose, "audit");
    assert_eq!(walk.done("status")["height"], reserves.statement().height);
    assert_eq!(reserves.total().to_sat(), 125_000_000);
}

#[test]
fn each_refusal_writes_nothing() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::empty();
    let make = "reserves savings --message audit -o reserves.json";
    walk.refused(make, 5, "stale");
    walk.write("savings.json", vault.export_obeying(None).to_string().as_bytes());
    walk.done("wallet import savings --file savings.json");
    walk.done("regtest mine 101");
    walk.refused(make, 5, "stale");
    walk.done("sync");
    walk.refused(make, 3, "no-coins");
    walk.fund("1btc");
    walk.refused("reserves nobody --message audit -o reserves.json", 3, "unknown-wallet");
    walk.refused("reserves savings savings --message audit -o reserves.json", 2, "usage");
    walk.refused("reserves savings --message audit -o nowhere/reserves.json", 1, "unwritable");
    walk.done("regtest mine 1");
    walk.refused(make, 5, "stale");
    assert!(!walk.path("reserves.json").exists());
    walk.done("sync");
    walk.done(make);
    let first = walk.read("reserves.json");
    walk.refused(make, 3, "exists");
    assert_eq!(walk.read("reserves.json"), first);
}

#[test]
fn more_coins_than_one_signature_proves_are_several_holdings() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    let address = walk.done("address savings")["address"].as_str().unwrap().to_owned();
    walk.done(&format!("regtest mine 1000 --to {address}"));
    walk.done("sync");
    let told = walk.done("reserves savings --message audit -o reserves.json");
    let counts: Vec<_> = told["holdings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|holding| holding["coins"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [1_000, 1]);
    let reserves = Reserves::decode(&walk.read("reserves.json")).unwrap();
    assert_eq!(told["total_sat"], reserves.total().to_sat());
    assert_eq!(told["total_sat"], walk.done("balance savings")["confirmed_sat"]);
    let outpoints: std::collections::BTreeSet<_> = reserves
        .holdings()
        .iter()
        .flat_map(|holding| &holding.coins)
        .map(|(outpoint, _)| *outpoint)
        .collect();
    assert_eq!(outpoints.len(), 1_001, "no coin stands twice");
}
