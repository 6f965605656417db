//! How much of a limit is used, and how much fits: for people, beside the judgement that decides.

use crate::ledger::state::State;
use bitcoin::Amount;
use policies::examine::FeeCeiling;
use policies::history::{Charge, Totals};
use policies::judge::Case;
use policies::policy::{Limit, Window};
use policies::spend::Spend;
use policies::text::{amount_text, duration_text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fees up to this are not measured by percentage (check C16).
const PERCENT_FLOOR: Amount = Amount::from_sat(10_000);

/// A payment against one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The limit's name.
    pub limit: String,
    /// Whether it holds.
    pub holds: bool,
    /// What is counted, in words, one for each ceiling.
    pub figures: Vec<String>,
    /// The largest outflow that it would let through now, up to that of the payment; none when not even nothing fits.
    pub largest: Option<Amount>,
    /// From which bitcoin time on the payment fits when nothing else is permitted, as far as settlements tell; the present
    /// when it fits.
    pub fits_from: Option<u64>,
    /// The highest fee that it lets through.
    pub largest_fee: Option<Amount>,
    window: Option<(Window, Totals)>,
}

impl Room {
    /// A payment against a limit that applies to it.
    pub fn of(case: &Case<'_>, charge: &Charge, limit: &Limit) -> Self {
        let mut room = Self {
            limit: limit.name.clone(),
            holds: true,
            figures: Vec::new(),
            largest: Some(charge.outflow),
            fits_from: Some(case.time),
            largest_fee: None,
            window: None,
        };
        if let Some(most) = limit.per_payment {
            room.figures.push(format!(
                "{} of at most {} a payment",
                amount_text(charge.outflow),
                amount_text(most)
            ));
            if charge.outflow > most {
                room.holds = false;
                room.fits_from = None;
                room.largest = Some(most);
            }
        }
        if let Some(window) = limit.per_window {
            room.count_window(case, charge, limit, window);
        }
        if let Some(fee) = limit.fee {
            let vsize = case.spend.signed_vsize(case.wallet);
            let most = largest_fee(fee, case.spend, vsize);
            room.figures.push(format!(
                "a fee of {} of at most {}",
                amount_text(case.spend.fee()),
                amount_text(most)
            ));
            room.largest_fee = Some(most);
            if !fee.exceeded(case.spend, vsize).is_empty() {
                room.holds = false;
                room.fits_from = None;
            }
        }
        room
    }

    fn count_window(&mut self, case: &Case<'_>, charge: &Charge, limit: &Limit, window: Window) {
        let at = |time: u64, outflow: Amount| {
            let candidate = Charge { outflow, ..charge.clone() };
            let part = |charge: &Charge| limit.part(case.policy, charge);
            case.history.totals(time, window.seconds, Some(&candidate), part)
        };
        let totals = at(case.time, charge.outflow);
        self.figures.push(window_text(window, totals));
        self.window = Some((window, totals));
        if fits(window, totals) {
            return;
        }
        self.holds = false;
        let largest = largest(charge.outflow, |outflow| fits(window, at(case.time, outflow)));
        self.largest = self.largest.zip(largest).map(|(a, b)| a.min(b));
        let leaving = case.history.charges().iter().filter_map(|charge| case.history.settled(&charge.spend));
        let mut moments: Vec<u64> = leaving.filter_map(|time| time.checked_add(window.seconds)).collect();
        moments.sort_unstable();
        // With nothing else permitted sums only fall as time passes.
        let first = moments.partition_point(|time| !fits(window, at(*time, charge.outflow)));
        let first = moments.get(first).map(|time| case.time.max(*time));
        self.fits_from = self.fits_from.zip(first).map(|(a, b)| a.max(b));
    }

