//! `[[limit]]`: hard ceilings.

use super::allows::groups_of;
use super::problem::Problems;
use super::section::{Value, table, text, texts, whole};
use super::{Defined, Names, rules, units};
use bitcoin::Amount;
use policies::examine::FeeCeiling;
use policies::policy::{Limit, Window};

/// Reads the rules.
pub fn read(
    value: Value<'_>,
    defined: &Defined<'_>,
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Limit> {
    let mut limits = Vec::new();
    for mut rule in rules("limit", value, problems) {
        let name = names.of(&mut rule, problems);
        let requesters = rule.take("requesters").map(|value| {
            let groups = texts("requesters", value, problems);
            if groups.is_empty() {
                problems.add(
                    value.span(),
                    "`requesters` names nobody",
                    "leave it out for a limit on everybody",
                );
            }
            groups_of(groups, defined, problems)
        });
        let wallet = rule.take("wallet").and_then(|value| {
            let name = text("wallet", value, problems)?;
            defined.wallet(value.span(), name, problems).then(|| name.to_owned())
        });
        let ceilings = ["per_payment", "per_window", "fee"].map(|key| (key, rule.take(key)));
        let [(_, per_payment), (_, per_window), (_, fee)] = ceilings;
        rule.not_judged(&["hours"], problems);
        if per_payment.is_none() && per_window.is_none() && fee.is_none() {
            problems.add(
                rule.span.clone(),
                "this limit limits nothing",
                "give it `per_payment`, `per_window` or `fee`",
            );
        }
        rule.finish(problems);
        let limit = Limit {
            name: name.unwrap_or_default(),
            requesters,
            wallet,
            per_payment: per_payment.and_then(|value| units::amount("per_payment", value, problems)),
            per_window: per_window.and_then(|value| window(value, problems)),
            fee: fee.and_then(|value| ceiling(value, problems)),
        };
        limits.push(limit);
    }
    limits
}

fn window(value: Value<'_>, problems: &mut Problems) -> Option<Window> {
    let mut window = table("per_window", value, problems)?;
    let seconds =
        window.require("window", problems).and_then(|value| units::duration("window", value, problems));
    let amount = window.take("amount");
    let count = window.take("count");
    if amount.is_none() && count.is_none() {
        problems.add(window.span.clone(), "this window limits nothing", "give it `amount` or `count`");
    }
    window.finish(problems);
    Some(Window {
        seconds: seconds?,
        amount: amount.and_then(|value| units::amount("amount", value, problems)),
        count: count.and_then(|value| whole("count", value, problems)),
    })
}

/// The three bases all apply; one that is left out is without a ceiling.
fn ceiling(value: Value<'_>, problems: &mut Problems) -> Option<FeeCeiling> {
    let mut fee = table("fee", value, problems)?;
    let amount = fee.take("amount");
    let percent = fee.take("percent");
    let feerate = fee.take("sat_per_vbyte");
    if amount.is_none() && percent.is_none() && feerate.is_none() {
        problems.add(
            fee.span.clone(),
            "this fee ceiling limits nothing",
            "give it `amount`, `percent` or `sat_per_vbyte`",
        );
    }
    fee.finish(problems);
    let amount = amount.map(|value| units::amount("amount", value, problems));
    let percent = percent.map(|value| whole("percent", value, problems));
    let feerate = feerate.map(|value| whole("sat_per_vbyte", value, problems));
    Some(FeeCeiling {
        amount: amount.unwrap_or(Some(Amount::MAX_MONEY))?,
        percent: percent.unwrap_or(Some(u64::MAX))?,
        sat_per_vb: feerate.unwrap_or(Some(u64::MAX))?,
    })
}
