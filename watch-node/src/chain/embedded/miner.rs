//! The embedded miner's purse.
//!
//! Its private key is published here, worth nothing and good for regtest only: the watch-node holds no other.

use bitcoin::absolute::LockTime;
use bitcoin::ecdsa::Signature;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use bitcoin::sighash::SighashCache;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, CompressedPublicKey, EcdsaSighashType, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn,
    TxOut, Txid, Witness,
};

use super::mempool::{self, COINBASE_MATURITY};
use super::{Embedded, standard};
use crate::error::{Error, Result};

/// The embedded miner's well-known private key: the number one. Anybody can spend its coins.
pub const MINER_KEY: [u8; 32] = {
    let mut key = [0; 32];
    key[31] = 1;
    key
};

/// An upper bound for a signed p2wpkh input, a p2wpkh and a taproot output and the rest, in vbytes.
const INPUT_VB: u64 = 69;
const BASE_VB: u64 = 11 + 31 + 43 + 20;
/// What the miner pays, in satoshi per vbyte.
const FEERATE_SAT_PER_VB: u64 = 2;

/// The script that pays the embedded miner (p2wpkh of [`MINER_KEY`]).
pub fn miner_script() -> Result<ScriptBuf> {
    let key = PublicKey::from_secret_key(&Secp256k1::new(), &miner_key()?);
    Ok(ScriptBuf::new_p2wpkh(&CompressedPublicKey(key).wpubkey_hash()))
}

impl Embedded {
    /// Pays `amount` to `to` from the miner's mature coins. The transaction waits for the next block.
    ///
    /// Errors: [`Error::MinerPoor`] with too few mature coins; [`Error::TransactionRefused`], e.g. for dust.
    pub fn fund(&self, to: &Script, amount: Amount) -> Result<Txid> {
        let change = self.ledger.begin()?;
        let transaction = self.pay_from_miner(to, amount)?;
        let txid = mempool::accept(&self.ledger, &transaction)?;
        change.commit()?;
        Ok(txid)
    }

    fn pay_from_miner(&self, to: &Script, amount: Amount) -> Result<Transaction> {
        let script = miner_script()?;
        let height = self.ledger.tip()?.height.checked_add(1).ok_or(Error::Overflow)?;
        let mut coins: Vec<(OutPoint, TxOut)> = Vec::new();
        let mut available = Amount::ZERO;
        let mut needed = amount;
        for (outpoint, output) in self.ledger.unspent_of(&script)? {
            let mature = !output.coinbase || height.saturating_sub(output.height) >= COINBASE_MATURITY;
            if !mature || self.ledger.spender_in_mempool(outpoint)?.is_some() {
                continue;
            }
            available = available.checked_add(output.txout.value).ok_or(Error::Overflow)?;
            coins.push((outpoint, output.txout));
            needed = amount.checked_add(fee(coins.len())?).ok_or(Error::Overflow)?;
            if available >= needed {
                break;
            }
        }
        let Some(rest) = available.checked_sub(needed).filter(|_| !coins.is_empty()) else {
            return Err(Error::MinerPoor { available_sat: available.to_sat(), needed_sat: needed.to_sat() });
        };
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: coins.iter().map(|(outpoint, _)| input(*outpoint)).collect(),
            output: vec![TxOut { value: amount, script_pubkey: to.to_owned() }],
        };
        if rest >= script.minimal_non_dust() {
            transaction.output.push(TxOut { value: rest, script_pubkey: script.clone() });
        }
        sign(&mut transaction, &coins)?;
        Ok(transaction)
    }
}

fn fee(inputs: usize) -> Result<Amount> {
    let inputs = u64::try_from(inputs).map_err(|_| Error::Overflow)?;
    let vsize_vb =
        inputs.checked_mul(INPUT_VB).and_then(|vb| vb.checked_add(BASE_VB)).ok_or(Error::Overflow)?;
    Ok(Amount::from_sat(vsize_vb.saturating_mul(FEERATE_SAT_PER_VB)).max(standard::min_fee(vsize_vb)))
}

fn input(previous_output: OutPoint) -> TxIn {
    TxIn {
        previous_output,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        witness: Witness::new(),
    }
}

fn sign(transaction: &mut Transaction, coins: &[(OutPoint, TxOut)]) -> Result<()> {
    let secp = Secp256k1::new();
    let key = miner_key()?;
    let public = PublicKey::from_secret_key(&secp, &key);
    let mut cache = SighashCache::new(transaction);
    for (index, (_, output)) in coins.iter().enumerate() {
        let sighash = cache
            .p2wpkh_signature_hash(index, &output.script_pubkey, output.value, EcdsaSighashType::All)
            .map_err(|_| Error::CorruptStore("miner coin"))?;
        let signature =
            Signature::sighash_all(secp.sign_ecdsa(&Message::from_digest(sighash.to_byte_array()), &key));
        if let Some(witness) = cache.witness_mut(index) {
            *witness = Witness::p2wpkh(&signature, &public);
        }
    }
    Ok(())
}

fn miner_key() -> Result<SecretKey> {
    SecretKey::from_slice(&MINER_KEY).map_err(|_| Error::CorruptStore("miner key"))
}
