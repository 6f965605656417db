//! Signatures: only over a cleared spend or a message, deterministic, verified before they leave.
//!
//! ECDSA with RFC 6979 nonces and low R, SIGHASH_ALL (legacy and BIP143); BIP340 with no auxiliary randomness,
//! SIGHASH_DEFAULT (BIP341; key path where the key is the internal one, else every leaf where it counts, BIP342).
//! Sighashes by `bitcoin::sighash`, over scripts that the registered descriptor gives.

mod signable;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bitcoin::secp256k1::{All, Keypair, Message, PublicKey, Secp256k1, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{EcdsaSighashType, ScriptBuf, TapLeafHash, TapSighashType, Transaction, TxOut};
use cold_wire::KeyInfo;
use policies::clear::Cleared;
use policies::helper;
use policies::message::Message as Text;
use policies::message::bip137::{KeyAddress, SIGNATURE_LEN, digest, signature_bytes};
use policies::message::bip322::ToSign;
use policies::signature::InputSignature;
use policies::spend::{Spend, SpendInput};
use policies::wallet::{Branch, Derived, Keypath, Lock, Locks, Taproot, Wallet, WalletKind};
use signable::{Coin, Signable};

use crate::derive::{Account, BranchKey, ChildKey};
use crate::{Error, random};

/// Signs every input of a cleared spend, by every place of the account's key whose signature counts.
///
/// # Errors
/// [`Error::Signature`] when anything at all is not as it must be; then no signature leaves.
pub fn sign(cleared: &Cleared, wallet: &Wallet, account: &Account) -> Result<Vec<InputSignature>, Error> {
    signatures(Signable::payment(cleared, wallet)?, wallet, account)
}

/// The same for every input of a message's virtual transaction, which are at these keypaths (BIP322).
///
/// # Errors
/// [`Error::Signature`], also where the wallet has another script at a keypath.
pub fn sign_message(
    to_sign: &ToSign,
    keypaths: Vec<Keypath>,
    wallet: &Wallet,
    account: &Account,
) -> Result<Vec<InputSignature>, Error> {
    signatures(Signable::message(to_sign, keypaths, wallet)?, wallet, account)
}

fn signatures(signable: Signable, wallet: &Wallet, account: &Account) -> Result<Vec<InputSignature>, Error> {
    let point = account.key().xpub.public_key;
    let own = wallet.keys().iter().position(|key| key.xpub.public_key == point);
    let own = own.ok_or(Error::Signature("the wallet is not one of this key"))?;
    let count = signable.coins().len();
    let work = Arc::new(Work { signable, wallet: wallet.clone(), own });
    let theirs = account.copy()?;
    let half = if count < WORTH_SHARING { count } else { count.div_ceil(2) };
    let shared = Arc::clone(&work);
    let other = helper::run(move || shared.sign(half..count, &theirs));
    let mut signatures = work.sign(0..half, account)?;
    signatures.extend(match other {
        Some(other) => other.recv().map_err(|_| Error::Signature("the signing thread ended"))??,
        None => work.sign(half..count, account)?,
    });
    Ok(signatures)
}

/// Fewer inputs than this are signed before a second thread would have begun.
const WORTH_SHARING: usize = 16;

/// What both threads look at.
struct Work {
    signable: Signable,
    wallet: Wallet,
    own: usize,
}

impl Work {
    fn sign(&self, inputs: Range<usize>, account: &Account) -> Result<Vec<InputSignature>, Error> {
        let transaction = self.signable.transaction();
        let mut signer = Signer {
            secp: randomised()?,
            wallet: &self.wallet,
            account,
            prevouts: self.signable.prevouts(),
            sighashes: SighashCache::new(transaction),
            branches: BTreeMap::new(),
        };
        let mut counted: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
        let mut signatures = Vec::new();
        let coins = transaction.input.iter().zip(self.signable.coins()).enumerate();
        for (index, (input, coin)) in coins.skip(inputs.start).take(inputs.len()) {
            let (version, lock_time) = (transaction.version, transaction.lock_time);
            let locks = Locks { version, lock_time, sequence: input.sequence };
            let places =
                counted.entry(input.sequence).or_insert_with(|| places(&self.wallet, self.own, &locks));
            if places.is_empty() {
                return Err(Error::Signature("no open path of an input needs this key"));
            }
            for place in places.iter() {
                signatures.push(signer.input(index, coin, *place)?);
            }
        }
        Ok(signatures)
    }
}

/// What an input's script sees of time.
#[must_use]
pub fn locks(spend: &Spend, input: &SpendInput) -> Locks {
    Locks { version: spend.version(), lock_time: spend.lock_time(), sequence: input.sequence }
}

/// The wallet's places at which a key signs under these locks. A taproot output's internal key needs no other place.
#[must_use]
pub fn places(wallet: &Wallet, own: usize, locks: &Locks) -> BTreeSet<usize> {
    let is_own = |place: &usize| wallet.places().get(*place).is_some_and(|place| place.key == Some(own));
    let counted: BTreeSet<usize> =
        wallet.paths().iter().flat_map(|path| path.signers(locks)).filter(is_own).collect();
    let internal = wallet.places().len().saturating_sub(1);
    if wallet.is_taproot() && counted.contains(&internal) { [internal].into() } else { counted }
}

/// A cosigner's signature over its key record (BIP129, round 1), by the account's own key. It begins with `BSMS` behind
/// the prefix of signed messages, so it is no transaction's (check C32).
///
/// # Errors
/// [`Error::Signature`] when it does not verify.
pub fn key_record(account: &Account, name: &str) -> Result<[u8; SIGNATURE_LEN], Error> {
    let text = KeyInfo::bsms_text(&account.key().to_string(), name);
    let text = Text::new(text).map_err(|_| Error::Signature("the name is too long"))?;
    recoverable(&text, KeyAddress::P2pkh, &account.private_key()?, &account.key().xpub.public_key)
}

/// A signature over a message by the one key of an address (BIP137).
///
/// # Errors
/// [`Error::Signature`] where BIP137 has no header for the wallet's addresses, or when it does not verify.
pub fn bip137(
    message: &Text,
    keypath: Keypath,
    wallet: &Wallet,
    account: &Account,
) -> Result<[u8; SIGNATURE_LEN], Error> {
    let none = Error::Signature("BIP137 is for the addresses of one key before taproot");
    let (Some(place), Some(key), Some(script)) =
        (wallet.places().first(), wallet.public_key(keypath), wallet.script(keypath))
    else {
        return Err(none);
    };
    let kind = KeyAddress::of_script(&script).filter(|kind| kind.script(&key).as_ref() == Some(&script));
    let child = account.branch(place.steps(keypath.branch))?.child(keypath.index)?;
    recoverable(message, kind.ok_or(none)?, &child, &key.inner)
}

/// The signature of BIP137, whose prefix keeps it apart from every transaction's.
fn recoverable(
    text: &Text,
    kind: KeyAddress,
    secret: &ChildKey,
    expected: &PublicKey,
) -> Result<[u8; SIGNATURE_LEN], Error> {
    let secp = randomised()?;
    let message = Message::from_digest(digest(text));
    let signature = secp.sign_ecdsa_recoverable(&message, secret.expose());
    if secp.recover_ecdsa(&message, &signature) != Ok(*expected) {
        return Err(Error::Signature("a fresh signature does not verify"));
    }
    let (recovery, compact) = signature.serialize_compact();
    u8::try_from(recovery.to_i32())
        .ok()
        .and_then(|recovery| signature_bytes(kind, recovery, &compact))
        .ok_or(Error::Signature("no recovery number"))
}

/// Blinded against side channels; no signature depends on it.
fn randomised() -> Result<Secp256k1<All>, Error> {
    let mut secp = Secp256k1::new();
    secp.seeded_randomize(&random::array()?);
    Ok(secp)
}

struct Signer<'a> {
    secp: Secp256k1<All>,
    wallet: &'a Wallet,
    account: &'a Account,
    prevouts: &'a [TxOut],
    /// Shares what all inputs hash alike (BIP143, BIP341).
    sighashes: SighashCache<&'a Transaction>,
    branches: BTreeMap<(usize, Branch), BranchKey>,
}

