//! Copies of one PSBT come together, whatever their order; whatever is not a copy, or not true, is refused.

mod common;

use bitcoin::bip32::Fingerprint;
use bitcoin::psbt::raw::{Key, ProprietaryKey};
use bitcoin::{Amount, Psbt, Sequence};
use common::{KINDS, Payment, payment, payment_of, stranger};
use policies::wallet::ScriptKind;
use proptest::prelude::*;
use psbt_tools::Error;
use psbt_tools::combine::{Combined, Part, combine};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::finalize::finalize;
use psbt_tools::form::Form;

fn combined(psbts: &[&Psbt]) -> Result<Combined, Error> {
    let form = Form::default();
    let parts: Vec<_> = psbts.iter().map(|psbt| Part { name: "a file", psbt, form: &form }).collect();
    combine(&parts)
}

fn refusal(psbts: &[&Psbt]) -> (String, String) {
    let error = combined(psbts).unwrap_err();
    assert!(error.hint().is_some() && error.exit_code() == 3);
    let mut turned = psbts.to_vec();
    turned.reverse();
    assert_eq!(combined(&turned).unwrap_err().code(), error.code(), "in either order");
    (error.code(), error.to_string())
}

fn signed(kind: ScriptKind) -> (Psbt, Psbt) {
    let payment = payment(kind);
    let unsigned = payment.psbt();
    let mut signed = unsigned.clone();
    attach(&mut signed, &payment);
    (unsigned, signed)
}

fn attach(psbt: &mut Psbt, payment: &Payment) {
    let signatures = payment.signatures(&psbt.unsigned_tx);
    attach_signatures(psbt, &signatures).unwrap();
}

/// The copy with the signature of one input only.
fn only(signed: &Psbt, at: usize) -> Psbt {
    let mut psbt = signed.clone();
    for (other, input) in psbt.inputs.iter_mut().enumerate().filter(|(other, _)| *other != at) {
        assert_ne!(other, at);
        input.partial_sigs.clear();
        input.tap_key_sig = None;
    }
    psbt
}

#[test]
fn two_halves_make_the_signed_psbt_and_it_finalises() {
    for kind in KINDS {
        let (unsigned, signed) = signed(kind);
        let mut whole = combined(&[&only(&signed, 1), &unsigned, &only(&signed, 0)]).unwrap();
        assert_eq!(whole, Combined { psbt: signed, form: Form::default(), unverified: 0 });
        finalize(&mut whole.psbt).unwrap();
    }
}

#[test]
fn a_signature_is_verified_with_what_the_other_copies_tell() {
    let (unsigned, signed) = signed(ScriptKind::Wpkh);
    let mut bare = signed.clone();
    for input in &mut bare.inputs {
        (input.witness_utxo, input.non_witness_utxo) = (None, None);
    }
    assert_eq!(combined(&[&bare, &unsigned]).unwrap().psbt, signed);
    let (code, message) = refusal(&[&bare, &bare]);
    assert_eq!(code, "C14");
    assert!(message.contains("cannot be verified"), "{message}");
    bare.inputs[0].partial_sigs = signed.inputs[1].partial_sigs.clone();
    assert_eq!(refusal(&[&bare, &unsigned]).0, "C14");
}

#[test]
fn forged_signatures_are_refused_in_every_kind_of_field() {
    for kind in KINDS {
        let (unsigned, signed) = signed(kind);
        let mut forged = signed.clone();
        let (first, second) = forged.inputs.split_at_mut(1);
        if kind == ScriptKind::Tr {
            first[0].tap_key_sig = second[0].tap_key_sig;
        } else {
            let other = *second[0].partial_sigs.values().next().unwrap();
            *first[0].partial_sigs.values_mut().next().unwrap() = other;
        }
        assert_eq!(refusal(&[&unsigned, &forged]).0, "C14");
        let (_, message) = refusal(&[&only(&signed, 0), &forged]);
        assert!(message.contains("does not verify"), "the wrong one is named, not a conflict: {message}");
        let mut last = signed.clone();
        finalize(&mut last).unwrap();
        assert!(combined(&[&unsigned, &last]).is_ok());
        let witness = last.inputs[1].final_script_witness.clone();
        last.inputs[0].final_script_witness = witness;
        assert_eq!(refusal(&[&unsigned, &last]).0, "C14", "a final witness");
    }
}

