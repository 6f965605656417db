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

    walk.refused("reserves savings --message audit -o reserves.json", 3, "exists");
    walk.refused("reserves nobody --message audit -o other.json", 3, "unknown-wallet");
    walk.done("regtest mine 1");
    walk.refused("reserves savings --message audit -o other.json", 5, "stale");
}
