//! What proves the amounts that a spend claims: the previous transactions.

use bitcoin::{OutPoint, ScriptBuf, Transaction, TxOut, Txid, Witness};
use std::collections::BTreeMap;

/// Previous transactions by the txid that was computed from their own bytes, never by a claimed one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    transactions: BTreeMap<Txid, Transaction>,
}

impl Evidence {
    /// Hashes each transaction once. Witnesses and duplicates are dropped: no txid depends on them.
    pub fn new(transactions: impl IntoIterator<Item = Transaction>) -> Self {
        let transactions = transactions
            .into_iter()
            .map(|transaction| {
                let stripped = without_witnesses(transaction);
                (stripped.compute_txid(), stripped)
            })
            .collect();
        Self { transactions }
    }

    /// The output that an outpoint refers to.
    pub fn output(&self, outpoint: &OutPoint) -> Previous<'_> {
        match self.transactions.get(&outpoint.txid) {
            None => Previous::Absent,
            Some(transaction) => usize::try_from(outpoint.vout)
                .ok()
                .and_then(|vout| transaction.output.get(vout))
                .map_or(Previous::NoSuchOutput(transaction.output.len()), Previous::Output),
        }
    }

    /// The transaction with this txid.
    pub fn transaction(&self, txid: &Txid) -> Option<&Transaction> {
        self.transactions.get(txid)
    }

    /// The transactions in the order of their txids, without witnesses.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }
}

/// What the evidence says of an outpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous<'a> {
    /// No transaction with that txid is there.
    Absent,
    /// The transaction has only so many outputs.
    NoSuchOutput(usize),
    /// The output.
    Output(&'a TxOut),
}

/// A transaction without its witnesses, which no txid commits to.
pub fn without_witnesses(mut transaction: Transaction) -> Transaction {
    for input in &mut transaction.input {
        input.witness = Witness::new();
    }
    transaction
}

/// The script of an output, for messages: an address where there is one, else hexadecimal.
pub fn script_text(script: &ScriptBuf, network: bitcoin::Network) -> String {
    bitcoin::Address::from_script(script, network)
        .map_or_else(|_| format!("script {}", script.to_hex_string()), |address| address.to_string())
}
