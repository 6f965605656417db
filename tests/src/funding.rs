//! Coins on a real chain, out of block rewards that anyone may spend: handing them out needs no key.

use std::cell::Cell;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{Address, Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};

use crate::bitcoind::Bitcoind;

/// A reward is spendable so many blocks after its own.
const MATURITY: u32 = 100;

/// What each payment out of the fund leaves to the miner.
const FEE: Amount = Amount::from_sat(100_000);

/// The rewards of a chain's first blocks.
pub struct Fund<'a> {
    core: &'a Bitcoind,
    rewards: u32,
    spent: Cell<u32>,
}

impl<'a> Fund<'a> {
    /// Mines so many rewards, and what makes them spendable.
    pub fn open(core: &'a Bitcoind, rewards: u32) -> Self {
        let fund = Self { core, rewards, spent: Cell::new(0) };
        fund.mine(rewards + MATURITY);
        fund
    }

    /// Mines so many blocks.
    pub fn mine(&self, blocks: u32) {
        self.core.rpc("generatetoaddress", &[&blocks.to_string(), &address().to_string()]);
    }

    /// Pays these outputs from the next reward, into the mempool; they are the transaction's first.
    ///
    /// # Panics
    /// When the rewards are used up, or too small.
    pub fn pay(&self, mut outputs: Vec<TxOut>) -> Transaction {
        let height = self.spent.get() + 1;
        assert!(height <= self.rewards, "the fund has {} rewards", self.rewards);
        self.spent.set(height);
        let block = self.core.block(Some(height));
        let reward = block.coinbase().expect("a coinbase");
        let given: Amount = outputs.iter().map(|output| output.value).sum();
        outputs
            .push(TxOut { value: reward.output[0].value - given - FEE, script_pubkey: script().to_p2wsh() });
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(reward.compute_txid(), 0),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::from_slice(&[script().into_bytes()]),
            }],
            output: outputs,
        };
        self.core.rpc("sendrawtransaction", &[&serialize_hex(&transaction)]);
        transaction
    }
}

/// Satisfied by nothing.
fn script() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn address() -> Address {
    Address::p2wsh(&script(), Network::Regtest)
}
