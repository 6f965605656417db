//! Where a payment stands.

use std::collections::{HashMap, HashSet};

use bitcoin::Txid;
use policies::id::SpendId;

use crate::error::{Error, Result};
use crate::store::{Attempt, Conduct, Payment, Store};

/// Confirmations after which a payment counts as settled.
const SETTLED: u32 = 6;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Another transaction spent one of its coins and is confirmed.
    Replaced(Txid),
    /// A person gave it up before anything came back.
    Abandoned,
    /// It is made; its file may never have been written.
    Drafted,
    /// The file was written; nothing came back.
    Exported,
    /// A verified permit is known.
    Permitted,
    /// A verified receipt or the signed transaction is known.
    Signed,
    /// A relay took it.
    Broadcast,
    /// The source's mempool held it at the last look.
    Seen,
    /// In a block, with so many confirmations.
    Confirmed(u32),
    /// Six blocks deep or more.
    Settled(u32),
}

impl Stage {
    /// Its word in listings.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Replaced(_) => "replaced",
            Stage::Abandoned => "abandoned",
            Stage::Drafted => "drafted",
            Stage::Exported => "exported",
            Stage::Permitted => "permitted",
            Stage::Signed => "signed",
            Stage::Broadcast => "broadcast",
            Stage::Seen => "seen",
            Stage::Confirmed(_) => "confirmed",
            Stage::Settled(_) => "settled",
        }
    }

    /// How far it went: later stages have higher numbers.
    fn rank(self) -> u8 {
        match self {
            Stage::Replaced(_) => 0,
            Stage::Abandoned => 1,
            Stage::Drafted => 2,
            Stage::Exported => 3,
            Stage::Permitted => 4,
            Stage::Signed => 5,
            Stage::Broadcast => 6,
            Stage::Seen => 7,
            Stage::Confirmed(_) => 8,
            Stage::Settled(_) => 9,
        }
    }

    /// Blocks from its own to the tip, both counted.
    pub fn confirmations(self) -> u32 {
        match self {
            Stage::Confirmed(depth) | Stage::Settled(depth) => depth,
            _ => 0,
        }
    }
}

/// What every payment's stage follows from, read once.
pub struct Stages<'a> {
    store: &'a Store,
    tip: u32,
    /// Height and mempool mark of each transaction that spends a coin of ours.
    spending: HashMap<Txid, (Option<u32>, bool)>,
    permitted: HashSet<SpendId>,
    receipted: HashSet<SpendId>,
}

impl<'a> Stages<'a> {
    /// Reads documents and chain.
    pub fn load(store: &'a Store) -> Result<Self> {
        let spending = store.spending_transactions()?;
        Ok(Self {
            store,
            tip: store.tip()?.map_or(0, |tip| tip.height),
            spending: spending
                .iter()
                .map(|own| (own.transaction.compute_txid(), (own.height, own.in_mempool)))
                .collect(),
            permitted: store.permits()?.iter().map(|permit| permit.statement.spend).collect(),
            receipted: store.receipts()?.iter().map(|receipt| receipt.statement.spend).collect(),
        })
    }

    /// Where a payment stands: the attempt of it that went furthest, the latest of several.
    pub fn of<'p>(&self, payment: &'p Payment) -> Result<(Stage, &'p Attempt)> {
        let mut furthest: Option<(Stage, &Attempt)> = None;
        for attempt in &payment.attempts {
            let stage = self.of_attempt(payment, attempt)?;
            if furthest.is_none_or(|(so_far, _)| so_far.rank() <= stage.rank()) {
                furthest = Some((stage, attempt));
            }
        }
        furthest.ok_or(Error::CorruptStore("payment without an attempt"))
    }

    /// Where an attempt of a payment stands.
    pub fn of_attempt(&self, payment: &Payment, attempt: &Attempt) -> Result<Stage> {
        let (height, in_mempool) =
            self.spending.get(&attempt.unsigned_txid).copied().unwrap_or((None, false));
        if let Some(height) = height {
            let depth = self.tip.saturating_sub(height).saturating_add(1);
            return Ok(if depth >= SETTLED { Stage::Settled(depth) } else { Stage::Confirmed(depth) });
        }
        if let Some(other) = self.store.replaced_by(attempt)? {
            return Ok(Stage::Replaced(other));
        }
        if in_mempool {
            return Ok(Stage::Seen);
        }
        // What a source has shown once was taken by a relay, whoever sent it.
        if attempt.conduct == Conduct::Broadcast || self.spending.contains_key(&attempt.unsigned_txid) {
            return Ok(Stage::Broadcast);
        }
        if payment.abandoned.is_some() {
            return Ok(Stage::Abandoned);
        }
        let id = attempt.spend.id();
        if attempt.signed.is_some() || self.receipted.contains(&id) {
            return Ok(Stage::Signed);
        }
        if self.permitted.contains(&id) {
            return Ok(Stage::Permitted);
        }
        Ok(if attempt.conduct == Conduct::Drafted { Stage::Drafted } else { Stage::Exported })
    }

    /// What shows that an attempt may be under way or on the chain: then its payment cannot be given up.
    pub fn trace(&self, attempt: &Attempt) -> Option<&'static str> {
        let id = attempt.spend.id();
        [
            (self.spending.contains_key(&attempt.unsigned_txid), "the chain source has shown it"),
            (attempt.signed.is_some(), "it came back signed"),
            (self.receipted.contains(&id), "its vault says that it signed"),
            (self.permitted.contains(&id), "a permit for it is known"),
        ]
        .into_iter()
        .find_map(|(is_known, what)| is_known.then_some(what))
    }
}
