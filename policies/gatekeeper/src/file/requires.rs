//! `[[require]]`: soft ceilings, above which people must agree.

use super::allows::groups_of;
use super::people::People;
use super::problem::Problems;
use super::section::{self, Section, Value, nearest, table, text, texts, whole};
use super::{Defined, Names, rules, units};
use policies::policy::{Above, Policy, PolicyTerms, Quorum, Require, SumBy};

/// The sums that an `above` may name.
const SUMS: [&str; 2] = ["requester", "destination"];

/// Reads the rules. `people` are all who are defined.
pub fn read(
    value: Value<'_>,
    defined: &Defined<'_>,
    people: &People,
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Require> {
    // Nobody is counted who could not be read.
    let cast = if problems.is_empty() { cast(people) } else { None };
    let mut requires = Vec::new();
    for mut rule in rules("require", value, problems) {
        let name = names.of(&mut rule, problems);
        let requesters = rule.take("requesters").map(|value| {
            let groups = texts("requesters", value, problems);
            if groups.is_empty() {
                let hint = "leave it out for a rule that everybody's requests meet";
                problems.add(value.span(), "`requesters` names nobody", hint);
            }
            groups_of(groups, defined, problems)
        });
        let wallet = rule.take("wallet").and_then(|value| {
            let name = text("wallet", value, problems)?;
            defined.wallet(value.span(), name, problems).then(|| name.to_owned())
        });
        let above = rule.take("above").map(|value| above(value, problems));
        let approvals = approvals(&mut rule, defined, cast.as_ref(), problems);
        rule.not_judged(&["delay", "cancel"], problems);
        rule.finish(problems);
        let (Some(name), Some(approvals)) = (name, approvals) else { continue };
        // A ceiling that could not be read is a problem already.
        requires.push(Require { name, requesters, wallet, above: above.flatten(), approvals });
    }
    requires
}

/// Counting people is the policy's business, so a policy of nothing but people counts them.
fn cast(people: &People) -> Option<Policy> {
    let terms = PolicyTerms {
        people: people.keys.clone(),
        groups: people.groups.clone(),
        allows: vec![],
        ..Policy::standalone("any", None).ok()?.terms().clone()
    };
    Policy::new(terms).ok()
}

fn above(value: Value<'_>, problems: &mut Problems) -> Option<Above> {
    let mut above = table("above", value, problems)?;
    let seconds =
        above.require("window", problems).and_then(|value| units::duration("window", value, problems));
    let amount = above.require("amount", problems).and_then(|value| units::amount("amount", value, problems));
    let by = above.take("by").map(|value| sums(value, problems));
    above.finish(problems);
    Some(Above { seconds: seconds?, amount: amount?, by: by.unwrap_or(NO_SUMS) })
}

const NO_SUMS: SumBy = SumBy { requester: false, destination: false };

fn sums(value: Value<'_>, problems: &mut Problems) -> SumBy {
    let mut by = NO_SUMS;
    let words = texts("by", value, problems);
    if words.is_empty() {
        let hint = "leave it out for one sum of all payments";
        problems.add(value.span(), "`by` names no sum", hint);
    }
    for (span, word) in words {
        match word {
            "requester" => by.requester = true,
            "destination" => by.destination = true,
            other => {
                let hint = match nearest(other, SUMS.into_iter()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "sums are by \"requester\" and by \"destination\"".to_owned(),
                };
                problems.add(span, format!("`{}` is no sum", other.escape_debug()), hint);
            }
        }
    }
    by
}

fn approvals(
    rule: &mut Section<'_>,
    defined: &Defined<'_>,
    cast: Option<&Policy>,
    problems: &mut Problems,
) -> Option<Vec<Quorum>> {
    let value = rule.require("approvals", problems)?;
    let items = section::array("approvals", value, problems)?;
    if items.is_empty() {
        let hint = "write approvals = [{ from = \"anna\", count = 1 }]";
        problems.add(value.span(), "this rule wants nobody's approval", hint);
    }
    items.iter().map(|item| quorum(item, defined, cast, problems)).collect()
}

fn quorum(
    value: Value<'_>,
    defined: &Defined<'_>,
    cast: Option<&Policy>,
    problems: &mut Problems,
) -> Option<Quorum> {
    let mut quorum = table("approvals", value, problems)?;
    let from = quorum.require("from", problems).and_then(|value| {
        let name = text("from", value, problems)?;
        defined.group(value.span(), name, problems).then_some(name)
    });
    let count = quorum.require("count", problems);
    quorum.finish(problems);
    let (from, count) = (from?, count?);
    let number = whole("count", count, problems)?;
    let people = cast.map(|cast| u64::try_from(cast.people_in(from).len()).unwrap_or(u64::MAX));
    if number == 0 {
        problems.add(count.span(), "a quorum of nobody", "write count = 1 or more, or remove the quorum");
    } else if let Some(people) = people.filter(|people| number > *people) {
        problems.add(
            count.span(),
            format!("{number} of `{from}` can never agree: they are {people}"),
            "name more people, or a smaller count",
        );
    }
    Some(Quorum { from: from.to_owned(), count: number })
}
