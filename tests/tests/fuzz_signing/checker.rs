//! Whether signatures spend exactly what a review showed. Scripts come from miniscript, digests from `bitcoin`, keys from
//! the wallets' private ones: nothing here asks the code under test.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::bip32::ChildNumber;
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Message, Secp256k1, XOnlyPublicKey, ecdsa, schnorr};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::taproot::{LeafVersion, TapLeafHash};
use bitcoin::{Amount, EcdsaSighashType, PublicKey, ScriptBuf, TapSighashType, TxOut};
use cold_wire::Review;
use miniscript::Descriptor;
use miniscript::bitcoin;
use policies::id::WalletId;
use policies::signature::InputSignature;
use policies::wallet::{Branch, Keypath};

use crate::changes::FAR;
use crate::corpus::purse::Purse;
use crate::shown::Shown;

/// Addresses of each branch that payments use: the first ones, and those far out that changes name.
const FIRST: u32 = 40;

/// An own address.
struct Own {
    descriptor: Descriptor<PublicKey>,
    /// The vault's keys in it.
    keys: BTreeSet<PublicKey>,
}

/// The wallets, derived anew.
pub struct Checker {
    /// By the wallet's name.
    own: BTreeMap<String, BTreeMap<ScriptBuf, (Keypath, Own)>>,
    scripts: BTreeMap<(WalletId, Keypath), ScriptBuf>,
    secp: Secp256k1<All>,
}

impl Checker {
    pub fn of(purses: &[Purse]) -> Self {
        let mut checker = Self { own: BTreeMap::new(), scripts: BTreeMap::new(), secp: Secp256k1::new() };
        for purse in purses {
            let mut own = BTreeMap::new();
            for index in (0..FIRST).chain(FAR) {
                for keypath in Branch::ALL.map(|branch| Keypath { branch, index }) {
                    let (script, address) = checker.derive(purse, keypath);
                    checker.scripts.insert((purse.wallet.id(), keypath), script.clone());
                    own.insert(script, (keypath, address));
                }
            }
            checker.own.insert(purse.kind.name().to_owned(), own);
        }
        checker
    }

    /// From the descriptor's text.
    fn derive(&self, purse: &Purse, keypath: Keypath) -> (ScriptBuf, Own) {
        let (parsed, _) = Descriptor::parse_descriptor(&self.secp, &purse.wallet.descriptor(keypath.branch))
            .expect("a descriptor");
        let descriptor = parsed
            .at_derivation_index(keypath.index)
            .map(|definite| definite.derived_descriptor(&self.secp).expect("public keys"))
            .expect("an index");
        let index = ChildNumber::Normal { index: keypath.index };
        let number = purse.number(0);
        let places = purse.wallet.places().iter().filter(|place| place.key == number);
        let key = |steps: &[ChildNumber]| {
            let path = [steps, &[index]].concat();
            PublicKey::new(
                purse.keys[0]
                    .derive_priv(&self.secp, &path)
                    .expect("a path")
                    .private_key
                    .public_key(&self.secp),
            )
        };
        let keys = places.map(|place| key(place.steps(keypath.branch))).collect();
        (descriptor.script_pubkey(), Own { descriptor, keys })
    }

    /// An own script; an empty one beyond the addresses in use.
    pub fn script(&self, wallet: WalletId, keypath: Keypath) -> ScriptBuf {
        self.scripts.get(&(wallet, keypath)).cloned().unwrap_or_default()
    }

