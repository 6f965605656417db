//! Checks that need scripts of several keys, nested ones and trees: each hostile file is caught by one number, and the
//! file without that one edit is clean.

mod common;

use bitcoin::bip32::Fingerprint;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::{OP_CHECKMULTISIG, OP_PUSHNUM_2};
use bitcoin::psbt::Psbt;
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use bitcoin::sighash::{EcdsaSighashType, SighashCache, TapSighashType};
use bitcoin::taproot::{LeafVersion, TapLeafHash, TapNodeHash, TapTree, TaprootBuilder};
use bitcoin::{Amount, Network, ScriptBuf, Witness};
use common::{Payment, found, imported, payment_from, purse, stranger};
use policies::check::Outcome;
use policies::wallet::{Branch, Keypath, Lock, Wallet};
use psbt_tools::finalize::finalize;

const PKH: &str = "pkh(@0)";
const NESTED: &str = "sh(wpkh(@0))";
const SH: &str = "sh(sortedmulti(2,@0,@1))";
const SH_WSH: &str = "sh(wsh(sortedmulti(2,@0,@1)))";
const WSH: &str = "wsh(sortedmulti(2,@0,@1))";
const POLICY: &str = "wsh(or_d(multi(2,@0,@1),and_v(v:pkh(@2),older(144))))";
const TREE: &str = "tr(@0,{pk(@1),multi_a(2,@2,@3)})";
const ALL: [&str; 7] = [PKH, NESTED, SH, SH_WSH, WSH, POLICY, TREE];
const SEVERAL: [&str; 5] = [SH, SH_WSH, WSH, POLICY, TREE];

const CHANGE: Keypath = Keypath { branch: Branch::Internal, index: 5 };

fn refuse(number: &str) -> Vec<(String, Outcome)> {
    vec![(number.to_owned(), Outcome::Refuse)]
}

/// What an edit of the honest PSBT leads to; the file without it must be clean.
fn edited(template: &str, edit: impl FnOnce(&mut Psbt, &Payment)) -> Vec<(String, Outcome)> {
    let payment = payment_from(template);
    let mut psbt = payment.psbt();
    assert_eq!(found(&imported(&psbt, std::slice::from_ref(&payment.wallet))), [], "the honest twin");
    edit(&mut psbt, &payment);
    found(&imported(&psbt, std::slice::from_ref(&payment.wallet)))
}

/// The same of the PSBT that the first keys have signed.
fn edited_signed(
    template: &str,
    keys: &[usize],
    edit: impl FnOnce(&mut Psbt, &Payment),
) -> Vec<(String, Outcome)> {
    edited(template, |psbt, payment| {
        *psbt = payment.signed_by(keys);
        assert_eq!(found(&imported(psbt, std::slice::from_ref(&payment.wallet))), [], "the signed twin");
        edit(psbt, payment);
    })
}

/// The honest wallet with one key of somebody else's.
fn swapped(template: &str, key: &str) -> Wallet {
    purse::wallet(&template.replace(key, "@9"), 7, 87).0
}

#[test]
fn c01_a_missing_previous_transaction_of_every_script_before_taproot() {
    for template in [NESTED, SH_WSH, WSH, POLICY] {
        assert_eq!(edited(template, |psbt, _| psbt.inputs[1].non_witness_utxo = None), refuse("C01"));
    }
    for template in [PKH, SH] {
        assert_eq!(edited(template, |psbt, _| psbt.inputs[1].non_witness_utxo = None), refuse("C01"));
    }
}

#[test]
fn c02_a_witness_utxo_beside_a_legacy_input_must_agree() {
    for template in [PKH, SH] {
        let with = |value| {
            edited(template, |psbt, _| {
                let mut claimed = psbt.inputs[0].non_witness_utxo.as_ref().unwrap().output[1].clone();
                claimed.value = Amount::from_sat(value);
                psbt.inputs[0].witness_utxo = Some(claimed);
            })
        };
        assert_eq!(with(50_000_000), []);
        assert_eq!(with(60_000_000), refuse("C02"));
    }
}

#[test]
fn c03_a_legacy_input_with_a_witness_utxo_only() {
    for template in [PKH, SH] {
        assert_eq!(
            edited(template, |psbt, _| {
                let previous = psbt.inputs[0].non_witness_utxo.take().unwrap();
                psbt.inputs[0].witness_utxo = Some(previous.output[1].clone());
            }),
            refuse("C03")
        );
    }
}

