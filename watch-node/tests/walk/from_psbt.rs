//! A PSBT that another program made becomes a payment: its transaction as it is, and what the signers need.

use bitcoin::Psbt;
use policies::wallet::ScriptKind;

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault, ask, request};

/// What another program writes of a payment: the transaction alone.
fn bare(file: &[u8]) -> Psbt {
    Psbt::from_unsigned_tx(Psbt::deserialize(file).unwrap().unsigned_tx).unwrap()
}

#[test]
fn a_bare_transaction_of_watched_coins_becomes_a_payment() {
    for kind in SINGLE {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
        let made = bare(&walk.read("a.psbt"));
        walk.write("foreign.psbt", &made.serialize());
        walk.refused("pay --from-psbt foreign.psbt -o b.psbt", 3, "coin-unavailable");
        walk.done("payments abandon P-0001");

        walk.refused("pay --from-psbt foreign.psbt --max-fee 1sat -o b.psbt", 3, "fee-too-high");
        walk.refused("pay savings --from-psbt foreign.psbt -o b.psbt", 2, "usage");
        let told = walk.done("pay --from-psbt foreign.psbt --purpose rent -o b.psbt");
        assert_eq!(told["unsigned_txid"], made.unsigned_tx.compute_txid().to_string());
        assert_eq!(told["recipients"][0]["amount_sat"], 40_000_000);
        assert_eq!(request(&walk.read("b.psbt")).request.purpose, "rent");
        let number = told["payment"].as_str().unwrap();
        walk.write("signed.psbt", &vault.answer(&ask(&walk.read("b.psbt"), &[]), Some(5), Some(8)));
        walk.done("submit signed.psbt");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.done(&format!("payments show {number}"))["state"], "confirmed");
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
    }
}

#[test]
fn coins_that_are_not_watched_or_are_made_up_are_refused() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.done("payments abandon P-0001");
    let mut made = bare(&walk.read("a.psbt"));
    made.unsigned_tx.input[0].previous_output.vout += 7;
    walk.write("foreign.psbt", &made.serialize());
    walk.refused("pay --from-psbt foreign.psbt -o b.psbt", 3, "coin-unavailable");
    let mut greedy = bare(&walk.read("a.psbt"));
    greedy.unsigned_tx.output[0].value += bitcoin::Amount::from_sat(100_000_000);
    walk.write("greedy.psbt", &greedy.serialize());
    walk.refused("pay --from-psbt greedy.psbt -o b.psbt", 3, "C17");
    assert_eq!(walk.done("payments")["payments"].as_array().unwrap().len(), 1);
}