    /// Whether every signature spends exactly what the review showed.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, review: &Review, signatures: &[InputSignature], shown: &Shown) -> Result<(), String> {
        let own = self.own.get(&review.wallet).ok_or("no such wallet")?;
        shows(review, own, shown)?;
        let mut signed = BTreeSet::new();
        for signature in signatures {
            let at = usize::try_from(signature.input).map_err(|error| error.to_string())?;
            let prevout = shown.prevouts.get(at).ok_or("a signature for no input")?;
            let (_, own) = own.get(&prevout.script_pubkey).ok_or(format!("input {at} is not ours"))?;
            self.verify(own, signature, at, shown).map_err(|what| format!("input {at}: {what}"))?;
            signed.insert(at);
        }
        match (0..shown.prevouts.len()).find(|at| !signed.contains(at)) {
            Some(at) => Err(format!("input {at} has no signature of ours")),
            None => Ok(()),
        }
    }

    fn verify(&self, own: &Own, signature: &InputSignature, at: usize, shown: &Shown) -> Result<(), String> {
        if let Descriptor::Tr(tr) = &own.descriptor {
            return self.verify_taproot(own, tr, signature, at, shown);
        }
        if !shown.proven[at] {
            return Err("no previous transaction proves its amount".to_owned());
        }
        if signature.leaf.is_some() {
            return Err("a leaf before taproot".to_owned());
        }
        let key = PublicKey::from_slice(&signature.public_key).map_err(|error| error.to_string())?;
        if !own.keys.contains(&key) {
            return Err("by a key that is not the vault's".to_owned());
        }
        let (kind, der) = signature.signature.split_last().ok_or("empty")?;
        if *kind != 1 {
            return Err(format!("of sighash type {kind}"));
        }
        let script_code = own.descriptor.script_code().map_err(|error| error.to_string())?;
        let value = shown.prevouts[at].value;
        let mut cache = SighashCache::new(&shown.transaction);
        let all = EcdsaSighashType::All;
        let digest = match own.descriptor.desc_type().segwit_version() {
            None => {
                cache.legacy_signature_hash(at, &script_code, all.to_u32()).expect("an input").to_byte_array()
            }
            // For keys alone the script code that miniscript gives is the one of BIP143 already.
            Some(_) => {
                cache.p2wsh_signature_hash(at, &script_code, value, all).expect("an input").to_byte_array()
            }
        };
        let der = ecdsa::Signature::from_der(der).map_err(|error| error.to_string())?;
        let message = Message::from_digest(digest);
        self.secp.verify_ecdsa(&message, &der, &key.inner).map_err(|error| error.to_string())
    }

    fn verify_taproot(
        &self,
        own: &Own,
        tr: &miniscript::descriptor::Tr<PublicKey>,
        signature: &InputSignature,
        at: usize,
        shown: &Shown,
    ) -> Result<(), String> {
        let key = XOnlyPublicKey::from_slice(&signature.public_key).map_err(|error| error.to_string())?;
        if !own.keys.iter().any(|own| own.inner.x_only_public_key().0 == key) {
            return Err("by a key that is not the vault's".to_owned());
        }
        let bytes = schnorr::Signature::from_slice(&signature.signature).map_err(|_| "not of 64 bytes")?;
        let mut cache = SighashCache::new(&shown.transaction);
        let prevouts: &[TxOut] = &shown.prevouts;
        let (all, kind) = (Prevouts::All(prevouts), TapSighashType::Default);
        let (digest, key) = match signature.leaf {
            None => {
                if tr.internal_key().inner.x_only_public_key().0 != key {
                    return Err("the key path by another key than the internal one".to_owned());
                }
                let (output, _) = key.tap_tweak(&self.secp, tr.spend_info().merkle_root());
                let digest = cache.taproot_key_spend_signature_hash(at, &all, kind).expect("an input");
                (digest, output.to_x_only_public_key())
            }
            Some(leaf) => {
                let hash = |script: &ScriptBuf| TapLeafHash::from_script(script, LeafVersion::TapScript);
                let mut scripts = tr.iter_scripts().map(|(_, leaf)| leaf.encode());
                let script = scripts.find(|script| hash(script) == leaf).ok_or("no such leaf")?;
                if !script.as_bytes().windows(32).any(|window| window == key.serialize()) {
                    return Err("the leaf does not name the key".to_owned());
                }
                let digest =
                    cache.taproot_script_spend_signature_hash(at, &all, leaf, kind).expect("an input");
                (digest, key)
            }
        };
        let message = Message::from_digest(digest.to_byte_array());
        self.secp.verify_schnorr(&bytes, &message, &key).map_err(|error| error.to_string())
    }
}

/// Whether a review shows this transaction: all of it, and nothing else.
fn shows(review: &Review, own: &BTreeMap<ScriptBuf, (Keypath, Own)>, shown: &Shown) -> Result<(), String> {
    let sum = |outputs: &[TxOut]| {
        let mut values = outputs.iter().map(|output| output.value);
        values.try_fold(Amount::ZERO, Amount::checked_add).ok_or("a sum overflows")
    };
    let (input_sum, output_sum) = (sum(&shown.prevouts)?, sum(&shown.transaction.output)?);
    let fee = input_sum.checked_sub(output_sum).ok_or("a negative fee")?;
    let said = |holds: bool, what: &str| {
        if holds { Ok(()) } else { Err(format!("the review shows another {what}")) }
    };
    said(review.unsigned_txid == shown.transaction.compute_txid(), "transaction")?;
    said(usize::try_from(review.inputs) == Ok(shown.transaction.input.len()), "number of inputs")?;
    said(review.input_sum == input_sum, "sum of the inputs")?;
    said(review.fee == fee, "fee")?;
    for change in &review.change {
        let keypath = own.get(&change.recipient.script).map(|(keypath, _)| *keypath);
        said(keypath == Some(change.keypath), "change")?;
    }
    let change = review.change.iter().map(|change| &change.recipient);
    let all = review.recipients.iter().chain(change);
    let mut reviewed: Vec<_> = all.map(|to| (to.script.clone(), to.amount)).collect();
    let outputs = shown.transaction.output.iter();
    let mut outputs: Vec<_> = outputs.map(|output| (output.script_pubkey.clone(), output.value)).collect();
    reviewed.sort();
    outputs.sort();
    said(reviewed == outputs, "set of outputs")
}
