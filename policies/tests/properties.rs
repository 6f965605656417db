//! What must hold of every judgement, whatever the policy.

#[allow(dead_code, reason = "each test uses its part")]
mod oracle;

use bitcoin::{Amount, OutPoint};
use oracle::company::{Company, TIME, WINDOWS, key};
use oracle::dice::{Dice, TAPE};
use oracle::opinion::Opinion;
use oracle::payments::{Payment, coin, request, script, spend};
use oracle::ruling;
use policies::history::{Charge, History};
use policies::judge::{judge, requirements::requirements};
use policies::policy::{Above, Limit, Policy, Quorum, Requester, Require, SumBy, Window};
use policies::request::Recipient;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn rule_on(company: &Company) -> Opinion {
    ruling(&judge(&company.case()))
}

/// How bad a ruling is: permitted, so many approvals missing, refused for so many reasons.
fn gravity(opinion: &Opinion) -> (u64, u64) {
    match opinion {
        Opinion::Permitted(_) => (0, 0),
        Opinion::Needs(missing) => (1, *missing),
        Opinion::Refused(_) => (2, 0),
    }
}

/// What a vault or a gatekeeper knows besides the charges.
fn settled(history: &History) -> Option<BTreeMap<policies::id::SpendId, u64>> {
    let known = history.charges().iter().filter_map(|c| Some((c.spend, history.settled(&c.spend)?)));
    let is_journal = *history == History::of_journal(history.charges().to_vec());
    (!is_journal).then(|| known.collect())
}

fn with_charges(history: &History, charges: Vec<Charge>) -> History {
    match settled(history) {
        None => History::of_journal(charges),
        Some(settled) => History::of_ledger(charges, settled),
    }
}

fn group(charge: &Charge) -> (String, OutPoint) {
    (charge.wallet.clone(), charge.anchor)
}

fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

fn limit(name: &str, amount: Amount) -> Limit {
    Limit {
        name: name.to_owned(),
        requesters: None,
        wallet: None,
        per_payment: None,
        per_window: Some(Window { seconds: 1_000, amount: Some(amount), count: None }),
        fee: None,
    }
}

fn require(name: &str, amount: Amount) -> Require {
    let by = SumBy { requester: false, destination: false };
    Require {
        name: name.to_owned(),
        requesters: None,
        wallet: None,
        above: Some(Above { seconds: 1_000, amount, by }),
        approvals: vec![Quorum { from: "boss".to_owned(), count: 1 }],
    }
}

