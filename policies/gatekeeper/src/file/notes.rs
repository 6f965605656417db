//! What one should know about a policy that is no mistake.

use policies::policy::{Person, Policy, PolicyTerms, Quorum, Requester};
use policies::text::duration_text;
use std::collections::BTreeSet;

/// Each a sentence.
pub fn notes(policy: &Policy) -> Vec<String> {
    let terms = policy.terms();
    let mut notes = Vec::new();
    for (name, wallet) in &terms.wallets {
        if wallet.id.is_none() {
            notes.push(format!("wallet `{name}` gets its descriptor when its first vault is added"));
        }
        if !terms.allows.iter().any(|allow| allow.wallet == *name) {
            notes.push(format!("nobody may pay from wallet `{name}`"));
        }
        if !has_ceiling(terms, name) {
            notes.push(format!("no limit for everybody caps what leaves wallet `{name}`"));
        }
    }
    notes.extend(people_notes(terms));
    notes.extend(quorum_notes(policy));
    if terms.limits.iter().all(|limit| limit.fee.is_none()) {
        notes.push("without a fee limit the usual one holds: 0.05 BTC, 25%, 1000 sat/vB at most".to_owned());
    }
    if terms.permit_valid_for < WEEK {
        let good = duration_text(terms.permit_valid_for);
        notes.push(format!("a permit is good for {good}: the vault must be visited more often than that"));
    }
    notes
}

/// The usual rhythm of signing.
const WEEK: u64 = 7 * 24 * 3_600;

fn has_ceiling(terms: &PolicyTerms, wallet: &str) -> bool {
    terms.limits.iter().any(|limit| {
        limit.wallet.as_ref().is_none_or(|other| other == wallet)
            && limit.requesters.is_none()
            && (limit.per_payment.is_some() || limit.per_window.is_some_and(|w| w.amount.is_some()))
    })
}

fn people_notes(terms: &PolicyTerms) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, keys) in &terms.people {
        if keys.is_empty() {
            notes.push(format!("`{name}` has no key"));
        }
        let mut names = vec![name];
        names.extend(terms.groups.iter().filter(|(_, names)| names.contains(name)).map(|(group, _)| group));
        let asks = terms.allows.iter().flat_map(|allow| &allow.requesters);
        let agrees = terms.requires.iter().flat_map(|rule| &rule.approvals).map(|quorum| &quorum.from);
        if !asks.chain(agrees).any(|used| names.contains(&used)) {
            notes.push(format!("no rule names `{name}`, who may ask for nothing and agree to nothing"));
        }
    }
    notes
}

/// Nobody approves their own request, and nobody fills two places: whose requests could then never be permitted?
fn quorum_notes(policy: &Policy) -> Vec<String> {
    let terms = policy.terms();
    let mut notes = BTreeSet::new();
    for allow in &terms.allows {
        for key in allow.requesters.iter().flat_map(|name| keys(terms, name)) {
            let asker = policy.person(key);
            let who = name_of(terms, key).unwrap_or_else(|| asker.to_string());
            let mut benches = Vec::new();
            let mut is_short = false;
            for rule in policy.requires_for(key, &allow.wallet) {
                for Quorum { from, count } in &rule.approvals {
                    let mut people = policy.people_in(from);
                    people.remove(&asker);
                    let seats = usize::try_from(*count).unwrap_or(usize::MAX);
                    if seats > people.len() {
                        is_short = true;
                        notes.insert(format!(
                            "`{}` wants {count} of `{from}`; without {who}, who may ask for payments from `{}`, they are \
                             {}: a request by {who} that needs it is never permitted",
                            rule.name,
                            allow.wallet,
                            people.len()
                        ));
                    }
                    benches.extend(std::iter::repeat_n(people, seats.min(MAX_SEATS)));
                }
            }
            if !is_short && !can_be_filled(&benches) {
                notes.insert(format!(
                    "a request by {who} from `{}` that meets every `require` at once needs {} people, and so many do not \
                     fill the places: one person fills one",
                    allow.wallet,
                    benches.len()
                ));
            }
        }
    }
    notes.into_iter().collect()
}

/// More places of one quorum are not looked at.
const MAX_SEATS: usize = 64;

/// Whether each place gets a person of its own (augmenting paths, after Kuhn).
fn can_be_filled(seats: &[BTreeSet<Person<'_>>]) -> bool {
    let mut taken: Vec<Option<Person<'_>>> = vec![None; seats.len()];
    (0..seats.len()).all(|seat| fill(seat, seats, &mut taken, &mut BTreeSet::new()))
}

fn fill<'a>(
    seat: usize,
    seats: &[BTreeSet<Person<'a>>],
    taken: &mut Vec<Option<Person<'a>>>,
    tried: &mut BTreeSet<Person<'a>>,
) -> bool {
    for person in seats.get(seat).into_iter().flatten() {
        if !tried.insert(*person) {
            continue;
        }
        let sitting = taken.iter().position(|other| other.as_ref() == Some(person));
        if sitting.is_none_or(|other| fill(other, seats, taken, tried)) {
            if let Some(place) = taken.get_mut(seat) {
                *place = Some(*person);
            }
            return true;
        }
    }
    false
}

fn keys<'a>(terms: &'a PolicyTerms, name: &str) -> Vec<&'a Requester> {
    let names = terms.groups.get(name).into_iter().flatten().map(String::as_str);
    let names = names.chain([name]);
    names.filter_map(|name| terms.people.get(name)).flatten().collect()
}

fn name_of(terms: &PolicyTerms, key: &Requester) -> Option<String> {
    match key {
        Requester::Key(key) => Some(crate::people::name_of(terms, key)),
        Requester::Operator => None,
    }
}
