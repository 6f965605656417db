//! Nothing leaves unnoticed.

use bitcoin::Amount;
use policies::wallet::ScriptKind;
use serde_json::json;
use watch_node::chain::Relay;
use watch_node::chain::embedded::Embedded;

use crate::Walk;
use crate::pay::TO;
use crate::people::{Vault, receipt, receipts_file};

/// Spends the coin of the first payment with a copy of the seed, past every rule.
pub fn steal(vault: &Vault, walk: &Walk) {
    let mut psbt = bitcoin::Psbt::deserialize(&walk.read("a.psbt")).unwrap();
    psbt.proprietary.clear();
    psbt.unsigned_tx.output.truncate(1);
    psbt.outputs.truncate(1);
    psbt.unsigned_tx.output[0].value = Amount::from_sat(99_000_000);
    psbt.unsigned_tx.output[0].script_pubkey = bitcoin::ScriptBuf::new_p2wsh(
        &<bitcoin::WScriptHash as bitcoin::hashes::Hash>::from_byte_array([6; 32]),
    );
    let mut signed = vault.sign_psbt(&psbt.serialize());
    psbt_tools::finalize::finalize(&mut signed).unwrap();
    let transaction = signed.extract_tx_unchecked_fee_rate();
    Embedded::open(&walk.path("node")).unwrap().submit(&transaction).unwrap();
}

fn paid(permit_key: Option<u8>, audit: Option<u8>) -> (Vault, Walk) {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), permit_key, audit));
    walk.done("submit signed.psbt");
    walk.done("sync");
    (vault, walk)
}

#[test]
fn a_spend_with_a_copy_of_the_seed_is_caught_before_and_after_it_confirms() {
    for kind in [ScriptKind::Wpkh, ScriptKind::Tr] {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
        steal(&vault, &walk);
        for _ in 0..2 {
            walk.done("sync");
            walk.refused("reconcile", 3, "unauthorised");
            let told = walk.run("reconcile").json();
            assert_eq!(told["verdict"], "unauthorised");
            assert_eq!(told["spends"][0]["verdict"], "unauthorised");
            assert_eq!(told["spends"][0]["payment"], json!(null));
            walk.done("regtest mine 1");
        }
    }
}

#[test]
fn what_was_asked_permitted_and_signed_is_clean() {
    let (vault, walk) = paid(Some(5), Some(8));
    let told = walk.done("reconcile");
    let spend = &told["spends"][0];
    assert_eq!((&told["verdict"], &spend["verdict"]), (&json!("clean"), &json!("authorised")));
    assert_eq!((&spend["permit"], &spend["receipt"]), (&json!("verified"), &json!("verified")));
    assert_eq!(spend["spend_id"], json!(vault.spend(&walk.read("a.psbt")).id().to_string()));
    // Receipts travel back: the next request shows the vault its own latest record.
    walk.done("regtest mine 1");
    walk.done("sync");
    walk.done(&format!("pay savings --to {TO}=0.1btc --feerate 5 -o b.psbt"));
    let psbt = bitcoin::Psbt::deserialize(&walk.read("b.psbt")).unwrap();
    let envelope = psbt_tools::envelope::Envelope::read(&psbt).unwrap();
    let bytes = envelope.get(psbt_tools::envelope::Kind::Request).next().unwrap();
    let request: policies::request::SignedRequest = policies::codec::Canonical::from_bytes(bytes).unwrap();
    assert_eq!(request.request.heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [7]);
}

#[test]
fn documents_of_strangers_count_for_nothing() {
    let (_, walk) = paid(Some(6), Some(9));
    walk.refused("reconcile", 3, "unauthorised");
    let told = walk.run("reconcile").json();
    assert_eq!(told["spends"][0]["payment"], "P-0001");
    assert_eq!(
        (&told["spends"][0]["permit"], &told["spends"][0]["receipt"]),
        (&json!("missing"), &json!("missing"))
    );
}

#[test]
fn a_missing_receipt_may_be_brought_and_is_unauthorised_when_the_vault_has_none() {
    let (vault, walk) = paid(Some(5), None);
    walk.refused("reconcile", 4, "incomplete");
    walk.write("none.json", receipts_file(8, &[]).to_string().as_bytes());
    walk.refused("reconcile --receipts none.json", 3, "unauthorised");
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    assert_eq!(walk.done("reconcile --receipts receipts.json")["verdict"], "clean");
    assert_eq!(walk.done("reconcile")["verdict"], "clean", "what was brought is kept");
}

#[test]
fn a_missing_permit_may_be_brought() {
    let (vault, walk) = paid(None, Some(8));
    walk.refused("reconcile", 4, "incomplete");
    walk.write("permitted.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), None));
    assert_eq!(walk.done("reconcile --permits permitted.psbt")["verdict"], "clean");
}

#[test]
fn receipts_of_a_vault_that_is_not_pinned_or_that_do_not_hold_are_refused() {
    let (vault, walk) = paid(Some(5), Some(8));
    let spend = vault.spend(&walk.read("a.psbt"));
    walk.write("other.json", receipts_file(9, &[]).to_string().as_bytes());
    walk.refused("reconcile --receipts other.json", 3, "not-authentic");
    walk.write("mixed.json", receipts_file(8, &[receipt(9, &spend)]).to_string().as_bytes());
    walk.refused("reconcile --receipts mixed.json", 3, "not-authentic");
    let mut forged = receipt(8, &spend);
    forged.statement.head.sequence = 8;
    walk.write("forged.json", receipts_file(8, &[forged]).to_string().as_bytes());
    walk.refused("reconcile --receipts forged.json", 3, "not-authentic");
    walk.write("nonsense.json", b"{}");
    walk.refused("reconcile --receipts nonsense.json", 3, "malformed");
}

#[test]
fn a_receipt_without_its_transaction_is_shown() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    let receipt = receipt(8, &vault.spend(&walk.read("a.psbt")));
    walk.write("receipts.json", receipts_file(8, &[receipt]).to_string().as_bytes());
    let told = walk.done("reconcile --receipts receipts.json");
    assert_eq!(told["verdict"], "clean");
    assert_eq!(told["spends"][0]["verdict"], "signed-not-broadcast");
    assert_eq!(told["spends"][0]["payment"], "P-0001");
    assert_eq!(walk.state(), "signed");
}
