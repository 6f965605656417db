//! An honest payment from a purse: two coins of 0.5 BTC, 0.4 BTC to a stranger, 10,000 sat of fee, the rest back.

use std::sync::Arc;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::psbt::Psbt;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, WPubkeyHash, Witness};
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath};
use psbt_tools::build::build;

use super::purse::{Kind, Purse};

/// What each coin is worth.
pub const COIN: Amount = Amount::from_sat(50_000_000);

/// A payment before it is a PSBT.
#[derive(Debug, Clone)]
pub struct Payment {
    pub kind: Kind,
    /// Every purse of the vault.
    pub purses: Arc<Vec<Purse>>,
    /// Which coins: another number, other coins.
    pub number: u32,
    pub parts: SpendParts,
    pub previous: Vec<Transaction>,
}

impl Payment {
    pub fn new(purses: &Arc<Vec<Purse>>, kind: Kind, number: u32) -> Self {
        let purse = find(purses, kind);
        let change = Keypath { branch: Branch::Internal, index: 5 };
        let mut payment = Self {
            kind,
            purses: Arc::clone(purses),
            number,
            parts: SpendParts {
                network: purse.wallet.network(),
                wallet: purse.wallet.id(),
                version: Version::TWO,
                lock_time: LockTime::ZERO,
                inputs: vec![],
                outputs: vec![],
            },
            previous: vec![],
        };
        payment.add_coin(Keypath { branch: Branch::External, index: 0 }, COIN);
        payment.add_coin(Keypath { branch: Branch::Internal, index: 4 }, COIN);
        payment.pay(Amount::from_sat(40_000_000), stranger(9));
        payment.back(Amount::from_sat(59_990_000), change);
        payment
    }

    pub fn purse(&self) -> &Purse {
        find(&self.purses, self.kind)
    }

    /// Another purse of the same vault.
    pub fn other(&self) -> &Purse {
        let kind = if self.kind == Kind::Wpkh { Kind::Tr } else { Kind::Wpkh };
        find(&self.purses, kind)
    }

    /// The same kind at a vault that is not ours.
    pub fn foreign(&self) -> Purse {
        Purse::of(self.kind, &[77; 32])
    }

    /// One more coin of ours, proven.
    pub fn add_coin(&mut self, keypath: Keypath, value: Amount) {
        let script = self.purse().wallet.script(keypath).expect("a keypath");
        let transaction = funding(self.number, self.previous.len(), value, script);
        let sequence = match self.kind {
            Kind::Recovery => Sequence::from_height(10),
            _ => Sequence::ENABLE_RBF_NO_LOCKTIME,
        };
        let outpoint = OutPoint { txid: transaction.compute_txid(), vout: 1 };
        self.parts.inputs.push(SpendInput { outpoint, sequence, value, keypath });
        self.previous.push(transaction);
    }

    pub fn pay(&mut self, value: Amount, script: ScriptBuf) {
        self.parts.outputs.push(SpendOutput { value, script, own: None });
    }

    pub fn back(&mut self, value: Amount, keypath: Keypath) {
        let script = self.purse().wallet.script(keypath).expect("a keypath");
        self.parts.outputs.push(SpendOutput { value, script, own: Some(keypath) });
    }

    /// Moves the change to another keypath.
    pub fn change_to(&mut self, branch: Branch, index: u32) {
        let keypath = Keypath { branch, index };
        self.parts.outputs[1].script = self.purse().wallet.script(keypath).expect("a keypath");
        self.parts.outputs[1].own = Some(keypath);
    }

    /// Takes from the change what something else gets.
    pub fn less_change(&mut self, sat: u64) {
        self.parts.outputs[1].value -= Amount::from_sat(sat);
    }

    pub fn evidence(&self) -> Evidence {
        Evidence::new(self.previous.iter().cloned())
    }

    /// The PSBT as the watch-node builds it.
    pub fn psbt(&self) -> Psbt {
        let spend = Spend::new(self.parts.clone()).unwrap_or_else(|findings| panic!("{findings:?}"));
        build(&spend, &self.evidence(), &self.purse().wallet).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What its inputs spend.
    pub fn prevouts(&self) -> Vec<TxOut> {
        let inputs = self.parts.inputs.iter().zip(&self.previous);
        let spent = |(input, previous): (&SpendInput, &Transaction)| {
            previous.output[usize::try_from(input.outpoint.vout).expect("small")].clone()
        };
        inputs.map(spent).collect()
    }
}

pub fn find(purses: &[Purse], kind: Kind) -> &Purse {
    purses.iter().find(|purse| purse.kind == kind).expect("a purse of every kind")
}

/// Somebody else's script.
pub fn stranger(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

/// A transaction with a witness that pays at its output 1; another number or coin, another txid.
pub fn funding(number: u32, coin: usize, value: Amount, script: ScriptBuf) -> Transaction {
    let mut witness = Witness::new();
    witness.push([1, 2, 3]);
    let sequence = Sequence(u32::try_from(coin).expect("few coins"));
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::from_consensus(number),
        input: vec![TxIn { previous_output: OutPoint::null(), witness, sequence, ..TxIn::default() }],
        output: vec![
            TxOut { value: Amount::from_sat(1_000), script_pubkey: stranger(1) },
            TxOut { value, script_pubkey: script },
        ],
    }
}
