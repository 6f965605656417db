//! Every kind of wallet: what its cosigners' vaults release spends the coin, says Bitcoin Core's script engine.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::DerivationPath;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::hashes::sha256;
use bitcoin::sign_message::signed_msg_hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, NetworkKind, OutPoint, Sequence, TxIn, WPubkeyHash};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};
use miniscript::{Satisfier, ToPublicKey};
use policies::check::Finding;
use policies::clear::{Dossier, Journal, Say, clear};
use policies::evidence::Evidence;
use policies::examine::Marks;
use policies::history::History;
use policies::id::{SpendId, VaultId};
use policies::message::bip322;
use policies::message::bip322::ClaimedCoin;
use policies::policy::Policy;
use policies::spend::{SpendOutput, SpendParts};

use super::*;
use crate::secret::Secret;

const H: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
const PREIMAGE: [u8; 32] = [0x5a; 32];

/// The account of the cosigner with this number, BIP48 script type 2.
fn account(n: u8) -> Account {
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    Account::at(&Secret::take(&mut [n; 64]).unwrap(), NetworkKind::Test, path.as_ref()).unwrap()
}

/// A wallet whose descriptor names the cosigners' keys as @1, @2 and @3; @1' is the first one's on other branches.
fn wallet(descriptor: &str) -> Wallet {
    let mut text = descriptor
        .replace("HASH", &sha256::Hash::hash(&PREIMAGE).to_string())
        .replace("NOBODY", H)
        .replace("@1'", &format!("{}/<2;3>/*", account(1).key()));
    for n in 1..=3 {
        text = text.replace(&format!("@{n}"), &format!("{}/<0;1>/*", account(n).key()));
    }
    Wallet::new(Network::Regtest, &[text]).unwrap()
}

struct Paying {
    spend: Spend,
    evidence: Evidence,
}

/// Coins of 0.01 BTC at both branches; half is paid, the rest less a fee comes back.
fn paying(wallet: &Wallet, inputs: u32, sequence: Sequence, lock_time: LockTime) -> Paying {
    let at = |n: u32| Keypath { branch: Branch::ALL[usize::try_from(n % 2).unwrap()], index: n };
    let coin = |n: u32| Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(n),
        input: vec![TxIn::default()],
        output: vec![TxOut {
            value: Amount::from_sat(1_000_000),
            script_pubkey: wallet.script(at(n)).unwrap(),
        }],
    };
    let previous: Vec<_> = (0..inputs).map(coin).collect();
    let half = Amount::from_sat(500_000) * u64::from(inputs);
    let change = Keypath { branch: Branch::Internal, index: 9 };
    let stranger = ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
    let own = SpendOutput {
        value: half - Amount::from_sat(2_000) * u64::from(inputs),
        script: wallet.script(change).unwrap(),
        own: Some(change),
    };
    let spend = Spend::new(SpendParts {
        network: Network::Regtest,
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time,
        inputs: (0..inputs)
            .zip(&previous)
            .map(|(n, previous)| SpendInput {
                outpoint: OutPoint::new(previous.compute_txid(), 0),
                sequence,
                value: previous.output[0].value,
                keypath: at(n),
            })
            .collect(),
        outputs: vec![SpendOutput { value: half, script: stranger, own: None }, own],
    });
    Paying { spend: spend.unwrap(), evidence: Evidence::new(previous) }
}

/// What the vault of a cosigner releases.
fn signed(paying: &Paying, wallet: &Wallet, n: u8) -> Result<Vec<InputSignature>, Vec<Finding>> {
    let account = account(n);
    let dossier = Dossier {
        spend: &paying.spend,
        evidence: &paying.evidence,
        wallet,
        wallet_name: "main",
        key: wallet.key_of(&account.key().xpub).unwrap(),
        vault: VaultId::from_bytes([1; 32]),
        request: None,
        approvals: &[],
        permits: &[],
        now: 1_800_000_000,
    };
    let policy = Policy::standalone("main", None).unwrap();
    let cleared = clear(&dossier, Say::Operator(&policy), &Fresh::default(), &[])?;
    Ok(sign(&cleared, wallet, &account).unwrap())
}

