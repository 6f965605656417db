//! What comes back signed: taken only when it is what was asked for.

use bitcoin::Psbt;
use policies::wallet::ScriptKind;
use serde_json::json;
use watch_node::chain::Relay;
use watch_node::chain::embedded::Embedded;

use crate::Walk;
use crate::pay::TO;
use crate::people::{SINGLE, Vault};

/// A funded wallet and a request of 0.4 BTC in `a.psbt`.
fn asked(kind: ScriptKind) -> (Vault, Walk) {
    let vault = Vault::new(kind, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    (vault, walk)
}

#[test]
fn a_payment_walks_from_request_to_settled() {
    for kind in SINGLE {
        let (vault, walk) = asked(kind);
        assert_eq!(walk.state(), "exported");
        walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), Some(5), Some(8)));
        let first = walk.done("submit signed.psbt")["submitted"][0].clone();
        let unsigned = vault.spend(&walk.read("a.psbt")).unsigned_txid().to_string();
        let txid = first["txid"].as_str().unwrap();
        assert_eq!(txid == unsigned, !vault.wallet.kind().has_script_sig(), "signing changes it or does not");
        assert_eq!(first["again"], false);
        let kept = (&first["permits"], &first["receipts"], &first["ignored"]);
        assert_eq!(kept, (&json!(1), &json!(1), &json!(0)));
        assert_eq!(walk.state(), "broadcast");

        let again = walk.done("submit signed.psbt")["submitted"][0].clone();
        assert_eq!((&again["txid"], &again["again"]), (&json!(txid), &json!(true)));
        walk.done("sync");
        assert_eq!(walk.state(), "seen");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.state(), "confirmed");
        assert_eq!(walk.done("submit signed.psbt")["submitted"][0]["again"], true);
        walk.done("regtest mine 5");
        walk.done("sync");
        assert_eq!(walk.state(), "settled");
        let payment = walk.done("payments")["payments"][0].clone();
        assert_eq!((&payment["confirmations"], &payment["txid"]), (&json!(6), &json!(txid)));
        assert_eq!(payment["unsigned_txid"], unsigned);
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
    }
}

#[test]
fn a_payment_is_known_again_under_another_signature() {
    let vault = Vault::new(ScriptKind::Pkh, 8);
    let walk = Walk::funded(&vault);
    walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
    assert_eq!(walk.done("payments show 1")["txid"], json!(null), "nobody knows it before it is signed");
    let file = vault.answer(&walk.read("a.psbt"), Some(5), Some(8));
    walk.write("permitted.psbt", &without_signatures(&file));
    walk.refused("submit permitted.psbt", 4, "signatures-missing");
    // The vault signs once, and what goes out is signed once more: both are the payment.
    let (signed, other) = (vault.signed(&file), vault.signed_again(&file));
    assert_ne!(signed.compute_txid(), other.compute_txid());
    Embedded::open(&walk.path("node")).unwrap().submit(&other).unwrap();
    for (blocks, state) in [(0, "seen"), (1, "confirmed"), (5, "settled")] {
        if blocks > 0 {
            walk.done(&format!("regtest mine {blocks}"));
        }
        walk.done("sync");
        let payment = walk.done("payments show 1");
        assert_eq!(
            (&payment["state"], &payment["txid"]),
            (&json!(state), &json!(other.compute_txid().to_string()))
        );
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
    }
    assert_eq!(walk.done("balance savings")["reserved_sat"], 0);
    walk.refused("bump P-0001 -o b.psbt", 3, "not-replaceable");
}

fn without_signatures(file: &[u8]) -> Vec<u8> {
    let mut psbt = Psbt::deserialize(file).unwrap();
    psbt.inputs.iter_mut().for_each(|input| input.partial_sigs.clear());
    psbt.serialize()
}

#[test]
fn missing_signatures_are_more_that_is_needed_but_the_permit_is_kept() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let permitted = vault.answer(&walk.read("a.psbt"), Some(5), None);
    let mut psbt = Psbt::deserialize(&permitted).unwrap();
    psbt.inputs[0].partial_sigs.clear();
    walk.write("permitted.psbt", &psbt.serialize());
    walk.refused("submit permitted.psbt", 4, "signatures-missing");
    assert_eq!(walk.state(), "permitted");
}

