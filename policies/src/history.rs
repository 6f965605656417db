//! What was charged before: the gatekeeper's ledger, or the vault's own journal, as input of the judgement.

use crate::codec::{CodecError, Decoder, Encoder};
use crate::id::{RequestId, SpendId};
use crate::policy::{MAX_NAME_LEN, Requester, decode_requester, encode_requester};
use crate::request::Recipient;
use crate::spend::Spend;
use bitcoin::{Amount, OutPoint};
use std::collections::{BTreeMap, BTreeSet};

/// One payment that counts against limits: permitted (gatekeeper) or signed (vault).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The spend.
    pub spend: SpendId,
    /// The request that it fulfils; `None` for a standalone payment.
    pub request: Option<RequestId>,
    /// Name of the wallet in the policy.
    pub wallet: String,
    /// Who asked.
    pub requester: Requester,
    /// What it takes from the wallet, the fee included.
    pub outflow: Amount,
    /// Bitcoin time of the charge (BIP113) where that is known, in unix seconds.
    pub at: u64,
    /// Wall clock of the charge, in unix seconds.
    pub clock: u64,
    /// A coin that it spends. Charges of a wallet with one anchor are one group: only one of them can ever be mined.
    pub anchor: OutPoint,
    /// Who gets how much, in the order of the outputs.
    pub paid: Vec<Recipient>,
    /// The coins that it spends.
    pub coins: BTreeSet<OutPoint>,
}

impl Charge {
    /// Appends what does not follow from the spend.
    pub fn encode(&self, to: &mut Encoder) {
        to.option(self.request.as_ref(), |to, id| to.fixed(id.as_bytes()));
        to.string(self.wallet.as_bytes());
        encode_requester(to, &self.requester);
        to.u64(self.at);
        to.u64(self.clock);
        to.outpoint(&self.anchor);
    }

    /// Reads the charge of a spend.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>, spend: &Spend) -> Result<Self, CodecError> {
        Ok(Self {
            spend: spend.id(),
            request: from.option("request", |from| from.fixed("request").map(RequestId::from_bytes))?,
            wallet: from.text("wallet", MAX_NAME_LEN)?,
            requester: decode_requester(from)?,
            outflow: spend.outflow(),
            at: from.u64("time")?,
            clock: from.u64("clock")?,
            anchor: from.outpoint("anchor")?,
            paid: Recipient::of(spend),
            coins: spend.inputs().iter().map(|input| input.outpoint).collect(),
        })
    }

    fn group(&self) -> Group<'_> {
        (&self.wallet, self.anchor)
    }
}

/// A wallet and an anchor: what tells a payment and its replacements from others.
type Group<'a> = (&'a str, OutPoint);

/// What the payments of a window come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Their sum; `None` when it overflows, which denies.
    pub sum: Option<Amount>,
    /// How many they are: a payment and its replacements are one.
    pub count: u64,
}

/// All charges, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    charges: Vec<Charge>,
    /// Bitcoin time of the block that holds a spend, once it is settled. `None` where nobody looks at the chain: there a
    /// charge leaves a window by its own time.
    settled: Option<BTreeMap<SpendId, u64>>,
}

impl History {
    /// A vault's history: it knows when it signed, and never what became of it.
    pub fn of_journal(charges: Vec<Charge>) -> Self {
        Self { charges, settled: None }
    }

    /// A gatekeeper's history: a charge stays in every window until it is known when it settled, so that permits that
    /// were hoarded cannot all be used at once.
    pub fn of_ledger(charges: Vec<Charge>, settled: BTreeMap<SpendId, u64>) -> Self {
        Self { charges, settled: Some(settled) }
    }

    /// Adds a charge.
    pub fn push(&mut self, charge: Charge) {
        self.charges.push(charge);
    }

    /// What is known to have settled, in the place of what was known before: a reorganisation can take it back.
    pub fn set_settled(&mut self, settled: BTreeMap<SpendId, u64>) {
        self.settled = Some(settled);
    }

    /// All charges.
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// The charge of a spend.
    pub fn of_spend(&self, spend: &SpendId) -> Option<&Charge> {
        self.charges.iter().find(|charge| charge.spend == *spend)
    }

