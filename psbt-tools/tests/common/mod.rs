//! An honest payment of each kind of wallet, and its keys.
#![allow(dead_code, reason = "each test program uses its part")]

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Network, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness,
};
use policies::check::Outcome;
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};
use psbt_tools::build::build;
use psbt_tools::export::InputSignature;
use psbt_tools::import::{Context, Imported, import};

pub const KINDS: [ScriptKind; 2] = [ScriptKind::Wpkh, ScriptKind::Tr];

pub struct Payment {
    pub wallet: Wallet,
    pub account: Xpriv,
    pub parts: SpendParts,
    pub evidence: Evidence,
}

/// Two coins of 0.5 BTC; 0.4 BTC to a stranger, change, and a fee of 10,000 sat.
pub fn payment(kind: ScriptKind) -> Payment {
    payment_of(kind, 7)
}

pub fn payment_of(kind: ScriptKind, seed: u8) -> Payment {
    let (wallet, account) = wallet(kind, seed);
    let keypath = |branch, index| Keypath { branch, index };
    let coins = [keypath(Branch::External, 0), keypath(Branch::Internal, 4)];
    let previous: Vec<_> = coins.iter().map(|at| funding(&wallet, *at, 50_000_000)).collect();
    let inputs = coins.iter().zip(&previous).map(|(keypath, transaction)| SpendInput {
        outpoint: OutPoint { txid: transaction.compute_txid(), vout: 1 },
        sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
        value: Amount::from_sat(50_000_000),
        keypath: *keypath,
    });
    let change = keypath(Branch::Internal, 5);
    let parts = SpendParts {
        network: Network::Regtest,
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs: inputs.collect(),
        outputs: vec![
            SpendOutput { value: Amount::from_sat(40_000_000), script: stranger(9), own: None },
            SpendOutput {
                value: Amount::from_sat(59_990_000),
                script: wallet.script(change).unwrap(),
                own: Some(change),
            },
        ],
    };
    Payment { wallet, account, parts, evidence: Evidence::new(previous) }
}

impl Payment {
    pub fn spend(&self) -> Spend {
        Spend::new(self.parts.clone()).unwrap()
    }

    pub fn psbt(&self) -> Psbt {
        build(&self.spend(), &self.evidence, &self.wallet).unwrap()
    }

    /// A genuine taproot signature of any sighash type.
    pub fn key_path_signature(
        &self,
        transaction: &Transaction,
        at: usize,
        sighash_type: TapSighashType,
    ) -> bitcoin::taproot::Signature {
        let secp: Secp256k1<All> = Secp256k1::new();
        let spent = |input: &SpendInput| TxOut {
            value: input.value,
            script_pubkey: self.wallet.script(input.keypath).unwrap(),
        };
        let prevouts: Vec<TxOut> = self.parts.inputs.iter().map(spent).collect();
        let keypath = self.parts.inputs[at].keypath;
        let path: DerivationPath =
            format!("m/{}/{}", keypath.branch.number(), keypath.index).parse().unwrap();
        let key = self.account.derive_priv(&secp, &path).unwrap().to_keypair(&secp);
        let digest = SighashCache::new(transaction)
            .taproot_key_spend_signature_hash(at, &Prevouts::All(&prevouts), sighash_type)
            .unwrap();
        let tweaked = key.tap_tweak(&secp, None).to_keypair();
        let message = Message::from_digest(digest.to_byte_array());
        bitcoin::taproot::Signature {
            signature: secp.sign_schnorr_no_aux_rand(&message, &tweaked),
            sighash_type,
        }
    }

    /// Signatures for every input whose place in the wallet the payment says.
    pub fn signatures(&self, transaction: &Transaction) -> Vec<InputSignature> {
        let secp: Secp256k1<All> = Secp256k1::new();
        let prevouts: Vec<TxOut> = self
            .parts
            .inputs
            .iter()
            .map(|input| TxOut {
                value: input.value,
                script_pubkey: self.wallet.script(input.keypath).unwrap(),
            })
            .collect();
        let mut cache = SighashCache::new(transaction);
        let mut signatures = Vec::new();
        for (at, input) in self.parts.inputs.iter().enumerate() {
            let path: DerivationPath =
                format!("m/{}/{}", input.keypath.branch.number(), input.keypath.index).parse().unwrap();
            let key = self.account.derive_priv(&secp, &path).unwrap().to_keypair(&secp);
            let (public_key, signature) = if self.wallet.is_taproot() {
                let digest = cache
                    .taproot_key_spend_signature_hash(at, &Prevouts::All(&prevouts), TapSighashType::Default)
                    .unwrap();
                let tweaked = key.tap_tweak(&secp, None).to_keypair();
                let message = Message::from_digest(digest.to_byte_array());
                let signature = secp.sign_schnorr_no_aux_rand(&message, &tweaked);
                (key.x_only_public_key().0.serialize().to_vec(), signature.serialize().to_vec())
            } else {
                let TxOut { value, script_pubkey } = &prevouts[at];
                let digest =
                    cache.p2wpkh_signature_hash(at, script_pubkey, *value, EcdsaSighashType::All).unwrap();
                let message = Message::from_digest(digest.to_byte_array());
                let signature = bitcoin::ecdsa::Signature::sighash_all(
                    secp.sign_ecdsa_low_r(&message, &key.secret_key()),
                );
                (key.public_key().serialize().to_vec(), signature.to_vec())
            };
            signatures.push(InputSignature { input: at as u32, public_key, signature });
        }
        signatures
    }
}

pub fn wallet(kind: ScriptKind, seed: u8) -> (Wallet, Xpriv) {
    let secp = Secp256k1::new();
    let master = Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap();
    let path: DerivationPath = format!("m/{}h/1h/0h", kind.purpose()).parse().unwrap();
    let account = master.derive_priv(&secp, &path).unwrap();
    let descriptor = format!(
        "{}([{}/{}h/1h/0h]{}/<0;1>/*)",
        kind.as_str(),
        master.fingerprint(&secp),
        kind.purpose(),
        Xpub::from_priv(&secp, &account)
    );
    (Wallet::new(Network::Regtest, &[descriptor]).unwrap(), account)
}

pub fn stranger(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

/// A transaction with a witness that pays to the wallet at output 1.
pub fn funding(wallet: &Wallet, keypath: Keypath, sat: u64) -> Transaction {
    let mut witness = Witness::new();
    witness.push([1, 2, 3]);
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(keypath.index + 100 * keypath.branch.number()),
        input: vec![TxIn { previous_output: OutPoint::null(), witness, ..TxIn::default() }],
        output: vec![
            TxOut { value: Amount::from_sat(1_000), script_pubkey: stranger(1) },
            TxOut { value: Amount::from_sat(sat), script_pubkey: wallet.script(keypath).unwrap() },
        ],
    }
}

pub fn imported(psbt: &Psbt, wallets: &[Wallet]) -> Imported {
    import(psbt.serialize(), wallets, &Context::default()).unwrap()
}

/// The numbers of the checks that refuse or ask, each with its outcome.
pub fn found(imported: &Imported) -> Vec<(String, Outcome)> {
    let mut found: Vec<_> = imported
        .findings()
        .iter()
        .filter(|finding| finding.outcome >= Outcome::Ask)
        .map(|finding| (finding.code.to_string(), finding.outcome))
        .collect();
    found.dedup();
    found
}