#[test]
fn c06_our_origins_with_strangers_keys() {
    for template in SEVERAL {
        assert_eq!(
            edited(template, |psbt, payment| {
                let other = purse::wallet(template, 8, 87).0;
                let theirs = other.derived(CHANGE).unwrap();
                let output = &mut psbt.outputs[1];
                *output = Default::default();
                for (place, key) in theirs.keys.iter().enumerate() {
                    let source = payment.wallet.source(place, CHANGE).unwrap();
                    output.bip32_derivation.insert(key.inner, source);
                }
                psbt.unsigned_tx.output[1].script_pubkey = theirs.script.clone();
            }),
            refuse("C06"),
            "{template}"
        );
    }
}

#[test]
fn c06_our_nested_key_for_a_strangers_script() {
    for template in [PKH, NESTED] {
        assert_eq!(
            edited(template, |psbt, _| {
                psbt.unsigned_tx.output[1].script_pubkey = stranger(8);
                psbt.outputs[1].redeem_script = None;
            }),
            refuse("C06")
        );
    }
}

#[test]
fn c07_a_swapped_cosigner_in_change() {
    for template in SEVERAL {
        for key in ["@0", "@1"] {
            assert_eq!(
                edited(template, |psbt, payment| {
                    let wallet = swapped(template, key);
                    let mut parts = payment.parts.clone();
                    parts.wallet = wallet.id();
                    // What the attacker's own program writes about its change.
                    let theirs = wallet.derived(CHANGE).unwrap();
                    let told = common::described(&wallet, CHANGE);
                    psbt.unsigned_tx.output[1].script_pubkey = theirs.script.clone();
                    psbt.outputs[1] = told;
                }),
                refuse("C07"),
                "{template} without {key}"
            );
        }
    }
}

#[test]
fn c07_cosigners_at_different_indices() {
    assert_eq!(
        edited(WSH, |psbt, payment| {
            let at = |index| payment.wallet.derived(Keypath { index, ..CHANGE }).unwrap().keys.clone();
            let (near, far) = (at(5), at(6));
            let script = ScriptBuf::builder()
                .push_opcode(OP_PUSHNUM_2)
                .push_key(&near[0])
                .push_key(&far[1])
                .push_opcode(OP_PUSHNUM_2)
                .push_opcode(OP_CHECKMULTISIG)
                .into_script();
            psbt.unsigned_tx.output[1].script_pubkey = script.to_p2wsh();
            psbt.outputs[1].witness_script = Some(script);
        }),
        refuse("C07")
    );
}

#[test]
fn c08_change_of_several_keys_beyond_the_gap() {
    for template in SEVERAL {
        let far = |index| {
            let mut payment = payment_from(template);
            let own = Keypath { index, ..CHANGE };
            payment.parts.outputs[1].own = Some(own);
            payment.parts.outputs[1].script = payment.wallet.script(own).unwrap();
            found(&imported(&payment.psbt(), std::slice::from_ref(&payment.wallet)))
        };
        assert_eq!(far(1_004), []);
        assert_eq!(far(1_005), refuse("C08"));
    }
}

#[test]
fn c11_a_coin_of_a_wallet_with_another_cosigner() {
    for template in SEVERAL {
        let payment = payment_from(template);
        let psbt = payment.psbt();
        assert_eq!(found(&imported(&psbt, &[payment.wallet])), []);
        assert_eq!(found(&imported(&psbt, &[swapped(template, "@1")])), refuse("C11"), "{template}");
    }
}

#[test]
fn c12_a_signature_for_a_strangers_input_is_not_put_into_the_file() {
    let payment = payment_from(WSH);
    let mut psbt = payment.psbt();
    let theirs = {
        let (wallet, _) = purse::wallet(WSH, 8, 87);
        let previous = common::funding(&wallet, CHANGE, 50_000_000);
        let mut psbt = psbt.clone();
        psbt.unsigned_tx.input[0].previous_output.txid = previous.compute_txid();
        psbt.inputs[0].witness_utxo = Some(previous.output[1].clone());
        psbt.inputs[0].non_witness_utxo = Some(previous);
        (psbt.unsigned_tx.input[0].clone(), psbt.inputs[0].clone())
    };
    psbt.unsigned_tx.input.push(theirs.0);
    psbt.inputs.push(theirs.1);
    psbt.inputs[2].witness_script = None;
    let imported = imported(&psbt, std::slice::from_ref(&payment.wallet));
    let mut signature = payment.signatures_by(&psbt.unsigned_tx, 0)[0].clone();
    assert!(imported.with_signatures(&[signature.clone()], &[]).is_ok());
    signature.input = 2;
    assert_eq!(imported.with_signatures(&[signature], &[]).unwrap_err().code(), "C12");
}

