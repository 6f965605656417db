//! Each check has a hostile file that it alone catches; the honest twin, without that one edit, is clean.

mod common;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint};
use bitcoin::psbt::{Psbt, PsbtSighashType};
use bitcoin::{Amount, Network, ScriptBuf, Sequence, Witness};
use common::{KINDS, Payment, found, funding, imported, payment, payment_of, stranger};
use policies::check::Outcome;
use policies::spend::{SpendInput, SpendOutput};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};
use psbt_tools::export::attach_signatures;
use psbt_tools::import::{Context, import};

fn refuse(number: &str) -> Vec<(String, Outcome)> {
    vec![(number.to_owned(), Outcome::Refuse)]
}

fn ask(number: &str) -> Vec<(String, Outcome)> {
    vec![(number.to_owned(), Outcome::Ask)]
}

/// What an edit of the honest PSBT leads to; the file without it must be clean.
fn edited(kind: ScriptKind, edit: impl FnOnce(&mut Psbt, &Payment)) -> Vec<(String, Outcome)> {
    let payment = payment(kind);
    let mut psbt = payment.psbt();
    assert_eq!(found(&imported(&psbt, std::slice::from_ref(&payment.wallet))), [], "the honest twin");
    edit(&mut psbt, &payment);
    found(&imported(&psbt, std::slice::from_ref(&payment.wallet)))
}

fn wpkh(edit: impl FnOnce(&mut Psbt, &Payment)) -> Vec<(String, Outcome)> {
    edited(ScriptKind::Wpkh, edit)
}

fn tr(edit: impl FnOnce(&mut Psbt, &Payment)) -> Vec<(String, Outcome)> {
    edited(ScriptKind::Tr, edit)
}

#[test]
fn c01_a_missing_previous_transaction() {
    assert_eq!(wpkh(|psbt, _| psbt.inputs[1].non_witness_utxo = None), refuse("C01"));
    assert_eq!(tr(|psbt, _| psbt.inputs[1].non_witness_utxo = None), []);
    assert_eq!(tr(|psbt, _| psbt.inputs[1].witness_utxo = None), [], "the other proves the amount");
    let neither = |psbt: &mut Psbt| {
        psbt.inputs[1].non_witness_utxo = None;
        psbt.inputs[1].witness_utxo = None;
    };
    assert_eq!(tr(|psbt, _| neither(psbt)), refuse("C01"));
}

#[test]
fn c01_another_transaction_than_the_one_spent() {
    assert_eq!(
        wpkh(|psbt, _| psbt.inputs[0].non_witness_utxo.as_mut().unwrap().output[1].value = Amount::ONE_BTC),
        refuse("C01")
    );
}

#[test]
fn c02_a_witness_utxo_that_lies() {
    for edit in [
        (|psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().value = Amount::ONE_BTC) as fn(&mut Psbt),
        |psbt| psbt.inputs[0].witness_utxo.as_mut().unwrap().script_pubkey = stranger(5),
    ] {
        assert_eq!(wpkh(|psbt, _| edit(psbt)), refuse("C02"));
    }
}

#[test]
fn c03_a_legacy_input_with_a_witness_utxo_only() {
    assert_eq!(
        wpkh(|psbt, _| {
            let input = &mut psbt.inputs[1];
            input.non_witness_utxo = None;
            input.witness_utxo.as_mut().unwrap().script_pubkey =
                ScriptBuf::new_p2sh(&stranger(1).script_hash());
        }),
        refuse("C03")
    );
}

#[test]
fn c04_an_output_index_out_of_range() {
    for vout in [2, u32::MAX] {
        assert_eq!(wpkh(|psbt, _| psbt.unsigned_tx.input[0].previous_output.vout = vout), refuse("C04"));
    }
}

#[test]
fn c06_our_key_for_a_strangers_script() {
    for kind in KINDS {
        assert_eq!(
            edited(kind, |psbt, _| psbt.unsigned_tx.output[1].script_pubkey = stranger(8)),
            refuse("C06")
        );
    }
}

