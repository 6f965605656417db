//! Where one comparison decides: what is wrong in one of several parts only, and what is honest but looks like a fault.

mod common;

use bitcoin::hashes::Hash;
use bitcoin::psbt::{Input, Psbt};
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::taproot::LeafVersion;
use bitcoin::{Amount, PublicKey, ScriptBuf, Sequence, Transaction, Witness, ecdsa};
use common::{Payment, found, funding, imported, payment_after, payment_from, purse};
use policies::check::Outcome;
use policies::evidence::Evidence;
use policies::wallet::{Branch, Keypath, Lock, Wallet};
use psbt_tools::Error;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::finalize::finalize;
use psbt_tools::import::{Context, Imported, import};

const PKH: &str = "pkh(@0)";
const NESTED: &str = "sh(wpkh(@0))";
const WPKH: &str = "wpkh(@0)";
const TR: &str = "tr(@0)";
const SH: &str = "sh(sortedmulti(2,@0,@1))";
const POLICY: &str = "wsh(or_d(multi(2,@0,@1),and_v(v:pkh(@2),older(144))))";
const TREE: &str = "tr(@0,{pk(@1),multi_a(2,@2,@3)})";

fn refuse(number: &str) -> Vec<(String, Outcome)> {
    vec![(number.to_owned(), Outcome::Refuse)]
}

fn read(psbt: &Psbt, payment: &Payment) -> Imported {
    imported(psbt, std::slice::from_ref(&payment.wallet))
}

/// What a reader says who has registered nothing, but for the missing wallet.
fn unregistered(psbt: &Psbt) -> Imported {
    imported(psbt, &[])
}

fn said(imported: &Imported, number: &str) -> String {
    let all = imported.findings().iter().filter(|finding| finding.code.to_string() == number);
    all.map(|finding| finding.message.clone()).collect::<Vec<_>>().join("; ")
}

/// The derivations that finalising removed; the wallet is found by them.
fn described_again(psbt: &mut Psbt, payment: &Payment) {
    for (input, fresh) in psbt.inputs.iter_mut().zip(payment.psbt().inputs) {
        input.bip32_derivation = fresh.bip32_derivation;
        input.tap_key_origins = fresh.tap_key_origins;
    }
}

fn finalised(payment: &Payment, keys: &[usize]) -> Psbt {
    let mut psbt = payment.signed_by(keys);
    finalize(&mut psbt).unwrap();
    described_again(&mut psbt, payment);
    psbt
}

/// A payment of two coins that one transaction made, both at this keypath or the second elsewhere.
fn from_one_transaction(template: &str, second: Keypath) -> Payment {
    let mut payment = payment_from(template);
    let first = Keypath { branch: Branch::External, index: 0 };
    let mut previous = funding(&payment.wallet, first, 50_000_000);
    previous.output.push(funding(&payment.wallet, second, 50_000_000).output[1].clone());
    for (vout, (input, keypath)) in payment.parts.inputs.iter_mut().zip([first, second]).enumerate() {
        input.outpoint.txid = previous.compute_txid();
        input.outpoint.vout = u32::try_from(vout).unwrap() + 1;
        input.keypath = keypath;
    }
    payment.evidence = Evidence::new([previous]);
    payment
}

#[test]
fn c01_one_transaction_is_not_two_at_two_inputs() {
    let second = Keypath { branch: Branch::Internal, index: 4 };
    for template in [PKH, WPKH, NESTED] {
        let payment = from_one_transaction(template, second);
        let honest = payment.psbt();
        assert_eq!(found(&read(&honest, &payment)), [], "{template}");
        let edits: [fn(&mut Transaction); 5] = [
            |previous| previous.output[2].value += Amount::ONE_SAT,
            |previous| previous.input[0].sequence = Sequence::ZERO,
            |previous| previous.version.0 += 1,
            |previous| previous.input.push(previous.input[0].clone()),
            |previous| previous.output[0].value += Amount::ONE_SAT,
        ];
        for edit in edits {
            for at in [0, 1] {
                let mut psbt = honest.clone();
                edit(psbt.inputs[at].non_witness_utxo.as_mut().unwrap());
                let found = found(&read(&psbt, &payment));
                assert_eq!(found, refuse("C01"), "{template}, input {at}");
            }
        }
    }
}

#[test]
fn c01_coins_of_unknown_worth_are_nobodys() {
    let payment = payment_from(WPKH);
    let mut psbt = payment.psbt();
    for input in &mut psbt.inputs {
        (input.non_witness_utxo, input.witness_utxo) = (None, None);
    }
    assert_eq!(found(&read(&psbt, &payment)), refuse("C01"));
}

