//! Signatures: only over what was cleared, deterministic, verified before they leave.
//!
//! ECDSA with RFC 6979 nonces and low R (BIP143, SIGHASH_ALL); BIP340 with no auxiliary randomness (BIP341, key path,
//! SIGHASH_DEFAULT). Sighashes by `bitcoin::sighash`, over scripts that the registered descriptor gives.

use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{EcdsaSighashType, TapSighashType, Transaction, TxOut};
use cold_wire::InputSignature;
use policies::clear::Cleared;
use policies::spend::SpendInput;
use policies::wallet::{ScriptKind, Wallet};

use crate::derive::Account;
use crate::{Error, random};

/// Signs every input of a cleared spend.
///
/// # Errors
/// [`Error::Signature`] when anything at all is not as it must be; then no signature leaves.
pub fn sign(cleared: &Cleared, wallet: &Wallet, account: &Account) -> Result<Vec<InputSignature>, Error> {
    let mut secp = Secp256k1::new();
    // Blinds the context against side channels; no signature depends on it.
    secp.seeded_randomize(&random::array()?);
    let transaction = cleared.spend().unsigned_transaction();
    let mut prevouts = Vec::new();
    for input in cleared.spend().inputs() {
        let script_pubkey = wallet.script(input.keypath).ok_or(Error::Signature("an input has no script"))?;
        prevouts.push(TxOut { value: input.value, script_pubkey });
    }
    let mut signer = Signer { secp, wallet, account, prevouts, sighashes: SighashCache::new(&transaction) };
    cleared
        .spend()
        .inputs()
        .iter()
        .enumerate()
        .map(|(index, input)| match wallet.kind() {
            ScriptKind::Wpkh => signer.ecdsa(index, input),
            ScriptKind::Tr => signer.schnorr(index, input),
        })
        .collect()
}

struct Signer<'a> {
    secp: Secp256k1<All>,
    wallet: &'a Wallet,
    account: &'a Account,
    prevouts: Vec<TxOut>,
    sighashes: SighashCache<&'a Transaction>,
}

impl Signer<'_> {
    fn ecdsa(&mut self, index: usize, input: &SpendInput) -> Result<InputSignature, Error> {
        let prevout = self.prevouts.get(index).ok_or(Error::Signature("an input has no prevout"))?;
        let sighash = self
            .sighashes
            .p2wpkh_signature_hash(index, &prevout.script_pubkey, prevout.value, EcdsaSighashType::All)
            .map_err(|_| Error::Signature("no sighash"))?;
        let message = Message::from(sighash);
        let child = self.account.child(&self.secp, input.keypath.branch, input.keypath.index)?;
        let public = child.expose().public_key(&self.secp);
        self.must_be_ours(input, |expected| expected.inner == public)?;
        let signature = self.secp.sign_ecdsa_low_r(&message, child.expose());
        self.secp
            .verify_ecdsa(&message, &signature, &public)
            .map_err(|_| Error::Signature("a fresh signature does not verify"))?;
        let signature = bitcoin::ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All };
        Ok(InputSignature {
            input: number(index)?,
            public_key: public.serialize().to_vec(),
            signature: signature.to_vec(),
        })
    }

    fn schnorr(&mut self, index: usize, input: &SpendInput) -> Result<InputSignature, Error> {
        let sighash = self
            .sighashes
            .taproot_key_spend_signature_hash(index, &Prevouts::All(&self.prevouts), TapSighashType::Default)
            .map_err(|_| Error::Signature("no sighash"))?;
        let message = Message::from(sighash);
        let child = self.account.child(&self.secp, input.keypath.branch, input.keypath.index)?;
        let mut keypair = Keypair::from_secret_key(&self.secp, child.expose());
        let (internal, _) = keypair.x_only_public_key();
        self.must_be_ours(input, |expected| expected.inner.x_only_public_key().0 == internal)?;
        let mut tweaked = keypair.tap_tweak(&self.secp, None).to_keypair();
        let signature = self.secp.sign_schnorr_no_aux_rand(&message, &tweaked);
        let (output_key, _) = tweaked.x_only_public_key();
        tweaked.non_secure_erase();
        keypair.non_secure_erase();
        let script = bitcoin::ScriptBuf::new_p2tr(&self.secp, internal, None);
        if self.prevouts.get(index).is_none_or(|prevout| prevout.script_pubkey != script) {
            return Err(Error::Signature("a taproot script is not that of its internal key"));
        }
        self.secp
            .verify_schnorr(&signature, &message, &output_key)
            .map_err(|_| Error::Signature("a fresh signature does not verify"))?;
        Ok(InputSignature {
            input: number(index)?,
            public_key: internal.serialize().to_vec(),
            signature: signature.as_ref().to_vec(),
        })
    }

    /// The private key derived here must be the one whose public key the descriptor gives.
    fn must_be_ours(
        &self,
        input: &SpendInput,
        is_ours: impl FnOnce(&bitcoin::PublicKey) -> bool,
    ) -> Result<(), Error> {
        match self.wallet.public_key(input.keypath) {
            Some(expected) if is_ours(&expected) => Ok(()),
            _ => Err(Error::Signature("the derived key is not the wallet's")),
        }
    }
}

fn number(index: usize) -> Result<u32, Error> {
    u32::try_from(index).map_err(|_| Error::Signature("too many inputs"))
}
