//! An in-process regtest chain, for the demo, tests and first steps without a Bitcoin Core.
//!
//! Real genesis, real proof of work at regtest's difficulty, the consensus rules that a payment can meet, and
//! Bitcoin Core's default relay rules; scripts are checked by Core's own engine ([`super::script`]). It lives in
//! one SQLite file of the data folder, one writer at a time, and is never offered on another network.
//!
//! Not modelled: ancestor limits, script standardness, forks (though blocks are kept by hash, and outputs remember when
//! they were spent).

mod ledger;
mod mempool;
mod mine;
mod miner;
mod replace;
mod standard;

use std::path::Path;

use bitcoin::block::Header;
use bitcoin::{Block, BlockHash, FeeRate, Transaction, Txid};

use super::{Acceptance, BlockSource, Relay, Tip};
use crate::error::Result;
use crate::store::Lock;
use ledger::Ledger;

pub use miner::{MINER_KEY, miner_script};
pub use standard::{MAX_STANDARD_WEIGHT_WU, MIN_RELAY_SAT_PER_KVB};

/// The chain, open for reading and writing by this process alone.
pub struct Embedded {
    ledger: Ledger,
    _lock: Lock,
}

impl Embedded {
    /// Opens the chain in `dir`, creating it at its genesis block when there is none.
    ///
    /// Errors: [`Error::Locked`] when another process keeps it for more than ten seconds.
    pub fn open(dir: &Path) -> Result<Self> {
        let lock = Lock::take(&dir.join("regtest.lock"))?;
        let ledger = Ledger::open(&dir.join("regtest.sqlite"))?;
        Ok(Self { ledger, _lock: lock })
    }

    /// An output that is unspent in the active chain, mempool left aside: its value, script and height.
    pub fn unspent(&self, outpoint: bitcoin::OutPoint) -> Result<Option<(bitcoin::TxOut, u32)>> {
        let output = self.ledger.output(outpoint)?.filter(|output| output.spent_height.is_none());
        Ok(output.map(|output| (output.txout, output.height)))
    }
}

impl BlockSource for Embedded {
    fn tip(&self) -> Result<Tip> {
        self.ledger.tip()
    }

    fn hash_at(&self, height: u32) -> Result<Option<BlockHash>> {
        self.ledger.hash_at(height)
    }

    fn header(&self, hash: BlockHash) -> Result<Header> {
        Ok(self.block(hash)?.header)
    }

    fn block(&self, hash: BlockHash) -> Result<Block> {
        self.ledger.block(hash)
    }

    fn mempool(&self) -> Result<Option<Vec<Txid>>> {
        let transactions = self.ledger.mempool()?;
        Ok(Some(transactions.iter().map(|entry| entry.transaction.compute_txid()).collect()))
    }

    fn mempool_transactions(&self, txids: &[Txid]) -> Result<Vec<Transaction>> {
        let mut found = Vec::with_capacity(txids.len());
        for txid in txids {
            found.extend(self.ledger.mempool_transaction(*txid)?);
        }
        Ok(found)
    }
}

impl Relay for Embedded {
    fn test_acceptance(&self, transaction: &Transaction) -> Result<Acceptance> {
        mempool::test(&self.ledger, transaction)
    }

    fn submit(&self, transaction: &Transaction) -> Result<Txid> {
        let change = self.ledger.begin()?;
        let txid = mempool::accept(&self.ledger, transaction)?;
        change.commit()?;
        Ok(txid)
    }

    /// No market here: the relay minimum is enough for the next block.
    fn feerate_hint(&self, _target_blocks: u16) -> Result<Option<FeeRate>> {
        Ok(Some(FeeRate::BROADCAST_MIN))
    }
}

#[cfg(test)]
mod tests;