#[test]
fn c06_our_key_under_a_strangers_fingerprint() {
    let under = |script: Option<ScriptBuf>| {
        wpkh(|psbt, _| {
            for source in psbt.outputs[1].bip32_derivation.values_mut() {
                source.0 = Fingerprint::from([1, 2, 3, 4]);
            }
            if let Some(script) = script {
                psbt.unsigned_tx.output[1].script_pubkey = script;
            }
        })
    };
    assert_eq!(under(None), []);
    assert_eq!(under(Some(stranger(8))), refuse("C06"));
}

#[test]
fn c23_a_wallet_with_a_zero_fingerprint_claims_no_strangers_outputs() {
    let mut payment = payment(ScriptKind::Wpkh);
    let fingerprint = payment.wallet.descriptor(Branch::External)[6..14].to_owned();
    let anonymous = |branch| {
        let descriptor = payment.wallet.descriptor(branch).replace(&fingerprint, "00000000");
        descriptor.split('#').next().unwrap().to_owned()
    };
    payment.wallet =
        Wallet::new(Network::Regtest, &[anonymous(Branch::External), anonymous(Branch::Internal)]).unwrap();
    payment.parts.wallet = payment.wallet.id();
    let mut psbt = payment.psbt();
    let other = payment_of(ScriptKind::Wpkh, 8).wallet;
    let at = Keypath { branch: Branch::Internal, index: 5 };
    let source = psbt.outputs[1].bip32_derivation.values().next().unwrap().clone();
    psbt.outputs[0].bip32_derivation.insert(other.public_key(at).unwrap().inner, source);
    assert_eq!(found(&imported(&psbt, &[payment.wallet])), []);
}

#[test]
fn c06_our_origin_with_a_strangers_key() {
    assert_eq!(
        wpkh(|psbt, _| {
            let other = payment_of(ScriptKind::Wpkh, 8).wallet;
            let at = Keypath { branch: Branch::Internal, index: 5 };
            let (_, source) = psbt.outputs[1].bip32_derivation.pop_first().unwrap();
            psbt.outputs[1].bip32_derivation.insert(other.public_key(at).unwrap().inner, source);
            psbt.unsigned_tx.output[1].script_pubkey = other.script(at).unwrap();
        }),
        refuse("C06")
    );
}

#[test]
fn c06_our_internal_key_with_a_hidden_script_tree() {
    assert_eq!(
        tr(|psbt, payment| {
            let key = payment.wallet.public_key(Keypath { branch: Branch::Internal, index: 5 }).unwrap();
            let internal = key.inner.x_only_public_key().0;
            let root = bitcoin::taproot::TapNodeHash::assume_hidden([3; 32]);
            psbt.unsigned_tx.output[1].script_pubkey =
                ScriptBuf::new_p2tr(policies::wallet::secp(), internal, Some(root));
        }),
        refuse("C06")
    );
}

#[test]
fn a_strangers_own_derivation_is_no_claim() {
    assert_eq!(
        wpkh(|psbt, _| {
            let other = payment_of(ScriptKind::Wpkh, 8).psbt();
            psbt.outputs[0] = other.outputs[1].clone();
        }),
        []
    );
}

#[test]
fn c08_change_beyond_the_gap() {
    let far = |index| {
        let mut payment = payment(ScriptKind::Wpkh);
        let own = Keypath { branch: Branch::Internal, index };
        payment.parts.outputs[1].own = Some(own);
        payment.parts.outputs[1].script = payment.wallet.script(own).unwrap();
        found(&imported(&payment.psbt(), &[payment.wallet.clone()]))
    };
    assert_eq!(far(1_004), []);
    assert_eq!(far(1_005), refuse("C08"));
}

/// The honest payment with one more input, proven, of another wallet.
fn with_foreign_input() -> (Psbt, Payment, Wallet) {
    let payment = payment(ScriptKind::Wpkh);
    let other = payment_of(ScriptKind::Wpkh, 8);
    let (mut psbt, theirs) = (payment.psbt(), other.psbt());
    psbt.unsigned_tx.input.push(theirs.unsigned_tx.input[0].clone());
    psbt.inputs.push(theirs.inputs[0].clone());
    psbt.unsigned_tx.output[1].value += Amount::from_sat(50_000_000);
    (psbt, payment, other.wallet)
}

#[test]
fn c10_inputs_of_two_registered_wallets() {
    let (psbt, payment, other) = with_foreign_input();
    assert_eq!(found(&imported(&psbt, &[other, payment.wallet])), refuse("C10"));
}