#[test]
fn c03_a_redeem_script_makes_no_native_script_nested() {
    let payment = payment_from(PKH);
    let mut psbt = payment.psbt();
    let previous = psbt.inputs[0].non_witness_utxo.take().unwrap();
    psbt.inputs[0].witness_utxo = Some(previous.output[1].clone());
    psbt.inputs[0].redeem_script = Some(common::stranger(3));
    assert_eq!(found(&read(&psbt, &payment)), refuse("C03"));
}

#[test]
fn c14_coins_that_share_a_script_before_segwit_have_a_digest_each() {
    for template in [PKH, SH] {
        let keys: Vec<usize> = (0..template.matches('@').count()).collect();
        let payment = from_one_transaction(template, Keypath { branch: Branch::External, index: 0 });
        assert_eq!(found(&read(&payment.signed_by(&keys), &payment)), [], "{template}");
        assert_eq!(found(&read(&finalised(&payment, &keys), &payment)), [], "{template}");
    }
}

#[test]
fn c14_signatures_of_scripts_that_are_not_told_stay_unjudged() {
    // The redeem script is not told, so that nobody knows what the signatures are over.
    let mut untold = payment_from(SH).signed_by(&[0, 1]);
    untold.inputs.iter_mut().for_each(|input| input.redeem_script = None);
    let unjudged = unregistered(&untold);
    assert!(!found(&unjudged).iter().any(|(number, _)| number == "C14"));
    assert!(said(&unjudged, "C14").starts_with("0 signatures verify, 4 of other scripts"));
    // A taproot signature commits to every coin, and one is not known.
    let payment = payment_from(TR);
    let mut psbt = payment.signed_by(&[0]);
    (psbt.inputs[1].non_witness_utxo, psbt.inputs[1].witness_utxo) = (None, None);
    assert_eq!(found(&read(&psbt, &payment)), refuse("C01"));
    assert!(said(&read(&psbt, &payment), "C14").contains("were not verified here"));
}

#[test]
fn c14_final_inputs_of_scripts_that_are_no_miniscript_stay_unjudged() {
    let mut psbt = payment_from(WPKH).psbt();
    let script = ScriptBuf::from_bytes(vec![0x51, 0x51, 0x93, 0x52, 0x87]); // 1 1 ADD 2 EQUAL
    let coin = bitcoin::TxOut { value: Amount::from_sat(50_000_000), script_pubkey: script.to_p2wsh() };
    psbt.inputs[0] = Input {
        witness_utxo: Some(coin),
        final_script_witness: Some(Witness::from_slice(&[script.to_bytes()])),
        ..Input::default()
    };
    let unjudged = unregistered(&psbt);
    assert_eq!(said(&unjudged, "C14"), "0 signatures verify, 1 of other scripts were not verified here");
}

#[test]
fn c14_an_annex_behind_a_key_path_is_named() {
    let mut psbt = finalised(&payment_from(TR), &[0]);
    psbt.inputs[0].final_script_witness.as_mut().unwrap().push([0x50, 1]);
    assert!(said(&unregistered(&psbt), "C14").contains("its witness has an annex"));
    let payment = payment_from(TREE);
    let mut psbt = finalised(&payment, &[0]);
    assert_eq!(found(&read(&psbt, &payment)), []);
    psbt.inputs[0].final_script_witness.as_mut().unwrap().push([0x50, 1]);
    assert_eq!(found(&read(&psbt, &payment)), refuse("C29"));
    assert!(said(&read(&psbt, &payment), "C29").ends_with("is finalised with an annex"));
}

#[test]
fn c14_a_final_nested_input_pushes_its_own_program_and_nothing_else() {
    let payment = payment_from(NESTED);
    let honest = finalised(&payment, &[0]);
    assert_eq!(found(&read(&honest, &payment)), []);
    // A genuine signature by a stranger's key over the stranger's program.
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[5; 32]).unwrap();
    let public_key = PublicKey::new(key.public_key(&secp));
    let program = ScriptBuf::new_p2wpkh(&public_key.wpubkey_hash().unwrap());
    let mut psbt = honest.clone();
    let value = payment.parts.inputs[0].value;
    let digest = SighashCache::new(&psbt.unsigned_tx)
        .p2wpkh_signature_hash(0, &program, value, EcdsaSighashType::All)
        .unwrap();
    let signature =
        ecdsa::Signature::sighash_all(secp.sign_ecdsa(&Message::from_digest(digest.to_byte_array()), &key));
    psbt.inputs[0].final_script_sig = Some(ScriptBuf::from_bytes([&[22], program.as_bytes()].concat()));
    psbt.inputs[0].final_script_witness = Some(Witness::p2wpkh(&signature, &public_key.inner));
    assert_eq!(found(&read(&psbt, &payment)), refuse("C14"));
    // The own program behind another byte than its length: Core does not take it for a push.
    let mut psbt = honest;
    let mut bytes = psbt.inputs[0].final_script_sig.as_ref().unwrap().to_bytes();
    bytes[0] = 0x51;
    psbt.inputs[0].final_script_sig = Some(ScriptBuf::from_bytes(bytes));
    assert_eq!(found(&read(&psbt, &payment)), refuse("C14"));
}

