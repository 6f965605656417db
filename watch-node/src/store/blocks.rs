//! The scanned chain: one durable change per block.

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Network};
use rusqlite::{OptionalExtension, params};

use super::{Matched, Store};
use crate::chain::Tip;
use crate::error::{Error, Result};

/// A verified block, reduced to what concerns the wallets.
pub struct ConnectedBlock {
    /// Its height.
    pub height: u32,
    /// Its header.
    pub header: Header,
    /// The transactions that touch a wallet.
    pub matched: Vec<Matched>,
}

impl Store {
    /// The last scanned block; `None` before the first.
    pub fn tip(&self) -> Result<Option<Tip>> {
        self.db
            .query_row("SELECT height, hash FROM blocks ORDER BY height DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?))
            })
            .optional()?
            .map(|(height, hash)| Ok(Tip { height, hash: BlockHash::from_byte_array(hash) }))
            .transpose()
    }

    /// The height at which the scan began.
    pub fn scanned_from(&self) -> Result<Option<u32>> {
        Ok(self.db.query_row("SELECT min(height) FROM blocks", [], |row| row.get(0))?)
    }

    /// The hash of the scanned block at a height.
    pub fn hash_at(&self, height: u32) -> Result<Option<BlockHash>> {
        let hash = self
            .db
            .query_row("SELECT hash FROM blocks WHERE height = ?1", [height], |row| row.get::<_, [u8; 32]>(0))
            .optional()?;
        Ok(hash.map(BlockHash::from_byte_array))
    }

    /// The header of the scanned block at a height.
    pub fn header_at(&self, height: u32) -> Result<Option<Header>> {
        self.db
            .query_row("SELECT header FROM blocks WHERE height = ?1", [height], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()?
            .map(|bytes| deserialize(&bytes).map_err(|_| Error::CorruptStore("header")))
            .transpose()
    }

    /// Adds a block on top, with everything that it changes, in one durable change. `now` is Unix time.
    ///
    /// The caller has verified the block, and that it builds on [`Store::tip`].
    pub fn connect(&mut self, block: &ConnectedBlock, now: i64) -> Result<()> {
        let change = self.db.transaction()?;
        let hash = block.header.block_hash();
        change.execute(
            "INSERT INTO blocks (height, hash, header) VALUES (?1, ?2, ?3)",
            params![block.height, hash.as_byte_array(), serialize(&block.header)],
        )?;
        for matched in &block.matched {
            super::transactions::write(&change, matched, now)?;
            change.execute(
                "UPDATE transactions SET height = ?2, block_hash = ?3, position = ?4, merkle_proof = ?5, mempool = 0
                 WHERE txid = ?1",
                params![
                    matched.transaction.compute_txid().as_byte_array(),
                    block.height,
                    hash.as_byte_array(),
                    matched.position,
                    matched.merkle_proof
                ],
            )?;
        }
        change.commit()?;
        Ok(())
    }

    /// Undoes every block above `height` (`None`: all of them). Their transactions stay known as unconfirmed.
    /// Returns how many blocks went.
    pub fn disconnect_above(&mut self, height: Option<u32>) -> Result<usize> {
        let change = self.db.transaction()?;
        let height = height.map_or(-1, i64::from);
        change.execute(
            "UPDATE transactions SET height = NULL, block_hash = NULL, position = NULL, merkle_proof = NULL
             WHERE height > ?1",
            [height],
        )?;
        let gone = change.execute("DELETE FROM blocks WHERE height > ?1", [height])?;
        change.commit()?;
        Ok(gone)
    }

    /// The network of this folder.
    pub fn network(&self) -> Result<Network> {
        Ok(self.config()?.network)
    }
}
