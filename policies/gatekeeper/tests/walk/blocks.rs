//! A regtest chain, mined here, and what of it is told to the gatekeeper.

use crate::office::{Office, Payment};
use bitcoin::block::{Header, Version};
use bitcoin::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::merkle_tree::{PartialMerkleTree, calculate_root};
use bitcoin::{CompactTarget, Network, Transaction, TxMerkleNode, Txid};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::wallet::{Branch, Keypath};
use psbt_tools::facts::{Facts, OwnInput, ProvenTransaction};

/// Blocks from the genesis block on.
#[derive(Clone)]
pub struct Blocks {
    headers: Vec<Header>,
    txids: Vec<Vec<Txid>>,
    transactions: Vec<(usize, Transaction, Evidence)>,
}

impl Blocks {
    /// The genesis block alone.
    pub fn new() -> Self {
        Self {
            headers: vec![genesis_block(Network::Regtest).header],
            txids: vec![vec![]],
            transactions: vec![],
        }
    }

    /// Mines one block with these transactions, each with what it spends from. The mark tells branches apart.
    pub fn mine(&mut self, mark: u8, transactions: &[(Transaction, Evidence)]) {
        let parent = self.headers.last().unwrap();
        let mut txids = vec![Txid::from_byte_array([mark; 32])];
        for (transaction, previous) in transactions {
            txids.push(transaction.compute_txid());
            self.transactions.push((self.headers.len(), transaction.clone(), previous.clone()));
        }
        let mut header = Header {
            version: Version::TWO,
            prev_blockhash: parent.block_hash(),
            merkle_root: calculate_root(txids.iter().copied().map(TxMerkleNode::from)).unwrap(),
            time: parent.time + 600,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        while !header.target().is_met_by(header.block_hash()) {
            header.nonce += 1;
        }
        self.headers.push(header);
        self.txids.push(txids);
    }

    pub fn mine_empty(&mut self, mark: u8, count: usize) {
        (0..count).for_each(|_| self.mine(mark, &[]));
    }

    /// The first blocks, up to this height.
    pub fn up_to(&self, height: usize) -> Self {
        let mut cut = self.clone();
        cut.headers.truncate(height + 1);
        cut.txids.truncate(height + 1);
        cut.transactions.retain(|(at, ..)| *at <= height);
        cut
    }

    pub fn header(&self, height: usize) -> Header {
        self.headers[height]
    }

    /// Everything from this height on, with every input claimed as the office's first address.
    pub fn facts(&self, office: &Office, from: usize) -> Facts {
        let told = || self.transactions.iter().filter(|(at, ..)| *at >= from);
        let proven = |(at, transaction, _): &(usize, Transaction, Evidence)| {
            let txid = transaction.compute_txid();
            let named: Vec<bool> = self.txids[*at].iter().map(|other| *other == txid).collect();
            let keypath = Keypath { branch: Branch::External, index: 0 };
            let own = OwnInput { input: 0, wallet: office.wallet.id(), keypath };
            ProvenTransaction {
                transaction: transaction.clone(),
                block: self.headers[*at].block_hash(),
                proof: PartialMerkleTree::from_txids(&self.txids[*at], &named),
                own: vec![own],
            }
        };
        Facts {
            network: Network::Regtest,
            from: u32::try_from(from).unwrap(),
            headers: self.headers[from..].to_vec(),
            transactions: told().map(proven).collect(),
            previous: Evidence::new(told().flat_map(|(.., previous)| previous.transactions()).cloned()),
        }
    }

    /// Writes them as a file and gives its name.
    pub fn write(&self, office: &Office, from: usize, name: &'static str) -> &'static str {
        office.write(name, self.facts(office, from).to_bytes());
        name
    }
}

/// The transaction of a payment, and what it spends from.
pub fn transaction(office: &Office, payment: &Payment) -> (Transaction, Evidence) {
    let (spend, evidence) = office.spend(payment);
    (spend.unsigned_transaction(), evidence)
}