#[test]
fn c14_a_cosigners_signature_of_another_input_or_type() {
    for template in [PKH, NESTED, SH, SH_WSH, WSH, POLICY] {
        assert_eq!(
            edited_signed(template, &[0], |psbt, _| {
                let other = *psbt.inputs[1].partial_sigs.values().next().unwrap();
                *psbt.inputs[0].partial_sigs.values_mut().next().unwrap() = other;
            }),
            refuse("C14"),
            "{template}"
        );
        for kind in [EcdsaSighashType::None, EcdsaSighashType::Single, EcdsaSighashType::AllPlusAnyoneCanPay]
        {
            assert_eq!(
                edited_signed(template, &[0], |psbt, _| {
                    psbt.inputs[0].partial_sigs.values_mut().next().unwrap().sighash_type = kind;
                }),
                refuse("C14")
            );
        }
    }
    for edit in [
        (|psbt| {
            let other = *psbt.inputs[1].tap_script_sigs.values().next().unwrap();
            *psbt.inputs[0].tap_script_sigs.values_mut().next().unwrap() = other;
        }) as fn(&mut Psbt),
        |psbt| {
            let signature = psbt.inputs[0].tap_script_sigs.values_mut().next().unwrap();
            signature.sighash_type = TapSighashType::None;
        },
    ] {
        assert_eq!(edited_signed(TREE, &[1], |psbt, _| edit(psbt)), refuse("C14"));
    }
}

#[test]
fn c14_a_genuine_signature_by_a_key_that_is_not_in_the_script() {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[5; 32]).unwrap();
    for template in [WSH, POLICY] {
        assert_eq!(
            edited(template, |psbt, _| {
                let input = &psbt.inputs[0];
                let (script, coin) =
                    (input.witness_script.clone().unwrap(), input.witness_utxo.clone().unwrap());
                let digest = SighashCache::new(&psbt.unsigned_tx)
                    .p2wsh_signature_hash(0, &script, coin.value, EcdsaSighashType::All)
                    .unwrap();
                let signature = secp.sign_ecdsa(&Message::from_digest(digest.to_byte_array()), &key);
                psbt.inputs[0]
                    .partial_sigs
                    .insert(key.public_key(&secp).into(), bitcoin::ecdsa::Signature::sighash_all(signature));
            }),
            refuse("C14")
        );
    }
    // A cosigner's signature for a leaf that is another cosigner's.
    assert_eq!(
        edited_signed(TREE, &[1], |psbt, _| {
            let own = psbt.inputs[0].tap_script_sigs.pop_first().unwrap();
            let other = psbt.inputs[0]
                .tap_key_origins
                .iter()
                .find(|(_, (leaves, _))| leaves.first().is_some_and(|leaf| *leaf != own.0.1));
            let key = (own.0.0, other.unwrap().1.0[0]);
            psbt.inputs[0].tap_script_sigs.insert(key, own.1);
        }),
        refuse("C14")
    );
}

#[test]
fn c14_a_final_input_that_does_not_satisfy_its_script() {
    for (template, keys) in
        [(PKH, &[0][..]), (SH, &[0, 1]), (SH_WSH, &[0, 1]), (WSH, &[0, 1]), (POLICY, &[0, 1])]
    {
        let finalised = |edit: fn(&mut Psbt)| {
            edited(template, |psbt, payment| {
                let fresh = psbt.clone();
                *psbt = payment.signed_by(keys);
                finalize(psbt).unwrap();
                for (input, fresh) in psbt.inputs.iter_mut().zip(fresh.inputs) {
                    input.bip32_derivation = fresh.bip32_derivation;
                    input.redeem_script = fresh.redeem_script;
                }
                edit(psbt);
            })
        };
        assert_eq!(finalised(|_| ()), [], "{template}");
        assert_eq!(
            finalised(|psbt| {
                let input = &mut psbt.inputs[0];
                match &mut input.final_script_witness {
                    Some(witness) => {
                        let mut items: Vec<Vec<u8>> = witness.to_vec();
                        items.insert(0, vec![1]);
                        *witness = Witness::from_slice(&items);
                    }
                    None => {
                        let mut bytes = vec![0x51];
                        bytes.extend(input.final_script_sig.as_ref().unwrap().to_bytes());
                        input.final_script_sig = Some(ScriptBuf::from_bytes(bytes));
                    }
                }
            }),
            refuse("C14"),
            "{template}"
        );
    }
}

