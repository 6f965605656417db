//! Whatever differs is named; what only grew is told from what was changed.

mod common;

use bitcoin::psbt::raw::Key;
use bitcoin::{Amount, Network, OutPoint, Psbt, Sequence, TxIn, TxOut};
use common::{KINDS, payment, stranger};
use policies::wallet::ScriptKind;
use proptest::prelude::*;
use psbt_tools::diff::{Difference, diff};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::finalize::finalize;

fn compared(before: &Psbt, after: &Psbt) -> Difference {
    diff(before, after, Some(Network::Regtest)).unwrap()
}

fn lines(difference: &Difference) -> Vec<String> {
    difference.changes.iter().map(ToString::to_string).collect()
}

/// The changes that an edit of the unsigned payment leads to, and the code of the refusal.
fn edited(edit: impl FnOnce(&mut Psbt)) -> (Vec<String>, Option<String>) {
    let before = payment(ScriptKind::Wpkh).psbt();
    let mut after = before.clone();
    edit(&mut after);
    let difference = compared(&before, &after);
    assert_eq!(difference.same_transaction, before.unsigned_tx == after.unsigned_tx);
    (lines(&difference), difference.require_growth().err().map(|error| error.code()))
}

fn one(edit: impl FnOnce(&mut Psbt), code: &str) -> String {
    let (mut lines, refusal) = edited(edit);
    assert_eq!((lines.len(), refusal.as_deref()), (1, Some(code)), "{lines:?}");
    lines.remove(0)
}

fn with_permit(psbt: &Psbt) -> Psbt {
    let mut psbt = psbt.clone();
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Permit, b"a permit".to_vec()).unwrap();
    envelope.write(&mut psbt);
    psbt
}

#[test]
fn an_output_altered_after_the_permit_is_named() {
    let before = with_permit(&payment(ScriptKind::Wpkh).psbt());
    let mut after = before.clone();
    after.unsigned_tx.output[0].value = Amount::from_sat(40_000_001);
    after.unsigned_tx.output[1].script_pubkey = stranger(8);
    let difference = compared(&before, &after);
    let lines = lines(&difference);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        lines[0],
        "output 0: amount was 0.400 000 00 BTC (40 000 000 sat), is 0.400 000 01 BTC (40 000 001 sat)"
    );
    assert!(lines[1].starts_with("output 1: address was bcrt 1q"), "{lines:?}");
    let error = difference.require_growth().unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("C33", 3));
    let json = difference.to_json();
    assert_eq!(json["same_transaction"], false);
    assert_eq!(json["changes"][0]["where"], "output 0");
    assert_eq!(json["changes"][0]["what"], "value_sat");
    assert_eq!(json["changes"][0]["before"], 40_000_000);
    assert_eq!(json["changes"][0]["after"], 40_000_001);
}

#[test]
fn signatures_and_documents_are_growth_one_way_only() {
    for kind in KINDS {
        let payment = payment(kind);
        let unsigned = payment.psbt();
        let mut signed = with_permit(&unsigned);
        attach_signatures(&mut signed, &payment.signatures(&unsigned.unsigned_tx)).unwrap();
        let grown = compared(&unsigned, &signed);
        assert!(grown.same_transaction && grown.changes.len() == 3, "{:?}", lines(&grown));
        grown.require_growth().unwrap();
        let shrunk = compared(&signed, &unsigned);
        assert_eq!(shrunk.require_growth().unwrap_err().code(), "changed");
        assert!(lines(&shrunk).iter().all(|line| line.contains("removed")), "{:?}", lines(&shrunk));
        let mut last = signed.clone();
        finalize(&mut last).unwrap();
        assert!(lines(&compared(&signed, &last)).iter().any(|line| line.contains("final witness added")));
    }
}

#[test]
fn a_replaced_signature_is_no_growth() {
    let payment = payment(ScriptKind::Tr);
    let mut signed = payment.psbt();
    let signatures = payment.signatures(&signed.unsigned_tx);
    attach_signatures(&mut signed, &signatures).unwrap();
    let mut replaced = signed.clone();
    replaced.inputs[0].tap_key_sig = replaced.inputs[1].tap_key_sig;
    let difference = compared(&signed, &replaced);
    assert!(lines(&difference)[0].starts_with("input 0: taproot signature was "));
    assert_eq!(difference.require_growth().unwrap_err().code(), "changed");
}

