//! Who agreed to a request: the approvals of a file and those of the ledger are one set.

use crate::ledger::state::State;
use crate::people::person_text;
use crate::submission::Asked;
use policies::approval::Approval;
use policies::identity::PublicKey;
use policies::permit::MAX_NAMED;
use policies::policy::{Person, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// An approval that verifies and may count: by somebody whom a rule names and who did not ask for the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Who signed it.
    pub key: PublicKey,
    /// The approval.
    pub approval: Approval,
}

/// All of them, each key once and in the order of the keys. Of two by one key that of the ledger is taken.
pub fn gather(state: &State, asked: &Asked, given: &[Approval]) -> Vec<Agreed> {
    let request = &asked.signed.request;
    let (id, policy) = (request.id(), state.policy());
    let asker = policy.person(&asked.requester);
    let named = named(policy);
    let mut agreed = BTreeMap::new();
    for approval in state.approvals_of(&id).chain(given) {
        let Ok(key) = approval.approver(request) else { continue };
        let holder = policy.holder(&key);
        let may_count = holder != asker && named.contains(&holder);
        if may_count && agreed.len() < MAX_NAMED {
            agreed.entry(key).or_insert_with(|| approval.clone());
        }
    }
    agreed.into_iter().map(|(key, approval)| Agreed { key, approval }).collect()
}

/// Those that the ledger was not told of.
pub fn fresh(state: &State, asked: &Asked, agreed: &[Agreed]) -> Vec<Approval> {
    let id = asked.signed.request.id();
    let known: Vec<_> = state.approvals_of(&id).collect();
    let news = agreed.iter().map(|agreed| &agreed.approval).filter(|approval| !known.contains(approval));
    news.cloned().collect()
}

/// What the holders of keys are called, each once.
pub fn names<'a>(policy: &'a Policy, keys: impl Iterator<Item = &'a PublicKey>) -> Vec<String> {
    let people: BTreeSet<Person<'_>> = keys.map(|key| policy.holder(key)).collect();
    people.iter().map(|person| person_text(policy.terms(), person)).collect()
}

/// Everybody whom some rule asks for an approval.
fn named(policy: &Policy) -> BTreeSet<Person<'_>> {
    let quorums = policy.terms().requires.iter().flat_map(|rule| &rule.approvals);
    quorums.flat_map(|quorum| policy.people_in(&quorum.from)).collect()
}
