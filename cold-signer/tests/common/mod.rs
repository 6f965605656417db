//! A wallet with its private key, coins and PSBTs for the tests.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod authority;
pub mod laptop;
pub mod terminal;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::{All, Message};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Network, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness,
    ecdsa,
};
use policies::evidence::Evidence;
use policies::signature::InputSignature;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, Wallet};
use std::path::Path;

pub const EXTERNAL: Keypath = Keypath { branch: Branch::External, index: 0 };
pub const CHANGE: Keypath = Keypath { branch: Branch::Internal, index: 3 };

/// The program under test.
pub fn console() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cold-signer"))
}

pub fn secp() -> Secp256k1<All> {
    Secp256k1::new()
}

pub fn account() -> Xpriv {
    let path: DerivationPath = "84'/1'/0'".parse().unwrap();
    Xpriv::new_master(Network::Regtest, &[7; 32]).unwrap().derive_priv(&secp(), &path).unwrap()
}

pub fn wallet() -> Wallet {
    let master = Xpriv::new_master(Network::Regtest, &[7; 32]).unwrap().fingerprint(&secp());
    let key = Xpub::from_priv(&secp(), &account());
    Wallet::new(Network::Regtest, &[format!("wpkh([{master}/84'/1'/0']{key}/<0;1>/*)")]).unwrap()
}

pub fn foreign(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

/// A transaction that pays one bitcoin to the wallet's first address.
pub fn funding(wallet: &Wallet) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint { txid: bitcoin::Txid::from_byte_array([5; 32]), vout: 0 },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(100_000_000),
            script_pubkey: wallet.script(EXTERNAL).unwrap(),
        }],
    }
}

/// A spend of that coin: 0.4 BTC to somebody, the rest back, and its evidence.
pub fn spend(wallet: &Wallet, extra: Option<SpendOutput>) -> (Spend, Evidence) {
    let funding = funding(wallet);
    let mut outputs = vec![
        SpendOutput { value: Amount::from_sat(40_000_000), script: foreign(9), own: None },
        SpendOutput {
            value: Amount::from_sat(59_990_000),
            script: wallet.script(CHANGE).unwrap(),
            own: Some(CHANGE),
        },
    ];
    outputs.extend(extra);
    let spend = Spend::new(SpendParts {
        network: wallet.network(),
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs: vec![SpendInput {
            outpoint: OutPoint { txid: funding.compute_txid(), vout: 0 },
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            value: Amount::from_sat(100_000_000),
            keypath: EXTERNAL,
        }],
        outputs,
    })
    .unwrap();
    (spend, Evidence::new([funding]))
}

pub fn psbt(wallet: &Wallet) -> Psbt {
    let (spend, evidence) = spend(wallet, None);
    psbt_tools::build::build(&spend, &evidence, wallet).unwrap()
}

/// What a vault would answer.
pub fn signature(spend: &Spend, wallet: &Wallet) -> InputSignature {
    let transaction = spend.unsigned_transaction();
    let key = account().derive_priv(&secp(), &"0/0".parse::<DerivationPath>().unwrap()).unwrap();
    let hash = SighashCache::new(&transaction)
        .p2wpkh_signature_hash(
            0,
            &wallet.script(EXTERNAL).unwrap(),
            Amount::from_sat(100_000_000),
            EcdsaSighashType::All,
        )
        .unwrap();
    let signature = secp().sign_ecdsa(&Message::from_digest(hash.to_byte_array()), &key.private_key);
    InputSignature {
        leaf: None,
        input: 0,
        public_key: key.private_key.public_key(&secp()).serialize().to_vec(),
        signature: ecdsa::Signature { signature, sighash_type: EcdsaSighashType::All }.to_vec(),
    }
}

/// Puts a program into a folder. Another process copies it: while this one held the copy open for writing, a child that
/// a neighbouring test starts at that moment would inherit the descriptor, and running the copy would fail (ETXTBSY).
pub fn place(program: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg(program).arg(to).status().unwrap();
    assert!(copied.success());
}