#[test]
fn each_part_of_the_transaction_is_named() {
    assert_eq!(one(|psbt| psbt.unsigned_tx.version.0 = 1, "C33"), "transaction: version was 2, is 1");
    assert_eq!(
        one(|psbt| psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(500), "C33"),
        "transaction: locktime was 0, is 500"
    );
    assert_eq!(
        one(|psbt| psbt.unsigned_tx.input[1].sequence = Sequence::MAX, "C33"),
        "input 1: sequence was 0xfffffffd, is 0xffffffff"
    );
    let removed = one(
        |psbt| {
            psbt.unsigned_tx.input.remove(0);
            psbt.inputs.remove(0);
        },
        "C33",
    );
    assert!(removed.starts_with("input 0: coin removed: d6c22eea"), "{removed}");
    let added = one(
        |psbt| {
            psbt.unsigned_tx.input.insert(0, TxIn { previous_output: OutPoint::null(), ..TxIn::default() });
            psbt.inputs.insert(0, Default::default());
        },
        "C33",
    );
    assert!(added.starts_with("input 0: coin added: 0000"), "{added}");
    let new = one(
        |psbt| {
            psbt.unsigned_tx.output.push(TxOut { value: Amount::ONE_SAT, script_pubkey: stranger(3) });
            psbt.outputs.push(Default::default());
        },
        "C33",
    );
    assert!(new.starts_with("output 2: payment added: 0.000 000 01 BTC (1 sat) to bcrt1"), "{new}");
}

#[test]
fn reordered_inputs_and_outputs_keep_their_fields() {
    let (lines, code) = edited(|psbt| {
        psbt.unsigned_tx.input.swap(0, 1);
        psbt.inputs.swap(0, 1);
        psbt.unsigned_tx.output.swap(0, 1);
        psbt.outputs.swap(0, 1);
    });
    assert_eq!(
        lines,
        [
            "input 0: position was 0, is 1",
            "input 1: position was 1, is 0",
            "output 0: position was 0, is 1",
            "output 1: position was 1, is 0",
        ]
    );
    assert_eq!(code.as_deref(), Some("C33"));
}

#[test]
fn what_the_fields_claim_is_named_too() {
    let amounts = edited(|psbt| {
        let input = &mut psbt.inputs[0];
        input.non_witness_utxo = None;
        input.witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC;
    });
    assert!(
        amounts.0[0].starts_with("input 0: amount was 0.500 000 00 BTC (50 000 000 sat), is 1.000"),
        "{amounts:?}"
    );
    assert!(amounts.0[1].starts_with("input 0: previous transaction removed: "), "{amounts:?}");
    assert!(amounts.0[2].starts_with("input 0: witness UTXO was "), "{amounts:?}");
    assert_eq!(amounts.1.as_deref(), Some("changed"));
    let derivation = one(|psbt| psbt.outputs[1].bip32_derivation.clear(), "changed");
    assert!(derivation.starts_with("output 1: derivation of 0"), "{derivation}");
    assert!(derivation.ends_with("/84'/1'/0'/1/5"), "{derivation}");
    let unknown = |psbt: &mut Psbt| {
        psbt.inputs[1].unknown.insert(Key { type_value: 0x77, key: vec![1] }, vec![2]);
    };
    assert_eq!(one(unknown, "changed"), "input 1: unknown field 0x77 01 added: 02");
}

#[test]
fn values_with_the_same_words_are_told_apart_by_their_hash() {
    let line = one(
        |psbt| {
            // Its txid and its size stay: only a witness differs.
            let previous = psbt.inputs[0].non_witness_utxo.as_mut().unwrap();
            let mut witness = bitcoin::Witness::new();
            witness.push([9u8; 3]);
            previous.input[0].witness = witness;
        },
        "changed",
    );
    assert!(line.starts_with("input 0: previous transaction was "), "{line}");
    let (before, after) = line.split_once(", is ").unwrap();
    assert!(!before.ends_with(after), "{line}");
}

#[test]
fn a_damaged_document_is_refused() {
    let before = payment(ScriptKind::Wpkh).psbt();
    let mut after = with_permit(&before);
    after.proprietary.values_mut().for_each(|value| value[0] ^= 1);
    assert_eq!(diff(&before, &after, None).unwrap_err().code(), "C21");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Any mutation that can still be read is either seen or none, and from either side.
    #[test]
    fn no_difference_goes_unseen(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let before = with_permit(&payment(ScriptKind::Wpkh).psbt());
        let mut bytes = before.serialize();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(after) = psbt_tools::strict::parse(&bytes)
            && let Ok(difference) = diff(&before, &after, None)
        {
            prop_assert_eq!(difference.changes.is_empty(), before == after);
            prop_assert_eq!(difference.same_transaction, before.unsigned_tx == after.unsigned_tx);
            if !difference.same_transaction {
                prop_assert_eq!(difference.require_growth().unwrap_err().code(), "C33");
            }
            let back = diff(&after, &before, None).unwrap();
            prop_assert_eq!(back.changes.len(), difference.changes.len());
        }
    }
}