/// What was signed for one input, by everybody together.
struct Satisfied<'a> {
    signatures: Vec<&'a InputSignature>,
    locks: Locks,
}

impl Satisfied<'_> {
    fn taproot(&self, key: Option<&[u8]>, leaf: Option<TapLeafHash>) -> Option<bitcoin::taproot::Signature> {
        let found = self
            .signatures
            .iter()
            .find(|signature| signature.leaf == leaf && key.is_none_or(|key| signature.public_key == key));
        bitcoin::taproot::Signature::from_slice(&found?.signature).ok()
    }
}

impl<Pk: miniscript::MiniscriptKey + ToPublicKey> Satisfier<Pk> for Satisfied<'_> {
    fn lookup_ecdsa_sig(&self, key: &Pk) -> Option<bitcoin::ecdsa::Signature> {
        let key = key.to_public_key().to_bytes();
        let found = self.signatures.iter().find(|signature| signature.public_key == key)?;
        bitcoin::ecdsa::Signature::from_slice(&found.signature).ok()
    }

    fn lookup_tap_key_spend_sig(&self) -> Option<bitcoin::taproot::Signature> {
        self.taproot(None, None)
    }

    fn lookup_tap_leaf_script_sig(
        &self,
        key: &Pk,
        leaf: &TapLeafHash,
    ) -> Option<bitcoin::taproot::Signature> {
        self.taproot(Some(&key.to_x_only_pubkey().serialize()), Some(*leaf))
    }

    fn lookup_sha256(&self, _: &Pk::Sha256) -> Option<[u8; 32]> {
        Some(PREIMAGE)
    }

    fn check_older(&self, needed: bitcoin::relative::LockTime) -> bool {
        self.locks.sequence.to_relative_lock_time().is_some_and(|given| needed.is_implied_by(given))
    }

    fn check_after(&self, needed: LockTime) -> bool {
        needed.is_implied_by(self.locks.lock_time)
    }
}

/// Whether the script engine accepts what the signatures come to; `false` where they are not enough.
fn spends(paying: &Paying, wallet: &Wallet, signatures: &[InputSignature]) -> bool {
    let inputs = paying.spend.inputs().iter();
    let coins: Vec<_> = inputs.map(|input| (input.keypath, input.value)).collect();
    satisfies(paying.spend.unsigned_transaction(), &coins, wallet, signatures)
}

/// The same for any transaction of the wallet's coins.
fn satisfies(
    mut transaction: Transaction,
    coins: &[(Keypath, Amount)],
    wallet: &Wallet,
    signatures: &[InputSignature],
) -> bool {
    let mut prevouts = Vec::new();
    let (version, lock_time) = (transaction.version, transaction.lock_time);
    for (index, (keypath, value)) in coins.iter().enumerate() {
        let of_input = |signature: &&InputSignature| usize::try_from(signature.input) == Ok(index);
        let satisfied = Satisfied {
            signatures: signatures.iter().filter(of_input).collect(),
            locks: Locks { version, lock_time, sequence: transaction.input[index].sequence },
        };
        let descriptor = wallet.definite(*keypath).unwrap();
        let descriptor = descriptor.derived_descriptor(policies::wallet::secp()).unwrap();
        if descriptor.satisfy(&mut transaction.input[index], satisfied).is_err() {
            return false;
        }
        prevouts.push(TxOut { value: *value, script_pubkey: wallet.script(*keypath).unwrap() });
    }
    let bytes = serialize(&transaction);
    let utxo = |output: &TxOut| Utxo {
        script_pubkey: output.script_pubkey.as_bytes().as_ptr(),
        script_pubkey_len: u32::try_from(output.script_pubkey.len()).unwrap(),
        value: i64::try_from(output.value.to_sat()).unwrap(),
    };
    let utxos: Vec<_> = prevouts.iter().map(utxo).collect();
    prevouts.iter().enumerate().all(|(index, output)| {
        let (script, value) = (output.script_pubkey.as_bytes(), output.value.to_sat());
        let flags = VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT;
        verify_with_flags(script, value, &bytes, Some(&utxos), index, flags).is_ok()
    })
}

