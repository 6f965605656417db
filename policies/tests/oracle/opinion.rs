//! The naive judgement.

use bitcoin::{OutPoint, ScriptBuf};
use policies::history::{Charge, History};
use policies::identity::PublicKey;
use policies::judge::Case;
use policies::policy::{Destination, PolicyTerms, Replacement, Requester, Require};
use policies::request::Recipient;
use policies::spend::Spend;
use std::collections::BTreeSet;

/// What the rules come to, without words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// Permitted, and charged so.
    Permitted(Box<Charge>),
    /// So many approvals are missing.
    Needs(u64),
    /// The codes of the rules that refuse.
    Refused(BTreeSet<&'static str>),
}

/// Below this fee, in sat, the percentage is ignored (check C16).
const PERCENT_FLOOR: u64 = 10_000;

/// Judges.
pub fn opinion(case: &Case<'_>) -> Opinion {
    let mut codes = BTreeSet::new();
    let terms = case.policy.terms();
    let charge = charge(case);
    match terms.wallets.get(case.wallet_name) {
        Some(wallet) if wallet.id.is_none() || wallet.id == Some(case.wallet.id()) => {}
        _ => {
            codes.insert("unknown-wallet");
        }
    }
    if let Some(until) = terms.valid_until
        && until < case.now
    {
        codes.insert("policy-expired");
    }
    if !allowed(case, &charge) {
        codes.insert("not-allowed");
    }
    if !may_replace(case, &charge) {
        codes.insert("not-replaceable");
    }
    for limit in &terms.limits {
        if !applies(terms, case.requester, case.wallet_name, &limit.requesters, &limit.wallet) {
            continue;
        }
        if let Some(most) = limit.per_payment
            && outflow(case.spend) > most.to_sat()
        {
            codes.insert("limit-per-payment");
        }
        if let Some(window) = limit.per_window {
            let (sum, count) = window_totals(case, limit);
            if window.amount.is_some_and(|most| sum > u128::from(most.to_sat()))
                || window.count.is_some_and(|most| count > u128::from(most))
            {
                codes.insert("limit-per-window");
            }
        }
        if let Some(most) = limit.fee {
            let (fee, paid) = (fee(case.spend), outflow(case.spend) - fee(case.spend));
            let vsize = case.spend.signed_vsize(case.wallet);
            let percent = u128::from(fee) * 100 > u128::from(paid) * u128::from(most.percent);
            if fee > most.amount.to_sat()
                || u128::from(fee) > u128::from(vsize) * u128::from(most.sat_per_vb)
                || (paid > 0 && fee >= PERCENT_FLOOR && percent)
            {
                codes.insert("limit-fee");
            }
        }
    }
    if !codes.is_empty() {
        return Opinion::Refused(codes);
    }
    match missing(case) {
        0 => Opinion::Permitted(Box::new(charge)),
        missing => Opinion::Needs(missing),
    }
}

/// What a permitted payment is charged as.
fn charge(case: &Case<'_>) -> Charge {
    let mut anchor = case.spend.inputs()[0].outpoint;
    for earlier in case.history.charges().iter().rev() {
        if earlier.wallet == case.wallet_name && spends(case.spend, earlier.anchor) {
            anchor = earlier.anchor;
        }
    }
    if let Some(request) = case.request {
        anchor = request.anchor;
    }
    Charge {
        spend: case.spend.id(),
        request: case.request.map(|request| request.id()),
        wallet: case.wallet_name.to_owned(),
        requester: case.requester.clone(),
        outflow: bitcoin::Amount::from_sat(outflow(case.spend)),
        at: case.time,
        clock: case.now,
        anchor,
        paid: paid(case.spend),
        coins: case.spend.inputs().iter().map(|input| input.outpoint).collect(),
    }
}

/// Own inputs less own outputs.
pub fn outflow(spend: &Spend) -> u64 {
    let mut sat = 0;
    for input in spend.inputs() {
        sat += input.value.to_sat();
    }
    for output in spend.outputs() {
        if output.own.is_some() {
            sat -= output.value.to_sat();
        }
    }
    sat
}

/// Inputs less outputs.
pub fn fee(spend: &Spend) -> u64 {
    outflow(spend) - paid(spend).iter().map(|to| to.amount.to_sat()).sum::<u64>()
}

fn paid(spend: &Spend) -> Vec<Recipient> {
    let mut paid = Vec::new();
    for output in spend.outputs() {
        if output.own.is_none() {
            paid.push(Recipient { script: output.script.clone(), amount: output.value });
        }
    }
    paid
}

fn spends(spend: &Spend, coin: OutPoint) -> bool {
    spend.inputs().iter().any(|input| input.outpoint == coin)
}

