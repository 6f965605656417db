//! What people of a policy are called.

use policies::identity::PublicKey;
use policies::policy::{Person, Policy, PolicyTerms, Requester};

/// The name of a key's holder: that of a person, else that of a list of keys with the key's fingerprint.
pub fn name_of(terms: &PolicyTerms, key: &PublicKey) -> String {
    let holds =
        |keys: &[Requester]| keys.iter().any(|held| matches!(held, Requester::Key(held) if held == key));
    let is_person = |name: &String, keys: &[Requester]| {
        keys.len() == 1 || terms.groups.values().flatten().any(|listed| listed == name)
    };
    let mut holders: Vec<_> = terms.people.iter().filter(|(_, keys)| holds(keys)).collect();
    holders.sort_by_key(|(name, keys)| (!is_person(name, keys), (*name).clone()));
    match holders.first() {
        Some((name, keys)) if is_person(name, keys) => (*name).clone(),
        Some((name, _)) => format!("{name} ({})", key.fingerprint()),
        None => key.fingerprint(),
    }
}

/// What somebody is called who counts once.
pub fn person_text(terms: &PolicyTerms, person: &Person<'_>) -> String {
    match person {
        Person::Key(key) => name_of(terms, key),
        Person::Operator | Person::Named(_) => person.to_string(),
    }
}

/// What whoever asks is called.
pub fn requester_text(policy: &Policy, requester: &Requester) -> String {
    person_text(policy.terms(), &policy.person(requester))
}