#[test]
fn c14_a_final_input_whose_locks_are_not_met() {
    let late = common::payment_after(POLICY, 144);
    let mut psbt = late.signed_by(&[2]);
    finalize(&mut psbt).unwrap();
    let fees = policies::examine::FeeBounds::default();
    assert!(psbt_tools::finalize::extract(&psbt, &fees).is_ok());
    psbt.unsigned_tx.input[0].sequence = bitcoin::Sequence::from_height(143);
    assert_eq!(psbt_tools::finalize::extract(&psbt, &fees).unwrap_err().code(), "C14");
}

#[test]
fn c21_scripts_that_do_not_hash_to_what_they_stand_for() {
    let other = || Some(ScriptBuf::from_bytes(vec![0x51]));
    for template in [NESTED, SH, SH_WSH] {
        assert_eq!(edited(template, |psbt, _| psbt.inputs[0].redeem_script = other()), refuse("C21"));
        assert_eq!(edited(template, |psbt, _| psbt.outputs[1].redeem_script = other()), refuse("C21"));
    }
    for template in [SH_WSH, WSH, POLICY] {
        assert_eq!(edited(template, |psbt, _| psbt.inputs[0].witness_script = other()), refuse("C21"));
        assert_eq!(edited(template, |psbt, _| psbt.outputs[1].witness_script = other()), refuse("C21"));
    }
    assert_eq!(edited(WSH, |psbt, _| psbt.inputs[0].witness_script = None), [], "the wallet knows it");
}

#[test]
fn c23_zero_and_colliding_fingerprints_decide_nothing() {
    for template in ALL {
        for fingerprint in [Fingerprint::default(), Fingerprint::from([1, 2, 3, 4])] {
            assert_eq!(
                edited(template, |psbt, _| {
                    for input in &mut psbt.inputs {
                        input.bip32_derivation.values_mut().for_each(|source| source.0 = fingerprint);
                        input.tap_key_origins.values_mut().for_each(|(_, source)| source.0 = fingerprint);
                    }
                    for output in &mut psbt.outputs {
                        output.bip32_derivation.values_mut().for_each(|source| source.0 = fingerprint);
                        output.tap_key_origins.values_mut().for_each(|(_, source)| source.0 = fingerprint);
                    }
                }),
                [],
                "{template}"
            );
        }
    }
}

#[test]
fn c23_cosigners_of_one_fingerprint_are_told_apart_by_their_keys() {
    let honest = payment_from(WSH);
    let prints: Vec<_> = honest.wallet.keys().iter().map(|key| key.fingerprint.to_string()).collect();
    let collide = |branch| {
        let text = honest.wallet.descriptor(branch).replace(&prints[1], &prints[0]);
        text.split('#').next().unwrap().to_owned()
    };
    let mut payment = payment_from(WSH);
    payment.wallet =
        Wallet::new(Network::Regtest, &[collide(Branch::External), collide(Branch::Internal)]).unwrap();
    payment.parts.wallet = payment.wallet.id();
    let mut psbt = payment.psbt();
    let wallets = std::slice::from_ref(&payment.wallet);
    assert_eq!(found(&imported(&psbt, wallets)), []);
    psbt = payment.signed_by(&[1]);
    let read = imported(&psbt, wallets);
    assert_eq!(read.inspection().inputs[0].signed_by, [policies::examine::key_name(&payment.wallet, 1)]);
}

