//! Transactions that touch a wallet, their coins, and what they spend.

use std::collections::HashSet;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{Branch, Place, Store, to_i64};
use crate::error::{Error, Result};
use crate::payment::unsigned_txid;

/// A transaction with what the wallets have to do with it.
#[derive(Clone, Debug)]
pub struct Matched {
    /// The transaction.
    pub transaction: Transaction,
    /// Its place in the block; `None` for the mempool.
    pub position: Option<u32>,
    /// Outputs of ours: output number and where its script comes from.
    pub coins: Vec<(u32, Place)>,
    /// Inputs that spend a coin of ours: input number and the coin.
    pub spends: Vec<(u32, OutPoint)>,
    /// Proof that the block contains it: a BIP37 `CMerkleBlock`.
    pub merkle_proof: Option<Vec<u8>>,
}

/// A stored transaction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Unix time at which it was first seen.
    pub first_seen: i64,
    /// Whether the source's mempool held it at the last look.
    pub in_mempool: bool,
    /// Height and hash of its block.
    pub confirmed: Option<(u32, BlockHash)>,
    /// What it pays to the wallet asked for.
    pub received_sat: u64,
    /// What it takes from the wallet asked for.
    pub sent_sat: u64,
}

/// A coin and its state, as the tables have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoinRow {
    /// Which output.
    pub outpoint: OutPoint,
    /// Whose.
    pub place: Place,
    /// Its value.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// Whether it is a block reward.
    pub coinbase: bool,
    /// The height of its block, when confirmed.
    pub height: Option<u32>,
    /// Whether its transaction, unconfirmed, is in the mempool.
    pub in_mempool: bool,
    /// The confirmed transaction that spends it.
    pub spent: Option<Txid>,
    /// The transaction in the mempool that spends it.
    pub pending_spend: Option<Txid>,
    /// The payment that has set it aside.
    pub reserved_for: Option<i64>,
}

/// A stored transaction that spends coins of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendingTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Height of its block.
    pub height: Option<u32>,
    /// Whether the source's mempool held it at the last look.
    pub in_mempool: bool,
    /// The wallets whose coins it spends, each once.
    pub wallets: Vec<i64>,
}

impl Store {
    /// Every output that ever was ours, spent or not.
    pub fn outpoints(&self) -> Result<HashSet<OutPoint>> {
        let mut statement = self.db.prepare("SELECT txid, vout FROM coins")?;
        let outpoints = statement.query_map([], |row| outpoint(row, 0, 1))?.collect::<Result<_, _>>()?;
        Ok(outpoints)
    }

    /// All coins of a wallet, or of all wallets, oldest first.
    pub fn coins(&self, wallet: Option<i64>) -> Result<Vec<CoinRow>> {
        let mut statement = self.db.prepare(
            "SELECT txid, vout, wallet, branch, idx, value_sat, script, coinbase, height, mempool, spent_txid,
                    pending_spend_txid, reserved_for
             FROM coin_states WHERE ?1 IS NULL OR wallet = ?1
             ORDER BY height IS NULL, height, txid, vout",
        )?;
        let rows = statement.query_map([wallet], |row| Ok(coin(row)))?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().collect()
    }

    /// The transactions of a wallet, or of all, oldest first, unconfirmed ones last.
    pub fn history(&self, wallet: Option<i64>) -> Result<Vec<OwnTransaction>> {
        let mut statement = self.db.prepare(
            "SELECT raw, first_seen, mempool, height, block_hash,
                (SELECT coalesce(sum(c.value_sat), 0) FROM coins c
                  WHERE c.txid = t.txid AND (?1 IS NULL OR c.wallet = ?1)) AS received,
                (SELECT coalesce(sum(c.value_sat), 0) FROM spends s
                   JOIN coins c ON c.txid = s.prev_txid AND c.vout = s.prev_vout
                  WHERE s.txid = t.txid AND (?1 IS NULL OR c.wallet = ?1)) AS sent
             FROM transactions t WHERE received > 0 OR sent > 0
             ORDER BY height IS NULL, height, position, first_seen, txid",
        )?;
        let rows =
            statement.query_map([wallet], |row| Ok(own_transaction(row)))?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().collect()
    }

    /// Every transaction that spends a coin of ours, oldest first.
    pub fn spending_transactions(&self) -> Result<Vec<SpendingTransaction>> {
        let mut statement = self.db.prepare(
            "SELECT DISTINCT t.txid, raw, height, mempool, c.wallet
               FROM transactions t JOIN spends s ON s.txid = t.txid
               JOIN coins c ON c.txid = s.prev_txid AND c.vout = s.prev_vout
              ORDER BY height IS NULL, height, position, first_seen, t.txid, c.wallet",
        )?;
        let mut rows = statement.query([])?;
        let mut found: Vec<SpendingTransaction> = Vec::new();
        while let Some(row) = rows.next()? {
            let raw: Vec<u8> = row.get(1)?;
            let transaction: Transaction =
                deserialize(&raw).map_err(|_| Error::CorruptStore("transaction"))?;
            let wallet: i64 = row.get(4)?;
            match found.last_mut().filter(|last| last.transaction == transaction) {
                Some(last) => last.wallets.push(wallet),
                None => found.push(SpendingTransaction {
                    transaction,
                    height: row.get(2)?,
                    in_mempool: row.get(3)?,
                    wallets: vec![wallet],
                }),
            }
        }
        Ok(found)
    }

