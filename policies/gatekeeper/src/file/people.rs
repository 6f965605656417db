//! `[people]`: persons by public key, and groups of them by name.

use super::defined;
use super::problem::Problems;
use super::section::{Value, table, texts};
use policies::codec::clean_text;
use policies::identity::PublicKey;
use policies::policy::{MAX_NAME_LEN, Requester};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::DeValue;

/// Who there is.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Keys by name: of a person, or of a group in which each key is a person.
    pub keys: BTreeMap<String, Vec<Requester>>,
    /// Groups of such names.
    pub groups: BTreeMap<String, Vec<String>>,
}

type Texts<'a> = Vec<(Range<usize>, &'a str)>;

/// Reads everybody. A string is one public key; an array lists either keys or names of other entries.
pub fn read(value: Value<'_>, problems: &mut Problems) -> People {
    let mut people = People::default();
    let Some(mut section) = table("people", value, problems) else { return people };
    let mut groups: Vec<(&str, Texts<'_>)> = Vec::new();
    for (name, (span, value)) in section.names() {
        if let Err(error) = clean_text("people", name, MAX_NAME_LEN) {
            problems.add_plain(span, error.to_string());
        }
        let lines = texts(name, value, problems);
        let is_list = matches!(value.get_ref(), DeValue::Array(_));
        match lines.iter().find(|(_, line)| is_name(line)) {
            Some((span, line)) if is_list && lines.iter().any(|(_, line)| !is_name(line)) => {
                problems.add(
                    span.clone(),
                    format!("`{name}` mixes keys and names: `{}` is no key", line.escape_debug()),
                    "give the person a line of their own, and list people by name",
                );
                people.keys.insert(name.to_owned(), vec![]);
            }
            Some(_) if is_list => groups.push((name, lines)),
            _ => drop(people.keys.insert(name.to_owned(), keys(name, lines, problems))),
        }
    }
    let persons: Vec<&str> = people.keys.keys().map(String::as_str).collect();
    for (name, names) in &groups {
        people.groups.insert((*name).to_owned(), members(name, names, &groups, &persons, problems));
    }
    shared_keys(&people, &groups, problems);
    people
}

fn keys(name: &str, lines: Texts<'_>, problems: &mut Problems) -> Vec<Requester> {
    let mut keys = Vec::new();
    for (span, line) in lines {
        match line.parse::<PublicKey>() {
            Ok(key) if keys.contains(&Requester::Key(key.clone())) => {
                problems.add(span, format!("`{name}` lists this key twice"), "remove one of them");
            }
            Ok(key) => keys.push(Requester::Key(key)),
            Err(_) if is_name(line) => problems.add(
                span,
                format!("`{}` is no public key", line.escape_debug()),
                "a person has a key: \"ssh-ed25519 AAAA…\"; a group lists people by name: [\"anna\", \"ben\"]",
            ),
            Err(error) => {
                problems.add(span, error.to_string(), "paste the line of the .pub file: \"ssh-ed25519 AAAA…\"");
            }
        }
    }
    keys
}

fn members(
    group: &str,
    names: &Texts<'_>,
    groups: &[(&str, Texts<'_>)],
    persons: &[&str],
    problems: &mut Problems,
) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for (span, name) in names {
        if members.iter().any(|member| member == name) {
            problems.add(span.clone(), format!("`{group}` lists `{name}` twice"), "remove one of them");
        } else if groups.iter().any(|(other, _)| other == name) {
            problems.add(
                span.clone(),
                format!("`{name}` is a group itself"),
                "list its people by name: groups do not hold groups",
            );
        } else if defined("person", "[people]", persons, span.clone(), name, problems) {
            members.push((*name).to_owned());
        }
    }
    members
}

/// A key of two people whom groups list would be two people.
fn shared_keys(people: &People, groups: &[(&str, Texts<'_>)], problems: &mut Problems) {
    let mut holders: BTreeMap<&Requester, &str> = BTreeMap::new();
    for (span, name) in groups.iter().flat_map(|(_, names)| names) {
        for key in people.keys.get(*name).into_iter().flatten() {
            let other = *holders.entry(key).or_insert(name);
            if other != *name {
                problems.add(
                    span.clone(),
                    format!("`{other}` and `{name}` have a key in common: who is it?"),
                    "give each person keys of their own",
                );
            }
        }
    }
}

/// One word that does not look like a key.
fn is_name(line: &str) -> bool {
    !line.is_empty() && !line.contains(char::is_whitespace) && !line.starts_with("AAAA")
}