#[test]
fn another_transaction_is_refused_by_its_first_difference() {
    let (unsigned, signed) = signed(ScriptKind::Wpkh);
    let edited = |edit: &dyn Fn(&mut Psbt), expected: &str| {
        let mut psbt = signed.clone();
        edit(&mut psbt);
        let (code, message) = refusal(&[&unsigned, &psbt]);
        assert_eq!(code, "C33");
        assert!(message.contains(expected), "{message}");
    };
    edited(&|psbt| psbt.unsigned_tx.output[0].value = Amount::ONE_BTC, "output 0: amount");
    edited(&|psbt| psbt.unsigned_tx.output[1].script_pubkey = stranger(8), "output 1: address");
    edited(&|psbt| psbt.unsigned_tx.output.swap(0, 1), "output 0: position");
    edited(&|psbt| psbt.unsigned_tx.input[1].sequence = Sequence::MAX, "input 1: sequence");
    edited(&|psbt| psbt.unsigned_tx.input[1].previous_output.vout = 0, "input 1: coin");
    edited(&|psbt| psbt.unsigned_tx.version.0 = 1, "version was 2, is 1");
    edited(&|psbt| psbt.unsigned_tx.lock_time = bitcoin::absolute::LockTime::from_consensus(9), "locktime");
    let other = payment_of(ScriptKind::Wpkh, 8).psbt();
    assert_eq!(refusal(&[&unsigned, &other]).0, "C33");
}

#[test]
fn two_values_for_one_key_are_refused_by_name() {
    let (unsigned, _) = signed(ScriptKind::Wpkh);
    let edited = |edit: &dyn Fn(&mut Psbt), number: &str, expected: &str| {
        let mut psbt = unsigned.clone();
        edit(&mut psbt);
        let (code, message) = refusal(&[&unsigned, &psbt]);
        assert_eq!(code, number, "{message}");
        assert!(message.contains(expected), "{message}");
    };
    edited(
        &|psbt| {
            psbt.outputs[1]
                .bip32_derivation
                .values_mut()
                .for_each(|source| source.0 = Fingerprint::default());
        },
        "C21",
        "output 1: derivation of 0",
    );
    edited(
        &|psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC,
        "C21",
        "input 0: witness UTXO is 0.500 000 00 BTC (50 000 000 sat) to script",
    );
    edited(
        &|psbt| psbt.inputs[1].non_witness_utxo.as_mut().unwrap().output[0].value = Amount::ONE_BTC,
        "C21",
        "input 1: previous transaction",
    );
}

#[test]
fn two_good_signatures_of_one_key_are_a_conflict() {
    let payment = payment(ScriptKind::Tr);
    let mut signed = payment.psbt();
    attach(&mut signed, &payment);
    let mut again = signed.clone();
    let all = bitcoin::TapSighashType::All;
    again.inputs[0].tap_key_sig = Some(payment.key_path_signature(&signed.unsigned_tx, 0, all));
    assert!(combined(&[&again]).is_ok());
    let (code, message) = refusal(&[&signed, &again]);
    assert_eq!(code, "C21");
    assert!(message.contains("input 0: taproot signature is "), "{message}");
}

#[test]
fn amounts_that_contradict_each_other_across_files_are_refused() {
    let (unsigned, _) = signed(ScriptKind::Wpkh);
    let mut lie = unsigned.clone();
    lie.inputs[0].non_witness_utxo = None;
    lie.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC;
    let mut proof = unsigned.clone();
    proof.inputs[0].witness_utxo = None;
    assert_eq!(refusal(&[&lie, &proof]).0, "C02");
}

#[test]
fn a_document_that_does_not_hash_to_its_key_is_refused() {
    let (unsigned, _) = signed(ScriptKind::Wpkh);
    let mut damaged = unsigned.clone();
    let key = ProprietaryKey { prefix: b"airlock".to_vec(), subtype: 3, key: vec![0; 32] };
    damaged.proprietary.insert(key, b"not this".to_vec());
    assert_eq!(refusal(&[&unsigned, &damaged]).0, "C21");
}

#[test]
fn documents_beyond_the_cap_are_refused_together() {
    let (unsigned, _) = signed(ScriptKind::Wpkh);
    let with = |documents: std::ops::Range<u8>| {
        let mut psbt = unsigned.clone();
        let mut envelope = Envelope::default();
        documents.for_each(|n| envelope.insert(Kind::Approval, vec![n]).unwrap());
        envelope.write(&mut psbt);
        psbt
    };
    assert!(combined(&[&with(0..40), &with(24..64)]).is_ok());
    assert_eq!(refusal(&[&with(0..40), &with(25..65)]).0, "C27");
}

#[test]
fn a_partial_signature_of_several_signers_is_united_and_told_as_unverified() {
    let (unsigned, _) = signed(ScriptKind::Tr);
    let key: bitcoin::PublicKey =
        "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
    let mut partial = unsigned.clone();
    let key = Key { type_value: 0x1c, key: [key.to_bytes(), key.to_bytes()].concat() };
    partial.inputs[1].unknown.insert(key, vec![7; 32]);
    let whole = combined(&[&unsigned, &partial]).unwrap();
    assert_eq!((whole.psbt, whole.unverified), (partial, 1));
}

#[test]
fn nothing_is_no_psbt() {
    assert_eq!(combine(&[]).unwrap_err().code(), "malformed");
}

