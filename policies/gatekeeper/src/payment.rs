//! A payment as the rules see it: a spend of a bound wallet, who asked for it, who agreed, and what was charged before.

use crate::approvals::{Agreed, gather, names};
use crate::ledger::state::{BoundWallet, State};
use crate::people::person_text;
use crate::submission::Asked;
use policies::approval::Approval;
use policies::history::Charge;
use policies::identity::PublicKey;
use policies::judge::Case;
use policies::judge::requirements::{Missing, requirements};
use policies::policy::{Person, Policy};
use policies::spend::Spend;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A payment and the state in which it is judged.
pub struct Payment<'a> {
    /// The state.
    pub state: &'a State,
    /// The wallet.
    pub bound: &'a BoundWallet,
    /// What is paid.
    pub spend: &'a Spend,
    /// Who asks.
    pub asked: &'a Asked,
    /// Who agreed.
    pub agreed: Vec<Agreed>,
    approvers: Vec<PublicKey>,
}

impl<'a> Payment<'a> {
    /// With the approvals of a file and of the ledger.
    pub fn new(
        state: &'a State,
        bound: &'a BoundWallet,
        spend: &'a Spend,
        asked: &'a Asked,
        given: &[Approval],
    ) -> Self {
        let agreed = gather(state, asked, given);
        let approvers = agreed.iter().map(|agreed| agreed.key.clone()).collect();
        Self { state, bound, spend, asked, agreed, approvers }
    }

    /// What is judged, at this wall clock. Windows slide on the bitcoin time of the state; without headers they stand at
    /// the beginning and hold everything.
    pub fn case(&'a self, now: u64) -> Case<'a> {
        Case {
            policy: self.state.policy(),
            wallet: &self.bound.wallet,
            wallet_name: &self.bound.name,
            spend: self.spend,
            requester: &self.asked.requester,
            request: Some(&self.asked.signed.request),
            approvers: &self.approvers,
            history: self.state.history(),
            dead: self.state.dead(),
            supersedes: false,
            time: self.state.seen().bitcoin_time().unwrap_or(0),
            now,
        }
    }

    /// SHA-256 of each approval that fills or could fill a place of a rule that applies.
    pub fn counted(&self, case: &Case<'_>, charge: &Charge) -> Vec<[u8; 32]> {
        let applying = requirements(case, charge);
        let quorums = applying.iter().flat_map(|requirement| &requirement.rule.approvals);
        let people: BTreeSet<Person<'_>> =
            quorums.flat_map(|quorum| case.policy.people_in(&quorum.from)).collect();
        let counts = |agreed: &&Agreed| people.contains(&case.policy.holder(&agreed.key));
        self.agreed.iter().filter(counts).map(|agreed| agreed.approval.digest()).collect()
    }

    /// What is missing, with the people who could give it.
    pub fn lacking(&self, missing: Vec<Missing>) -> Vec<Lacking> {
        let policy = self.state.policy();
        let asker = policy.person(&self.asked.requester);
        let agreed: BTreeSet<Person<'_>> =
            self.agreed.iter().map(|agreed| policy.holder(&agreed.key)).collect();
        let could = |missing: &Missing| {
            let people = policy.people_in(&missing.from).into_iter();
            let others = people.filter(|person| *person != asker && !agreed.contains(person));
            others.map(|person| person_text(policy.terms(), &person)).collect()
        };
        missing.into_iter().map(|missing| Lacking { who: could(&missing), missing }).collect()
    }

    /// The rules that want approvals, and because of which sums.
    pub fn applying(&self, case: &Case<'_>) -> Vec<Applying> {
        let charge = case.charge();
        let applying = requirements(case, &charge).into_iter();
        let words = applying.map(|applying| Applying {
            rule: applying.rule.name.clone(),
            because: applying.because.into_iter().map(|text| with_names(case.policy, &text)).collect(),
            approvals: applying
                .rule
                .approvals
                .iter()
                .map(|quorum| (quorum.from.clone(), quorum.count))
                .collect(),
        });
        words.collect()
    }

    /// What the people are called who agreed.
    pub fn names(&self) -> Vec<String> {
        names(self.state.policy(), self.approvers.iter())
    }
}

/// Sums by requester name a person, or a key by its fingerprint: the name reads better.
fn with_names(policy: &Policy, text: &str) -> String {
    let keys = policy.terms().people.values().flatten();
    keys.fold(text.to_owned(), |text, key| match policy.person(key) {
        person @ Person::Key(key) => text.replace(&key.fingerprint(), &person_text(policy.terms(), &person)),
        Person::Named(_) | Person::Operator => text,
    })
}

/// Approvals that a rule still wants, and who could give them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The rule and how many.
    pub missing: Missing,
    /// Names.
    pub who: Vec<String>,
}

impl Lacking {
    /// "`Manager` needs 1 more of `managers`: anna, ben".
    pub fn text(&self) -> String {
        match self.who.is_empty() {
            true => format!("{}, and nobody is left who could", self.missing),
            false => format!("{}: {}", self.missing, self.who.join(", ")),
        }
    }

    /// `{"rule", "from", "count", "who"}`.
    pub fn json(&self) -> Value {
        let Missing { rule, from, count } = &self.missing;
        json!({ "rule": rule, "from": from, "count": count, "who": self.who })
    }
}

/// A rule that wants approvals of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applying {
    /// Its name.
    pub rule: String,
    /// Each sum above its ceiling, in words.
    pub because: Vec<String>,
    /// How many of whom.
    pub approvals: Vec<(String, u64)>,
}

impl Applying {
    /// "`Manager` wants 1 of `managers`: asked for by desk: 0.3 BTC within 24 hours, above 0.1 BTC".
    pub fn text(&self) -> String {
        let quorums: Vec<_> =
            self.approvals.iter().map(|(from, count)| format!("{count} of `{from}`")).collect();
        format!("`{}` wants {}: {}", self.rule, quorums.join(" and "), self.because.join("; "))
    }

    /// `{"rule", "because", "approvals": [{"from", "count"}]}`.
    pub fn json(&self) -> Value {
        let quorum = |(from, count): &(String, u64)| json!({ "from": from, "count": count });
        let approvals: Vec<_> = self.approvals.iter().map(quorum).collect();
        json!({ "rule": self.rule, "because": self.because, "approvals": approvals })
    }
}