#[test]
fn c11_a_strangers_input() {
    let (psbt, payment, _) = with_foreign_input();
    assert_eq!(found(&imported(&psbt, &[payment.wallet])), refuse("C11"));
}

#[test]
fn c11_a_wallet_that_is_not_registered() {
    let (psbt, other) = (payment(ScriptKind::Wpkh).psbt(), payment_of(ScriptKind::Wpkh, 8).wallet);
    let imported = imported(&psbt, &[other]);
    assert_eq!(found(&imported), refuse("C11"));
    assert_eq!(imported.cleared().unwrap_err().exit_code(), 3);
}

#[test]
fn c13_a_sighash_type_that_does_not_sign_everything() {
    for kind in KINDS {
        for sighash in [0x02u32, 0x03, 0x81, 0x82, 0x83, 0x05, 0x1_0001] {
            assert_eq!(
                edited(kind, |psbt, _| psbt.inputs[0].sighash_type =
                    Some(PsbtSighashType::from_u32(sighash))),
                refuse("C13"),
                "{sighash:x}"
            );
        }
        let all = PsbtSighashType::from_u32(1);
        assert_eq!(edited(kind, |psbt, _| psbt.inputs[0].sighash_type = Some(all)), []);
    }
    assert_eq!(tr(|psbt, _| psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(0))), []);
    assert_eq!(
        wpkh(|psbt, _| psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(0))),
        refuse("C13")
    );
}

fn signed(psbt: &mut Psbt, payment: &Payment) {
    let signatures = payment.signatures(&psbt.unsigned_tx);
    attach_signatures(psbt, &signatures).unwrap();
}

#[test]
fn c14_signatures_already_there() {
    for kind in KINDS {
        assert_eq!(edited(kind, signed), []);
    }
    let swap = |psbt: &mut Psbt, payment: &Payment| {
        signed(psbt, payment);
        let other = *psbt.inputs[1].partial_sigs.values().next().unwrap();
        *psbt.inputs[0].partial_sigs.values_mut().next().unwrap() = other;
    };
    assert_eq!(wpkh(swap), refuse("C14"));
    assert_eq!(
        wpkh(|psbt, payment| {
            signed(psbt, payment);
            let (key, signature) = psbt.inputs[1].partial_sigs.pop_first().unwrap();
            psbt.inputs[0].partial_sigs.insert(key, signature);
        }),
        refuse("C14")
    );
    assert_eq!(
        wpkh(|psbt, payment| {
            signed(psbt, payment);
            psbt.inputs[0].partial_sigs.values_mut().next().unwrap().sighash_type =
                bitcoin::EcdsaSighashType::None;
        }),
        refuse("C14")
    );
    assert_eq!(
        tr(|psbt, payment| {
            signed(psbt, payment);
            psbt.inputs[0].tap_key_sig = psbt.inputs[1].tap_key_sig;
        }),
        refuse("C14")
    );
    assert_eq!(
        tr(|psbt, payment| {
            signed(psbt, payment);
            psbt.inputs[0].tap_key_sig.as_mut().unwrap().sighash_type = bitcoin::TapSighashType::None;
        }),
        refuse("C14")
    );
}

#[test]
fn c14_a_genuine_signature_that_leaves_the_outputs_open() {
    use bitcoin::TapSighashType::{All, AllPlusAnyoneCanPay, Default, None, Single};
    let with = |kind| {
        tr(|psbt, payment| {
            psbt.inputs[0].tap_key_sig = Some(payment.key_path_signature(&psbt.unsigned_tx, 0, kind));
        })
    };
    for kind in [Default, All] {
        assert_eq!(with(kind), []);
    }
    for kind in [None, Single, AllPlusAnyoneCanPay] {
        assert_eq!(with(kind), refuse("C14"), "{kind}");
    }
}

