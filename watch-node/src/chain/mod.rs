//! Where blocks come from and where transactions go.
//!
//! A [`BlockSource`] hands over whole blocks, which the tracker verifies itself; a [`Relay`] takes transactions
//! to the network. Both are synchronous: one indexer, one pass.

pub mod block;
pub mod core;
pub mod embedded;
pub mod script;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, FeeRate, Transaction, Txid};

use crate::error::Result;

/// A height and the block that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Blocks since genesis.
    pub height: u32,
    /// The block there.
    pub hash: BlockHash,
}

/// A source of whole blocks. Nothing it says is believed beyond what the blocks prove.
pub trait BlockSource {
    /// The best block.
    fn tip(&self) -> Result<Tip>;
    /// The hash of the best chain's block at a height; `None` above the tip.
    fn hash_at(&self, height: u32) -> Result<Option<BlockHash>>;
    /// The header of a block.
    fn header(&self, hash: BlockHash) -> Result<Header>;
    /// A whole block, of the best chain or a recent stale branch.
    fn block(&self, hash: BlockHash) -> Result<Block>;
    /// Ids of all unconfirmed transactions, in any order; `None` when this source cannot see any.
    fn mempool(&self) -> Result<Option<Vec<Txid>>>;
    /// Unconfirmed transactions by id. Those that have left the mempool meanwhile are left out.
    fn mempool_transactions(&self, txids: &[Txid]) -> Result<Vec<Transaction>>;
}

/// What a relay would do with a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Acceptance {
    /// It would enter the mempool.
    Accepted {
        /// The fee it pays.
        fee_sat: u64,
        /// Its size for fees (BIP141), in vbytes.
        vsize_vb: u64,
    },
    /// It is there already, in the mempool or in a block.
    Known,
    /// It would be refused, for a reason in Bitcoin Core's words (`policy/policy.cpp`, `validation.cpp`).
    Refused(String),
}

/// A way to the network for transactions.
pub trait Relay {
    /// Whether the transaction would be accepted, without sending it.
    fn test_acceptance(&self, transaction: &Transaction) -> Result<Acceptance>;
    /// Sends the transaction. Sending identical bytes again is no error, so that a retry pays nothing twice.
    fn submit(&self, transaction: &Transaction) -> Result<Txid>;
    /// A feerate expected to confirm within so many blocks; `None` when the source does not know.
    fn feerate_hint(&self, target_blocks: u16) -> Result<Option<FeeRate>>;
}
