//! Coins that permits reserve, and what the chain decided about them.

use super::{Reservation, SETTLED_DEPTH, State};
use crate::chain::Confirmed;
use bitcoin::{OutPoint, Txid};
use policies::history::Charge;
use policies::id::SpendId;
use policies::spend::Spend;
use std::collections::{BTreeMap, BTreeSet};

/// A coin that a block shows to be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The coin.
    pub coin: OutPoint,
    /// By which transaction.
    pub by: Txid,
    /// Where that is.
    pub confirmed: Confirmed,
}

impl State {
    /// Coins of a spend that a permitted spend of another group reserves. Replacements share theirs; a spend that can
    /// never be mined any more reserves nothing.
    pub fn reserved_elsewhere<'a>(
        &'a self,
        spend: &'a Spend,
        charge: &'a Charge,
    ) -> impl Iterator<Item = (OutPoint, &'a Reservation)> {
        spend.inputs().iter().flat_map(move |input| {
            let holders = self.coins.get(&input.outpoint).into_iter().flatten();
            let living = holders.filter_map(|holder| self.reservations.get(holder));
            let others = living.filter(|held| !self.is_dead(held)).filter(|held| {
                let held = &held.reserved.charge;
                (&held.wallet, held.anchor) != (&charge.wallet, charge.anchor)
            });
            others.map(|held| (input.outpoint, held))
        })
    }

    /// A permitted spend that reserved a coin, also when it can never be mined any more.
    pub(super) fn reservation_of(&self, coin: &OutPoint) -> Option<&Reservation> {
        self.reservations.get(self.coins.get(coin)?.first()?)
    }

    /// Coins of a spend that transactions of the best chain spend already.
    pub fn spent_already<'a>(&'a self, spend: &'a Spend) -> impl Iterator<Item = Spent> + 'a {
        spend.inputs().iter().filter_map(|input| {
            let by = self.seen.spenders(&input.outpoint);
            let mut confirmed = by.filter_map(|by| Some((by, self.seen.confirmed(&by)?)));
            confirmed.next().map(|(by, confirmed)| Spent { coin: input.outpoint, by, confirmed })
        })
    }

    /// The reservation whose transaction a block was shown to hold under this txid.
    pub fn reservation_by_txid(&self, txid: &Txid) -> Option<&Reservation> {
        self.reservations.get(self.spend_of(txid)?)
    }

    /// The permitted spend that a seen transaction is, whatever its signatures.
    fn spend_of(&self, txid: &Txid) -> Option<&SpendId> {
        self.txids.get(&self.seen.transaction(txid)?.unsigned_txid)
    }

    /// Whether another settled transaction took a coin of a permitted spend. Also right between two events of a fold.
    fn is_dead(&self, held: &Reservation) -> bool {
        let spend = &held.reserved.spend;
        let spenders = spend.inputs().iter().flat_map(|input| self.seen.spenders(&input.outpoint));
        let mut others = spenders.filter(|txid| self.spend_of(txid) != Some(&held.reserved.charge.spend));
        others.any(|txid| self.seen.confirmed(&txid).is_some_and(|found| found.depth >= SETTLED_DEPTH))
    }

    /// Holds every reservation against the best chain as it is now, once for all events since the last time.
    pub(in crate::ledger) fn settle(&mut self) {
        if !std::mem::take(&mut self.is_unsettled) {
            return;
        }
        let mut settled = BTreeMap::new();
        let mut dead = BTreeSet::new();
        for (txid, transaction) in self.seen.transactions() {
            let confirmed = self.seen.confirmed(txid).filter(|found| found.depth >= SETTLED_DEPTH);
            let Some(confirmed) = confirmed else { continue };
            let own = self.txids.get(&transaction.unsigned_txid);
            // Where the time of a block is not known, its payment stays in every window.
            settled.extend(own.copied().zip(confirmed.mtp));
            let coins = transaction.spent.values().filter_map(|coin| self.coins.get(&coin.outpoint));
            dead.extend(coins.flatten().filter(|holder| Some(*holder) != own).copied());
        }
        self.history.set_settled(settled);
        self.dead = dead;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::tests::NOW;
    use crate::ledger::event::{Event, EventKind};
    use crate::ledger::tests::{facts, founding, vault};

    #[test]
    fn a_fold_settles_once_at_its_end_and_a_single_event_at_once() {
        let told = || Event { at: NOW, kind: EventKind::Facts(Box::new(facts())) };
        let mut folded = State::founded(founding(5)).unwrap();
        folded.apply(vault(1)).unwrap();
        let mut applied = folded.clone();
        folded.fold(told()).unwrap();
        assert!(folded.is_unsettled);
        folded.settle();
        applied.apply(told()).unwrap();
        assert!(!folded.is_unsettled && !applied.is_unsettled);
    }
}