/// Every output that leaves the wallet is covered by some `allow`; a payment back to self needs `to = ["self"]`, unless it
/// takes an earlier payment back.
fn allowed(case: &Case<'_>, charge: &Charge) -> bool {
    let terms = case.policy.terms();
    let mut to = Vec::new();
    for allow in &terms.allows {
        if allow.wallet == case.wallet_name && in_any(terms, case.requester, &allow.requesters) {
            to.extend(&allow.to);
        }
    }
    if to.is_empty() {
        return false;
    }
    if charge.paid.is_empty() {
        let mut alive = case.history.charges().iter().filter(|earlier| !case.dead.contains(&earlier.spend));
        let replaces = alive.any(|earlier| is_replaced(charge, earlier));
        return replaces || to.contains(&&Destination::Back);
    }
    charge.paid.iter().all(|recipient| {
        to.contains(&&Destination::Anyone) || to.contains(&&Destination::Script(recipient.script.clone()))
    })
}

fn is_replaced(charge: &Charge, earlier: &Charge) -> bool {
    earlier.wallet == charge.wallet && earlier.anchor == charge.anchor && earlier.spend != charge.spend
}

/// A replacement names its predecessors and keeps the recipients, or has none. Without a request there is nothing to name
/// them in.
fn may_replace(case: &Case<'_>, charge: &Charge) -> bool {
    let wallet = case.policy.terms().wallets.get(case.wallet_name);
    for earlier in case.history.charges() {
        if case.dead.contains(&earlier.spend) {
            continue;
        }
        let same_wallet = earlier.wallet == charge.wallet && earlier.spend != charge.spend;
        if same_wallet && earlier.anchor != charge.anchor && spends(case.spend, earlier.anchor) {
            return false;
        }
        if !is_replaced(charge, earlier) {
            continue;
        }
        if case.history.settled(&earlier.spend).is_some() {
            return false;
        }
        if let Some(request) = case.request {
            let Some(id) = earlier.request else { return false };
            if id != request.id() && !request.replaces.contains(&id) {
                return false;
            }
        }
        for coin in &earlier.coins {
            if !spends(case.spend, *coin) {
                return false;
            }
        }
        if charge.paid.is_empty() {
            continue;
        }
        if wallet.is_none_or(|wallet| wallet.replacement != Replacement::FeeOnly) {
            return false;
        }
        let mut left = earlier.paid.clone();
        for recipient in &charge.paid {
            let Some(at) = left.iter().position(|other| other == recipient) else { return false };
            left.remove(at);
        }
        if !left.is_empty() {
            return false;
        }
    }
    true
}

/// Whether a rule's `requesters` and `wallet` name these; what is left out names everything.
fn applies(
    terms: &PolicyTerms,
    requester: &Requester,
    wallet: &str,
    requesters: &Option<Vec<String>>,
    rule_wallet: &Option<String>,
) -> bool {
    let who = match requesters {
        None => true,
        Some(names) => {
            let who = person(terms, requester);
            names.iter().any(|name| people(terms, name).contains(&who))
        }
    };
    who && (rule_wallet.is_none() || rule_wallet.as_deref() == Some(wallet))
}

/// Whether one of these names, or a member of one of these groups, has this key.
fn in_any(terms: &PolicyTerms, requester: &Requester, names: &[String]) -> bool {
    names.iter().any(|name| keys(terms, name).contains(requester))
}

fn keys(terms: &PolicyTerms, name: &str) -> Vec<Requester> {
    let mut keys = Vec::new();
    if let Some(own) = terms.people.get(name) {
        keys.extend(own.clone());
    }
    for member in terms.groups.get(name).into_iter().flatten() {
        keys.extend(terms.people[member].clone());
    }
    keys
}

/// The name that counts once: the member of a group who has this key, else the key itself.
fn person(terms: &PolicyTerms, requester: &Requester) -> String {
    for members in terms.groups.values() {
        for name in members {
            if terms.people[name].contains(requester) {
                return format!("name {name}");
            }
        }
    }
    match requester {
        Requester::Operator => "operator".to_owned(),
        Requester::Key(key) => format!("key {key}"),
    }
}

/// Everybody whom a name stands for.
pub fn people(terms: &PolicyTerms, name: &str) -> BTreeSet<String> {
    keys(terms, name).iter().map(|key| person(terms, key)).collect()
}

/// Sum and number of what a window holds, the candidate included. What shares the candidate's wallet and anchor is one
/// payment: of each such group its settled member counts, or its highest.
fn in_window(
    case: &Case<'_>,
    candidate: &Charge,
    seconds: u64,
    counts: &dyn Fn(&Charge) -> Option<u128>,
) -> (u128, u128) {
    let mut all: Vec<(&Charge, bool)> = Vec::new();
    for charge in case.history.charges() {
        if charge.spend != candidate.spend {
            all.push((charge, is_inside(case.history, charge, case.time, seconds)));
        }
    }
    all.push((candidate, true));
    let (mut sum, mut count) = (0, 0);
    for (at, (first, _)) in all.iter().enumerate() {
        let same = |other: &Charge| other.wallet == first.wallet && other.anchor == first.anchor;
        if all[..at].iter().any(|(earlier, _)| same(earlier)) {
            continue;
        }
        let members = all.iter().filter(|(charge, _)| same(charge) && counts(charge).is_some());
        let settled =
            case.history.charges().iter().find(|c| same(c) && case.history.settled(&c.spend).is_some());
        let alive: Vec<_> = members
            .filter(|(charge, _)| {
                charge.spend == candidate.spend || settled.is_none_or(|settled| settled.spend == charge.spend)
            })
            .collect();
        if alive.iter().any(|(_, inside)| *inside) {
            sum += alive.iter().filter_map(|(charge, _)| counts(charge)).max().unwrap_or(0);
            count += 1;
        }
    }
    (sum, count)
}

