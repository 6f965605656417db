//! Messages as a vault answers them, also to a console or reader that lies.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message as Digest, Secp256k1};
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{Amount, EcdsaSighashType, Network, OutPoint, Sequence, Transaction, TxIn, TxOut, WPubkeyHash};
use cold_wire::{NewKey, Request, RequestBody};
use policies::id::{MessageId, WalletId};
use policies::message::bip322::{ClaimedCoin, is_to_sign};
use policies::message::{Message, bip137};
use policies::signature::InputSignature;
use policies::wallet::{Branch, Keypath, ScriptKind};

use super::*;
use crate::service::tests::{NOW, ask, created, greeted, passphrase};

struct Signer {
    folder: tempfile::TempDir,
    vault: Vault,
    wallet: Wallet,
}

impl Signer {
    fn new(kind: ScriptKind) -> Self {
        crate::clock::tests::SET.set(Some(NOW));
        let folder = tempfile::tempdir().unwrap();
        let mut vault = greeted(created(&folder.path().join("store")), Some(passphrase()));
        let new = RequestBody::NewKey(NewKey {
            wallet: "main".to_owned(),
            network: Network::Regtest,
            kind,
            words: 12,
            account: 0,
            limit: None,
            dice: vec![],
        });
        let Ok(ReplyBody::Key(key)) = ask(&mut vault, new) else { panic!("no key") };
        Self { wallet: key.registered().unwrap(), folder, vault }
    }

    /// Its store behind another vault.
    fn reopened(self, passphrase: Option<crate::passphrase::Passphrase>) -> Self {
        let Self { folder, vault, wallet } = self;
        drop(vault);
        let store = Store::open(&folder.path().join("store")).ok().unwrap();
        Self { vault: greeted(store, passphrase), folder, wallet }
    }

    fn terms(&self, form: MessageForm, text: &str) -> MessageTerms {
        MessageTerms {
            wallet: self.wallet.id(),
            form,
            message: Message::new(text).unwrap(),
            keypath: at(3),
            locks: MessageLocks::NONE,
            coins: vec![],
        }
    }

    /// The same as a proof of funds with so many coins, and the transactions that made them.
    fn proof(&self, count: u32) -> (MessageTerms, Evidence) {
        let previous = |n: u32| Transaction {
            version: Version::TWO,
            lock_time: bitcoin::absolute::LockTime::from_consensus(n),
            input: vec![TxIn::default()],
            output: vec![TxOut {
                value: Amount::from_sat(50_000),
                script_pubkey: self.wallet.script(at(n)).unwrap(),
            }],
        };
        let previous: Vec<_> = (0..count).map(previous).collect();
        let coin = |(n, made): (u32, &Transaction)| OwnCoin {
            coin: ClaimedCoin {
                outpoint: OutPoint::new(made.compute_txid(), 0),
                output: made.output[0].clone(),
                sequence: Sequence::ZERO,
            },
            keypath: at(n),
        };
        let coins = (0..count).zip(&previous).map(coin).collect();
        let terms = MessageTerms { coins, ..self.terms(MessageForm::Bip322ProofOfFunds, "we hold these") };
        (terms, Evidence::new(previous))
    }

    fn ask(
        &mut self,
        terms: &MessageTerms,
        evidence: &Evidence,
        consent: Option<MessageId>,
    ) -> Result<MessageReview, Fault> {
        let message = SignMessage { terms: terms.clone(), evidence: evidence.clone(), consent };
        match ask(&mut self.vault, RequestBody::SignMessage(message))? {
            ReplyBody::Message(review) => Ok(*review),
            _ => panic!("no message"),
        }
    }

    /// Consents to what the terms really are.
    fn signed(&mut self, terms: &MessageTerms) -> Result<MessageSignature, Fault> {
        let review = self.ask(terms, &Evidence::default(), Some(terms.id()))?;
        Ok(review.signed.expect("signed with consent"))
    }

    fn inputs(&mut self, terms: &MessageTerms) -> Vec<InputSignature> {
        match self.signed(terms) {
            Ok(MessageSignature::Inputs(signatures)) => signatures,
            other => panic!("{other:?}"),
        }
    }

    fn records(&self) -> usize {
        self.vault.store.entries().len()
    }

    /// The code of the refusal, which is the same with consent and without, and writes nothing.
    fn refusal(&mut self, terms: &MessageTerms, evidence: &Evidence) -> String {
        let before = self.records();
        let codes = [None, Some(terms.id())].map(|consent| {
            let fault = self.ask(terms, evidence, consent).expect_err("it must be refused");
            assert_eq!(fault.kind, FaultKind::Refused, "{}", fault.message);
            fault.code
        });
        assert_eq!(codes[0], codes[1]);
        assert_eq!(self.records(), before, "a refusal leaves no record");
        codes[0].clone()
    }
}

fn at(index: u32) -> Keypath {
    Keypath { branch: Branch::External, index }
}