/// A copy with some of the signatures, documents and unknown fields; unknown fields may contradict those of others.
#[derive(Debug, Clone)]
struct Recipe {
    signatures: [bool; 2],
    documents: Vec<(u8, u8)>,
    unknown: Vec<(u8, u8, u8)>,
    bare: [bool; 2],
}

fn recipe() -> impl Strategy<Value = Recipe> {
    (
        any::<[bool; 2]>(),
        proptest::collection::vec((0u8..5, 0u8..3), 0..4),
        proptest::collection::vec((0u8..4, 0u8..12, prop_oneof![9 => Just(0u8), 1 => Just(1u8)]), 0..4),
        any::<[bool; 2]>(),
    )
        .prop_map(|(signatures, documents, unknown, bare)| Recipe {
            signatures,
            documents,
            unknown,
            bare,
        })
}

fn cook(signed: &Psbt, recipe: &Recipe) -> Psbt {
    let mut psbt = signed.clone();
    for (input, keep) in psbt.inputs.iter_mut().zip(recipe.signatures) {
        if !keep {
            input.partial_sigs.clear();
            input.tap_key_sig = None;
        }
    }
    for (input, bare) in psbt.inputs.iter_mut().zip(recipe.bare) {
        if bare {
            input.non_witness_utxo = None;
            input.bip32_derivation.clear();
        }
    }
    let kinds = [Kind::Facts, Kind::Request, Kind::Approval, Kind::Permit, Kind::Receipt];
    let mut envelope = Envelope::default();
    for (kind, n) in &recipe.documents {
        envelope.insert(kinds[usize::from(*kind)], vec![*n]).unwrap();
    }
    envelope.write(&mut psbt);
    for (place, key, value) in &recipe.unknown {
        let (key, value) = (Key { type_value: 0x77, key: vec![*key] }, vec![*value]);
        match place {
            0 => psbt.unknown.insert(key, value),
            1 => psbt.inputs[0].unknown.insert(key, value),
            2 => psbt.inputs[1].unknown.insert(key, value),
            _ => psbt.outputs[1].unknown.insert(key, value),
        };
    }
    psbt
}

#[test]
fn what_files_say_of_themselves_does_not_unite() {
    let (unsigned, signed) = signed(ScriptKind::Wpkh);
    let said = |psbt: &Psbt, sender: &str| {
        let wallet = policies::id::WalletId::of(b"wallet");
        let says = psbt_tools::manifest::Says::new(sender, bitcoin::Network::Regtest, wallet);
        let mut psbt = psbt.clone();
        psbt_tools::manifest::stamp(&mut psbt, &Form::default(), &says).unwrap();
        psbt
    };
    let (a, b) = (said(&unsigned, "a"), said(&signed, "b"));
    assert_ne!(a, unsigned, "the control");
    assert_eq!(combined(&[&a, &b]).unwrap().psbt, signed);
    assert_eq!(combined(&[&b]).unwrap().psbt, signed);
    let other = psbt_tools::diff::diff(&a, &b, None).unwrap();
    other.require_growth().unwrap();
}

/// What a combination comes to; of a refusal its number.
fn outcome(psbts: &[&Psbt]) -> Result<Psbt, String> {
    combined(psbts).map(|combined| combined.psbt).map_err(|error| error.code())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn order_and_repetition_do_not_matter(taproot: bool, recipes in proptest::array::uniform3(recipe())) {
        let (_, signed) = signed(if taproot { ScriptKind::Tr } else { ScriptKind::Wpkh });
        let [a, b, c] = recipes.map(|recipe| cook(&signed, &recipe));
        prop_assert_eq!(outcome(&[&a, &a]), Ok(a.clone()), "idempotent");
        prop_assert_eq!(outcome(&[&a]), Ok(a.clone()), "alone");
        let all = outcome(&[&a, &b, &c]);
        prop_assert_eq!(&outcome(&[&a, &b]), &outcome(&[&b, &a]), "commutative");
        prop_assert_eq!(&outcome(&[&c, &a, &b, &c]), &all);
        if let Ok(all) = &all {
            let pair = outcome(&[&b, &c]).unwrap();
            prop_assert_eq!(&outcome(&[&a, &pair]), &Ok(all.clone()), "associative");
            prop_assert_eq!(&outcome(&[all, &b]), &Ok(all.clone()), "what is in it adds nothing");
            for part in [&a, &b, &c] {
                for (input, united) in part.inputs.iter().zip(&all.inputs) {
                    prop_assert!(input.partial_sigs.iter().all(|(key, _)| united.partial_sigs.contains_key(key)));
                    prop_assert!(input.unknown.iter().all(|pair| united.unknown.iter().any(|of| of == pair)));
                }
                prop_assert!(part.proprietary.iter().all(|pair| all.proprietary.iter().any(|of| of == pair)));
            }
        }
    }
}
