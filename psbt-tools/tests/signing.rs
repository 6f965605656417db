//! Build, import, sign, attach, finalize, extract: the transaction passes Bitcoin Core's script engine.

mod common;

use bitcoin::{Amount, Psbt, Sequence, Transaction};
use common::{KINDS, Payment, core_accepts, imported, payment};
use policies::examine::FeeBounds;
use policies::signature::InputSignature;
use policies::wallet::ScriptKind;
use psbt_tools::Error;
use psbt_tools::document::{Document, Encoding};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::{attach_signatures, same_transaction};
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::import::{Context, import};
use psbt_tools::strict;

fn signed(payment: &Payment) -> Psbt {
    let mut psbt = payment.psbt();
    let signatures = payment.signatures(&psbt.unsigned_tx);
    attach_signatures(&mut psbt, &signatures).unwrap();
    psbt
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().code()
}

#[test]
fn a_signed_payment_is_finalised_extracted_and_accepted_by_core() {
    for kind in KINDS {
        let payment = payment(kind);
        let mut psbt = signed(&payment);
        finalize(&mut psbt).unwrap();
        let once = psbt.clone();
        finalize(&mut psbt).unwrap();
        assert_eq!(psbt, once, "finalising twice changes nothing");
        let transaction = extract(&psbt, &FeeBounds::default()).unwrap();
        assert!(core_accepts(&transaction, &payment));
        same_transaction(&payment.spend().unsigned_transaction(), &transaction).unwrap();
        let mut forged = transaction.clone();
        forged.output[0].value -= Amount::ONE_SAT;
        assert!(!core_accepts(&forged, &payment), "the control: Core refuses another transaction");
        let estimate = payment.spend().signed_weight(&payment.wallet).to_wu();
        let actual = transaction.weight().to_wu();
        assert!(actual <= estimate && estimate - actual <= 6, "{actual} of at most {estimate}");
    }
}

#[test]
fn finalising_clears_what_bip174_says_and_keeps_the_rest() {
    use bitcoin::psbt::raw::Key;
    for kind in KINDS {
        let mut psbt = signed(&payment(kind));
        let key = Key { type_value: 0x77, key: vec![1] };
        psbt.inputs[0].unknown.insert(key, vec![2]);
        let before = psbt.inputs[0].clone();
        finalize(&mut psbt).unwrap();
        let after = &psbt.inputs[0];
        assert!(after.partial_sigs.is_empty() && after.tap_key_sig.is_none());
        assert!(after.bip32_derivation.is_empty() && after.tap_key_origins.is_empty());
        assert!(after.tap_internal_key.is_none() && after.sighash_type.is_none());
        assert_eq!(
            (&after.witness_utxo, &after.non_witness_utxo, &after.unknown),
            (&before.witness_utxo, &before.non_witness_utxo, &before.unknown)
        );
    }
}

#[test]
fn wrong_signatures_are_not_attached() {
    for kind in KINDS {
        let payment = payment(kind);
        let honest = payment.psbt();
        let good = payment.signatures(&honest.unsigned_tx);
        let refused = |edit: &dyn Fn(&mut Vec<InputSignature>)| {
            let (mut psbt, mut signatures) = (honest.clone(), good.clone());
            edit(&mut signatures);
            assert_eq!(code(attach_signatures(&mut psbt, &signatures)), "C28");
            assert_eq!(psbt, honest, "nothing was added");
        };
        refused(&|s| s[1].input = 0);
        refused(&|s| s[1].input = 2);
        refused(&|s| s[1].input = u32::MAX);
        refused(&|s| s[1].signature[20] ^= 1);
        refused(&|s| s[1].signature.clear());
        refused(&|s| s[1].public_key = s[0].public_key.clone());
        refused(&|s| s[1].public_key.clear());
        refused(&|s| {
            if kind == ScriptKind::Tr {
                s[1].signature.push(2);
            } else {
                *s[1].signature.last_mut().unwrap() = 2;
            }
        });
    }
}

#[test]
fn a_signature_of_another_transaction_is_not_attached() {
    for kind in KINDS {
        let payment = payment(kind);
        let mut psbt = payment.psbt();
        let signatures = payment.signatures(&psbt.unsigned_tx);
        psbt.unsigned_tx.output[0].value -= Amount::ONE_SAT;
        assert_eq!(code(attach_signatures(&mut psbt, &signatures)), "C28");
    }
}

#[test]
fn missing_signatures_are_named_and_nothing_changes() {
    for kind in KINDS {
        let payment = payment(kind);
        let mut psbt = payment.psbt();
        let signatures = payment.signatures(&psbt.unsigned_tx);
        attach_signatures(&mut psbt, &signatures[..1]).unwrap();
        let before = psbt.clone();
        let error = finalize(&mut psbt).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_code()), ("signatures are missing at input 1", 4));
        assert_eq!(psbt, before);
        assert_eq!(extract(&psbt, &FeeBounds::default()).unwrap_err().exit_code(), 4);
    }
}