prop_compose! {
    fn dice()(tape in proptest::collection::vec(any::<u32>(), TAPE + 200)) -> Dice { Dice::of(tape) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_ever_matters(mut dice in dice()) {
        let company = Company::roll(&mut dice);
        let mut other = company.under(|terms| {
            dice.shuffle(&mut terms.allows);
            dice.shuffle(&mut terms.limits);
            dice.shuffle(&mut terms.requires);
            terms.people.values_mut().for_each(|keys| dice.shuffle(keys));
            terms.groups.values_mut().for_each(|names| dice.shuffle(names));
            terms.allows.iter_mut().for_each(|allow| dice.shuffle(&mut allow.to));
            terms.allows.iter_mut().for_each(|allow| dice.shuffle(&mut allow.requesters));
            terms.requires.iter_mut().for_each(|require| dice.shuffle(&mut require.approvals));
        });
        dice.shuffle(&mut other.approvers);
        let mut charges = company.history.charges().to_vec();
        // Without a request the first earlier payment whose coin is spent names the group.
        if company.payment.request.is_some() {
            dice.shuffle(&mut charges);
        }
        other.history = with_charges(&company.history, charges);
        prop_assert_eq!(rule_on(&company), rule_on(&other));
    }

    #[test]
    fn another_approval_never_makes_it_worse(mut dice in dice()) {
        let mut company = Company::roll(&mut dice);
        let before = gravity(&rule_on(&company));
        let keys: Vec<_> = company.policy.terms().people.values().flatten().cloned().collect();
        if let Requester::Key(key) = dice.one(&keys) {
            company.approvers.push(key.clone());
        }
        prop_assert!(gravity(&rule_on(&company)) <= before);
    }

    #[test]
    fn another_limit_or_requirement_never_makes_it_better(mut dice in dice()) {
        let company = Company::roll(&mut dice);
        let fewer = company.under(|terms| {
            terms.limits = dice.some(&terms.limits, 60);
            terms.requires = dice.some(&terms.requires, 60);
        });
        prop_assert!(gravity(&rule_on(&fewer)) <= gravity(&rule_on(&company)));
    }

    /// A payment and its replacements are one; what pays back to self may need the payment that it takes back.
    #[test]
    fn less_history_never_makes_it_worse(mut dice in dice()) {
        let company = Company::roll(&mut dice);
        let request = company.payment.request.as_ref();
        if request.is_none_or(|request| request.recipients.is_empty()) {
            return Ok(());
        }
        let groups: BTreeSet<_> = company.history.charges().iter().map(group).collect();
        let gone = dice.some(&groups.into_iter().collect::<Vec<_>>(), 50);
        let left = company.history.charges().iter().filter(|charge| !gone.contains(&group(charge)));
        let forgetful =
            Company { history: with_charges(&company.history, left.cloned().collect()), ..company.clone() };
        prop_assert!(gravity(&rule_on(&forgetful)) <= gravity(&rule_on(&company)));
    }

    #[test]
    fn time_that_goes_back_frees_no_budget(mut dice in dice()) {
        let company = Company::roll(&mut dice);
        let earlier = Company { time: TIME - dice.between(1, 2_000), ..company.clone() };
        prop_assert!(gravity(&rule_on(&earlier)) >= gravity(&rule_on(&company)));
    }

    #[test]
    fn a_replacement_never_charges_less_than_what_it_replaces(mut dice in dice()) {
        let company = Company::roll(&mut dice);
        let mut history = company.history.clone();
        let is_settled = |group: &(String, OutPoint)| {
            let mut members = history.charges().iter().filter(|charge| *group == self::group(charge));
            members.any(|charge| history.settled(&charge.spend).is_some())
        };
        let alive: Vec<_> = history.charges().iter().filter(|c| !is_settled(&group(c))).cloned().collect();
        if alive.is_empty() {
            return Ok(());
        }
        let replaced = dice.one(&alive).clone();
        let replacement = Charge {
            spend: policies::id::SpendId::of(b"replacement"),
            outflow: sat(dice.below(replaced.outflow.to_sat() * 2)),
            at: TIME,
            ..replaced
        };
        let seconds = *dice.one(&WINDOWS);
        let totals = |history: &History, candidate| history.totals(TIME, seconds, candidate, |c| Some(c.outflow));
        let before = totals(&history, None);
        let judged = totals(&history, Some(&replacement));
        prop_assert!(judged.sum >= before.sum && judged.count >= before.count);
        history.push(replacement.clone());
        let after = totals(&history, None);
        prop_assert_eq!(judged, after, "what was judged is what is charged");
    }

    #[test]
    fn sums_that_overflow_deny(mut dice in dice(), most in any::<u64>(), huge in proptest::bool::ANY) {
        let company = Company::roll(&mut dice).under(|terms| {
            terms.limits = vec![limit("Most", sat(most))];
            terms.requires = vec![require("Boss", sat(most))];
            terms.people.insert("boss".to_owned(), vec![Requester::Key(key(90))]);
        });
        let amount = if huge { Amount::MAX } else { sat(u64::MAX - dice.below(400_000)) };
        let charges = [21, 22].map(|n| Charge {
            spend: policies::id::SpendId::of(&[n]),
            request: None,
            wallet: company.wallet_name.clone(),
            requester: company.requester.clone(),
            outflow: amount,
            at: TIME,
            clock: TIME,
            anchor: coin(n),
            paid: vec![],
            coins: [coin(n)].into(),
        });
        let company = Company { history: History::of_journal(charges.to_vec()), ..company };
        let Opinion::Refused(codes) = rule_on(&company) else { return Err(TestCaseError::fail("not refused")) };
        prop_assert!(codes.contains("limit-per-window"));
        prop_assert!(needed(&company).contains("Boss"));
    }

    #[test]
    fn splitting_a_payment_never_lowers_the_approvals_needed(mut dice in dice()) {
        let company = splittable(&mut dice);
        let parts = split(&mut dice, &company);
        let whole = needed(&company);
        let mut union = BTreeSet::new();
        let mut so_far = company.clone();
        for (payment, requester) in parts {
            so_far.payment = payment;
            so_far.requester = requester;
            union.extend(needed(&so_far));
            let charge = so_far.case().charge();
            so_far.history.push(charge);
        }
        prop_assert!(whole.is_subset(&union), "{whole:?} of the whole, {union:?} of its parts");
    }
}

fn needed(company: &Company) -> BTreeSet<String> {
    let case = company.case();
    requirements(&case, &case.charge()).into_iter().map(|needed| needed.rule.name.clone()).collect()
}

/// A company whose requester has one name, with a payment that replaces nothing.
fn splittable(dice: &mut Dice) -> Company {
    let mut company = Company::roll(dice).under(|terms| {
        terms.people.remove("anna's till");
        let known = |name: &String| name != "anna's till";
        terms.allows.clear();
        terms.limits.clear();
        terms.requires.iter_mut().for_each(|rule| {
            rule.approvals.retain(|quorum| known(&quorum.from));
            rule.requesters.iter_mut().for_each(|names| names.retain(known));
        });
        terms.requires.retain(|rule| !rule.approvals.is_empty());
    });
    let (coins, fee) = ([coin(50)], 300 + dice.below(1_000));
    let paid: Vec<_> = (1..=dice.between(1, 3) as u8)
        .map(|n| Recipient { script: script(n), amount: sat(dice.between(2_000, 200_000)) })
        .collect();
    let asked = Some(request(&paid, coins[0], vec![]));
    company.payment = Payment { spend: spend(&coins, &paid, fee), request: asked };
    let outflow = company.payment.spend.outflow().to_sat();
    // Ceilings below what is paid, so that parts can stay below them.
    company.under(|terms| {
        for above in terms.requires.iter_mut().filter_map(|rule| rule.above.as_mut()) {
            above.amount = sat(dice.below(outflow + 10));
        }
    })
}

/// Up to five payments that together pay the same, each asked for with some key of the same person.
fn split(dice: &mut Dice, company: &Company) -> Vec<(Payment, Requester)> {
    const DUST: u64 = 600;
    let keys = keys_of_the_same_person(&company.policy, &company.requester);
    let mut left = Recipient::of(&company.payment.spend);
    let mut parts = Vec::new();
    for n in 51..55 {
        let mut paid = Vec::new();
        for to in &mut left {
            let most = to.amount.to_sat().saturating_sub(2 * DUST);
            if most > 0 && dice.percent(70) {
                let part = Recipient { amount: sat(DUST + dice.below(most)), ..to.clone() };
                to.amount -= part.amount;
                paid.push(part);
            }
        }
        parts.push((n, paid));
    }
    parts.push((55, left));
    let fee = company.payment.spend.fee().to_sat();
    dice.shuffle(&mut parts);
    let made = parts.into_iter().filter(|(_, paid)| !paid.is_empty()).map(|(n, paid)| {
        let asked = Some(request(&paid, coin(n), vec![]));
        (Payment { spend: spend(&[coin(n)], &paid, fee), request: asked }, dice.one(&keys).clone())
    });
    made.collect()
}

/// All keys of the name that a group lists; otherwise each key is a person.
fn keys_of_the_same_person(policy: &Policy, requester: &Requester) -> Vec<Requester> {
    let terms = policy.terms();
    let mut names = terms.groups.values().flatten();
    let name = names.find(|name| terms.people[*name].contains(requester));
    name.map_or_else(|| vec![requester.clone()], |name| terms.people[name].clone())
}

#[test]
fn a_rolled_split_often_crosses_a_ceiling_only_as_a_whole() {
    let mut crossed = 0;
    for seed in 0..500 {
        let mut dice = Dice::seeded(seed);
        let company = splittable(&mut dice);
        let parts = split(&mut dice, &company);
        let alone = |(payment, requester): &(Payment, Requester)| {
            needed(&Company { payment: payment.clone(), requester: requester.clone(), ..company.clone() })
        };
        let by_themselves: BTreeSet<String> = parts.iter().flat_map(alone).collect();
        crossed += u32::from(!needed(&company).is_subset(&by_themselves));
    }
    assert!(crossed > 50, "only {crossed} of 500");
}
