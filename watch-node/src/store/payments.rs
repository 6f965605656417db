//! Payments that this folder made. They never vanish.

use policies::request::payment_number;
use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};

use super::{Attempt, Branch, Store, WatchedWallet};
use crate::error::{Error, Result};
use crate::store::attempts::Draft;

/// A payment that was made: one number, and one attempt or several of which at most one is ever mined.
#[derive(Clone, Debug)]
pub struct Payment {
    /// 42 is shown as `P-0042`.
    pub number: u32,
    /// [`WatchedWallet::id`].
    pub wallet: i64,
    /// Unix time at which a person gave it up.
    pub abandoned: Option<i64>,
    /// Never empty; each later one takes the place of those before it.
    pub attempts: Vec<Attempt>,
}

impl Payment {
    /// `P-0042`.
    pub fn name(&self) -> String {
        payment_number(self.number)
    }

    /// The attempt that was made last. Errors: [`Error::CorruptStore`] when there is none.
    pub fn last(&self) -> Result<&Attempt> {
        self.attempts.last().ok_or(Error::CorruptStore("payment without an attempt"))
    }

    /// The attempt of that number; the last one when none is given. Errors: [`Error::UnknownPayment`].
    pub fn attempt(&self, nth: Option<u32>) -> Result<&Attempt> {
        let Some(nth) = nth else { return self.last() };
        let found = self.attempts.iter().find(|attempt| attempt.nth == nth);
        found.ok_or_else(|| Error::UnknownPayment(format!("{} has no attempt {nth}", self.name())))
    }
}

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
        change.execute(
            "INSERT INTO payments (number, wallet, created) VALUES (?1, ?2, ?3)",
            params![number, wallet.id, now],
        )?;
        super::attempts::write(&change, (wallet, index), number, &draft, now)?;
        change.commit()?;
        self.payment(number)
    }

    /// All payments, oldest first.
    pub fn payments(&self) -> Result<Vec<Payment>> {
        let mut statement =
            self.db.prepare("SELECT number, wallet, abandoned FROM payments ORDER BY number")?;
        let mut payments = statement.query_map([], payment)?.collect::<Result<Vec<_>, _>>()?;
        let mut attempts = self.attempts(None)?.into_iter().peekable();
        for payment in &mut payments {
            while let Some((_, attempt)) = attempts.next_if(|(number, _)| *number == payment.number) {
                payment.attempts.push(attempt);
            }
        }
        Ok(payments)
    }

    /// The payment of that number. Errors: [`Error::UnknownPayment`].
    pub fn payment(&self, number: u32) -> Result<Payment> {
        let query = "SELECT number, wallet, abandoned FROM payments WHERE number = ?1";
        let mut found = self.db.query_row(query, [number], payment).optional()?.ok_or_else(|| {
            Error::UnknownPayment(format!("there is no payment {}", payment_number(number)))
        })?;
        found.attempts = self.attempts(Some(number))?.into_iter().map(|(_, attempt)| attempt).collect();
        Ok(found)
    }

    /// Gives a payment up at a Unix time, or takes it up again. The coins of one that is given up are free, unless the
    /// chain source has ever shown it.
    pub fn set_abandoned(&mut self, number: u32, when: Option<i64>) -> Result<()> {
        self.db.execute("UPDATE payments SET abandoned = ?2 WHERE number = ?1", params![number, when])?;
        Ok(())
    }
}

fn payment(row: &Row<'_>) -> rusqlite::Result<Payment> {
    Ok(Payment { number: row.get(0)?, wallet: row.get(1)?, abandoned: row.get(2)?, attempts: Vec::new() })
}