#[test]
fn c14_a_genuine_signature_by_another_key() {
    use bitcoin::hashes::Hash;
    let secp = bitcoin::secp256k1::Secp256k1::new();
    assert_eq!(
        wpkh(|psbt, _| {
            let coin = psbt.inputs[0].witness_utxo.clone().unwrap();
            let digest = bitcoin::sighash::SighashCache::new(&psbt.unsigned_tx)
                .p2wpkh_signature_hash(0, &coin.script_pubkey, coin.value, bitcoin::EcdsaSighashType::All)
                .unwrap();
            let key = bitcoin::secp256k1::SecretKey::from_slice(&[5; 32]).unwrap();
            let message = bitcoin::secp256k1::Message::from_digest(digest.to_byte_array());
            let signature = bitcoin::ecdsa::Signature::sighash_all(secp.sign_ecdsa(&message, &key));
            psbt.inputs[0].partial_sigs.insert(key.public_key(&secp).into(), signature);
        }),
        refuse("C14")
    );
}

#[test]
fn c14_finalised_inputs_are_verified_too() {
    for kind in KINDS {
        let finalised = |psbt: &mut Psbt, payment: &Payment| {
            signed(psbt, payment);
            psbt_tools::finalize::finalize(psbt).unwrap();
            // Finalising removes the derivations; the wallet is found by them.
            let fresh = payment.psbt();
            for (input, fresh) in psbt.inputs.iter_mut().zip(fresh.inputs) {
                input.bip32_derivation = fresh.bip32_derivation;
                input.tap_key_origins = fresh.tap_key_origins;
            }
        };
        assert_eq!(edited(kind, finalised), []);
        assert_eq!(
            edited(kind, |psbt, payment| {
                finalised(psbt, payment);
                psbt.inputs[0].final_script_witness = psbt.inputs[1].final_script_witness.clone();
            }),
            refuse("C14")
        );
        assert_eq!(
            edited(kind, |psbt, payment| {
                finalised(psbt, payment);
                psbt.inputs[0].final_script_sig = Some(ScriptBuf::from_bytes(vec![0]));
            }),
            refuse("C14")
        );
    }
}

#[test]
fn c15_the_same_coin_twice() {
    assert_eq!(
        wpkh(|psbt, _| {
            psbt.unsigned_tx.input.push(psbt.unsigned_tx.input[0].clone());
            psbt.inputs.push(psbt.inputs[0].clone());
            psbt.unsigned_tx.output[1].value += Amount::from_sat(50_000_000);
        }),
        refuse("C15")
    );
}

#[test]
fn c16_an_absurd_and_a_high_fee() {
    let less_change = |sat| wpkh(|psbt, _| psbt.unsigned_tx.output[1].value -= Amount::from_sat(sat));
    assert_eq!(less_change(6_000_000), refuse("C16"));
    assert_eq!(less_change(100_000), ask("C16"));
}

#[test]
fn c17_outputs_above_the_inputs_or_above_all_money() {
    assert_eq!(wpkh(|psbt, _| psbt.unsigned_tx.output[1].value += Amount::from_sat(10_001)), refuse("C17"));
    assert_eq!(wpkh(|psbt, _| psbt.unsigned_tx.output[1].value = Amount::MAX), refuse("C17"));
}

#[test]
fn c18_dust() {
    let pay = |sat| {
        wpkh(|psbt, _| {
            psbt.unsigned_tx
                .output
                .push(bitcoin::TxOut { value: Amount::from_sat(sat), script_pubkey: stranger(4) });
            psbt.outputs.push(Default::default());
            psbt.unsigned_tx.output[1].value -= Amount::from_sat(sat);
        })
    };
    assert_eq!(pay(293), refuse("C18"));
    assert_eq!(pay(294), []);
}

#[test]
fn c19_an_op_return_asks_and_is_shown_whole() {
    let payment = payment(ScriptKind::Wpkh);
    let mut psbt = payment.psbt();
    psbt.unsigned_tx.output.push(bitcoin::TxOut {
        value: Amount::ZERO,
        script_pubkey: ScriptBuf::new_op_return(b"pay \x1b[2J"),
    });
    psbt.outputs.push(Default::default());
    let imported = imported(&psbt, &[payment.wallet]);
    assert_eq!(found(&imported), ask("C19"));
    let message = &imported.findings().iter().find(|f| f.outcome == Outcome::Ask).unwrap().message;
    assert!(message.contains("6a08706179201b5b324a") && message.contains("pay \\x1b[2J"), "{message}");
    assert!(!message.contains('\x1b'));
}