const SOON: Sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
const TEN: Sequence = Sequence(10);

#[test]
fn what_enough_cosigners_release_spends_and_less_does_not() {
    // Descriptor, who signs, sequence, locktime, signatures that each gives for an input.
    for (descriptor, signers, sequence, lock_time, each) in [
        ("pkh(@1)", &[1][..], SOON, 0, 1),
        ("sh(wpkh(@1))", &[1], SOON, 0, 1),
        ("wpkh(@1)", &[1], SOON, 0, 1),
        ("tr(@1)", &[1], SOON, 0, 1),
        ("sh(multi(2,@1,@2))", &[1, 2], SOON, 0, 1),
        ("sh(sortedmulti(2,@1,@2,@3))", &[3, 1], SOON, 0, 1),
        ("sh(wsh(sortedmulti(2,@1,@2,@3)))", &[2, 3], SOON, 0, 1),
        ("wsh(multi(2,@1,@2,@3))", &[2, 1], SOON, 0, 1),
        ("wsh(sortedmulti(3,@1,@2,@3))", &[3, 2, 1], SOON, 0, 1),
        ("tr(NOBODY,multi_a(2,@1,@2,@3))", &[1, 3], SOON, 0, 1),
        ("tr(@1,{pk(@2),and_v(v:pk(@3),older(10))})", &[1], SOON, 0, 1),
        ("tr(@1,{pk(@2),and_v(v:pk(@3),older(10))})", &[2], SOON, 0, 1),
        ("tr(@1,{pk(@2),and_v(v:pk(@3),older(10))})", &[3], TEN, 0, 1),
        ("tr(NOBODY,{and_v(v:pk(@1),pk(@2)),and_v(v:pk(@1'),older(10))})", &[1], TEN, 0, 2),
        ("wsh(or_d(multi(2,@1,@2),and_v(v:pkh(@3),older(10))))", &[3], TEN, 0, 1),
        ("wsh(or_i(and_v(v:pkh(@1'),older(10)),or_d(pk(@1),pkh(@2))))", &[1], TEN, 0, 2),
        ("wsh(or_i(and_v(v:pkh(@1'),older(10)),or_d(pk(@1),pkh(@2))))", &[1], SOON, 0, 1),
        (
            "wsh(andor(multi(2,@1,@2),after(800000),pk(@3)))",
            &[1, 2],
            Sequence::ENABLE_LOCKTIME_NO_RBF,
            800_000,
            1,
        ),
        ("wsh(and_v(v:sha256(HASH),pk(@2)))", &[2], SOON, 0, 1),
    ] {
        let wallet = wallet(descriptor);
        let paying = paying(&wallet, 3, sequence, LockTime::from_consensus(lock_time));
        let mut all = Vec::new();
        for n in signers {
            assert!(!spends(&paying, &wallet, &all), "{descriptor}: too few are enough");
            let fresh = signed(&paying, &wallet, *n).unwrap_or_else(|why| panic!("{descriptor}: {why:?}"));
            assert_eq!(fresh.len(), 3 * each, "{descriptor}");
            assert_eq!(fresh, signed(&paying, &wallet, *n).unwrap(), "the same again");
            all.extend(fresh);
        }
        assert!(spends(&paying, &wallet, &all), "{descriptor}");
    }
}

