//! An honest payment of each kind of wallet, and its keys.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod purse;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv};
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Network, OutPoint, Psbt, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness,
};
use policies::check::Outcome;
use policies::evidence::Evidence;
use policies::signature::InputSignature;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};
use psbt_tools::build::build;
use psbt_tools::import::{Context, Imported, import};

pub const KINDS: [ScriptKind; 2] = [ScriptKind::Wpkh, ScriptKind::Tr];

/// A wallet of every kind: its descriptor, and keys whose signatures are enough.
pub const WALLETS: [(&str, &[usize]); 16] = [
    ("pkh(@0)", &[0]),
    ("sh(wpkh(@0))", &[0]),
    ("wpkh(@0)", &[0]),
    ("tr(@0)", &[0]),
    ("sh(multi(2,@0,@1,@2))", &[2, 0]),
    ("sh(sortedmulti(2,@0,@1,@2))", &[1, 2]),
    ("sh(wsh(sortedmulti(2,@0,@1,@2)))", &[0, 2]),
    ("sh(wsh(multi(1,@0,@1)))", &[1]),
    ("wsh(multi(2,@0,@1))", &[0, 1]),
    ("wsh(sortedmulti(2,@0,@1,@2))", &[2, 1]),
    ("wsh(or_d(multi(2,@0,@1),and_v(v:pkh(@2),older(144))))", &[1, 0]),
    ("wsh(and_v(v:pk(@0),or_d(pk(@1),and_v(v:pkh(@2),older(144)))))", &[1, 0]),
    ("tr(@0,{pk(@1),multi_a(2,@2,@3)})", &[0]),
    ("tr(@0,{pk(@1),multi_a(2,@2,@3)})", &[3, 2]),
    ("tr(@0,{and_v(v:pk(@1),older(144)),{pk(@2),and_v(v:multi_a(2,@3,@4),older(1000))}})", &[2]),
    ("tr(50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0,multi_a(2,@0,@1,@2))", &[2, 0]),
];

pub struct Payment {
    pub wallet: Wallet,
    /// The first key.
    pub account: Xpriv,
    /// The wallet's keys.
    pub keys: Vec<Xpriv>,
    pub parts: SpendParts,
    pub evidence: Evidence,
}

/// Two coins of 0.5 BTC; 0.4 BTC to a stranger, change, and a fee of 10,000 sat.
pub fn payment(kind: ScriptKind) -> Payment {
    payment_of(kind, 7)
}

pub fn payment_of(kind: ScriptKind, seed: u8) -> Payment {
    paid(
        purse::wallet(&kind.descriptor("@0").unwrap(), seed, kind.purpose()),
        Sequence::ENABLE_RBF_NO_LOCKTIME,
    )
}

/// The same from a wallet of several keys: a descriptor with `@0`, `@1`, … for them.
pub fn payment_from(template: &str) -> Payment {
    paid(purse::wallet(template, 7, 87), Sequence::ENABLE_RBF_NO_LOCKTIME)
}

/// The same with coins as old as a timelocked path asks.
pub fn payment_after(template: &str, blocks: u16) -> Payment {
    paid(purse::wallet(template, 7, 87), Sequence::from_height(blocks))
}

fn paid((wallet, keys): (Wallet, Vec<Xpriv>), sequence: Sequence) -> Payment {
    let keypath = |branch, index| Keypath { branch, index };
    let coins = [keypath(Branch::External, 0), keypath(Branch::Internal, 4)];
    let previous: Vec<_> = coins.iter().map(|at| funding(&wallet, *at, 50_000_000)).collect();
    let inputs = coins.iter().zip(&previous).map(|(keypath, transaction)| SpendInput {
        outpoint: OutPoint { txid: transaction.compute_txid(), vout: 1 },
        sequence,
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
    Payment { account: keys[0], wallet, keys, parts, evidence: Evidence::new(previous) }
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

    /// Signatures for every input whose place in the wallet the payment says, by every key.
    pub fn signatures(&self, transaction: &Transaction) -> Vec<InputSignature> {
        (0..self.keys.len()).flat_map(|key| self.signatures_by(transaction, key)).collect()
    }

    /// Signatures by one key, wherever it stands.
    pub fn signatures_by(&self, transaction: &Transaction, key: usize) -> Vec<InputSignature> {
        let inputs = self.parts.inputs.iter().map(|input| (input.keypath, input.value)).collect::<Vec<_>>();
        purse::signatures(&self.wallet, &self.keys[key], transaction, &inputs)
    }

    /// The unsigned PSBT with the signatures of these keys.
    pub fn signed_by(&self, keys: &[usize]) -> Psbt {
        let mut psbt = self.psbt();
        for key in keys {
            let signatures = self.signatures_by(&psbt.unsigned_tx, *key);
            psbt_tools::export::attach_signatures(&mut psbt, &signatures).unwrap();
        }
        psbt
    }
}

pub fn wallet(kind: ScriptKind, seed: u8) -> (Wallet, Xpriv) {
    let (wallet, keys) = purse::wallet(&kind.descriptor("@0").unwrap(), seed, kind.purpose());
    (wallet, keys[0])
}

/// What a program writes into a PSBT about a wallet's change.
pub fn described(wallet: &Wallet, keypath: Keypath) -> bitcoin::psbt::Output {
    let previous = funding(wallet, Keypath { branch: Branch::External, index: 0 }, 50_000_000);
    let parts = SpendParts {
        network: Network::Regtest,
        wallet: wallet.id(),
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        inputs: vec![SpendInput {
            outpoint: OutPoint { txid: previous.compute_txid(), vout: 1 },
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            value: Amount::from_sat(50_000_000),
            keypath: Keypath { branch: Branch::External, index: 0 },
        }],
        outputs: vec![SpendOutput {
            value: Amount::from_sat(49_990_000),
            script: wallet.script(keypath).unwrap(),
            own: Some(keypath),
        }],
    };
    let evidence = Evidence::new([previous]);
    build(&Spend::new(parts).unwrap(), &evidence, wallet).unwrap().outputs[0].clone()
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

/// Bitcoin Core's consensus rules over every input, with all spent outputs (taproot needs each).
pub fn core_accepts(transaction: &Transaction, payment: &Payment) -> bool {
    let bytes = serialize(transaction);
    let inputs = || payment.parts.inputs.iter();
    let scripts: Vec<_> = inputs().map(|input| payment.wallet.script(input.keypath).unwrap()).collect();
    let spent: Vec<_> = inputs()
        .zip(&scripts)
        .map(|(input, script)| bitcoinconsensus::Utxo {
            script_pubkey: script.as_bytes().as_ptr(),
            script_pubkey_len: script.len() as u32,
            value: input.value.to_sat() as i64,
        })
        .collect();
    inputs().zip(&scripts).enumerate().all(|(at, (input, script))| {
        bitcoinconsensus::verify_with_flags(
            script.as_bytes(),
            input.value.to_sat(),
            &bytes,
            Some(&spent),
            at,
            bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT,
        )
        .is_ok()
    })
}
