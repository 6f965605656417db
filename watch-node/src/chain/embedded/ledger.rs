//! The embedded chain on disk: blocks by hash, the active chain by height, outputs, mempool.
//!
//! Each change is one SQLite transaction with `synchronous=FULL`, so a kill at any moment leaves the state
//! before or after it.

use std::path::Path;

use bitcoin::block::Header;
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use rusqlite::{Connection, OptionalExtension, params};

use crate::chain::Tip;
use crate::error::{Error, Result};

const APPLICATION_ID: i64 = 0x616c_7267; // "alrg"
const VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE blocks (hash BLOB PRIMARY KEY, raw BLOB NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE active (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, time INTEGER NOT NULL) STRICT;
    CREATE TABLE outputs (
        txid BLOB NOT NULL, vout INTEGER NOT NULL, value_sat INTEGER NOT NULL, script BLOB NOT NULL,
        coinbase INTEGER NOT NULL, height INTEGER NOT NULL, spent_height INTEGER,
        PRIMARY KEY (txid, vout)) STRICT, WITHOUT ROWID;
    CREATE INDEX outputs_script ON outputs (script, spent_height);
    CREATE TABLE mempool (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, txid BLOB NOT NULL UNIQUE, raw BLOB NOT NULL,
        fee_sat INTEGER NOT NULL) STRICT;
    CREATE TABLE mempool_inputs (
        txid BLOB NOT NULL, vout INTEGER NOT NULL, spender BLOB NOT NULL,
        PRIMARY KEY (txid, vout)) STRICT, WITHOUT ROWID;
";

pub(super) struct Ledger {
    db: Connection,
}

/// An output of the active chain.
pub(super) struct Output {
    pub txout: TxOut,
    pub coinbase: bool,
    pub height: u32,
    pub spent_height: Option<u32>,
}

/// A transaction that waits for a block.
pub(super) struct Waiting {
    pub transaction: Transaction,
    pub fee: Amount,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let db = crate::store::open_database(path, APPLICATION_ID, VERSION, &[SCHEMA])?;
        let ledger = Self { db };
        if ledger.hash_at(0)?.is_none() {
            let change = ledger.begin()?;
            // The genesis coinbase is no spendable output: Bitcoin Core never adds it to the UTXO set.
            ledger.store_block(&genesis_block(Network::Regtest), 0)?;
            change.commit()?;
        }
        Ok(ledger)
    }

    /// Starts one durable change; dropping it undoes everything since.
    pub(super) fn begin(&self) -> Result<rusqlite::Transaction<'_>> {
        Ok(self.db.unchecked_transaction()?)
    }

    pub(super) fn tip(&self) -> Result<Tip> {
        let row =
            self.db.query_row("SELECT height, hash FROM active ORDER BY height DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?))
            })?;
        Ok(Tip { height: row.0, hash: block_hash(&row.1)? })
    }

    pub(super) fn hash_at(&self, height: u32) -> Result<Option<BlockHash>> {
        self.db
            .query_row("SELECT hash FROM active WHERE height = ?1", [height], |row| row.get::<_, Vec<u8>>(0))
            .optional()?
            .map(|bytes| block_hash(&bytes))
            .transpose()
    }

    pub(super) fn block(&self, hash: BlockHash) -> Result<Block> {
        let raw = self
            .db
            .query_row("SELECT raw FROM blocks WHERE hash = ?1", [hash.as_byte_array()], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()?
            .ok_or(Error::NoBlock(hash))?;
        deserialize(&raw).map_err(|_| Error::CorruptStore("block"))
    }

    /// Median time past of the block at `height` (BIP113): the median of it and up to ten before it.
    pub(super) fn median_time_past(&self, height: u32) -> Result<u32> {
        let mut statement = self
            .db
            .prepare_cached("SELECT time FROM active WHERE height <= ?1 ORDER BY height DESC LIMIT 11")?;
        let mut times =
            statement.query_map([height], |row| row.get::<_, u32>(0))?.collect::<Result<Vec<_>, _>>()?;
        times.sort_unstable();
        times.get(times.len() / 2).copied().ok_or(Error::CorruptStore("chain"))
    }

    pub(super) fn output(&self, outpoint: OutPoint) -> Result<Option<Output>> {
        let mut statement = self.db.prepare_cached(
            "SELECT value_sat, script, coinbase, height, spent_height FROM outputs WHERE txid = ?1 AND vout = ?2",
        )?;
        let found = statement
            .query_row(params![outpoint.txid.as_byte_array(), outpoint.vout], |row| {
                Ok(Output {
                    txout: TxOut {
                        value: Amount::from_sat(row.get::<_, i64>(0)?.unsigned_abs()),
                        script_pubkey: ScriptBuf::from_bytes(row.get(1)?),
                    },
                    coinbase: row.get(2)?,
                    height: row.get(3)?,
                    spent_height: row.get(4)?,
                })
            })
            .optional()?;
        Ok(found)
    }

    /// Whether any output of this transaction was ever part of the active chain.
    pub(super) fn is_confirmed(&self, txid: Txid) -> Result<bool> {
        let mut statement =
            self.db.prepare_cached("SELECT EXISTS (SELECT 1 FROM outputs WHERE txid = ?1)")?;
        Ok(statement.query_row([txid.as_byte_array()], |row| row.get(0))?)
    }

    /// Unspent outputs with this script, largest first; mempool left aside.
    pub(super) fn unspent_of(&self, script: &ScriptBuf) -> Result<Vec<(OutPoint, Output)>> {
        let mut statement = self.db.prepare_cached(
            "SELECT txid, vout, value_sat, coinbase, height FROM outputs
             WHERE script = ?1 AND spent_height IS NULL ORDER BY value_sat DESC, height",
        )?;
        let rows = statement
            .query_map([script.as_bytes()], |row| {
                Ok((
                    row.get::<_, [u8; 32]>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, i64>(2)?.unsigned_abs(),
                    row.get::<_, bool>(3)?,
                    row.get::<_, u32>(4)?,
                ))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(rows
            .into_iter()
            .map(|(txid, vout, value_sat, coinbase, height)| {
                let txout = TxOut { value: Amount::from_sat(value_sat), script_pubkey: script.clone() };
                let outpoint = OutPoint::new(Txid::from_byte_array(txid), vout);
                (outpoint, Output { txout, coinbase, height, spent_height: None })
            })
            .collect())
    }

    /// The waiting transactions, parents before children.
    pub(super) fn mempool(&self) -> Result<Vec<Waiting>> {
        let mut statement = self.db.prepare_cached("SELECT raw, fee_sat FROM mempool ORDER BY sequence")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        rows.into_iter()
            .map(|(raw, fee_sat)| {
                let transaction =
                    deserialize(&raw).map_err(|_| Error::CorruptStore("mempool transaction"))?;
                Ok(Waiting { transaction, fee: Amount::from_sat(fee_sat.unsigned_abs()) })
            })
            .collect()
    }

    pub(super) fn mempool_transaction(&self, txid: Txid) -> Result<Option<Transaction>> {
        self.db
            .query_row("SELECT raw FROM mempool WHERE txid = ?1", [txid.as_byte_array()], |row| {
                row.get::<_, Vec<u8>>(0)
            })
            .optional()?
            .map(|raw| deserialize(&raw).map_err(|_| Error::CorruptStore("mempool transaction")))
            .transpose()
    }

    /// The waiting transaction that spends this output.
    pub(super) fn spender_in_mempool(&self, outpoint: OutPoint) -> Result<Option<Txid>> {
        let mut statement =
            self.db.prepare_cached("SELECT spender FROM mempool_inputs WHERE txid = ?1 AND vout = ?2")?;
        let spender = statement
            .query_row(params![outpoint.txid.as_byte_array(), outpoint.vout], |row| row.get::<_, [u8; 32]>(0))
            .optional()?;
        Ok(spender.map(Txid::from_byte_array))
    }

    /// Forgets a waiting transaction: it was mined, or another one takes its place.
    pub(super) fn remove_from_mempool(&self, txid: Txid) -> Result<()> {
        self.db.execute("DELETE FROM mempool_inputs WHERE spender = ?1", [txid.as_byte_array()])?;
        self.db.execute("DELETE FROM mempool WHERE txid = ?1", [txid.as_byte_array()])?;
        Ok(())
    }

    pub(super) fn add_to_mempool(&self, transaction: &Transaction, fee: Amount) -> Result<()> {
        let txid = transaction.compute_txid();
        self.db.execute(
            "INSERT INTO mempool (txid, raw, fee_sat) VALUES (?1, ?2, ?3)",
            params![txid.as_byte_array(), serialize(transaction), to_i64(fee)?],
        )?;
        for input in &transaction.input {
            self.db.execute(
                "INSERT INTO mempool_inputs (txid, vout, spender) VALUES (?1, ?2, ?3)",
                params![
                    input.previous_output.txid.as_byte_array(),
                    input.previous_output.vout,
                    txid.as_byte_array()
                ],
            )?;
        }
        Ok(())
    }

    /// Makes `block` the tip: spends, creates, and takes its transactions out of the mempool.
    pub(super) fn connect(&self, block: &Block, height: u32) -> Result<()> {
        self.store_block(block, height)?;
        for transaction in &block.txdata {
            let txid = transaction.compute_txid();
            for input in transaction.input.iter().filter(|_| !transaction.is_coinbase()) {
                let spent =
                    params![height, input.previous_output.txid.as_byte_array(), input.previous_output.vout];
                self.db
                    .prepare_cached(
                        "UPDATE outputs SET spent_height = ?1 WHERE txid = ?2 AND vout = ?3 AND spent_height IS NULL",
                    )?
                    .execute(spent)?;
            }
            for (vout, output) in transaction.output.iter().enumerate() {
                if output.script_pubkey.is_op_return() {
                    continue;
                }
                self.db
                    .prepare_cached(
                        "INSERT INTO outputs (txid, vout, value_sat, script, coinbase, height)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![
                        txid.as_byte_array(),
                        u32::try_from(vout).map_err(|_| Error::Overflow)?,
                        to_i64(output.value)?,
                        output.script_pubkey.as_bytes(),
                        transaction.is_coinbase(),
                        height
                    ])?;
            }
            self.remove_from_mempool(txid)?;
        }
        Ok(())
    }

    fn store_block(&self, block: &Block, height: u32) -> Result<()> {
        let Header { time, .. } = block.header;
        let hash = block.block_hash();
        self.db.execute(
            "INSERT INTO blocks (hash, raw) VALUES (?1, ?2)",
            params![hash.as_byte_array(), serialize(block)],
        )?;
        self.db.execute(
            "INSERT INTO active (height, hash, time) VALUES (?1, ?2, ?3)",
            params![height, hash.as_byte_array(), time],
        )?;
        Ok(())
    }
}

fn block_hash(bytes: &[u8]) -> Result<BlockHash> {
    BlockHash::from_slice(bytes).map_err(|_| Error::CorruptStore("block hash"))
}

fn to_i64(amount: Amount) -> Result<i64> {
    i64::try_from(amount.to_sat()).map_err(|_| Error::Overflow)
}