    /// "limit `A day`: 0.3 BTC of at most 0.5 BTC within 24 hours".
    pub fn text(&self) -> String {
        format!("limit `{}`: {}", self.limit, self.figures.join("; "))
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let window = self.window;
        let totals = window.map(|(_, totals)| totals);
        json!({
            "name": self.limit,
            "holds": self.holds,
            "figures": self.figures,
            "window_seconds": window.map(|(window, _)| window.seconds),
            "amount_sat": window.and_then(|(window, _)| window.amount).map(Amount::to_sat),
            "used_sat": totals.and_then(|totals| totals.sum).map(Amount::to_sat),
            "count": window.and_then(|(window, _)| window.count),
            "used_count": totals.map(|totals| totals.count),
            "largest_sat": self.largest.map(Amount::to_sat),
            "largest_fee_sat": self.largest_fee.map(Amount::to_sat),
            "fits_from": self.fits_from,
        })
    }
}

/// How full a limit's window is.
pub struct Usage {
    /// What counts in it.
    pub used: Totals,
    /// What of that is not settled, and therefore stays.
    pub unsettled: Option<Amount>,
}

impl Usage {
    /// Of the charges that `counts` takes.
    pub fn of(state: &State, limit: &Limit, window: Window, counts: impl Fn(&Charge) -> bool) -> Self {
        let (policy, history) = (state.policy(), state.history());
        let time = state.seen().bitcoin_time().unwrap_or(0);
        let group = |charge: &Charge| (charge.wallet.clone(), charge.anchor);
        let is_settled = |charge: &&Charge| history.settled(&charge.spend).is_some();
        let settled: BTreeSet<_> = history.charges().iter().filter(is_settled).map(group).collect();
        let part = |charge: &Charge| limit.part(policy, charge).filter(|_| counts(charge));
        let open = |charge: &Charge| part(charge).filter(|_| !settled.contains(&group(charge)));
        Self {
            used: history.totals(time, window.seconds, None, part),
            unsettled: history.totals(time, window.seconds, None, open).sum,
        }
    }
}

fn fits(window: Window, totals: Totals) -> bool {
    let amount = window.amount.is_none_or(|most| totals.sum.is_some_and(|sum| sum <= most));
    amount && window.count.is_none_or(|most| totals.count <= most)
}

/// The largest amount up to `most` that passes, when smaller ones pass as well; none when nothing does.
fn largest(most: Amount, passes: impl Fn(Amount) -> bool) -> Option<Amount> {
    let (mut low, mut high) = (0u64, most.to_sat());
    if !passes(Amount::ZERO) {
        return None;
    }
    while low < high {
        let middle = low.saturating_add(high.saturating_sub(low).div_ceil(2));
        if passes(Amount::from_sat(middle)) {
            low = middle;
        } else {
            high = middle.saturating_sub(1);
        }
    }
    Some(Amount::from_sat(low))
}

fn largest_fee(ceiling: FeeCeiling, spend: &Spend, vsize: u64) -> Amount {
    let external = spend.external_sum();
    let by_rate = Amount::from_sat(ceiling.sat_per_vb.saturating_mul(vsize));
    let percent = u128::from(external.to_sat()).saturating_mul(u128::from(ceiling.percent)) / 100;
    let percent = Amount::from_sat(u64::try_from(percent).unwrap_or(u64::MAX)).max(PERCENT_FLOOR);
    let by_percent = if external > Amount::ZERO { percent } else { Amount::MAX_MONEY };
    ceiling.amount.min(by_rate).min(by_percent)
}

fn window_text(window: Window, totals: Totals) -> String {
    let sum = totals.sum.map_or_else(|| "more than 2^64 sat".to_owned(), amount_text);
    let amount = window.amount.map(|most| format!("{sum} of at most {}", amount_text(most)));
    let count = window.count.map(|most| format!("{} of at most {most} payments", totals.count));
    let figures: Vec<_> = amount.into_iter().chain(count).collect();
    format!("{} within {}", figures.join(" and "), duration_text(window.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_that_passes_is_found() {
        for most in [0, 1, 2, 3, 99, 100, 101, u64::MAX] {
            let found = largest(Amount::from_sat(most), |amount| amount.to_sat() <= 100);
            assert_eq!(found, Some(Amount::from_sat(most.min(100))));
        }
        assert_eq!(largest(Amount::from_sat(5), |_| false), None);
    }
}