fn locked(lock_time: u32, context: Context) -> Vec<(String, Outcome)> {
    let mut payment = payment(ScriptKind::Wpkh);
    payment.parts.lock_time = LockTime::from_consensus(lock_time);
    found(&import(payment.psbt().serialize(), &[payment.wallet], &context).unwrap())
}

#[test]
fn c20_a_locktime_far_ahead() {
    let tip = Context { tip_height: Some(1_000), ..Context::default() };
    assert_eq!(locked(1_144, tip), []);
    assert_eq!(locked(1_145, tip), ask("C20"));
    let now = Context { now: Some(1_700_000_000), ..Context::default() };
    assert_eq!(locked(1_700_086_400, now), []);
    assert_eq!(locked(1_700_086_401, now), ask("C20"));
    assert_eq!(locked(20_000_000, Context::default()), [], "shown, as no tip is known");
    assert_eq!(locked(400_000_000, Context::default()), ask("C20"), "no test network is that high");
}

#[test]
fn c20_a_height_that_mainnet_cannot_have_reached() {
    let on_mainnet = |height| {
        let mut payment = payment(ScriptKind::Wpkh);
        payment.parts.lock_time = LockTime::from_consensus(height);
        let context =
            Context { network: Some(Network::Bitcoin), now: Some(1_700_000_000), ..Context::default() };
        found(&import(payment.psbt().serialize(), &[], &context).unwrap())
    };
    // Block 816 804 was mined at that time.
    assert_eq!(on_mainnet(816_804), []);
    assert_eq!(on_mainnet(900_000), ask("C20"));
}

#[test]
fn c20_a_long_relative_lock() {
    let sequence = |sequence: Sequence| {
        let mut payment = payment(ScriptKind::Wpkh);
        payment.parts.inputs[0].sequence = sequence;
        found(&imported(&payment.psbt(), &[payment.wallet.clone()]))
    };
    assert_eq!(sequence(Sequence::from_height(144)), []);
    assert_eq!(sequence(Sequence::from_height(145)), ask("C20"));
    assert_eq!(sequence(Sequence::from_512_second_intervals(169)), ask("C20"));
    assert_eq!(sequence(Sequence::MAX), []);
}

#[test]
fn c21_a_redeem_script_on_a_native_input() {
    assert_eq!(wpkh(|psbt, _| psbt.inputs[0].redeem_script = Some(stranger(2))), refuse("C21"));
    assert_eq!(wpkh(|psbt, _| psbt.inputs[0].witness_script = Some(stranger(2))), refuse("C21"));
}

