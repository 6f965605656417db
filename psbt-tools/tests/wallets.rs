//! A payment of every kind of wallet: built, read, signed by its keys, finalised, extracted, accepted by Bitcoin Core's
//! script engine.

mod common;

use bitcoin::{Psbt, Transaction};
use common::{Payment, WALLETS, core_accepts, found, imported, payment_after, payment_from};
use policies::check::Outcome;
use policies::examine::FeeBounds;
use policies::signature::InputSignature;
use psbt_tools::export::{attach_signatures, same_transaction};
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::import::Imported;

fn read(psbt: &Psbt, payment: &Payment) -> Imported {
    imported(psbt, std::slice::from_ref(&payment.wallet))
}

/// Finalised, extracted, and accepted.
fn spent(psbt: &Psbt, payment: &Payment) -> Transaction {
    let mut psbt = psbt.clone();
    finalize(&mut psbt).unwrap();
    let once = psbt.clone();
    finalize(&mut psbt).unwrap();
    assert_eq!(psbt, once, "finalising twice changes nothing");
    let transaction = extract(&psbt, &FeeBounds::default()).unwrap();
    assert!(core_accepts(&transaction, payment));
    same_transaction(&payment.spend().unsigned_transaction(), &transaction).unwrap();
    transaction
}

#[test]
fn a_payment_of_every_wallet_is_read_signed_finalised_and_accepted_by_core() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let unsigned = read(&payment.psbt(), &payment);
        assert_eq!(found(&unsigned), [], "{template}");
        assert_eq!(unsigned.spend(), Some(&payment.spend()), "{template}");
        let signed = payment.signed_by(keys);
        assert_eq!(found(&read(&signed, &payment)), [], "{template}");
        let transaction = spent(&signed, &payment);
        let estimate = payment.spend().signed_weight(&payment.wallet);
        assert!(transaction.weight() <= estimate, "{template}: {} of {estimate}", transaction.weight());
    }
}

#[test]
fn signers_come_in_any_order_and_through_the_file() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let mut orders = vec![keys.to_vec()];
        orders.push(keys.iter().rev().copied().collect());
        let transactions: Vec<_> = orders
            .iter()
            .map(|order| {
                let mut bytes = payment.psbt().serialize();
                for key in order {
                    let imported = psbt_tools::import::import(
                        bytes,
                        std::slice::from_ref(&payment.wallet),
                        &Default::default(),
                    )
                    .unwrap();
                    let signatures = payment.signatures_by(&imported.psbt().unsigned_tx, *key);
                    bytes = imported.with_signatures(&signatures, &[]).unwrap();
                }
                spent(&psbt_tools::strict::parse(&bytes).unwrap(), &payment)
            })
            .collect();
        assert_eq!(transactions.first(), transactions.last(), "{template}");
    }
}

#[test]
fn a_final_payment_of_every_wallet_is_read_and_found_good() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let mut psbt = payment.signed_by(keys);
        finalize(&mut psbt).unwrap();
        let fresh = payment.psbt();
        for (input, fresh) in psbt.inputs.iter_mut().zip(fresh.inputs) {
            input.bip32_derivation = fresh.bip32_derivation;
            input.tap_key_origins = fresh.tap_key_origins;
        }
        let imported = read(&psbt, &payment);
        assert_eq!(found(&imported), [], "{template}");
        let verified = imported.findings().iter().find(|f| f.code.to_string() == "C14").unwrap();
        assert_eq!(verified.outcome, Outcome::Pass, "{template}: {}", verified.message);
        assert_eq!(imported.inspection().next_role, "extractor");
        psbt.inputs.swap(0, 1);
        for (input, unsigned) in psbt.inputs.iter_mut().zip(payment.psbt().inputs) {
            let (script_sig, witness) = (input.final_script_sig.take(), input.final_script_witness.take());
            *input = unsigned;
            input.final_script_sig = script_sig;
            input.final_script_witness = witness;
        }
        // Another address's leaf is no leaf of this one.
        let by_leaf = payment.wallet.is_taproot() && keys.len() > 1 || template.contains("{pk(@2)");
        let number = if by_leaf { "C29" } else { "C14" };
        assert_eq!(found(&read(&psbt, &payment)), [(number.to_owned(), Outcome::Refuse)], "{template}");
        assert_eq!(extract(&psbt, &FeeBounds::default()).unwrap_err().code(), "C14", "{template}");
    }
}

#[test]
fn one_signature_too_few_is_named_by_input_and_key() {
    let payment = payment_from("wsh(sortedmulti(2,@0,@1,@2))");
    let mut psbt = payment.signed_by(&[1]);
    let before = psbt.clone();
    let error = finalize(&mut psbt).unwrap_err();
    assert_eq!(psbt, before);
    let names: Vec<_> = [0, 2].iter().map(|n| payment.wallet.keys()[*n].fingerprint.to_string()).collect();
    assert_eq!(error.exit_code(), 4);
    let text = error.to_string();
    assert!(text.starts_with("signatures are missing at inputs 0, 1 (keys "), "{text}");
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    assert!(!text.contains(&payment.wallet.keys()[1].fingerprint.to_string()), "{text}");
}

