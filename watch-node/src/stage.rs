//! Where a payment stands.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use bitcoin::Txid;
use policies::id::SpendId;

use crate::error::{Error, Result};
use crate::payment::unsigned_txid;
use crate::store::{Attempt, Conduct, Payment, SpendingTransaction, Store};
use crate::wallet::OpenWallet;

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
    /// One of the wallet's several keys has signed, or a vault says so; whether that is enough shows when it is submitted.
    PartlySigned,
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
            Stage::PartlySigned => "partly-signed",
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
            Stage::PartlySigned => 5,
            Stage::Signed => 6,
            Stage::Broadcast => 7,
            Stage::Seen => 8,
            Stage::Confirmed(_) => 9,
            Stage::Settled(_) => 10,
        }
    }

    /// Whether signatures are still what it waits for.
    pub fn awaits_signatures(self) -> bool {
        matches!(self, Stage::Drafted | Stage::Exported | Stage::Permitted | Stage::PartlySigned)
    }

    /// Blocks from its own to the tip, both counted.
    pub fn confirmations(self) -> u32 {
        match self {
            Stage::Confirmed(depth) | Stage::Settled(depth) => depth,
            _ => 0,
        }
    }
}

/// A transaction that the source has shown.
struct Shown {
    txid: Txid,
    height: Option<u32>,
    in_mempool: bool,
}

/// By their txids without signatures. Of several that differ in signatures alone, the confirmed one counts, else one in
/// the mempool.
fn shown(spending: &[SpendingTransaction]) -> HashMap<Txid, Shown> {
    let mut all: HashMap<Txid, Shown> = HashMap::new();
    for own in spending {
        let txid = own.transaction.compute_txid();
        let shown = Shown { txid, height: own.height, in_mempool: own.in_mempool };
        let rank = |shown: &Shown| (shown.height.is_some(), shown.in_mempool);
        match all.entry(unsigned_txid(&own.transaction)) {
            Entry::Occupied(mut known) if rank(known.get()) < rank(&shown) => {
                known.insert(shown);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(shown);
            }
        }
    }
    all
}

/// What every payment's stage follows from, read once.
pub struct Stages<'a> {
    store: &'a Store,
    tip: u32,
    /// Each transaction that spends a coin of ours, by its txid without signatures.
    spending: HashMap<Txid, Shown>,
    permitted: HashSet<SpendId>,
    receipted: HashSet<SpendId>,
    /// Attempts of which some signature is kept.
    partly_signed: HashSet<i64>,
    /// Wallets of several keys, by their rows.
    shared: HashSet<i64>,
}

impl<'a> Stages<'a> {
    /// Reads documents and chain.
    pub fn load(store: &'a Store) -> Result<Self> {
        let spending = store.spending_transactions()?;
        Ok(Self {
            store,
            tip: store.tip()?.map_or(0, |tip| tip.height),
            spending: shown(&spending),
            permitted: store.permits()?.iter().map(|permit| permit.statement.spend).collect(),
            receipted: store.receipts()?.iter().map(|receipt| receipt.statement.spend).collect(),
            partly_signed: store.partly_signed()?,
            shared: OpenWallet::all(store)?
                .iter()
                .filter(|wallet| wallet.rules.keys().len() > 1)
                .map(|wallet| wallet.row.id)
                .collect(),
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
        let shown = self.spending.get(&attempt.unsigned_txid);
        if let Some(height) = shown.and_then(|shown| shown.height) {
            let depth = self.tip.saturating_sub(height).saturating_add(1);
            return Ok(if depth >= SETTLED { Stage::Settled(depth) } else { Stage::Confirmed(depth) });
        }
        if let Some(other) = self.store.replaced_by(attempt)? {
            return Ok(Stage::Replaced(other));
        }
        if shown.is_some_and(|shown| shown.in_mempool) {
            return Ok(Stage::Seen);
        }
        // What a source has shown once was taken by a relay, whoever sent it.
        if attempt.conduct == Conduct::Broadcast || shown.is_some() {
            return Ok(Stage::Broadcast);
        }
        if payment.abandoned.is_some() {
            return Ok(Stage::Abandoned);
        }
        let id = attempt.spend.id();
        let is_shared = self.shared.contains(&payment.wallet);
        if attempt.signed.is_some() || (self.receipted.contains(&id) && !is_shared) {
            return Ok(Stage::Signed);
        }
        if self.receipted.contains(&id) || self.partly_signed.contains(&attempt.id) {
            return Ok(Stage::PartlySigned);
        }
        if self.permitted.contains(&id) {
            return Ok(Stage::Permitted);
        }
        Ok(if attempt.conduct == Conduct::Drafted { Stage::Drafted } else { Stage::Exported })
    }

    /// The id of an attempt's transaction: as the source shows it, else as it came back signed. Before that it is only known
    /// where signing does not change it.
    pub fn txid(&self, wallet: &OpenWallet, attempt: &Attempt) -> Option<Txid> {
        let shown = self.spending.get(&attempt.unsigned_txid).map(|shown| shown.txid);
        let signed = || attempt.signed.as_ref().map(bitcoin::Transaction::compute_txid);
        let unsigned = (!wallet.rules.kind().has_script_sig()).then_some(attempt.unsigned_txid);
        shown.or_else(signed).or(unsigned)
    }

    /// Whether the transaction of that id is this attempt, however it is signed.
    pub fn is_of(&self, txid: Txid, attempt: &Attempt) -> bool {
        self.spending.get(&attempt.unsigned_txid).is_some_and(|shown| shown.txid == txid)
    }

    /// What shows that an attempt may be under way or on the chain: then its payment cannot be given up.
    pub fn trace(&self, attempt: &Attempt) -> Option<&'static str> {
        let id = attempt.spend.id();
        [
            (self.spending.contains_key(&attempt.unsigned_txid), "the chain source has shown it"),
            (attempt.signed.is_some(), "it came back signed"),
            (self.receipted.contains(&id), "its vault says that it signed"),
            (self.partly_signed.contains(&attempt.id), "one of its signers has signed"),
            (self.permitted.contains(&id), "a permit for it is known"),
        ]
        .into_iter()
        .find_map(|(is_known, what)| is_known.then_some(what))
    }
}