#[test]
fn what_enough_cosigners_release_of_a_message_satisfies_it_and_spends_nothing() {
    for (descriptor, signers, sequence) in [
        ("pkh(@1)", &[1][..], Sequence::ZERO),
        ("sh(wpkh(@1))", &[1], Sequence::ZERO),
        ("wpkh(@1)", &[1], Sequence::ZERO),
        ("tr(@1)", &[1], Sequence::ZERO),
        ("sh(sortedmulti(2,@1,@2,@3))", &[3, 1], Sequence::ZERO),
        ("sh(wsh(multi(2,@1,@2)))", &[2, 1], Sequence::ZERO),
        ("wsh(sortedmulti(2,@1,@2,@3))", &[2, 3], Sequence::ZERO),
        ("tr(NOBODY,multi_a(2,@1,@2,@3))", &[1, 3], Sequence::ZERO),
        ("tr(@1,{pk(@2),and_v(v:pk(@3),older(10))})", &[1], Sequence::ZERO),
        ("wsh(or_d(multi(2,@1,@2),and_v(v:pkh(@3),older(10))))", &[3], TEN),
    ] {
        let wallet = wallet(descriptor);
        let paying = paying(&wallet, 20, sequence, LockTime::ZERO);
        let claimed = |input: &SpendInput| ClaimedCoin {
            outpoint: input.outpoint,
            output: TxOut { value: input.value, script_pubkey: wallet.script(input.keypath).unwrap() },
            sequence,
        };
        let coins: Vec<_> = paying.spend.inputs().iter().map(claimed).collect();
        let first = Keypath { branch: Branch::External, index: 0 };
        let (text, locks) =
            (Text::new("we hold these").unwrap(), bip322::Locks { lock_time: LockTime::ZERO, sequence });
        let to_sign = ToSign::new(&text, &wallet.script(first).unwrap(), locks, &coins).unwrap();
        let own = paying.spend.inputs().iter().map(|input| (input.keypath, input.value));
        let inputs: Vec<_> = std::iter::once((first, Amount::ZERO)).chain(own).collect();
        let keypaths: Vec<_> = inputs.iter().map(|(keypath, _)| *keypath).collect();
        let signed = |n, keypaths| sign_message(&to_sign, keypaths, &wallet, &account(n));
        let mut all = Vec::new();
        for n in signers {
            let transaction = to_sign.transaction().clone();
            assert!(!satisfies(transaction, &inputs, &wallet, &all), "{descriptor}: too few are enough");
            all.extend(signed(*n, keypaths.clone()).unwrap());
        }
        assert!(satisfies(to_sign.transaction().clone(), &inputs, &wallet, &all), "{descriptor}");
        let moved: Vec<_> = all
            .iter()
            .filter(|signature| signature.input > 0)
            .map(|signature| InputSignature { input: signature.input - 1, ..signature.clone() })
            .collect();
        assert!(!spends(&paying, &wallet, &moved), "{descriptor}: a payment");
        // Without the input that no chain has, nothing is left that they sign.
        let mut alone = to_sign.transaction().clone();
        alone.input.remove(0);
        assert!(!satisfies(alone, &inputs[1..], &wallet, &moved), "{descriptor}: the coins alone");
        let mut shifted = keypaths.clone();
        shifted.swap(0, 1);
        let few = keypaths[1..].to_vec();
        for wrong in [few, shifted] {
            let differs = wrong != keypaths;
            assert!(!differs || signed(signers[0], wrong).is_err(), "{descriptor}: other keypaths");
        }
    }
}

#[test]
fn two_threads_give_what_one_gives() {
    for descriptor in ["wpkh(@1)", "tr(NOBODY,multi_a(1,@1,@2))"] {
        let wallet = wallet(descriptor);
        let [few, many] = [3, 41].map(|inputs| paying(&wallet, inputs, SOON, LockTime::ZERO));
        let alone = (signed(&few, &wallet, 1).unwrap(), signed(&many, &wallet, 1).unwrap());
        helper::start().unwrap();
        assert_eq!((signed(&few, &wallet, 1).unwrap(), signed(&many, &wallet, 1).unwrap()), alone);
        assert!(spends(&many, &wallet, &alone.1));
    }
}