#[test]
fn who_has_signed_and_who_is_missing_is_shown() {
    let payment = payment_from("wsh(sortedmulti(2,@0,@1,@2))");
    let name = |n: usize| policies::examine::key_name(&payment.wallet, n);
    let shown = |keys: &[usize]| {
        let imported = read(&payment.signed_by(keys), &payment);
        let inspection = imported.inspection();
        let input = &inspection.inputs[1];
        let path = &inspection.paths[0];
        (input.signed_by.clone(), input.missing.clone(), path.open, path.met, inspection.next_role)
    };
    assert_eq!(shown(&[]), (vec![], vec![name(0), name(1), name(2)], true, false, "signer"));
    assert_eq!(shown(&[2]), (vec![name(2)], vec![name(0), name(1)], true, false, "signer"));
    assert_eq!(shown(&[2, 0]), (vec![name(0), name(2)], vec![], true, true, "finalizer"));
}

const INHERITANCE: &str = "wsh(or_d(multi(2,@0,@1),and_v(v:pkh(@2),older(144))))";
const LEAVES: &str = "tr(@0,{and_v(v:pk(@1),older(144)),multi_a(2,@2,@3)})";

#[test]
fn a_timelocked_path_is_taken_when_the_sequence_opens_it() {
    for (template, heir) in [(INHERITANCE, 2), (LEAVES, 1)] {
        let late = payment_after(template, 144);
        let signed = late.signed_by(&[heir]);
        let imported = read(&signed, &late);
        assert_eq!(found(&imported), [], "{template}");
        let waiting = imported.inspection().paths.iter().find(|path| path.older == Some(144)).unwrap();
        assert!(waiting.open && waiting.met, "{template}");
        spent(&signed, &late);

        let early = payment_from(template);
        let mut signed = early.signed_by(&[heir]);
        let imported = read(&signed, &early);
        let waiting = imported.inspection().paths.iter().find(|path| path.older == Some(144)).unwrap();
        assert!(!waiting.open && !waiting.met, "{template}");
        assert_eq!(finalize(&mut signed).unwrap_err().exit_code(), 4, "{template}");
    }
}

#[test]
fn a_hash_locked_path_needs_its_preimage() {
    use bitcoin::hashes::{Hash, sha256};
    let preimage = [7u8; 32];
    let hash = sha256::Hash::hash(&preimage);
    let payment = payment_from(&format!("wsh(and_v(v:pk(@0),sha256({hash})))"));
    let mut psbt = payment.signed_by(&[0]);
    assert_eq!(finalize(&mut psbt.clone()).unwrap_err().code(), "C20");
    for input in &mut psbt.inputs {
        input.sha256_preimages.insert(hash, preimage.to_vec());
    }
    spent(&psbt, &payment);
}

#[test]
fn a_signature_for_another_leaf_or_key_is_not_attached() {
    let payment = payment_from(LEAVES);
    let honest = payment.psbt();
    let good = payment.signatures_by(&honest.unsigned_tx, 2);
    attach_signatures(&mut honest.clone(), &good).unwrap();
    let other_leaf = payment.signatures_by(&honest.unsigned_tx, 1)[0].leaf;
    for edit in [
        &(|s: &mut InputSignature| s.leaf = other_leaf) as &dyn Fn(&mut InputSignature),
        &|s| s.leaf = None,
        &|s| s.leaf = Some(bitcoin::hashes::Hash::all_zeros()),
        &|s| s.public_key[5] ^= 1,
        &|s| s.signature[40] ^= 1,
    ] {
        let mut wrong = good.clone();
        edit(&mut wrong[1]);
        let mut psbt = honest.clone();
        assert_eq!(attach_signatures(&mut psbt, &wrong).unwrap_err().code(), "C28");
        assert_eq!(psbt, honest);
    }
}

#[test]
fn a_wallet_finalises_what_lost_its_scripts() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let mut psbt = payment.signed_by(keys);
        for input in &mut psbt.inputs {
            input.redeem_script = None;
            input.witness_script = None;
            input.tap_scripts.clear();
            input.tap_merkle_root = None;
        }
        let imported = read(&psbt, &payment);
        assert_eq!(found(&imported), [], "{template}");
        spent(&imported.completed(), &payment);
    }
}

#[test]
fn without_a_wallet_fee_rate_and_next_role_are_told_by_the_scripts_in_the_file() {
    for (template, keys) in WALLETS {
        let payment = payment_from(template);
        let role = |psbt: &Psbt| imported(psbt, &[]).inspection().next_role;
        assert_eq!(role(&payment.psbt()), "signer", "{template}");
        let signed = payment.signed_by(keys);
        assert_eq!(role(&signed), "finalizer", "{template}");
        if keys.len() > 1 {
            assert_eq!(role(&payment.signed_by(&keys[..1])), "signer", "{template}");
        }
        let mut last = signed.clone();
        finalize(&mut last).unwrap();
        assert_eq!(role(&last), "extractor", "{template}");

        let bare = imported(&signed, &[]);
        let (bare, known) = (bare.inspection().feerate, read(&signed, &payment).inspection().feerate);
        if template.contains('{') || template.contains("multi_a") {
            assert_eq!(bare, None, "{template}: nobody knows which leaf");
        } else {
            let rate = |rate: psbt_tools::money::Feerate| rate.to_string().parse::<f64>().unwrap();
            let (bare, known) = (rate(bare.unwrap()), rate(known.unwrap()));
            assert!((bare - known).abs() < known / 100.0, "{template}: {bare} {known}");
        }
    }
    let mut psbt = payment_from("wsh(multi(2,@0,@1))").psbt();
    psbt.inputs[1].witness_script = None;
    assert_eq!(imported(&psbt, &[]).inspection().next_role, "updater");
    let mut psbt = payment_from("sh(multi(2,@0,@1))").psbt();
    psbt.inputs[1].redeem_script = None;
    assert_eq!(imported(&psbt, &[]).inspection().next_role, "updater");
}
