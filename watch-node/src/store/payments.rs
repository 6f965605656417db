//! Payments that this folder made. They never vanish.

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};
use policies::codec::Canonical;
use policies::request::{Request, payment_number};
use policies::spend::Spend;
use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};

use super::{Branch, Store, WatchedWallet};
use crate::error::{Error, Result};

/// What this folder did with a payment; the rest of its state follows from documents and chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// The request was written.
    Exported,
    /// It came back signed and is kept.
    Signed,
    /// A relay took it.
    Broadcast,
}

impl Conduct {
    fn word(self) -> &'static str {
        match self {
            Conduct::Exported => "exported",
            Conduct::Signed => "signed",
            Conduct::Broadcast => "broadcast",
        }
    }

    fn from_word(word: &str) -> Result<Self> {
        [Conduct::Exported, Conduct::Signed, Conduct::Broadcast]
            .into_iter()
            .find(|conduct| conduct.word() == word)
            .ok_or(Error::CorruptStore("payment state"))
    }
}

/// A payment that is about to be made.
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

/// A payment that was made.
#[derive(Clone, Debug)]
pub struct Payment {
    /// 42 is shown as `P-0042`.
    pub number: u32,
    /// [`WatchedWallet::id`].
    pub wallet: i64,
    /// What was done with it here.
    pub conduct: Conduct,
    /// What is spent, and to whom.
    pub spend: Spend,
    /// What was asked for.
    pub request: Request,
    /// The request file, byte for byte.
    pub file: Vec<u8>,
    /// Txid of the unsigned transaction; the final one, as all inputs are native segwit.
    pub unsigned_txid: Txid,
    /// The transaction as it was first submitted; every retry sends these bytes.
    pub signed: Option<Transaction>,
    /// Unix time.
    pub created: i64,
}

impl Payment {
    /// `P-0042`.
    pub fn name(&self) -> String {
        payment_number(self.number)
    }
}

const COLUMNS: &str = "number, wallet, state, spend, request, file, unsigned_txid, signed, created";

impl Store {
    /// Makes a payment in one change: number, change index, reservations and file are durable together, or none is.
    ///
    /// `draft` is given the payment's number and the change index that it may use.
    pub fn create_payment(
        &mut self,
        wallet: &WatchedWallet,
        now: i64,
        draft: impl FnOnce(u32, u32) -> Result<Draft>,
    ) -> Result<Payment> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let number: u32 =
            change.query_row("SELECT coalesce(max(number), 0) + 1 FROM payments", [], |row| row.get(0))?;
        let index = super::wallets::next_index(&change, wallet.id, Branch::Internal)?;
        let draft = draft(number, index)?;
        let payment = Payment {
            number,
            wallet: wallet.id,
            conduct: Conduct::Exported,
            unsigned_txid: draft.spend.unsigned_txid(),
            spend: draft.spend,
            request: draft.request,
            file: draft.file,
            signed: None,
            created: now,
        };
        change.execute(
            "INSERT INTO payments (number, wallet, state, spend, spend_id, request, request_id, file, unsigned_txid,
                                   created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                number,
                wallet.id,
                payment.conduct.word(),
                payment.spend.to_bytes(),
                payment.spend.id().as_bytes(),
                payment.request.to_bytes(),
                payment.request.id().as_bytes(),
                payment.file,
                payment.unsigned_txid.as_byte_array(),
                now
            ],
        )?;
        for input in payment.spend.inputs() {
            change.execute(
                "INSERT INTO reservations (txid, vout, payment) VALUES (?1, ?2, ?3)",
                params![input.outpoint.txid.as_byte_array(), input.outpoint.vout, number],
            )?;
        }
        if draft.uses_change {
            super::wallets::mark_issued(&change, wallet, Branch::Internal, index)?;
        }
        change.commit()?;
        Ok(payment)
    }

    /// All payments, oldest first.
    pub fn payments(&self) -> Result<Vec<Payment>> {
        let mut statement = self.db.prepare(&format!("SELECT {COLUMNS} FROM payments ORDER BY number"))?;
        let rows = statement.query_map([], |row| Ok(payment(row)))?.collect::<Result<Vec<_>, _>>()?;
        rows.into_iter().collect()
    }

    /// The payment of that number. Errors: [`Error::UnknownPayment`].
    pub fn payment(&self, number: u32) -> Result<Payment> {
        self.db
            .query_row(&format!("SELECT {COLUMNS} FROM payments WHERE number = ?1"), [number], |row| {
                Ok(payment(row))
            })
            .optional()?
            .ok_or_else(|| Error::UnknownPayment(format!("there is no payment {}", payment_number(number))))?
    }

    /// Keeps the signed transaction of a payment; the first one stays.
    pub fn keep_signed(&mut self, number: u32, transaction: &Transaction) -> Result<()> {
        self.db.execute(
            "UPDATE payments SET signed = ?2, state = ?3 WHERE number = ?1 AND signed IS NULL",
            params![number, serialize(transaction), Conduct::Signed.word()],
        )?;
        Ok(())
    }

    /// A relay has taken the payment.
    pub fn mark_broadcast(&mut self, number: u32) -> Result<()> {
        self.db.execute(
            "UPDATE payments SET state = ?2 WHERE number = ?1 AND signed IS NOT NULL",
            params![number, Conduct::Broadcast.word()],
        )?;
        Ok(())
    }

    /// The confirmed transaction, other than the payment's own, that spends one of its coins.
    pub fn replaced_by(&self, payment: &Payment) -> Result<Option<Txid>> {
        let mut statement = self.db.prepare(
            "SELECT s.txid FROM reservations r
               JOIN spends s ON s.prev_txid = r.txid AND s.prev_vout = r.vout
               JOIN transactions t ON t.txid = s.txid
              WHERE r.payment = ?1 AND t.height IS NOT NULL AND s.txid <> ?2",
        )?;
        let mut rows = statement.query(params![payment.number, payment.unsigned_txid.as_byte_array()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Txid::from_byte_array(row.get(0)?)))
    }
}

fn payment(row: &Row<'_>) -> Result<Payment> {
    let spend: Vec<u8> = row.get(3)?;
    let request: Vec<u8> = row.get(4)?;
    let signed: Option<Vec<u8>> = row.get(7)?;
    Ok(Payment {
        number: row.get(0)?,
        wallet: row.get(1)?,
        conduct: Conduct::from_word(&row.get::<_, String>(2)?)?,
        spend: Spend::from_bytes(&spend).map_err(|_| Error::CorruptStore("spend"))?,
        request: Request::from_bytes(&request).map_err(|_| Error::CorruptStore("request"))?,
        file: row.get(5)?,
        unsigned_txid: Txid::from_byte_array(row.get(6)?),
        signed: signed
            .map(|raw| deserialize(&raw).map_err(|_| Error::CorruptStore("signed transaction")))
            .transpose()?,
        created: row.get(8)?,
    })
}