#[test]
fn c21_a_redeem_script_beside_a_native_one_does_not_make_its_signature_wrong() {
    let mut psbt = payment_from(WPKH).signed_by(&[0]);
    psbt.inputs[0].redeem_script = Some(ScriptBuf::from_bytes(vec![0x51]));
    let found: Vec<_> = found(&unregistered(&psbt)).into_iter().map(|(number, _)| number).collect();
    assert!(found.contains(&"C21".to_owned()) && !found.contains(&"C14".to_owned()), "{found:?}");
}

#[test]
fn c29_says_whether_the_wallet_has_a_tree() {
    for (template, part) in [(TR, "key path only"), (TREE, "script trees"), (WPKH, "no taproot input")] {
        let payment = payment_from(template);
        let said = said(&read(&payment.psbt(), &payment), "C29");
        assert!(said.contains(part), "{template}: {said}");
    }
}

#[test]
fn c29_a_leaf_is_finalised_behind_its_own_proof() {
    let payment = payment_from(TREE);
    let honest = finalised(&payment, &[1]);
    assert_eq!(found(&read(&honest, &payment)), []);
    let other = finalised(&payment, &[2, 3]);
    let mut psbt = honest.clone();
    let (own, other) = (&honest.inputs[0].final_script_witness, &other.inputs[0].final_script_witness);
    let mut items = own.as_ref().unwrap().to_vec();
    *items.last_mut().unwrap() = other.as_ref().unwrap().last().unwrap().to_vec();
    psbt.inputs[0].final_script_witness = Some(Witness::from_slice(&items));
    assert_eq!(found(&read(&psbt, &payment)), refuse("C29"));
}

#[test]
fn the_next_role_of_a_strangers_payment_is_found_out() {
    for template in [WPKH, TR, POLICY, TREE] {
        let payment = payment_from(template);
        assert_eq!(unregistered(&payment.psbt()).inspection().next_role, "signer", "{template}");
        let keys: Vec<usize> = (0..payment.keys.len()).collect();
        let mut psbt = payment.signed_by(&keys);
        assert_eq!(unregistered(&psbt).inspection().next_role, "finalizer", "{template}");
        psbt.inputs[0].partial_sigs.clear();
        psbt.inputs[0].tap_key_sig = None;
        psbt.inputs[0].tap_script_sigs.clear();
        assert_eq!(unregistered(&psbt).inspection().next_role, "signer", "{template}");
        finalize(&mut payment.signed_by(&keys)).unwrap();
    }
}

#[test]
fn a_payment_that_contradicts_itself_is_not_finalised() {
    let mut psbt = payment_from(WPKH).signed_by(&[0]);
    psbt.inputs[0].non_witness_utxo.as_mut().unwrap().output[1].value += Amount::ONE_SAT;
    assert_eq!(finalize(&mut psbt).unwrap_err().code(), "C01");
}

#[test]
fn finalising_keeps_proprietary_fields() {
    let mut psbt = payment_from(WPKH).signed_by(&[0]);
    let key = bitcoin::psbt::raw::ProprietaryKey { prefix: b"x".to_vec(), subtype: 5, key: vec![1] };
    psbt.inputs[0].proprietary.insert(key, vec![2]);
    let before = psbt.inputs[0].proprietary.clone();
    finalize(&mut psbt).unwrap();
    assert_eq!(psbt.inputs[0].proprietary, before);
}