#[test]
fn forged_signatures_are_neither_finalised_nor_extracted() {
    let mut psbt = signed(&payment(ScriptKind::Wpkh));
    let other = *psbt.inputs[1].partial_sigs.values().next().unwrap();
    *psbt.inputs[0].partial_sigs.values_mut().next().unwrap() = other;
    assert_eq!(code(finalize(&mut psbt)), "C14");
    let mut psbt = signed(&payment(ScriptKind::Tr));
    psbt.inputs[0].tap_key_sig = psbt.inputs[1].tap_key_sig;
    assert_eq!(code(finalize(&mut psbt)), "C14");
    for kind in KINDS {
        let mut psbt = signed(&payment(kind));
        finalize(&mut psbt).unwrap();
        psbt.inputs[0].final_script_witness = psbt.inputs[1].final_script_witness.clone();
        assert_eq!(code(extract(&psbt, &FeeBounds::default())), "C14");
        assert_eq!(code(finalize(&mut psbt)), "C14");
    }
}

#[test]
fn an_absurd_fee_is_not_extracted() {
    let mut payment = payment(ScriptKind::Tr);
    payment.parts.outputs[1].value = Amount::from_sat(59_990_000 - 5_000_000);
    let mut psbt = signed(&payment);
    finalize(&mut psbt).unwrap();
    assert_eq!(code(extract(&psbt, &FeeBounds::default())), "C16");
    let mut generous = FeeBounds::default();
    generous.refuse.amount = Amount::ONE_BTC;
    generous.refuse.sat_per_vb = 1_000_000;
    assert!(extract(&psbt, &generous).is_ok());
}

#[test]
fn an_absurd_feerate_is_not_extracted() {
    let with_fee = |sat: u64| {
        let mut payment = payment(ScriptKind::Tr);
        payment.parts.outputs[1].value = Amount::from_sat(60_000_000 - sat);
        let mut psbt = signed(&payment);
        finalize(&mut psbt).unwrap();
        extract(&psbt, &FeeBounds::default()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(with_fee(190_000), Ok(()));
    assert_eq!(with_fee(400_000), Err("C16".to_owned()));
}

#[test]
fn each_difference_from_the_request_is_c33() {
    type Edit = fn(&mut Transaction);
    let requested = payment(ScriptKind::Wpkh).spend().unsigned_transaction();
    assert!(same_transaction(&requested, &requested).is_ok());
    let edits: [(&str, Edit); 6] = [
        ("version", |t| t.version.0 = 1),
        ("locktime", |t| t.lock_time = bitcoin::absolute::LockTime::from_consensus(1)),
        ("outpoints", |t| t.input[0].previous_output.vout += 1),
        ("sequences", |t| t.input[1].sequence = Sequence::MAX),
        ("outputs", |t| t.output.swap(0, 1)),
        ("outputs", |t| t.output[0].value += Amount::ONE_SAT),
    ];
    for (what, edit) in edits {
        let mut signed = requested.clone();
        edit(&mut signed);
        let error = same_transaction(&requested, &signed).unwrap_err();
        assert_eq!(error.code(), "C33");
        assert!(error.to_string().ends_with(&format!("other {what}")), "{error}");
    }
}

#[test]
fn signatures_and_receipts_go_into_the_file_that_came_in_its_encoding() {
    let payment = payment(ScriptKind::Wpkh);
    let mut unsigned = payment.psbt();
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Request, b"request".to_vec()).unwrap();
    envelope.write(&mut unsigned);
    for encoding in [Encoding::Binary, Encoding::Base64, Encoding::Hex] {
        let wallets = [payment.wallet.clone()];
        let imported = import(encoding.encode(&unsigned), &wallets, &Context::default()).unwrap();
        let signatures = payment.signatures(&imported.spend().unwrap().unsigned_transaction());
        let bytes = imported.with_signatures(&signatures, &[b"receipt".to_vec()]).unwrap();
        let document = Document::parse(bytes).unwrap();
        assert_eq!(document.encoding(), encoding);
        let mut psbt = strict::parse(document.psbt_bytes()).unwrap();
        let back = Envelope::read(&psbt).unwrap();
        assert_eq!(back.get(Kind::Request).collect::<Vec<_>>(), [b"request"]);
        assert_eq!(back.get(Kind::Receipt).collect::<Vec<_>>(), [b"receipt"]);
        finalize(&mut psbt).unwrap();
        assert!(core_accepts(&extract(&psbt, &FeeBounds::default()).unwrap(), &payment));
    }
}

#[test]
fn a_sighash_field_agrees_with_the_signature_that_was_added() {
    let payment = payment(ScriptKind::Tr);
    let mut psbt = payment.psbt();
    psbt.inputs[0].sighash_type = Some(bitcoin::psbt::PsbtSighashType::from_u32(1));
    let signatures = payment.signatures(&psbt.unsigned_tx);
    attach_signatures(&mut psbt, &signatures).unwrap();
    assert_eq!(psbt.inputs[0].sighash_type.map(|kind| kind.to_u32()), Some(0));
    assert_eq!(common::found(&imported(&psbt, &[payment.wallet])), []);
}