    /// When a spend settled, as far as the chain was looked at.
    pub fn settled(&self, spend: &SpendId) -> Option<u64> {
        self.settled.as_ref()?.get(spend).copied()
    }

    /// The latest time of any charge: windows never slide back behind it.
    pub fn latest(&self) -> u64 {
        self.charges.iter().map(|charge| charge.at).max().unwrap_or(0)
    }

    /// Sum and number of the payments later than `now − seconds`, with a candidate that is charged now. `part` says what
    /// of a charge counts, or that it does not. Replacements of one payment count once, with the highest of them; once
    /// one of them settled, with that. A charge from the future counts: no clock that is set back frees budget.
    pub fn totals(
        &self,
        now: u64,
        seconds: u64,
        candidate: Option<&Charge>,
        part: impl Fn(&Charge) -> Option<Amount>,
    ) -> Totals {
        let parts = |charge: &Charge| part(charge).map(|amount| ((), amount)).into_iter().collect();
        let none = Totals { sum: Some(Amount::ZERO), count: 0 };
        self.totals_by(now, seconds, candidate, parts).remove(&()).unwrap_or(none)
    }

    /// As [`Self::totals`], several sums at once: `parts` says what of a charge counts for which.
    pub fn totals_by<'a, K: Ord + Copy>(
        &'a self,
        now: u64,
        seconds: u64,
        candidate: Option<&'a Charge>,
        parts: impl Fn(&'a Charge) -> BTreeMap<K, Amount>,
    ) -> BTreeMap<K, Totals> {
        // A window that reaches back to the epoch holds everything, also what was charged at time 0.
        let since = now.checked_sub(seconds).filter(|since| *since > 0);
        let settled = self.settled_groups();
        let mut groups: BTreeMap<(K, Group<'a>), (Amount, bool)> = BTreeMap::new();
        let mut add = |charge: &'a Charge, inside: bool| {
            for (key, amount) in parts(charge) {
                let group = groups.entry((key, charge.group())).or_insert((Amount::ZERO, false));
                *group = (group.0.max(amount), group.1 || inside);
            }
        };
        let earlier = self.charges.iter().filter(|charge| candidate.is_none_or(|c| c.spend != charge.spend));
        for charge in earlier {
            let time = match settled.get(&charge.group()) {
                Some((spend, _)) if *spend != charge.spend => continue,
                Some((_, time)) => Some(*time),
                None if self.settled.is_some() => None,
                // Bitcoin time comes from a permit, the clock from the machine: neither alone makes a charge old.
                None => Some(charge.at.max(charge.clock)),
            };
            add(charge, since.is_none_or(|since| time.is_none_or(|time| time > since)));
        }
        candidate.into_iter().for_each(|charge| add(charge, true));
        let mut totals = BTreeMap::new();
        for ((key, _), (amount, _)) in groups.into_iter().filter(|(_, (_, inside))| *inside) {
            let total = totals.entry(key).or_insert(Totals { sum: Some(Amount::ZERO), count: 0 });
            total.sum = total.sum.and_then(|sum: Amount| sum.checked_add(amount));
            total.count = total.count.saturating_add(1);
        }
        totals
    }

    /// The member of each group that settled, and when.
    fn settled_groups(&self) -> BTreeMap<Group<'_>, (SpendId, u64)> {
        let Some(settled) = &self.settled else { return BTreeMap::new() };
        let times = self.charges.iter().filter_map(|charge| {
            let time = settled.get(&charge.spend)?;
            Some((charge.group(), (charge.spend, *time)))
        });
        times.collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::spend::tests::outpoint;

    pub fn charge(sat: u64, at: u64) -> Charge {
        let unique = at.to_be_bytes();
        Charge {
            spend: SpendId::of(&unique),
            request: Some(RequestId::of(&unique)),
            wallet: "savings".to_owned(),
            requester: Requester::Operator,
            outflow: Amount::from_sat(sat),
            at,
            clock: at,
            anchor: OutPoint { vout: u32::try_from(at).unwrap(), ..outpoint(77) },
            paid: vec![],
            coins: BTreeSet::new(),
        }
    }

