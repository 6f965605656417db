//! BIP322's own vectors: what is valid is valid and written again as it was, what is invalid is invalid for its reason.

use bitcoin::absolute::LockTime;
use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::{Address, Amount, ScriptBuf, Sequence, TxOut};
use policies::message::bip322::{Locks, ToSign, message_hash, to_spend};
use policies::message::{Message, MessageForm};
use psbt_tools::display::hex;
use psbt_tools::message::signature::{Signature, SignatureError};
use psbt_tools::message::{Verdict, verify, verify_text};
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;

/// The vectors of BIP322; `None`, said on standard error, where they are absent.
fn vectors() -> Option<Value> {
    let folder = std::env::var_os("AIRLOCK_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join("bip322.json")) else {
        eprintln!("skipped: bip322.json is not there; AIRLOCK_VECTORS names the folder of public vectors");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

fn rows<'a>(vectors: &'a Value, of: &[&str]) -> Vec<&'a Value> {
    let rows = of.iter().fold(vectors, |value, key| &value[*key]).as_array().unwrap();
    assert!(!rows.is_empty());
    rows.iter().collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

fn script(address: &str) -> ScriptBuf {
    Address::<NetworkUnchecked>::from_str(address).unwrap().assume_checked().script_pubkey()
}

fn message(text: &str) -> Message {
    Message::new(text).unwrap()
}

#[test]
fn bip322_hashes_and_transactions_are_those_of_the_vectors() {
    let Some(vectors) = vectors() else { return };
    let rows = rows(&vectors, &["basic", "tx_hashes"]);
    for row in &rows {
        let (message, script) = (message(text(row, "message")), script(text(row, "address")));
        let to_sign = ToSign::new(&message, &script, Locks::NONE, &[]).unwrap();
        assert_eq!(hex(&message_hash(&message)), text(row, "message_hash"));
        assert_eq!(to_spend(&message, &script).compute_txid().to_string(), text(row, "to_spend_tx_hash"));
        assert_eq!(to_sign.transaction().compute_txid().to_string(), text(row, "to_sign_tx_hash"));
    }
    eprintln!("bip322.json: {} transaction hashes", rows.len());
}

#[test]
fn bip322_valid_signatures_are_valid_and_written_again_as_they_were() {
    let Some(vectors) = vectors() else { return };
    for (of, form) in [
        (["basic", "simple"], MessageForm::Bip322Simple),
        (["generated", "simple"], MessageForm::Bip322Simple),
        (["generated", "full"], MessageForm::Bip322Full),
        (["generated", "proof_of_funds"], MessageForm::Bip322ProofOfFunds),
    ] {
        let rows = rows(&vectors, &of);
        let mut count = 0;
        for row in &rows {
            for written in row["bip322_signatures"].as_array().unwrap() {
                let written = written.as_str().unwrap();
                let (message, script) = (message(text(row, "message")), script(text(row, "address")));
                let signature = Signature::decode(written).unwrap();
                let Verdict::Valid(valid) = verify(&message, &script, &signature) else {
                    panic!("{}: {:?}", text(row, "type"), verify(&message, &script, &signature));
                };
                assert_eq!(valid.form, form);
                let number = |key: &str| row[key].as_u64().unwrap_or_default() as u32;
                assert_eq!(valid.locks.lock_time, LockTime::from_consensus(number("lock_time")));
                assert_eq!(valid.locks.sequence, Sequence(number("sequence")));
                assert_eq!(valid.coins.len(), claimed(row).len());
                for (coin, (value, script)) in valid.coins.iter().zip(claimed(row)) {
                    assert_eq!(coin.output, TxOut { value, script_pubkey: script });
                }
                let again = signature.encode();
                assert_eq!(again.trim_start_matches("smp"), written.trim_start_matches("smp"));
                assert_eq!(again.get(..3), Some(prefix(form)));
                count += 1;
            }
        }
        eprintln!("bip322.json: {count} valid of {}", of.join("."));
    }
}

fn prefix(form: MessageForm) -> &'static str {
    match form {
        MessageForm::Bip322Simple => "smp",
        MessageForm::Bip322Full => "ful",
        MessageForm::Bip322ProofOfFunds => "pof",
        MessageForm::Bip137 => "",
    }
}

/// Amounts and scripts of a row's additional inputs.
fn claimed(row: &Value) -> Vec<(Amount, ScriptBuf)> {
    let transactions = row["additional_inputs"].as_array().cloned().unwrap_or_default();
    let coins = transactions.iter().flat_map(|coins| coins.as_array().unwrap());
    coins
        .map(|coin| {
            let script = Vec::<u8>::from_hex(coin["pk_script"].as_str().unwrap()).unwrap();
            (Amount::from_sat(coin["value"].as_u64().unwrap()), ScriptBuf::from_bytes(script))
        })
        .collect()
}

#[test]
fn bip322_errors_are_invalid_for_the_reason_of_the_vectors() {
    let Some(vectors) = vectors() else { return };
    for of in [["basic", "error"], ["generated", "error"]] {
        let rows = rows(&vectors, &of);
        for row in &rows {
            let (message, script) = (message(text(row, "message")), script(text(row, "address")));
            let written = text(row, "signature");
            let verdict = verify_text(&message, &script, written);
            assert!(matches!(verdict, Verdict::Invalid(_)), "{}: {verdict:?}", text(row, "description"));
            let decoded = Signature::decode(written);
            let as_expected = match text(row, "error_substr") {
                "base64" | "error decoding signature as base64" => {
                    matches!(decoded, Err(SignatureError::Base64(_)))
                }
                "signature too short" => decoded == Err(SignatureError::Empty),
                "error parsing signature as full variant" => {
                    matches!(decoded, Err(SignatureError::Malformed { form: MessageForm::Bip322Full, .. }))
                }
                "invalid signature" => decoded.is_ok(),
                other => panic!("a new kind of error: {other}"),
            };
            assert!(as_expected, "{}: {decoded:?}", text(row, "description"));
        }
        eprintln!("bip322.json: {} errors of {}", rows.len(), of.join("."));
    }
}