#[test]
fn c29_another_internal_key_tree_or_leaf_in_an_input() {
    let other = payment_from(&TREE.replace("@1", "@9")).psbt();
    let key_path_only = payment_from("tr(@0)").psbt();
    type Edit<'a> = &'a dyn Fn(&mut Psbt);
    let edits: [Edit<'_>; 8] = [
        &|psbt| psbt.inputs[0].tap_internal_key = psbt.inputs[0].tap_key_origins.keys().next_back().copied(),
        &|psbt| psbt.inputs[0].tap_merkle_root = other.inputs[0].tap_merkle_root,
        &|psbt| psbt.inputs[0].tap_merkle_root = Some(TapNodeHash::assume_hidden([3; 32])),
        &|psbt| psbt.inputs[0].tap_scripts.extend(other.inputs[0].tap_scripts.clone()),
        &|psbt| {
            let (_, leaf) = other.inputs[0].tap_scripts.first_key_value().unwrap();
            *psbt.inputs[0].tap_scripts.values_mut().next().unwrap() = leaf.clone();
        },
        &|psbt| {
            let version = LeafVersion::from_consensus(0xc2).unwrap();
            psbt.inputs[0].tap_scripts.values_mut().next().unwrap().1 = version;
        },
        &|psbt| {
            let hash = TapLeafHash::from_byte_array([4; 32]);
            psbt.inputs[0].tap_key_origins.values_mut().next().unwrap().0 = vec![hash];
        },
        &|psbt| {
            let hash = TapLeafHash::from_byte_array([4; 32]);
            let own = psbt.inputs[0].tap_script_sigs.pop_first().unwrap();
            psbt.inputs[0].tap_script_sigs.insert((own.0.0, hash), own.1);
        },
    ];
    for (n, edit) in edits.iter().enumerate() {
        assert_eq!(edited_signed(TREE, &[1], |psbt, _| edit(psbt)), refuse("C29"), "edit {n}");
    }
    let internal = key_path_only.inputs[0].tap_internal_key;
    assert_eq!(edited(WSH, |psbt, _| psbt.inputs[0].tap_internal_key = internal), refuse("C29"));
}

#[test]
fn c29_another_internal_key_tree_or_leaf_in_change() {
    let tree =
        |script: ScriptBuf| TapTree::try_from(TaprootBuilder::new().add_leaf(0, script).unwrap()).unwrap();
    type Edit<'a> = &'a dyn Fn(&mut Psbt);
    let edits: [Edit<'_>; 3] = [
        &|psbt| {
            psbt.outputs[1].tap_internal_key = psbt.outputs[1].tap_key_origins.keys().next_back().copied()
        },
        &|psbt| psbt.outputs[1].tap_tree = Some(tree(stranger(1))),
        &|psbt| {
            let hash = TapLeafHash::from_byte_array([4; 32]);
            psbt.outputs[1].tap_key_origins.values_mut().next().unwrap().0 = vec![hash];
        },
    ];
    for (n, edit) in edits.iter().enumerate() {
        let payment = payment_from(TREE);
        let taproot = payment.wallet.derived(CHANGE).unwrap();
        let Lock::Taproot(_) = &taproot.lock else { panic!("a tree") };
        assert_eq!(edited(TREE, |psbt, _| edit(psbt)), refuse("C29"), "edit {n}");
    }
}

#[test]
fn c29_an_annex_behind_a_script_path() {
    let finalised = |edit: fn(&mut Witness)| {
        edited(TREE, |psbt, payment| {
            let fresh = psbt.clone();
            *psbt = payment.signed_by(&[1]);
            finalize(psbt).unwrap();
            for (input, fresh) in psbt.inputs.iter_mut().zip(fresh.inputs) {
                input.tap_key_origins = fresh.tap_key_origins;
            }
            edit(psbt.inputs[0].final_script_witness.as_mut().unwrap());
        })
    };
    assert_eq!(finalised(|_| ()), []);
    assert_eq!(finalised(|witness| witness.push([0x50, 1])), refuse("C29"));
}

#[test]
fn c30_a_cosigners_extended_key_of_another_network() {
    assert_eq!(
        edited(WSH, |psbt, _| {
            let (xpub, source) = psbt.xpub.pop_first().unwrap();
            let elsewhere = bitcoin::bip32::Xpub { network: Network::Bitcoin.into(), ..xpub };
            psbt.xpub.insert(elsewhere, source);
        }),
        refuse("C30")
    );
}

