//! Soft ceilings: whose approvals a payment needs, and which of them are missing.

use super::Case;
use crate::evidence::script_text;
use crate::history::Charge;
use crate::policy::{Above, Person, Require};
use crate::text::{amount_text, duration_text};
use bitcoin::{Amount, ScriptBuf};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Approvals that a rule still wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// Name of the rule.
    pub rule: String,
    /// A person or group of the policy.
    pub from: String,
    /// How many of them are still needed.
    pub count: u64,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` needs {} more of `{}`", self.rule, self.count, self.from)
    }
}

/// A rule that applies, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement<'a> {
    /// The rule.
    pub rule: &'a Require,
    /// Each sum that is above its ceiling, in words.
    pub because: Vec<String>,
}

/// The rules whose approvals this payment needs, in the order of their names.
pub fn requirements<'a>(case: &Case<'a>, charge: &Charge) -> Vec<Requirement<'a>> {
    let mut applying: Vec<_> = case
        .policy
        .requires_for(case.requester, case.wallet_name)
        .filter_map(|rule| {
            let because = match &rule.above {
                None => vec!["every payment needs it".to_owned()],
                Some(above) => above_ceiling(case, charge, rule, above),
            };
            (!because.is_empty()).then_some(Requirement { rule, because })
        })
        .collect();
    applying.sort_by(|a, b| a.rule.name.cmp(&b.rule.name));
    applying
}

/// What is missing for all of them together: an approval counts for one place of one rule, a person gives one, and nobody
/// approves what they asked for themselves.
pub(super) fn missing(case: &Case<'_>, charge: &Charge) -> Vec<Missing> {
    let requirements = requirements(case, charge);
    let mut seats = Seats::default();
    for Requirement { rule, .. } in &requirements {
        for quorum in &rule.approvals {
            let people = case.policy.people_in(&quorum.from);
            seats.0.push(Bench {
                rule: &rule.name,
                from: &quorum.from,
                count: quorum.count,
                people,
                taken: vec![],
            });
        }
    }
    let asker = case.policy.person(case.requester);
    let people: BTreeSet<Person<'_>> = case.approvers.iter().map(|key| case.policy.holder(key)).collect();
    for person in people.into_iter().filter(|person| *person != asker) {
        seats.seat(person, &mut BTreeSet::new());
    }
    seats.missing()
}

fn above_ceiling(case: &Case<'_>, charge: &Charge, rule: &Require, above: &Above) -> Vec<String> {
    let (who, from) = (rule.requesters.as_deref(), rule.wallet.as_deref());
    let counts = |charge: &Charge| case.policy.in_scope(who, from, &charge.requester, &charge.wallet);
    let total = |part: &dyn Fn(&Charge) -> bool| {
        let counted = |charge: &Charge| (counts(charge) && part(charge)).then_some(charge.outflow);
        case.history.totals(case.time, above.seconds, Some(charge), counted)
    };
    let mut sums = Vec::new();
    if !above.by.requester && !above.by.destination {
        sums.push(("all payments together".to_owned(), total(&|_| true)));
    }
    if above.by.requester {
        let asker = case.policy.person(case.requester);
        let by = total(&|charge| case.policy.person(&charge.requester) == asker);
        sums.push((format!("asked for by {asker}"), by));
    }
    if above.by.destination {
        let scripts: BTreeSet<&ScriptBuf> = charge.paid.iter().map(|recipient| &recipient.script).collect();
        let parts = |charge| if counts(charge) { paid_to(charge, &scripts) } else { BTreeMap::new() };
        let to = |script| format!("paid to {}", script_text(script, case.wallet.network()));
        let totals = case.history.totals_by(case.time, above.seconds, Some(charge), parts);
        sums.extend(totals.into_iter().map(|(script, totals)| (to(script), totals)));
    }
    let exceeding = sums.into_iter().filter(|(_, totals)| totals.sum.is_none_or(|sum| sum > above.amount));
    let (window, ceiling) = (duration_text(above.seconds), amount_text(above.amount));
    exceeding
        .map(|(what, totals)| {
            let sum = totals.sum.map_or_else(|| "more than 2^64 sat".to_owned(), amount_text);
            format!("{what}: {sum} within {window}, above {ceiling}")
        })
        .collect()
}

/// What a charge paid to each of these destinations; where that overflows, more than any sum.
fn paid_to<'a>(charge: &'a Charge, scripts: &BTreeSet<&ScriptBuf>) -> BTreeMap<&'a ScriptBuf, Amount> {
    let mut paid = BTreeMap::new();
    for recipient in charge.paid.iter().filter(|recipient| scripts.contains(&recipient.script)) {
        let sum = paid.entry(&recipient.script).or_insert(Amount::ZERO);
        *sum = sum.checked_add(recipient.amount).unwrap_or(Amount::MAX);
    }
    paid
}

/// The places of one quorum.
struct Bench<'a> {
    rule: &'a str,
    from: &'a str,
    count: u64,
    people: BTreeSet<Person<'a>>,
    taken: Vec<Person<'a>>,
}

/// All places of all rules: a maximum matching of people to places (augmenting paths, after Kuhn).
#[derive(Default)]
struct Seats<'a>(Vec<Bench<'a>>);

impl<'a> Seats<'a> {
    /// Finds a place for a person, if need be by moving others; whether there was one.
    fn seat(&mut self, person: Person<'a>, tried: &mut BTreeSet<usize>) -> bool {
        for at in 0..self.0.len() {
            let Some(bench) = self.0.get(at) else { continue };
            if !bench.people.contains(&person) || !tried.insert(at) {
                continue;
            }
            let is_full = u64::try_from(bench.taken.len()).is_ok_and(|taken| taken >= bench.count);
            let sitting = if is_full { bench.taken.clone() } else { vec![] };
            let moved = sitting.into_iter().find(|other| self.seat(*other, tried));
            if is_full && moved.is_none() {
                continue;
            }
            if let Some(bench) = self.0.get_mut(at) {
                bench.taken.retain(|other| Some(other) != moved.as_ref());
                bench.taken.push(person);
            }
            return true;
        }
        false
    }

    fn missing(&self) -> Vec<Missing> {
        let open = self.0.iter().filter_map(|bench| {
            let taken = u64::try_from(bench.taken.len()).unwrap_or(u64::MAX);
            let count = bench.count.saturating_sub(taken);
            (count > 0).then(|| Missing { rule: bench.rule.to_owned(), from: bench.from.to_owned(), count })
        });
        open.collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::history::{History, tests::charge};
    use crate::identity::PublicKey;
    use crate::identity::tests::public;
    use crate::judge::tests::Trial;
    use crate::policy::tests::require;
    use crate::policy::{PolicyTerms, Requester, SumBy};
    use crate::request::Recipient;
    use crate::spend::tests::foreign_script;
    use bitcoin::Amount;

    const OUTFLOW: u64 = 40_010_000;
    const PAID: u64 = 40_000_000;

    /// Anna holds keys 5 and 6, ben 7, carol 8; the managers are anna and ben, the board anna and carol.
    fn people(terms: &mut PolicyTerms) {
        let keys = |n: &[u8]| n.iter().map(|n| Requester::Key(public(*n))).collect::<Vec<_>>();
        for (name, numbers) in [("anna", &[5, 6][..]), ("ben", &[7]), ("carol", &[8])] {
            terms.people.insert(name.to_owned(), keys(numbers));
        }
        let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        terms.groups.insert("managers".to_owned(), names(["anna", "ben"]));
        terms.groups.insert("board".to_owned(), names(["anna", "carol"]));
    }

    fn keys(numbers: &[u8]) -> Vec<PublicKey> {
        numbers.iter().map(|n| public(*n)).collect()
    }

    /// Name, satoshi above which it applies, quorums.
    type Rule<'a> = (&'a str, u64, &'a [(&'a str, u64)]);

    fn needs(rules: &[Rule<'_>], approvers: &[u8]) -> Vec<String> {
        let trial = Trial { approvers: keys(approvers), ..Trial::default() };
        trial.codes(|terms| {
            people(terms);
            terms.requires = rules.iter().map(|(name, sat, from)| require(name, *sat, 1_000, from)).collect();
        })
    }

    #[test]
    fn above_is_strict_and_each_sum_triggers_by_itself() {
        assert_eq!(needs(&[("Boss", OUTFLOW, &[("ben", 1)])], &[]), [""; 0]);
        assert_eq!(
            needs(&[("Boss", OUTFLOW - 1, &[("ben", 1)])], &[]),
            ["needs `Boss` needs 1 more of `ben`"]
        );
        let by = |requester, destination, sat| {
            Trial::default().codes(|terms| {
                people(terms);
                let mut rule = require("Boss", sat, 1_000, &[("ben", 1)]);
                rule.above.as_mut().unwrap().by = SumBy { requester, destination };
                terms.requires = vec![rule];
            })
        };
        for (requester, destination, sum) in
            [(true, false, OUTFLOW), (false, true, PAID), (false, false, OUTFLOW)]
        {
            assert_eq!(by(requester, destination, sum), [""; 0]);
            assert_eq!(by(requester, destination, sum - 1).len(), 1, "{requester} {destination}");
        }
    }

    #[test]
    fn sums_are_of_the_person_who_asks_and_of_the_destination() {
        let mut earlier = charge(10, 99_500);
        earlier.paid = vec![Recipient { script: foreign_script(8), amount: Amount::from_sat(3) }];
        let with = |change: &dyn Fn(&mut crate::history::Charge)| {
            let mut earlier = earlier.clone();
            change(&mut earlier);
            let trial = Trial { history: History::of_journal(vec![earlier]), ..Trial::default() };
            trial.codes(|terms| {
                people(terms);
                terms.requires = vec![require("Boss", OUTFLOW, 1_000, &[("ben", 1)])];
            })
        };
        assert_eq!(with(&|_| ()), [""; 0], "somebody else asked, somebody else got it");
        assert_eq!(with(&|c| c.requester = Requester::Key(public(3))).len(), 1);
        assert_eq!(
            with(&|c| c.paid[0].script = foreign_script(9)).len(),
            0,
            "3 sat more to the same, below it"
        );
        assert_eq!(
            with(&|c| c.paid[0] = Recipient { script: foreign_script(9), amount: Amount::from_sat(10_001) })
                .len(),
            1
        );
        assert_eq!(
            with(&|c| {
                c.requester = Requester::Key(public(3));
                (c.at, c.clock) = (99_000, 99_000);
            }),
            [""; 0],
            "it left the window"
        );
    }

    #[test]
    fn rules_add_up_and_a_person_gives_one_approval() {
        let both: &[Rule<'_>] = &[("A", 0, &[("managers", 1)]), ("B", 0, &[("board", 1)])];
        assert_eq!(needs(both, &[]).len(), 2);
        assert_eq!(needs(both, &[5]).len(), 1, "anna is in both groups and takes one place");
        assert_eq!(needs(both, &[5, 6]).len(), 1, "her second key is not a second person");
        assert_eq!(needs(both, &[5, 7]), [""; 0], "anna makes room for ben");
        assert_eq!(needs(both, &[5, 8]), [""; 0]);
        assert_eq!(needs(both, &[7]), ["needs `B` needs 1 more of `board`"]);
        assert_eq!(needs(both, &[9, 3]).len(), 2, "strangers and the requester count for nothing");
        assert_eq!(needs(&[("A", 0, &[("managers", 2)])], &[5, 6]).len(), 1);
        assert_eq!(needs(&[("A", 0, &[("managers", 2)])], &[5, 7]), [""; 0]);
    }

    #[test]
    fn nobody_approves_what_they_asked_for() {
        let asks = |with: u8, approvers: &[u8]| {
            let trial = Trial { requester: with, approvers: keys(approvers), ..Trial::default() };
            trial.codes(|terms| {
                people(terms);
                terms.allows[0].requesters = vec!["managers".to_owned()];
                terms.requires = vec![require("A", 0, 1_000, &[("managers", 1)])];
            })
        };
        assert_eq!(asks(5, &[5]).len(), 1);
        assert_eq!(asks(5, &[6]).len(), 1, "nor with her other key");
        assert_eq!(asks(5, &[7]), [""; 0]);
    }

    #[test]
    fn a_rule_applies_to_its_groups_and_its_wallet() {
        let rule = |change: &dyn Fn(&mut crate::policy::Require)| {
            Trial::default().codes(|terms| {
                people(terms);
                let mut rule = require("A", 0, 1_000, &[("ben", 1)]);
                change(&mut rule);
                terms.wallets.insert("other".to_owned(), crate::policy::WalletTerms::default());
                terms.requires = vec![rule];
            })
        };
        assert_eq!(rule(&|r| r.wallet = Some("other".to_owned())), [""; 0]);
        assert_eq!(rule(&|r| r.wallet = Some("savings".to_owned())).len(), 1);
        assert_eq!(rule(&|r| r.requesters = Some(vec!["managers".to_owned()])), [""; 0]);
        assert_eq!(rule(&|r| r.requesters = Some(vec!["desk".to_owned()])).len(), 1);
        assert_eq!(rule(&|r| r.above = None).len(), 1);
    }
}