#[test]
fn without_consent_the_vault_only_says_what_it_would_sign() {
    let mut signer = Signer::new(ScriptKind::Wpkh);
    let terms = signer.terms(MessageForm::Bip322Simple, "hello");
    let before = signer.records();
    let seen = signer.ask(&terms, &Evidence::default(), None).unwrap();
    assert_eq!((seen.signed, signer.records()), (None, before));
    assert_eq!((seen.id, seen.script), (terms.id(), signer.wallet.script(at(3)).unwrap()));
    assert_eq!(seen.hash, message_hash(&terms.message));
    for other in [
        MessageTerms { keypath: at(4), ..terms.clone() },
        MessageTerms { message: Message::new("hello ").unwrap(), ..terms.clone() },
        MessageTerms { form: MessageForm::Bip322Full, ..terms.clone() },
    ] {
        let fault = signer.ask(&terms, &Evidence::default(), Some(other.id())).unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Refused, "consent"));
    }
    assert_eq!(signer.records(), before);
    assert!(signer.signed(&terms).is_ok());
    assert_eq!(signer.records(), before + 1);
    assert_eq!(signer.vault.store.entries().last().unwrap().header.kind, Kind::Message);
}

#[test]
fn a_repeat_gives_the_same_signatures_and_no_second_record_also_in_another_visit() {
    let mut signer = Signer::new(ScriptKind::Tr);
    let (terms, _) = signer.proof(3);
    let first = signer.inputs(&terms);
    assert_eq!(first.len(), 4, "the address and each coin");
    let records = signer.records();
    assert_eq!(signer.inputs(&terms), first);
    let mut signer = signer.reopened(Some(passphrase()));
    assert_eq!(signer.inputs(&terms), first);
    assert_eq!(signer.records(), records);
}

#[test]
fn coins_that_are_not_the_wallets_or_are_not_what_they_are_said_to_be_are_refused() {
    let mut signer = Signer::new(ScriptKind::Wpkh);
    let (honest, evidence) = signer.proof(3);
    let with = |edit: &dyn Fn(&mut OwnCoin)| {
        let mut terms = honest.clone();
        edit(&mut terms.coins[1]);
        terms
    };
    let stranger = bitcoin::ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
    let foreign = with(&|own| own.coin.output.script_pubkey = stranger.clone());
    assert_eq!(signer.refusal(&foreign, &evidence), "C12");
    let elsewhere = with(&|own| own.keypath = at(7));
    assert_eq!(signer.refusal(&elsewhere, &evidence), "C12");
    let worth_more = with(&|own| own.coin.output.value = Amount::ONE_BTC);
    assert_eq!(signer.refusal(&worth_more, &evidence), "C02");
    let no_such_output = with(&|own| own.coin.outpoint.vout = 9);
    assert_eq!(signer.refusal(&no_such_output, &evidence), "C04");
    let twice = with(&|own| *own = honest.coins[0].clone());
    assert_eq!(signer.refusal(&twice, &evidence), "C32");
    let nowhere = with(&|own| own.coin.outpoint = OutPoint::null());
    assert_eq!(signer.refusal(&nowhere, &Evidence::default()), "C32");
    assert!(signer.ask(&honest, &evidence, Some(honest.id())).unwrap().signed.is_some());
}

#[test]
fn a_legacy_coin_needs_its_transaction() {
    let mut signer = Signer::new(ScriptKind::Pkh);
    let (terms, evidence) = signer.proof(2);
    assert_eq!(signer.refusal(&terms, &Evidence::default()), "C01");
    let mut more = terms.clone();
    more.coins[0].coin.output.value = Amount::ONE_BTC;
    assert_eq!(signer.refusal(&more, &evidence), "C02");
    assert!(signer.ask(&terms, &evidence, Some(terms.id())).unwrap().signed.is_some());
}

#[test]
fn an_unknown_wallet_and_forms_that_do_not_fit_are_refused() {
    let mut signer = Signer::new(ScriptKind::Tr);
    let terms = |form| signer.terms(form, "hello");
    let simple = terms(MessageForm::Bip322Simple);
    let unknown = MessageTerms { wallet: WalletId::from_bytes([7; 32]), ..simple.clone() };
    let bip137 = terms(MessageForm::Bip137);
    let proof_of_nothing = terms(MessageForm::Bip322ProofOfFunds);
    let with_coins = MessageTerms { form: MessageForm::Bip322Full, ..signer.proof(1).0 };
    let sequence = Sequence::from_height(5);
    let locked = MessageTerms { locks: MessageLocks { sequence, ..MessageLocks::NONE }, ..simple.clone() };
    assert_eq!(signer.refusal(&unknown, &Evidence::default()), "unknown-wallet");
    for terms in [bip137, proof_of_nothing, with_coins, locked] {
        assert_eq!(signer.refusal(&terms, &Evidence::default()), "message-form", "{terms:?}");
    }
    assert!(signer.signed(&simple).is_ok());
}

