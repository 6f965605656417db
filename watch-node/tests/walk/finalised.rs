//! Files that another wallet has finalised already: they say no more whose their coins are, and are taken all the same.

use bitcoin::psbt::Input;
use bitcoin::{Psbt, Witness};
use psbt_tools::finalize::finalize;
use psbt_tools::form::Form;
use serde_json::{Value, json};

use crate::Walk;
use crate::cosigners::{fingerprint, funded, sign};
use crate::pay::TO;
use crate::people::{SINGLE, Vault};

fn finalised(mut psbt: Psbt) -> Psbt {
    finalize(&mut psbt).unwrap();
    assert!(psbt.inputs.iter().all(|input| input.bip32_derivation.is_empty()));
    psbt
}

fn read(walk: &Walk, name: &str) -> Psbt {
    Psbt::deserialize(&walk.read(name)).unwrap()
}

/// What an input was finalised with and nothing else.
fn bare(psbt: &Psbt) -> Psbt {
    let mut bare = Psbt::from_unsigned_tx(psbt.unsigned_tx.clone()).unwrap();
    for (input, of) in bare.inputs.iter_mut().zip(&psbt.inputs) {
        *input = Input {
            final_script_sig: of.final_script_sig.clone(),
            final_script_witness: of.final_script_witness.clone(),
            ..Input::default()
        };
    }
    bare
}

#[test]
fn a_finalised_file_is_taken_with_its_documents_and_so_is_one_that_says_nothing_else() {
    for kind in SINGLE {
        let vault = Vault::new(kind, 8);
        for is_bare in [false, true] {
            let walk = Walk::funded(&vault);
            walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
            let answer = vault.answer(&walk.read("a.psbt"), Some(5), Some(8));
            let mut psbt = finalised(Psbt::deserialize(&answer).unwrap());
            if is_bare {
                psbt = bare(&psbt);
            }
            walk.write("final.psbt", &psbt.serialize());
            let told = walk.done("submit final.psbt")["submitted"][0].clone();
            let kept = u64::from(!is_bare);
            assert_eq!((&told["permits"], &told["receipts"]), (&json!(kept), &json!(kept)));
            assert_eq!(told["txid"], psbt.extract_tx_unchecked_fee_rate().compute_txid().to_string());
            assert_eq!(walk.done("submit final.psbt")["submitted"][0]["again"], true);
            walk.done("regtest mine 1");
            walk.done("sync");
            assert_eq!(walk.state(), "confirmed");
            match is_bare {
                // Nobody has permitted it.
                true => walk.refused("reconcile", 3, "unauthorised"),
                false => assert_eq!(walk.done("reconcile")["verdict"], "clean"),
            }
        }
    }
}

#[test]
fn a_finalised_file_with_a_wrong_signature_or_of_another_transaction_is_refused() {
    for kind in SINGLE {
        let vault = Vault::new(kind, 8);
        let walk = Walk::funded(&vault);
        walk.done(&format!("pay savings --to {TO}=0.4btc --feerate 5 -o a.psbt"));
        let asked = read(&walk, "a.psbt");
        let signed = finalised(vault.sign_psbt(&walk.read("a.psbt")));

        let mut forged = signed.clone();
        let input = &mut forged.inputs[0];
        match &input.final_script_witness {
            Some(witness) => {
                let mut items = witness.to_vec();
                items[0][20] ^= 1;
                input.final_script_witness = Some(Witness::from_slice(&items));
            }
            None => {
                let mut bytes = input.final_script_sig.clone().unwrap().into_bytes();
                bytes[20] ^= 1;
                input.final_script_sig = Some(bytes.into());
            }
        }
        for file in [bare(&forged), forged] {
            walk.write("forged.psbt", &file.serialize());
            walk.refused("submit forged.psbt", 3, "C14");
        }

        let mut empty = bare(&signed);
        empty.inputs[0].final_script_sig = None;
        empty.inputs[0].final_script_witness = Some(Witness::from_slice(&[[0u8; 0]]));
        walk.write("empty.psbt", &empty.serialize());
        walk.refused("submit empty.psbt", 3, "C14");

        let mut altered = asked.clone();
        altered.unsigned_tx.output[0].value -= bitcoin::Amount::from_sat(1);
        let altered = finalised(vault.sign_psbt(&altered.serialize()));
        for file in [bare(&altered), altered] {
            walk.write("altered.psbt", &file.serialize());
            walk.refused("submit altered.psbt", 3, "C33");
        }

        // Another's scripts and coins are not taken for ours.
        let mut lying = signed.clone();
        lying.inputs[0].witness_utxo = asked.inputs[0].non_witness_utxo.as_ref().map(|previous| {
            let vout = usize::try_from(asked.unsigned_tx.input[0].previous_output.vout).unwrap();
            let mut output = previous.output[vout].clone();
            output.value += bitcoin::Amount::ONE_SAT;
            output
        });
        lying.inputs[0].non_witness_utxo = None;
        walk.write("lying.psbt", &lying.serialize());
        walk.refused("submit lying.psbt", 3, "C02");
        assert_eq!(walk.state(), "exported");
        walk.write("signed.psbt", &signed.serialize());
        walk.done("submit signed.psbt");
    }
}

