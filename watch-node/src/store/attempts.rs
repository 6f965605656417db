//! Attempts of payments: each is a spend with the request that asks for it. Those of one payment share a coin, so at most
//! one of them is ever mined.

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};
use policies::codec::Canonical;
use policies::request::Request;
use policies::spend::Spend;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::{Branch, Store, WatchedWallet};
use crate::error::{Error, Result};

/// What this folder did with an attempt; the rest of its state follows from documents and chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// It is made; whether its file was ever written is not known.
    Drafted,
    /// The file was written.
    Exported,
    /// It came back signed and is kept.
    Signed,
    /// A relay took it.
    Broadcast,
}

impl Conduct {
    const ALL: [Conduct; 4] = [Conduct::Drafted, Conduct::Exported, Conduct::Signed, Conduct::Broadcast];

    fn word(self) -> &'static str {
        match self {
            Conduct::Drafted => "drafted",
            Conduct::Exported => "exported",
            Conduct::Signed => "signed",
            Conduct::Broadcast => "broadcast",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|conduct| conduct.word() == word).ok_or(Error::CorruptStore("payment state"))
    }
}

/// An attempt that is about to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What is spent, and to whom.
    pub spend: Spend,
    /// What is asked for.
    pub request: Request,
    /// The request file, byte for byte.
    pub file: Vec<u8>,
    /// Whether it uses the change index that was offered.
    pub uses_change: bool,
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its row.
    pub id: i64,
    /// 1 for a payment's first.
    pub nth: u32,
    /// What was done with it here.
    pub conduct: Conduct,
    /// What is spent, and to whom.
    pub spend: Spend,
    /// What was asked for; a later attempt may serve the same request.
    pub request: Request,
    /// Txid of the unsigned transaction; the final one where all inputs are native segwit.
    pub unsigned_txid: Txid,
    /// The transaction as it was first submitted; every retry sends these bytes.
    pub signed: Option<Transaction>,
    /// Unix time.
    pub created: i64,
}

const COLUMNS: &str = "payment, id, nth, state, spend, request, unsigned_txid, signed, created";

impl Store {
    /// Adds an attempt to a payment in one change, as [`Store::create_payment`] makes the first; gives its number.
    ///
    /// `draft` is given the change index that it may use.
    pub fn add_attempt(
        &mut self,
        wallet: &WatchedWallet,
        payment: u32,
        now: i64,
        draft: impl FnOnce(u32) -> Result<Draft>,
    ) -> Result<u32> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let index = super::wallets::next_index(&change, wallet.id, Branch::Internal)?;
        let nth = write(&change, (wallet, index), payment, &draft(index)?, now)?;
        // One that was given up and is on its way all the same is not given up any more.
        change.execute("UPDATE payments SET abandoned = NULL WHERE number = ?1", [payment])?;
        change.commit()?;
        Ok(nth)
    }

    /// The attempts of a payment, or of all, oldest first, each with its payment's number.
    pub(super) fn attempts(&self, payment: Option<u32>) -> Result<Vec<(u32, Attempt)>> {
        let mut statement = self.db.prepare(&format!(
            "SELECT {COLUMNS} FROM attempts WHERE ?1 IS NULL OR payment = ?1 ORDER BY payment, nth"
        ))?;
        let rows = statement.query_map([payment], |row| Ok(attempt(row)))?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().collect()
    }

    /// The request file of an attempt, byte for byte as it left.
    pub fn attempt_file(&self, attempt: &Attempt) -> Result<Vec<u8>> {
        self.db
            .query_row("SELECT bytes FROM attempt_files WHERE attempt = ?1", [attempt.id], |row| row.get(0))
            .optional()?
            .ok_or(Error::CorruptStore("attempt without its file"))
    }

    /// The attempt's file has left this folder.
    pub fn mark_exported(&mut self, attempt: &Attempt) -> Result<()> {
        self.db.execute(
            "UPDATE attempts SET state = ?2 WHERE id = ?1 AND state = ?3",
            params![attempt.id, Conduct::Exported.word(), Conduct::Drafted.word()],
        )?;
        Ok(())
    }

    /// Keeps the signed transaction of an attempt; the first one stays.
    pub fn keep_signed(&mut self, attempt: &Attempt, transaction: &Transaction) -> Result<()> {
        self.db.execute(
            "UPDATE attempts SET signed = ?2, state = ?3 WHERE id = ?1 AND signed IS NULL",
            params![attempt.id, serialize(transaction), Conduct::Signed.word()],
        )?;
        Ok(())
    }

    /// A relay has taken the attempt.
    pub fn mark_broadcast(&mut self, attempt: &Attempt) -> Result<()> {
        self.db.execute(
            "UPDATE attempts SET state = ?2 WHERE id = ?1 AND signed IS NOT NULL",
            params![attempt.id, Conduct::Broadcast.word()],
        )?;
        Ok(())
    }

    /// The confirmed transaction, other than the attempt's own, that spends one of its coins.
    pub fn replaced_by(&self, attempt: &Attempt) -> Result<Option<Txid>> {
        let mut statement = self.db.prepare_cached(
            "SELECT s.txid FROM reservations r
               JOIN spends s ON s.prev_txid = r.txid AND s.prev_vout = r.vout
               JOIN transactions t ON t.txid = s.txid
              WHERE r.attempt = ?1 AND t.height IS NOT NULL AND t.unsigned_txid <> ?2",
        )?;
        let mut rows = statement.query(params![attempt.id, attempt.unsigned_txid.as_byte_array()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Txid::from_byte_array(row.get(0)?)))
    }
}