/// Later than `now − seconds`, by the block where the chain is looked at; unsettled is always inside.
fn is_inside(history: &History, charge: &Charge, now: u64, seconds: u64) -> bool {
    // Only a ledger is told what settled, be it nothing.
    let ledger = *history != History::of_journal(history.charges().to_vec());
    let time = match (ledger, history.settled(&charge.spend)) {
        (true, None) => return true,
        (true, Some(time)) => time,
        // Neither the permit's time nor the clock alone makes a charge old.
        (false, _) if charge.at < charge.clock => charge.clock,
        (false, _) => charge.at,
    };
    i128::from(now) - i128::from(seconds) <= 0 || i128::from(time) > i128::from(now) - i128::from(seconds)
}

/// The sums that an `above` looks at, each by itself.
pub fn sums(case: &Case<'_>, rule: &Require) -> Vec<u128> {
    let terms = case.policy.terms();
    let charge = charge(case);
    let Some(above) = rule.above else { return vec![] };
    let named =
        |charge: &Charge| applies(terms, &charge.requester, &charge.wallet, &rule.requesters, &rule.wallet);
    let mut sums = Vec::new();
    let asker = person(terms, case.requester);
    let everybody = !above.by.requester && !above.by.destination;
    if everybody || above.by.requester {
        let counts = |charge: &Charge| {
            let theirs = everybody || person(terms, &charge.requester) == asker;
            (named(charge) && theirs).then_some(u128::from(charge.outflow.to_sat()))
        };
        sums.push(in_window(case, &charge, above.seconds, &counts).0);
    }
    if above.by.destination {
        for to in &charge.paid {
            let counts = |charge: &Charge| got(charge, &to.script).filter(|_| named(charge));
            sums.push(in_window(case, &charge, above.seconds, &counts).0);
        }
    }
    sums
}

fn got(charge: &Charge, script: &ScriptBuf) -> Option<u128> {
    let theirs = charge.paid.iter().filter(|to| to.script == *script);
    let amounts: Vec<_> = theirs.map(|to| u128::from(to.amount.to_sat())).collect();
    (!amounts.is_empty()).then(|| amounts.iter().sum())
}

/// Sum of a limit's window, the candidate included, and how many payments it holds.
pub fn window_totals(case: &Case<'_>, limit: &policies::policy::Limit) -> (u128, u128) {
    let terms = case.policy.terms();
    let seconds = limit.per_window.map_or(0, |window| window.seconds);
    let counts = |charge: &Charge| {
        applies(terms, &charge.requester, &charge.wallet, &limit.requesters, &limit.wallet)
            .then_some(u128::from(charge.outflow.to_sat()))
    };
    in_window(case, &charge(case), seconds, &counts)
}

/// The rules whose approvals are needed.
pub fn needed<'a>(case: &Case<'a>) -> Vec<&'a Require> {
    let terms = case.policy.terms();
    let here =
        |rule: &&Require| applies(terms, case.requester, case.wallet_name, &rule.requesters, &rule.wallet);
    let triggered = |rule: &&Require| match rule.above {
        None => true,
        Some(above) => sums(case, rule).iter().any(|sum| *sum > u128::from(above.amount.to_sat())),
    };
    terms.requires.iter().filter(here).filter(triggered).collect()
}

/// Places that stay empty however those who approve are seated: one place each, and none for who asks.
fn missing(case: &Case<'_>) -> u64 {
    let terms = case.policy.terms();
    let mut places: Vec<(BTreeSet<String>, u64)> = Vec::new();
    for rule in needed(case) {
        for quorum in &rule.approvals {
            places.push((people(terms, &quorum.from), quorum.count));
        }
    }
    let asker = person(terms, case.requester);
    let key = |key: &PublicKey| person(terms, &Requester::Key(key.clone()));
    let mut seated: BTreeSet<String> = case.approvers.iter().map(key).collect();
    seated.remove(&asker);
    let seated: Vec<String> = seated.into_iter().collect();
    fewest_empty(&seated, &mut places)
}

/// Tries everything: this person in every place and in none.
fn fewest_empty(people: &[String], places: &mut Vec<(BTreeSet<String>, u64)>) -> u64 {
    let Some((first, rest)) = people.split_first() else {
        return places.iter().map(|(_, empty)| empty).sum();
    };
    let mut fewest = fewest_empty(rest, places);
    for at in 0..places.len() {
        if places[at].1 > 0 && places[at].0.contains(first) {
            places[at].1 -= 1;
            fewest = fewest.min(fewest_empty(rest, places));
            places[at].1 += 1;
        }
    }
    fewest
}