/// Wallets of several keys, and two that are enough.
const SHARED: [(&str, [u8; 2]); 4] = [
    ("wsh(sortedmulti(2,K1,K2,K3))", [1, 3]),
    ("sh(wsh(multi(2,K1,K2,K3)))", [3, 2]),
    ("sh(sortedmulti(2,K1,K2,K3))", [2, 1]),
    ("tr(K1,multi_a(2,K2,K3))", [2, 3]),
];

#[test]
fn two_of_three_that_were_combined_and_finalised_are_broadcast() {
    for (template, [first, second]) in SHARED {
        let walk = funded(template, 2);
        walk.done(&format!("pay savings --to {TO}=0.15btc --feerate 5 -o a.psbt"));
        sign(&walk, first, "a.psbt", "first.psbt", |_| true);
        sign(&walk, second, "first.psbt", "both.psbt", |_| true);
        let psbt = finalised(read(&walk, "both.psbt"));
        walk.write("final.psbt", &psbt.serialize());
        // Version 2 says the same in other words.
        let form = Form::default().to_version_2(&psbt).unwrap();
        walk.write("final-2.psbt", &form.serialize(&psbt));
        walk.done("submit final-2.psbt");
        assert_eq!(walk.done("submit final.psbt")["submitted"][0]["again"], true);
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.state(), "confirmed", "{template}");
    }
}

#[test]
fn an_input_that_is_final_goes_with_one_that_another_file_completes() {
    for (template, [first, second]) in SHARED {
        for in_one_file in [false, true] {
            let walk = funded(template, 2);
            walk.done(&format!("pay savings --to {TO}=0.15btc --feerate 5 -o a.psbt"));
            sign(&walk, first, "a.psbt", "first.psbt", |_| true);
            sign(&walk, second, "first.psbt", "both.psbt", |_| true);
            let both = read(&walk, "both.psbt");
            let mut mixed = if in_one_file { both.clone() } else { read(&walk, "first.psbt") };
            mixed.inputs[0] = finalised(both).inputs[0].clone();
            walk.write("mixed.psbt", &mixed.serialize());
            if !in_one_file {
                walk.refused("submit mixed.psbt", 4, "signatures-missing");
                let signed = walk.done("payments show 1")["cosigning"]["signed"].clone();
                assert_eq!(signed.as_array().unwrap().len(), 2, "{template}: {signed}");
                for (n, inputs) in [(first, 2), (second, 1)] {
                    let of = |key: &&Value| key["name"].as_str().unwrap().ends_with(&fingerprint(n));
                    let key = signed.as_array().unwrap().iter().find(of).unwrap();
                    assert_eq!(key["inputs"], inputs, "{template}: {signed}");
                }
                sign(&walk, second, "a.psbt", "last.psbt", |at| at == 1);
                walk.done("submit last.psbt");
            } else {
                walk.done("submit mixed.psbt");
            }
            walk.done("regtest mine 1");
            walk.done("sync");
            assert_eq!(walk.state(), "confirmed", "{template}");
        }
    }
}

#[test]
fn a_wrong_signature_beside_a_final_input_is_refused_and_nothing_is_kept() {
    let walk = funded("wsh(sortedmulti(2,K1,K2,K3))", 2);
    walk.done(&format!("pay savings --to {TO}=0.15btc --feerate 5 -o a.psbt"));
    sign(&walk, 1, "a.psbt", "first.psbt", |_| true);
    sign(&walk, 2, "first.psbt", "both.psbt", |_| true);
    let mut mixed = read(&walk, "first.psbt");
    mixed.inputs[0] = finalised(read(&walk, "both.psbt")).inputs[0].clone();
    let mut items = mixed.inputs[0].final_script_witness.clone().unwrap().to_vec();
    items[1][20] ^= 1;
    mixed.inputs[0].final_script_witness = Some(Witness::from_slice(&items));
    walk.write("forged.psbt", &mixed.serialize());
    walk.refused("submit forged.psbt", 3, "C14");
    assert_eq!(walk.done("payments show 1")["cosigning"]["signed"], json!([]));
}

#[test]
fn the_preimage_in_a_final_input_opens_the_others() {
    let preimage = [7; 32];
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(&preimage);
    for template in
        [format!("wsh(and_v(v:pk(K1),sha256({hash})))"), format!("sh(wsh(and_v(v:pk(K1),sha256({hash}))))")]
    {
        let walk = funded(&template, 2);
        walk.done(&format!("pay savings --to {TO}=0.15btc --feerate 5 -o a.psbt"));
        sign(&walk, 1, "a.psbt", "signed.psbt", |_| true);
        let mut mixed = read(&walk, "signed.psbt");
        let mut whole = mixed.clone();
        for input in &mut whole.inputs {
            input.sha256_preimages.insert(hash, preimage.to_vec());
        }
        mixed.inputs[0] = finalised(whole).inputs[0].clone();
        walk.refused("submit signed.psbt", 4, "preimage-missing");
        walk.write("mixed.psbt", &mixed.serialize());
        walk.done("submit mixed.psbt");
    }
}