#[test]
fn c21_an_extended_key_whose_path_is_not_as_long_as_its_depth() {
    let payment = payment(ScriptKind::Wpkh);
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let account = bitcoin::bip32::Xpub::from_priv(&secp, &payment.account);
    let read = |path: &str| {
        let mut psbt = payment.psbt();
        psbt.xpub.insert(account, (Fingerprint::default(), path.parse().unwrap()));
        import(psbt.serialize(), &[], &Context::default()).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(read("m/84h/1h/0h"), Ok(()));
    assert_eq!(read("m/84h/1h"), Err("C21".to_owned()));
}

#[test]
fn c22_foreign_fields_are_counted_and_kept() {
    use bitcoin::psbt::raw::{Key, ProprietaryKey};
    let payment = payment(ScriptKind::Wpkh);
    let mut psbt = payment.psbt();
    psbt.inputs[0].unknown.insert(Key { type_value: 0x77, key: vec![1] }, vec![2]);
    psbt.proprietary.insert(ProprietaryKey { prefix: b"x".to_vec(), subtype: 0, key: vec![] }, vec![3]);
    let imported = imported(&psbt, &[payment.wallet]);
    assert_eq!(found(&imported), []);
    let finding = imported.findings().iter().find(|f| f.code.to_string() == "C22").unwrap();
    assert!(finding.message.starts_with("1 unknown and 1 foreign proprietary"), "{}", finding.message);
    let again = psbt_tools::strict::parse(&imported.with_envelope(imported.envelope())).unwrap();
    assert_eq!(again, psbt);
}

#[test]
fn c23_a_zero_or_foreign_fingerprint_decides_nothing() {
    for fingerprint in [Fingerprint::default(), Fingerprint::from([1, 2, 3, 4])] {
        assert_eq!(
            wpkh(|psbt, _| {
                for source in psbt.inputs.iter_mut().flat_map(|i| i.bip32_derivation.values_mut()) {
                    source.0 = fingerprint;
                }
            }),
            []
        );
    }
}

#[test]
fn c23_a_strangers_coin_under_our_fingerprint_is_not_ours() {
    let (mut psbt, payment, _) = with_foreign_input();
    let ours = psbt.inputs[0].bip32_derivation.values().next().unwrap().0;
    for source in psbt.inputs[2].bip32_derivation.values_mut() {
        source.0 = ours;
    }
    assert_eq!(found(&imported(&psbt, &[payment.wallet])), refuse("C11"));
}

#[test]
fn c29_script_path_fields_for_a_key_path_wallet() {
    let internal = payment_of(ScriptKind::Tr, 8).psbt().inputs[0].tap_internal_key;
    let root = bitcoin::taproot::TapNodeHash::assume_hidden([3; 32]);
    assert_eq!(tr(|psbt, _| psbt.inputs[0].tap_internal_key = internal), refuse("C29"));
    assert_eq!(tr(|psbt, _| psbt.inputs[0].tap_merkle_root = Some(root)), refuse("C29"));
    assert_eq!(tr(|psbt, _| psbt.outputs[1].tap_internal_key = internal), refuse("C29"));
    assert_eq!(wpkh(|psbt, _| psbt.inputs[0].tap_internal_key = internal), refuse("C29"));
    let tree = bitcoin::taproot::TaprootBuilder::new().add_leaf(0, stranger(1)).unwrap();
    let tree = bitcoin::taproot::TapTree::try_from(tree).unwrap();
    assert_eq!(tr(|psbt, _| psbt.outputs[1].tap_tree = Some(tree)), refuse("C29"));
    assert_eq!(
        tr(|psbt, payment| {
            signed(psbt, payment);
            let signature = psbt.inputs[0].tap_key_sig.take().unwrap();
            let mut witness = Witness::p2tr_key_spend(&signature);
            witness.push([0x50, 1]);
            psbt.inputs[0].final_script_witness = Some(witness);
        }),
        refuse("C29")
    );
}

#[test]
fn c30_an_extended_key_of_another_network() {
    let key = |network| {
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let master = bitcoin::bip32::Xpriv::new_master(network, &[1; 32]).unwrap();
        bitcoin::bip32::Xpub::from_priv(&secp, &master)
    };
    let with = |network| {
        wpkh(|psbt, _| {
            psbt.xpub.insert(key(network), (Fingerprint::default(), DerivationPath::master()));
        })
    };
    assert_eq!(with(Network::Bitcoin), refuse("C30"));
    assert_eq!(with(Network::Regtest), []);
}

#[test]
fn c30_a_wallet_of_another_network_than_meant() {
    let payment = payment(ScriptKind::Wpkh);
    let meant = |network| {
        let context = Context { network: Some(network), ..Context::default() };
        found(&import(payment.psbt().serialize(), std::slice::from_ref(&payment.wallet), &context).unwrap())
    };
    assert_eq!(meant(Network::Regtest), []);
    assert_eq!(meant(Network::Signet), refuse("C30"));
}

#[test]
fn c31_change_that_costs_more_than_it_is_worth() {
    let mut payment = payment(ScriptKind::Wpkh);
    payment.parts.outputs[0].value = Amount::from_sat(99_989_700);
    payment.parts.outputs[1].value = Amount::from_sat(300);
    assert_eq!(found(&imported(&payment.psbt(), &[payment.wallet.clone()])), ask("C31"));
}

#[test]
fn without_a_wallet_the_numbers_are_still_checked() {
    let found_without = |edit: fn(&mut Psbt)| {
        let mut psbt = payment(ScriptKind::Wpkh).psbt();
        edit(&mut psbt);
        let imported = imported(&psbt, &[]);
        assert!(imported.spend().is_none());
        found(&imported)
    };
    assert_eq!(found_without(|_| ()), []);
    assert_eq!(found_without(|p| p.unsigned_tx.output[1].value = Amount::from_sat(1_000)), refuse("C16"));
    assert_eq!(found_without(|p| p.unsigned_tx.output[1].value = Amount::MAX_MONEY), refuse("C17"));
    assert_eq!(found_without(|p| p.unsigned_tx.output[1].value = Amount::ONE_SAT), refuse("C18"));
    assert_eq!(found_without(|p| p.inputs[0].non_witness_utxo = None), refuse("C01"));
}

#[test]
fn an_outcome_lists_every_check_that_failed_and_all_numbers_in_order() {
    let (mut psbt, payment, _) = with_foreign_input();
    psbt.inputs[0].sighash_type = Some(PsbtSighashType::from_u32(2));
    psbt.unsigned_tx.lock_time = LockTime::from_consensus(1_900_000_000);
    let context = Context { now: Some(1_700_000_000), ..Context::default() };
    let imported = import(psbt.serialize(), &[payment.wallet], &context).unwrap();
    let numbers: Vec<_> = found(&imported).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, ["C11", "C13", "C20"]);
    let mut all: Vec<_> = imported.findings().iter().map(|f| f.code.to_string()).collect();
    all.dedup();
    assert_eq!(all, (1..=34).map(|n| format!("C{n:02}")).collect::<Vec<_>>());
}