#[test]
fn of_several_signed_leaves_the_smallest_witness_is_taken() {
    // Control blocks, and with them the order in which leaves are tried, differ from wallet to wallet.
    for template in [TREE, "tr(@0,{multi_a(2,@1,@2),pk(@3)})", "tr(@1,{pk(@0),multi_a(2,@3,@2)})"] {
        let payment = payment_from(template);
        let mut psbt = payment.signed_by(&[0, 1, 2, 3]);
        psbt.inputs.iter_mut().for_each(|input| input.tap_key_sig = None);
        finalize(&mut psbt).unwrap();
        for input in &psbt.inputs {
            // Signature, leaf of one key, control block.
            let witness = input.final_script_witness.as_ref().unwrap();
            assert_eq!((witness.len(), witness.second_to_last().unwrap().len()), (3, 34), "{template}");
        }
    }
}

/// The names of who has not signed the first input.
fn missing(psbt: &Psbt) -> Vec<String> {
    match finalize(&mut psbt.clone()) {
        Err(Error::SignaturesMissing(missing)) => missing[0].keys.clone(),
        other => panic!("{other:?}"),
    }
}

fn fingerprints(wallet: &Wallet, keys: &[usize]) -> Vec<String> {
    let mut names: Vec<_> = keys.iter().map(|key| wallet.keys()[*key].fingerprint.to_string()).collect();
    names.sort();
    names
}

#[test]
fn keys_that_stand_in_a_script_as_their_hash_are_named_when_they_have_not_signed() {
    let payment = payment_after(POLICY, 144);
    assert_eq!(missing(&payment.psbt()), fingerprints(&payment.wallet, &[0, 1, 2]));
    let payment = payment_after("tr(@0,and_v(v:pkh(@1),older(144)))", 144);
    assert_eq!(missing(&payment.psbt()), fingerprints(&payment.wallet, &[0, 1]));
    let payment = payment_from("wsh(and_v(v:pk(@0),pkh(@1)))");
    let mut psbt = payment.signed_by(&[0]);
    assert_eq!(missing(&psbt), fingerprints(&payment.wallet, &[1]));
    psbt.inputs[0].bip32_derivation.clear();
    assert_eq!(missing(&psbt), Vec::<String>::new(), "who it is is not told");
    finalize(&mut payment.signed_by(&[1, 0])).unwrap();
}

#[test]
fn a_leaf_that_the_output_does_not_commit_to_asks_for_nobody() {
    let payment = payment_from(TREE);
    let mut psbt = payment.psbt();
    let honest = missing(&psbt);
    let (wallet, _) = purse::wallet("tr(@0,pk(@1))", 9, 87);
    let Lock::Taproot(other) = &wallet.derived(payment.parts.inputs[0].keypath).unwrap().lock else {
        panic!()
    };
    let leaf = &other.leaves[0];
    psbt.inputs[0]
        .tap_scripts
        .insert(leaf.control_block.clone(), (leaf.script.clone(), LeafVersion::TapScript));
    assert_eq!(missing(&psbt), honest);
}

#[test]
fn a_leaf_that_waits_is_told_from_one_that_is_not_signed() {
    let payment = payment_from("tr(@0,and_v(v:pk(@1),older(144)))");
    assert!(!missing(&payment.psbt()).is_empty());
    let mut psbt = payment.signed_by(&[1]);
    assert!(!psbt.inputs[0].tap_script_sigs.is_empty(), "signed before its time");
    assert_eq!(finalize(&mut psbt).unwrap_err().code(), "C20");
}

#[test]
fn what_was_read_is_given_back() {
    let payment = payment_from(WPKH);
    let mut psbt = payment.psbt();
    let imported = read(&psbt, &payment);
    assert!(imported.envelope().is_empty());
    let (spend, wallet) = imported.cleared().unwrap();
    assert_eq!((spend, wallet), (&payment.spend(), &payment.wallet));
    assert_eq!(imported.form().version(), 0);
    let second = psbt_tools::convert::to_version_2(&psbt.serialize()).unwrap();
    let second = import(second, std::slice::from_ref(&payment.wallet), &Context::default()).unwrap();
    assert_eq!((second.form().version(), second.spend()), (2, imported.spend()));
    assert_eq!(imported.sha256(), imported.document().sha256());
    assert_ne!(imported.sha256(), read(&payment_from(TR).psbt(), &payment).sha256());
    let mut envelope = Envelope::default();
    envelope.insert(Kind::Request, vec![1, 2, 3]).unwrap();
    envelope.write(&mut psbt);
    assert_eq!(read(&psbt, &payment).envelope(), &envelope);
    psbt.inputs[0].sighash_type = Some(EcdsaSighashType::None.into());
    assert_eq!(read(&psbt, &payment).cleared().unwrap_err().code(), "C13");
    let nobodys = unregistered(&payment_from(WPKH).psbt());
    assert_eq!(nobodys.cleared().unwrap_err().code(), "C11");
}
