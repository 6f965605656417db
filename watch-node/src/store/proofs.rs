//! What the store can prove to others: headers in order, and spends with their merkle proofs.

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::merkle_tree::MerkleBlock;
use bitcoin::{OutPoint, Transaction, Txid};
use rusqlite::params;

use super::{Branch, Place, Store};
use crate::error::{Error, Result};

/// Headers whose median time is a block's median time past, its own included (BIP113).
const MEDIAN_SPAN: u32 = 11;

/// A confirmed transaction that spends coins of ours, with the proof that its block holds it.
#[derive(Clone, Debug)]
pub struct ProvenSpend {
    /// The transaction.
    pub transaction: Transaction,
    /// Height of its block.
    pub height: u32,
    /// Header of its block, and the branch of its merkle tree (BIP37).
    pub proof: MerkleBlock,
    /// Inputs that spend coins of ours: input number, the coin, and where its script comes from.
    pub own: Vec<(u32, OutPoint, Place)>,
}

impl Store {
    /// Headers of the scanned blocks from a height to the tip.
    pub fn headers_from(&self, height: u32) -> Result<Vec<Header>> {
        let mut statement =
            self.db.prepare("SELECT header FROM blocks WHERE height >= ?1 ORDER BY height")?;
        let rows =
            statement.query_map([height], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
        rows.iter().map(|bytes| header(bytes)).collect()
    }

    /// Median time past at a scanned height (BIP113), in seconds of Unix time; of fewer than eleven headers where the scan
    /// began less than that before.
    ///
    /// Errors: [`Error::CorruptStore`] when that height is not scanned.
    pub fn median_time_past(&self, height: u32) -> Result<u64> {
        let mut statement = self.db.prepare_cached(
            "SELECT header FROM blocks WHERE height <= ?1 AND height + ?2 > ?1 ORDER BY height",
        )?;
        let rows = statement
            .query_map(params![height, MEDIAN_SPAN], |row| row.get::<_, Vec<u8>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        let mut times = rows.iter().map(|bytes| Ok(header(bytes)?.time)).collect::<Result<Vec<_>>>()?;
        times.sort_unstable();
        let median = times.get(times.len() / 2).ok_or(Error::CorruptStore("height"))?;
        Ok(u64::from(*median))
    }

    /// Confirmed transactions from a height on that spend coins of ours, in the order of the chain.
    pub fn proven_spends(&self, from: u32) -> Result<Vec<ProvenSpend>> {
        let mut statement = self.db.prepare(
            "SELECT t.txid, t.raw, t.height, t.merkle_proof, s.vin, c.txid, c.vout, c.wallet, c.branch, c.idx
               FROM transactions t JOIN spends s ON s.txid = t.txid
               JOIN coins c ON c.txid = s.prev_txid AND c.vout = s.prev_vout
              WHERE t.height >= ?1 ORDER BY t.height, t.position, s.vin",
        )?;
        let mut rows = statement.query([from])?;
        let mut found: Vec<ProvenSpend> = Vec::new();
        let mut latest = None;
        while let Some(row) = rows.next()? {
            let txid = Txid::from_byte_array(row.get(0)?);
            let coin = OutPoint::new(Txid::from_byte_array(row.get(5)?), row.get(6)?);
            let place =
                Place { wallet: row.get(7)?, branch: Branch::from_number(row.get(8)?)?, index: row.get(9)? };
            let own = (row.get(4)?, coin, place);
            if let (Some(last), true) = (found.last_mut(), latest == Some(txid)) {
                last.own.push(own);
                continue;
            }
            let raw: Vec<u8> = row.get(1)?;
            let proof: Vec<u8> = row.get(3)?;
            found.push(ProvenSpend {
                transaction: deserialize(&raw).map_err(|_| Error::CorruptStore("transaction"))?,
                height: row.get(2)?,
                proof: deserialize(&proof).map_err(|_| Error::CorruptStore("merkle proof"))?,
                own: vec![own],
            });
            latest = Some(txid);
        }
        Ok(found)
    }
}

fn header(bytes: &[u8]) -> Result<Header> {
    deserialize(bytes).map_err(|_| Error::CorruptStore("header"))
}