#[test]
fn a_locked_vault_signs_no_message() {
    let signer = Signer::new(ScriptKind::Wpkh);
    let terms = signer.terms(MessageForm::Bip322Simple, "hello");
    let wrong = crate::passphrase::Passphrase::new(b"wrong").ok().unwrap();
    let mut signer = signer.reopened(None);
    let fault = signer.signed(&terms).unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (FaultKind::Locked, "no-passphrase"));
    let mut signer = signer.reopened(Some(wrong));
    assert_eq!(signer.signed(&terms).unwrap_err().code, "wrong-passphrase");
    assert!(signer.reopened(Some(passphrase())).signed(&terms).is_ok());
}

#[test]
fn a_message_past_its_deadline_is_not_signed() {
    let mut signer = Signer::new(ScriptKind::Wpkh);
    let terms = signer.terms(MessageForm::Bip322Simple, "hello");
    let consent = Some(terms.id());
    let body = RequestBody::SignMessage(SignMessage { terms, evidence: Evidence::default(), consent });
    let before = signer.records();
    let ReplyBody::Fault(fault) = signer.vault.answer(&Request { id: 1, deadline: NOW - 1, body }).body
    else {
        panic!("signed too late")
    };
    assert_eq!((fault.code.as_str(), signer.records()), ("deadline", before));
}

#[test]
fn bip137_signs_for_one_key_before_taproot_and_its_key_is_recovered() {
    for kind in [ScriptKind::Pkh, ScriptKind::ShWpkh, ScriptKind::Wpkh] {
        let mut signer = Signer::new(kind);
        let terms = signer.terms(MessageForm::Bip137, "hello");
        let Ok(MessageSignature::Bip137(bytes)) = signer.signed(&terms) else { panic!("{kind:?}") };
        let (address, recovery) = bip137::KeyAddress::from_header(bytes[0]).unwrap();
        let recovery = bitcoin::secp256k1::ecdsa::RecoveryId::from_i32(recovery.into()).unwrap();
        let signature =
            bitcoin::secp256k1::ecdsa::RecoverableSignature::from_compact(&bytes[1..], recovery).unwrap();
        let digest = Digest::from_digest(bip137::digest(&terms.message));
        let key = Secp256k1::new().recover_ecdsa(&digest, &signature).unwrap();
        assert_eq!(address.script(&bitcoin::PublicKey::new(key)), signer.wallet.script(at(3)), "{kind:?}");
    }
}

/// C32, from the other side: whatever text is signed, by whichever form, the signature is none over a payment of the
/// wallet's coins.
#[test]
fn no_signature_of_a_message_fits_a_payment() {
    let mut signer = Signer::new(ScriptKind::Wpkh);
    let (proof, _) = signer.proof(2);
    let stranger = bitcoin::ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([9; 20]));
    let input = |own: &OwnCoin| TxIn {
        previous_output: own.coin.outpoint,
        sequence: Sequence::ZERO,
        ..TxIn::default()
    };
    let payment = Transaction {
        version: Version(0),
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: proof.coins.iter().map(input).collect(),
        output: vec![TxOut { value: Amount::from_sat(90_000), script_pubkey: stranger }],
    };
    let mut cache = SighashCache::new(&payment);
    let (script, value) = (&proof.coins[0].coin.output.script_pubkey, Amount::from_sat(50_000));
    let sighash = cache.p2wpkh_signature_hash(0, script, value, EcdsaSighashType::All).unwrap();
    let texts = [serialize_hex(&payment), sighash.to_string(), "\u{18}Bitcoin Signed Message:\n".to_owned()];
    let secp = Secp256k1::new();
    let key = signer.wallet.public_key(at(0)).unwrap().inner;
    for text in texts {
        let terms = MessageTerms {
            message: Message::new(&text).unwrap(),
            keypath: at(0),
            coins: proof.coins.clone(),
            ..proof.clone()
        };
        let to_sign = terms.to_sign(&signer.wallet.script(at(0)).unwrap()).unwrap();
        assert!(is_to_sign(to_sign.transaction()));
        assert_eq!(to_sign.transaction().input[0].previous_output.txid, to_sign.to_spend().compute_txid());
        assert!(to_sign.to_spend().input[0].previous_output.is_null(), "no chain has it");
        let mut released: Vec<_> = signer
            .inputs(&terms)
            .into_iter()
            .map(|signature| bitcoin::ecdsa::Signature::from_slice(&signature.signature).unwrap().signature)
            .collect();
        let plain = MessageTerms { form: MessageForm::Bip137, coins: vec![], ..terms };
        let Ok(MessageSignature::Bip137(bytes)) = signer.signed(&plain) else { panic!() };
        released.push(bitcoin::secp256k1::ecdsa::Signature::from_compact(&bytes[1..]).unwrap());
        assert_eq!(released.len(), 4);
        for signature in released {
            assert!(secp.verify_ecdsa(&Digest::from(sighash), &signature, &key).is_err(), "{text}");
        }
    }
}
