//! Rules, and amounts for them at the very edge of what is asked for.

use super::company::WINDOWS;
use super::dice::Dice;
use super::opinion::{fee, outflow, people, sums, window_totals};
use super::payments::script;
use bitcoin::Amount;
use policies::examine::FeeCeiling;
use policies::judge::Case;
use policies::policy::{
    Above, Allow, Destination, Limit, PolicyTerms, Quorum, Requester, Require, SumBy, Window,
};

/// Up to three of each kind. Their amounts are nothing yet: see [`fit`].
pub fn rules(dice: &mut Dice, terms: &mut PolicyTerms, requester: &Requester) {
    let names: Vec<String> = terms.people.keys().chain(terms.groups.keys()).cloned().collect();
    let theirs: Vec<String> = terms
        .people
        .iter()
        .filter(|(_, keys)| keys.contains(requester))
        .map(|(name, _)| name.clone())
        .collect();
    for n in 0..dice.between(1, 3) {
        let requesters = match theirs.is_empty() || dice.percent(25) {
            true => vec![dice.one(&names).clone()],
            false => vec![dice.one(&names).clone(), dice.one(&theirs).clone()],
        };
        terms.allows.push(Allow {
            name: format!("allow {n}"),
            requesters,
            wallet: wallet(dice),
            to: destinations(dice),
        });
    }
    for n in 0..dice.below(4) {
        terms.limits.push(limit(dice, n, &names));
    }
    for n in 0..dice.below(4) {
        let quorums: Vec<_> = (0..dice.between(1, 2)).filter_map(|_| quorum(dice, terms, &names)).collect();
        if quorums.is_empty() {
            continue;
        }
        terms.requires.push(Require {
            name: format!("require {n}"),
            requesters: dice.percent(30).then(|| vec![dice.one(&names).clone()]),
            wallet: dice.percent(25).then(|| wallet(dice)),
            above: (!dice.percent(15)).then(|| Above {
                seconds: *dice.one(&WINDOWS),
                amount: Amount::ZERO,
                by: SumBy { requester: dice.percent(55), destination: dice.percent(55) },
            }),
            approvals: quorums,
        });
    }
}

fn wallet(dice: &mut Dice) -> String {
    (if dice.percent(12) { "other" } else { "savings" }).to_owned()
}

fn destinations(dice: &mut Dice) -> Vec<Destination> {
    let scripts = [1, 2, 3].map(|n| Destination::Script(script(n)));
    let mut to = if dice.percent(40) { dice.some(&scripts, 70) } else { vec![Destination::Anyone] };
    if to.is_empty() || dice.percent(30) {
        to.push(Destination::Back);
    }
    to
}

fn limit(dice: &mut Dice, n: u64, names: &[String]) -> Limit {
    let kinds = dice.between(1, 7);
    let window = dice.between(1, 3);
    Limit {
        name: format!("limit {n}"),
        requesters: dice.percent(35).then(|| vec![dice.one(names).clone()]),
        wallet: dice.percent(30).then(|| wallet(dice)),
        per_payment: (kinds & 1 != 0).then_some(Amount::ZERO),
        per_window: (kinds & 2 != 0).then(|| Window {
            seconds: *dice.one(&WINDOWS),
            amount: (window & 1 != 0).then_some(Amount::ZERO),
            count: (window & 2 != 0).then_some(0),
        }),
        fee: (kinds & 4 != 0).then_some(FeeCeiling::UNLIMITED),
    }
}

fn quorum(dice: &mut Dice, terms: &PolicyTerms, names: &[String]) -> Option<Quorum> {
    let from = dice.one(names).clone();
    let most = people(terms, &from).len() as u64;
    let count = if dice.percent(70) { 1 } else { dice.between(1, most.max(1)) };
    (most > 0).then_some(Quorum { from, count })
}

/// Sets every amount to the sum that it is compared with, or one beside it, or far above.
pub fn fit(dice: &mut Dice, terms: &mut PolicyTerms, case: &Case<'_>) {
    let (paid, fee_sat) = (outflow(case.spend) - fee(case.spend), fee(case.spend));
    for limit in &mut terms.limits {
        let (sum, count) = window_totals(case, limit);
        if let Some(amount) = &mut limit.per_payment {
            *amount = Amount::from_sat(beside(dice, outflow(case.spend)));
        }
        if let Some(window) = &mut limit.per_window {
            window.amount = window.amount.map(|_| Amount::from_sat(beside(dice, sum as u64)));
            window.count = window.count.map(|_| beside(dice, count as u64));
        }
        if let Some(ceiling) = &mut limit.fee {
            let vsize = case.spend.signed_vsize(case.wallet);
            match dice.below(3) {
                0 => ceiling.amount = Amount::from_sat(beside(dice, fee_sat)),
                1 => ceiling.percent = beside(dice, (fee_sat * 100).div_ceil(paid.max(1))),
                _ => ceiling.sat_per_vb = beside(dice, fee_sat.div_ceil(vsize)),
            }
        }
    }
    for require in &mut terms.requires {
        let sums = sums(case, require);
        if let Some(above) = &mut require.above {
            let sum = if sums.is_empty() { 0 } else { *dice.one(&sums) as u64 };
            above.amount = Amount::from_sat(match dice.below(10) {
                0..4 => sum.saturating_sub(1),
                4..7 => sum,
                7 => sum + 1,
                _ => sum * 2,
            });
        }
    }
}

fn beside(dice: &mut Dice, sum: u64) -> u64 {
    match dice.below(20) {
        0..9 => sum,
        9 | 10 => sum.saturating_sub(1),
        11 => sum + 1,
        _ => sum * 3,
    }
}