#[test]
fn a_hardened_or_third_branch_is_never_ours() {
    for path in ["m/84h/1h/0h/2/5", "m/84h/1h/0h/1/5h"] {
        let outcome = wpkh(|psbt, _| {
            for source in psbt.outputs[1].bip32_derivation.values_mut() {
                source.1 = path.parse().unwrap();
            }
        });
        assert_eq!(outcome, refuse("C06"), "{path}: our origin, and no place of ours");
    }
    let hardened: Vec<ChildNumber> = vec![];
    assert_eq!(
        wpkh(|psbt, _| {
            for source in psbt.outputs[1].bip32_derivation.values_mut() {
                *source = (Fingerprint::default(), hardened.clone().into());
            }
        }),
        [],
        "without a hint change is shown as a recipient's"
    );
}

#[test]
fn many_outputs_are_all_shown() {
    let mut payment = payment(ScriptKind::Wpkh);
    payment.parts.outputs.extend((0..300u32).map(|n| SpendOutput {
        value: Amount::from_sat(1_000),
        script: stranger((n % 200) as u8),
        own: None,
    }));
    payment.parts.outputs[1].value -= Amount::from_sat(300_000);
    let imported = imported(&payment.psbt(), &[payment.wallet.clone()]);
    assert_eq!(imported.inspection().outputs.len(), 302);
    assert_eq!(imported.inspection().to_json()["outputs"].as_array().unwrap().len(), 302);
}

#[test]
fn twins_on_two_networks_are_told_apart_by_the_network_that_is_meant() {
    let payment = payment(ScriptKind::Wpkh);
    let signet = Wallet::new(
        Network::Signet,
        &[payment.wallet.descriptor(Branch::External), payment.wallet.descriptor(Branch::Internal)],
    )
    .unwrap();
    for order in [[signet.clone(), payment.wallet.clone()], [payment.wallet.clone(), signet]] {
        let context = Context { network: Some(Network::Regtest), ..Context::default() };
        let imported = import(payment.psbt().serialize(), &order, &context).unwrap();
        assert_eq!(found(&imported), []);
        assert_eq!(imported.wallet().unwrap().network(), Network::Regtest);
    }
}

#[test]
fn a_proven_input_raises_the_reach_of_change() {
    let mut payment = payment(ScriptKind::Wpkh);
    let far = Keypath { branch: Branch::Internal, index: 3_000 };
    let previous = funding(&payment.wallet, far, 50_000_000);
    payment.parts.inputs[1] = SpendInput {
        outpoint: bitcoin::OutPoint { txid: previous.compute_txid(), vout: 1 },
        keypath: far,
        ..payment.parts.inputs[1].clone()
    };
    let all = payment.evidence.transactions().cloned().chain([previous]);
    payment.evidence = policies::evidence::Evidence::new(all);
    let own = Keypath { branch: Branch::Internal, index: 3_001 };
    payment.parts.outputs[1].own = Some(own);
    payment.parts.outputs[1].script = payment.wallet.script(own).unwrap();
    assert_eq!(found(&imported(&payment.psbt(), &[payment.wallet.clone()])), []);
}