impl Signer<'_> {
    fn input(&mut self, index: usize, coin: &Coin, place: usize) -> Result<InputSignature, Error> {
        let Coin { keypath, value, derived: coin } = coin;
        let expected = coin.keys.get(place).ok_or(Error::Signature("a place has no key"))?.inner;
        let child = self.child(*keypath, place)?;
        let all = EcdsaSighashType::All;
        let message = match &coin.lock {
            Lock::Taproot(taproot) => {
                let leaf = taproot.leaves.iter().find(|leaf| leaf.places.contains(&place));
                let leaf = leaf.map(|leaf| leaf.hash);
                return Ok(InputSignature {
                    input: number(index)?,
                    public_key: expected.x_only_public_key().0.serialize().to_vec(),
                    leaf,
                    signature: self.schnorr(index, taproot, coin, leaf, &expected, &child)?,
                });
            }
            Lock::Key { .. } if self.wallet.kind() == WalletKind::Pkh => self.legacy(index, &coin.script)?,
            Lock::Redeem { redeem_script } => self.legacy(index, redeem_script)?,
            Lock::Key { redeem_script } => {
                let code = redeem_script.as_ref().unwrap_or(&coin.script);
                let sighash = self.sighashes.p2wpkh_signature_hash(index, code, *value, all);
                Message::from(sighash.map_err(|_| no_sighash())?)
            }
            Lock::Witness { witness_script, .. } => {
                let sighash = self.sighashes.p2wsh_signature_hash(index, witness_script, *value, all);
                Message::from(sighash.map_err(|_| no_sighash())?)
            }
        };
        Ok(InputSignature {
            input: number(index)?,
            public_key: expected.serialize().to_vec(),
            leaf: None,
            signature: self.ecdsa(&message, &expected, &child)?,
        })
    }

    fn child(&mut self, keypath: Keypath, place: usize) -> Result<ChildKey, Error> {
        let Keypath { branch, index } = keypath;
        let at = (place, branch);
        if !self.branches.contains_key(&at) {
            let place = self.wallet.places().get(place).ok_or(Error::Signature("there is no such place"))?;
            self.branches.insert(at, self.account.branch(place.steps(branch))?);
        }
        self.branches.get(&at).ok_or(Error::Signature("a branch has no key"))?.child(index)
    }

    fn legacy(&self, index: usize, code: &ScriptBuf) -> Result<Message, Error> {
        self.sighashes
            .legacy_signature_hash(index, code, EcdsaSighashType::All.to_u32())
            .map(Message::from)
            .map_err(|_| no_sighash())
    }

    /// Verifying by the key that the descriptor gives proves as well that the private key derived here is its own.
    fn ecdsa(&self, message: &Message, expected: &PublicKey, child: &ChildKey) -> Result<Vec<u8>, Error> {
        let signature = self.secp.sign_ecdsa_low_r(message, child.expose());
        self.secp.verify_ecdsa(message, &signature, expected).map_err(|_| wrong())?;
        Ok(bitcoin::ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All }.to_vec())
    }

    /// The same by the leaf's key, or by the output's key as it stands in the script.
    fn schnorr(
        &mut self,
        index: usize,
        taproot: &Taproot,
        coin: &Derived,
        leaf: Option<TapLeafHash>,
        expected: &PublicKey,
        child: &ChildKey,
    ) -> Result<Vec<u8>, Error> {
        let (prevouts, sighash_type) = (Prevouts::All(self.prevouts), TapSighashType::Default);
        let sighash = match leaf {
            Some(leaf) => {
                self.sighashes.taproot_script_spend_signature_hash(index, &prevouts, leaf, sighash_type)
            }
            None => self.sighashes.taproot_key_spend_signature_hash(index, &prevouts, sighash_type),
        };
        let message = Message::from(sighash.map_err(|_| no_sighash())?);
        let (mut keypair, verifying) = match leaf {
            Some(_) => (Keypair::from_secret_key(&self.secp, child.expose()), expected.x_only_public_key().0),
            None => {
                let tweaked = child.tweaked(expected, taproot.merkle_root)?;
                let program = coin.script.as_bytes().get(2..).unwrap_or_default();
                let output = XOnlyPublicKey::from_slice(program).map_err(|_| wrong())?;
                (Keypair::from_secret_key(&self.secp, tweaked.expose()), output)
            }
        };
        let signature = self.secp.sign_schnorr_no_aux_rand(&message, &keypair);
        keypair.non_secure_erase();
        self.secp.verify_schnorr(&signature, &message, &verifying).map_err(|_| wrong())?;
        Ok(signature.as_ref().to_vec())
    }
}

fn number(index: usize) -> Result<u32, Error> {
    u32::try_from(index).map_err(|_| Error::Signature("too many inputs"))
}

fn no_sighash() -> Error {
    Error::Signature("no sighash")
}

fn wrong() -> Error {
    Error::Signature("a fresh signature does not verify by the wallet's key")
}

#[cfg(test)]
mod tests;