#[test]
fn c20_a_sequence_that_opens_no_path() {
    // Every path of this wallet waits.
    let waiting = "wsh(and_v(v:pk(@0),older(100)))";
    let with = |blocks| {
        let payment = common::payment_after(waiting, blocks);
        found(&imported(&payment.psbt(), std::slice::from_ref(&payment.wallet)))
    };
    assert_eq!(with(100), []);
    assert_eq!(with(99), refuse("C20"));
}

/// A final PSBT of the late path of `template` with this version and these sequences and locktime, whose signatures are
/// genuine for just those.
fn forced(template: &str, edit: impl Fn(&mut Payment)) -> Psbt {
    let honest = common::payment_after(template, 144);
    let mut signed = honest.signed_by(&[0]);
    let sample = signed.clone();
    finalize(&mut signed).unwrap();
    let mut early = common::payment_after(template, 144);
    edit(&mut early);
    let mut psbt = early.signed_by(&[0]);
    for ((input, signed), sample) in psbt.inputs.iter_mut().zip(&signed.inputs).zip(&sample.inputs) {
        let one = |input: &bitcoin::psbt::Input| input.partial_sigs.values().next().unwrap().to_vec();
        let (genuine, sample) = (one(input), one(sample));
        let items = signed.final_script_witness.as_ref().unwrap().iter();
        let items: Vec<Vec<u8>> =
            items.map(|item| if item == sample { genuine.clone() } else { item.to_vec() }).collect();
        input.partial_sigs.clear();
        input.final_script_witness = Some(Witness::from_slice(&items));
    }
    psbt
}

#[test]
fn c14_genuine_signatures_do_not_open_a_lock() {
    let fees = policies::examine::FeeBounds::default();
    let extracted =
        |psbt: &Psbt| psbt_tools::finalize::extract(psbt, &fees).map(|_| ()).map_err(|error| error.code());
    let relative = "wsh(and_v(v:pk(@0),older(144)))";
    assert_eq!(extracted(&forced(relative, |_| ())), Ok(()));
    // BIP68: version 1 has no relative locks.
    let version_1 = forced(relative, |payment| payment.parts.version = bitcoin::transaction::Version::ONE);
    assert_eq!(extracted(&version_1), Err("C14".to_owned()));

    let absolute = "wsh(and_v(v:pk(@0),after(100)))";
    let at = |height, sequence| {
        let with = |payment: &mut Payment| {
            payment.parts.lock_time = bitcoin::absolute::LockTime::from_consensus(height);
            payment.parts.inputs.iter_mut().for_each(|input| input.sequence = sequence);
        };
        let mut honest = common::payment_after(absolute, 144);
        with(&mut honest);
        let mut psbt = honest.signed_by(&[0]);
        for (at, input) in psbt.inputs.iter_mut().enumerate() {
            let genuine = input.partial_sigs.values().next().unwrap().to_vec();
            let derived = honest.wallet.derived(honest.parts.inputs[at].keypath).unwrap();
            let Lock::Witness { witness_script, .. } = &derived.lock else { panic!("a witness script") };
            input.partial_sigs.clear();
            input.final_script_witness = Some(Witness::from_slice(&[genuine, witness_script.to_bytes()]));
        }
        extracted(&psbt)
    };
    use bitcoin::Sequence;
    assert_eq!(at(100, Sequence::ENABLE_LOCKTIME_NO_RBF), Ok(()));
    assert_eq!(at(99, Sequence::ENABLE_LOCKTIME_NO_RBF), Err("C14".to_owned()));
    // BIP65: a final sequence switches the locktime off.
    assert_eq!(at(100, Sequence::MAX), Err("C14".to_owned()));
}

#[test]
fn c27_strangers_hints_hide_nothing_and_cost_little() {
    assert_eq!(
        edited(WSH, |psbt, _| {
            let secp = Secp256k1::new();
            for n in 1..=200u8 {
                let key = SecretKey::from_slice(&[n; 32]).unwrap().public_key(&secp);
                let path = format!("m/9h/0/{n}").parse().unwrap();
                psbt.outputs[1].bip32_derivation.insert(key, (Fingerprint::from([n; 4]), path));
                psbt.inputs[0].bip32_derivation.insert(key, psbt.outputs[1].bip32_derivation[&key].clone());
            }
        }),
        []
    );
}