    /// Fills in what versions before the fourth did not keep.
    pub(super) fn fill_unsigned_txids(&mut self) -> Result<()> {
        let lacking = "SELECT raw FROM transactions WHERE unsigned_txid IS NULL";
        if !self.db.prepare(lacking)?.exists([])? {
            return Ok(());
        }
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let raw = change
            .prepare(lacking)?
            .query_map([], |row| row.get::<_, Vec<u8>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for raw in raw {
            let transaction: Transaction =
                deserialize(&raw).map_err(|_| Error::CorruptStore("transaction"))?;
            change.execute(
                "UPDATE transactions SET unsigned_txid = ?2 WHERE txid = ?1",
                params![
                    transaction.compute_txid().as_byte_array(),
                    unsigned_txid(&transaction).as_byte_array()
                ],
            )?;
        }
        change.commit()?;
        Ok(())
    }

    /// A stored transaction by id.
    pub fn transaction(&self, txid: Txid) -> Result<Option<Transaction>> {
        self.db
            .query_row("SELECT raw FROM transactions WHERE txid = ?1", [txid.as_byte_array()], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()?
            .map(|raw| deserialize(&raw).map_err(|_| Error::CorruptStore("transaction")))
            .transpose()
    }

    /// Records a look at the mempool in one change: `new` are transactions of ours not stored yet, `seen` all
    /// ids it held. Absence only clears the mark; nothing is forgotten. `now` is Unix time.
    pub fn see_mempool(&mut self, new: &[Matched], seen: &HashSet<Txid>, now: i64) -> Result<()> {
        let change = self.db.transaction()?;
        for matched in new {
            write(&change, matched, now)?;
        }
        {
            let mut waiting =
                change.prepare("SELECT txid, mempool FROM transactions WHERE height IS NULL")?;
            let rows = waiting
                .query_map([], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, bool>(1)?)))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut mark = change.prepare("UPDATE transactions SET mempool = ?2 WHERE txid = ?1")?;
            for (txid, was_there) in rows {
                let is_there = seen.contains(&Txid::from_byte_array(txid));
                if is_there != was_there {
                    mark.execute(params![txid, is_there])?;
                }
            }
        }
        change.commit()?;
        Ok(())
    }
}

/// Writes what never changes about a transaction; a second time changes nothing.
pub(super) fn write(db: &Connection, matched: &Matched, now: i64) -> Result<()> {
    let transaction = &matched.transaction;
    let txid = transaction.compute_txid();
    // The witness may differ between what was seen first and what was mined; the mined one counts.
    db.execute(
        "INSERT INTO transactions (txid, raw, coinbase, first_seen, mempool, unsigned_txid)
         VALUES (?1, ?2, ?3, ?4, 0, ?5) ON CONFLICT (txid) DO UPDATE SET raw = excluded.raw",
        params![
            txid.as_byte_array(),
            serialize(transaction),
            transaction.is_coinbase(),
            now,
            unsigned_txid(transaction).as_byte_array()
        ],
    )?;
    for (vout, place) in &matched.coins {
        let output = usize::try_from(*vout)
            .ok()
            .and_then(|vout| transaction.output.get(vout))
            .ok_or(Error::CorruptStore("match"))?;
        db.execute(
            "INSERT INTO coins (txid, vout, wallet, branch, idx, value_sat, script)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            params![
                txid.as_byte_array(),
                vout,
                place.wallet,
                place.branch.number(),
                place.index,
                to_i64(output.value)?,
                output.script_pubkey.as_bytes()
            ],
        )?;
    }
    for (vin, coin) in &matched.spends {
        db.execute(
            "INSERT INTO spends (prev_txid, prev_vout, txid, vin) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
            params![coin.txid.as_byte_array(), coin.vout, txid.as_byte_array(), vin],
        )?;
    }
    Ok(())
}

fn coin(row: &Row<'_>) -> Result<CoinRow> {
    let txid = |column| Ok::<_, Error>(row.get::<_, Option<[u8; 32]>>(column)?.map(Txid::from_byte_array));
    Ok(CoinRow {
        outpoint: outpoint(row, 0, 1)?,
        place: Place { wallet: row.get(2)?, branch: Branch::from_number(row.get(3)?)?, index: row.get(4)? },
        value: Amount::from_sat(row.get::<_, i64>(5)?.unsigned_abs()),
        script: ScriptBuf::from_bytes(row.get(6)?),
        coinbase: row.get(7)?,
        height: row.get(8)?,
        in_mempool: row.get(9)?,
        spent: txid(10)?,
        pending_spend: txid(11)?,
        reserved_for: row.get(12)?,
    })
}

fn own_transaction(row: &Row<'_>) -> Result<OwnTransaction> {
    let raw: Vec<u8> = row.get(0)?;
    let block_hash: Option<[u8; 32]> = row.get(4)?;
    Ok(OwnTransaction {
        transaction: deserialize(&raw).map_err(|_| Error::CorruptStore("transaction"))?,
        first_seen: row.get(1)?,
        in_mempool: row.get(2)?,
        confirmed: row.get::<_, Option<u32>>(3)?.zip(block_hash.map(BlockHash::from_byte_array)),
        received_sat: row.get::<_, i64>(5)?.unsigned_abs(),
        sent_sat: row.get::<_, i64>(6)?.unsigned_abs(),
    })
}

fn outpoint(row: &Row<'_>, txid: usize, vout: usize) -> rusqlite::Result<OutPoint> {
    Ok(OutPoint::new(Txid::from_byte_array(row.get::<_, [u8; 32]>(txid)?), row.get(vout)?))
}