/// Writes an attempt, its file and its reservations; gives its number. `change` is the wallet with the index that was
/// offered for change.
pub(super) fn write(
    db: &Connection,
    change: (&WatchedWallet, u32),
    payment: u32,
    draft: &Draft,
    now: i64,
) -> Result<u32> {
    let nth: u32 = db.query_row(
        "SELECT coalesce(max(nth), 0) + 1 FROM attempts WHERE payment = ?1",
        [payment],
        |row| row.get(0),
    )?;
    db.execute(
        "INSERT INTO attempts (payment, nth, state, spend, spend_id, request, request_id, unsigned_txid, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            payment,
            nth,
            Conduct::Drafted.word(),
            draft.spend.to_bytes(),
            draft.spend.id().as_bytes(),
            draft.request.to_bytes(),
            draft.request.id().as_bytes(),
            draft.spend.unsigned_txid().as_byte_array(),
            now
        ],
    )?;
    let id = db.last_insert_rowid();
    db.execute("INSERT INTO attempt_files (attempt, bytes) VALUES (?1, ?2)", params![id, draft.file])?;
    for input in draft.spend.inputs() {
        db.execute(
            "INSERT INTO reservations (txid, vout, attempt) VALUES (?1, ?2, ?3)",
            params![input.outpoint.txid.as_byte_array(), input.outpoint.vout, id],
        )?;
    }
    if draft.uses_change {
        super::wallets::mark_issued(db, change.0, Branch::Internal, change.1)?;
    }
    Ok(nth)
}

fn attempt(row: &Row<'_>) -> Result<(u32, Attempt)> {
    let spend: Vec<u8> = row.get(4)?;
    let request: Vec<u8> = row.get(5)?;
    let signed: Option<Vec<u8>> = row.get(7)?;
    let attempt = Attempt {
        id: row.get(1)?,
        nth: row.get(2)?,
        conduct: Conduct::from_word(&row.get::<_, String>(3)?)?,
        spend: Spend::from_bytes(&spend).map_err(|_| Error::CorruptStore("spend"))?,
        request: Request::from_bytes(&request).map_err(|_| Error::CorruptStore("request"))?,
        unsigned_txid: Txid::from_byte_array(row.get(6)?),
        signed: signed
            .map(|raw| deserialize(&raw).map_err(|_| Error::CorruptStore("signed transaction")))
            .transpose()?,
        created: row.get(8)?,
    };
    Ok((row.get(0)?, attempt))
}