#[test]
fn a_key_that_no_open_path_needs_signs_nothing() {
    let wallet = wallet("wsh(or_d(multi(2,@1,@2),and_v(v:pkh(@3),older(10))))");
    let early = paying(&wallet, 1, SOON, LockTime::ZERO);
    let refused = signed(&early, &wallet, 3).unwrap_err();
    assert_eq!(refused[0].code.to_string(), "C20", "{refused:?}");
    assert!(signed(&early, &wallet, 1).is_ok());
}

#[test]
fn another_seeds_account_signs_nothing() {
    let wallet = wallet("wsh(multi(1,@1,@2))");
    let paying = paying(&wallet, 1, SOON, LockTime::ZERO);
    let policy = Policy::standalone("main", None).unwrap();
    let dossier = Dossier {
        spend: &paying.spend,
        evidence: &paying.evidence,
        wallet: &wallet,
        wallet_name: "main",
        key: 0,
        vault: VaultId::from_bytes([1; 32]),
        request: None,
        approvals: &[],
        permits: &[],
        now: 1_800_000_000,
    };
    let cleared = clear(&dossier, Say::Operator(&policy), &Fresh::default(), &[]).unwrap();
    assert!(matches!(sign(&cleared, &wallet, &account(3)), Err(Error::Signature(_))));
}

#[test]
fn a_cosigners_key_record_verifies_as_bip129_says() {
    let account = account(1);
    let bytes = key_record(&account, "office").unwrap();
    let text = KeyInfo::bsms_text(&account.key().to_string(), "office");
    let signature = bitcoin::sign_message::MessageSignature::from_slice(&bytes).unwrap();
    let digest = signed_msg_hash(&text);
    let key = signature.recover_pubkey(&Secp256k1::new(), digest).unwrap();
    assert_eq!((key.inner, key.compressed), (account.key().xpub.public_key, true));
}

#[test]
fn the_key_records_of_bip129_are_made_byte_for_byte() {
    let Some(file) = crate::derive::vectors("bip129_bsms.json") else { return };
    let mut seen = 0;
    for mode in file.as_array().unwrap() {
        let items = mode["rounds"][0]["items"].as_array().unwrap();
        let of = |party: &str, prefix: &str| {
            let found = items
                .iter()
                .find(|item| item["party"] == party && item["key"].as_str().unwrap().starts_with(prefix));
            found.map(|item| item["value"].as_str().unwrap().to_owned())
        };
        for party in ["Signer 1", "Signer 2"] {
            let record = items.iter().find(|item| {
                item["party"] == party && item["value"].as_str().unwrap().starts_with("BSMS 1.0\n00\n")
            });
            let (Some(record), Some(private)) = (record, of(party, "PRIVATE_KEY")) else { continue };
            let lines: Vec<_> = record["value"].as_str().unwrap().lines().collect();
            let text = KeyInfo::bsms_text(lines[2], lines[3]);
            assert_eq!(text, lines[..4].join("\n"));
            let private: bitcoin::PrivateKey = private.parse().unwrap();
            let message = Message::from_digest(signed_msg_hash(&text).to_byte_array());
            let signature = Secp256k1::new().sign_ecdsa_recoverable(&message, &private.inner);
            let (recovery, compact) = signature.serialize_compact();
            let recovery = u8::try_from(recovery.to_i32()).unwrap();
            let bytes = signature_bytes(KeyAddress::P2pkh, recovery, &compact).unwrap();
            let expected = bitcoin::sign_message::MessageSignature::from_base64(lines[4]).unwrap();
            assert_eq!(bytes, expected.serialize());
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen}");
}

/// The journal of a vault that never signed.
#[derive(Default)]
struct Fresh {
    history: History,
    chain: BTreeMap<u64, [u8; 32]>,
}

impl Journal for Fresh {
    fn signed(&self, _: &OutPoint) -> Vec<(SpendId, Amount)> {
        vec![]
    }

    fn history(&self) -> &History {
        &self.history
    }

    fn marks(&self) -> Marks {
        Marks::default()
    }

    fn record_hash(&self, _: u64) -> Option<[u8; 32]> {
        None
    }

    fn chain(&self) -> &BTreeMap<u64, [u8; 32]> {
        &self.chain
    }
}