    fn all(charge: &Charge) -> Option<Amount> {
        Some(charge.outflow)
    }

    fn totals(sat: u64, count: u64) -> Totals {
        Totals { sum: Some(Amount::from_sat(sat)), count }
    }

    #[test]
    fn a_window_is_open_at_its_far_end() {
        let history = History::of_journal(vec![charge(1, 100), charge(2, 101), charge(4, 250)]);
        assert_eq!(history.totals(200, 100, None, all), totals(6, 2));
        assert_eq!(
            history.totals(200, 200, None, all),
            totals(7, 3),
            "back to the epoch it holds everything"
        );
        assert_eq!(history.totals(200, 100, Some(&charge(8, 199)), all), totals(14, 3));
        assert_eq!(history.latest(), 250);
    }

    #[test]
    fn an_overflowing_sum_is_no_sum() {
        let history = History::of_journal(vec![charge(u64::MAX, 100), charge(1, 101)]);
        assert_eq!(history.totals(200, 150, None, all).sum, None);
    }

    #[test]
    fn a_permit_stays_in_the_window_until_it_settled() {
        let charges = vec![charge(1, 10), charge(2, 20)];
        let unsettled = History::of_ledger(charges.clone(), BTreeMap::new());
        assert_eq!(unsettled.totals(1_000_000, 10, None, all), totals(3, 2));
        let settled = BTreeMap::from([(charge(1, 10).spend, 500), (charge(2, 20).spend, 400)]);
        let history = History::of_ledger(charges, settled);
        assert_eq!(
            history.totals(505, 10, None, all),
            totals(1, 1),
            "by the time of its block, not of its permit"
        );
        assert_eq!(history.settled(&charge(2, 20).spend), Some(400));
    }

    #[test]
    fn replacements_are_one_payment_charged_with_the_highest_until_one_settled() {
        let mut bumped = charge(9, 30);
        bumped.anchor = charge(5, 10).anchor;
        let charges = vec![charge(5, 10), bumped.clone(), charge(100, 11)];
        let unsettled = History::of_ledger(charges.clone(), BTreeMap::new());
        assert_eq!(unsettled.totals(50, 45, None, all), totals(109, 2));
        let first = History::of_ledger(charges.clone(), BTreeMap::from([(charge(5, 10).spend, 40)]));
        assert_eq!(first.totals(50, 45, None, all), totals(105, 2));
        let journal = History::of_journal(vec![charge(5, 10)]);
        assert_eq!(journal.totals(50, 45, Some(&bumped), all), totals(9, 1));
        let mut elsewhere = bumped;
        elsewhere.wallet = "other".to_owned();
        assert_eq!(
            journal.totals(50, 45, Some(&elsewhere), all),
            totals(14, 2),
            "another wallet is another group"
        );
    }

    #[test]
    fn a_candidate_that_is_charged_already_counts_once() {
        let history = History::of_journal(vec![charge(5, 10)]);
        assert_eq!(history.totals(50, 45, Some(&charge(5, 10)), all), totals(5, 1));
    }

    #[test]
    fn a_charge_is_old_only_when_clock_and_bitcoin_time_say_so() {
        let with = |at, clock| History::of_journal(vec![Charge { at, clock, ..charge(5, 0) }]);
        let sum = |history: History| history.totals(1_000, 100, None, all).count;
        assert_eq!(sum(with(900, 900)), 0);
        assert_eq!(sum(with(0, 901)), 1, "a permit with an old time does not charge in the past");
        assert_eq!(sum(with(901, 0)), 1);
    }

    #[test]
    fn a_charge_survives_its_bytes() {
        let spend = Spend::new(crate::spend::tests::parts()).unwrap();
        let charge = Charge {
            spend: spend.id(),
            outflow: spend.outflow(),
            paid: Recipient::of(&spend),
            coins: spend.inputs().iter().map(|input| input.outpoint).collect(),
            clock: 12,
            ..charge(5, 10)
        };
        let mut to = Encoder::default();
        charge.encode(&mut to);
        let bytes = to.finish();
        assert_eq!(Charge::decode(&mut Decoder::new(&bytes), &spend).unwrap(), charge);
    }
}