#[test]
fn an_altered_transaction_is_refused_although_it_is_truly_signed() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let original = Psbt::deserialize(&walk.read("a.psbt")).unwrap();
    let altered = |change: &dyn Fn(&mut Psbt)| {
        let mut psbt = original.clone();
        change(&mut psbt);
        let _ = std::fs::remove_file(walk.path("altered.psbt"));
        walk.write("altered.psbt", &vault.sign_psbt(&psbt.serialize()).serialize());
        walk.refused("submit altered.psbt", 3, "C33");
    };
    let foreign = |psbt: &mut Psbt| {
        let at = psbt.outputs.iter().position(|output| output.bip32_derivation.is_empty()).unwrap();
        psbt.unsigned_tx.output[at].script_pubkey = bitcoin::ScriptBuf::new_p2wsh(
            &<bitcoin::WScriptHash as bitcoin::hashes::Hash>::from_byte_array([7; 32]),
        );
    };
    altered(&foreign);
    altered(&|psbt| psbt.unsigned_tx.output[0].value -= bitcoin::Amount::from_sat(1));
    altered(&|psbt| psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(1));
    altered(&|psbt| psbt.unsigned_tx.input[0].sequence = bitcoin::Sequence::MAX);
    // Without the request in the envelope, the coin that it spends still tells which payment it was.
    altered(&|psbt| {
        psbt.proprietary.clear();
        foreign(psbt);
    });
    assert_eq!(walk.state(), "exported");
}

#[test]
fn one_flipped_bit_in_a_signature_is_refused() {
    for kind in SINGLE {
        let (vault, walk) = asked(kind);
        let signed = vault.answer(&walk.read("a.psbt"), None, None);
        let psbt = Psbt::deserialize(&signed).unwrap();
        let signature = match psbt.inputs[0].tap_key_sig {
            Some(signature) => signature.to_vec(),
            None => psbt.inputs[0].partial_sigs.values().next().unwrap().to_vec(),
        };
        let at = signed.windows(signature.len()).position(|window| window == signature).unwrap();
        let mut forged = signed.clone();
        forged[at + signature.len() - 10] ^= 1;
        walk.write("forged.psbt", &forged);
        walk.refused("submit forged.psbt", 3, "C14");
        assert_eq!(walk.state(), "exported");
        walk.write("signed.psbt", &signed);
        walk.done("submit signed.psbt");
    }
}

#[test]
fn a_signed_psbt_that_nobody_here_asked_for_is_refused() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    let elsewhere = Walk::funded(&vault);
    elsewhere.done(&format!("pay savings --to {TO}=0.7btc --feerate 9 -o b.psbt"));
    // The embedded chain's rewards depend on time, so the other folder's coin is another one.
    let file = vault.sign_psbt(&elsewhere.read("b.psbt")).serialize();
    let foreign = vault.spend(&file).anchor() != vault.spend(&walk.read("a.psbt")).anchor();
    walk.write("b.psbt", &file);
    walk.refused("submit b.psbt", 3, if foreign { "unknown-payment" } else { "C33" });
    walk.write("nonsense.psbt", b"nonsense");
    walk.refused("submit nonsense.psbt", 3, "malformed");
    walk.refused("submit missing.psbt", 1, "unreadable");
}

#[test]
fn a_payment_whose_coin_is_gone_is_replaced_and_reserves_nothing() {
    let (vault, walk) = asked(ScriptKind::Wpkh);
    walk.fund("2btc");
    crate::reconcile::steal(&vault, &walk);
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.state(), "replaced");
    walk.write("signed.psbt", &vault.answer(&walk.read("a.psbt"), None, None));
    walk.refused("submit signed.psbt", 3, "transaction-refused");
    assert_eq!(walk.done("balance savings")["reserved_sat"], 0);
}
