//! `[people]`: who may ask, by public key.

use super::problem::Problems;
use super::section::{NOT_JUDGED, Value, table, texts};
use policies::codec::clean_text;
use policies::identity::PublicKey;
use policies::policy::{MAX_NAME_LEN, Requester};
use std::collections::BTreeMap;

/// Reads the groups. A string is one public key, an array several.
pub fn read(value: Value<'_>, problems: &mut Problems) -> BTreeMap<String, Vec<Requester>> {
    let mut groups = BTreeMap::new();
    let Some(mut section) = table("people", value, problems) else { return groups };
    for (name, (span, value)) in section.names() {
        if let Err(error) = clean_text("people", name, MAX_NAME_LEN) {
            problems.add_plain(span, error.to_string());
        }
        let mut members = Vec::new();
        for (span, line) in texts(name, value, problems) {
            match line.parse::<PublicKey>() {
                Ok(key) if members.contains(&Requester::Key(key.clone())) => {
                    problems.add(span, format!("`{name}` lists this key twice"), "remove one of them");
                }
                Ok(key) => members.push(Requester::Key(key)),
                Err(_) if is_principal(line) => problems.add(
                    span,
                    format!("`{}` is a principal, and certificates are {NOT_JUDGED}", line.escape_debug()),
                    "principals come with [identity]; list the person's public key: \"ssh-ed25519 AAAA…\"",
                ),
                Err(error) => problems.add(
                    span,
                    error.to_string(),
                    "paste the line of the .pub file: \"ssh-ed25519 AAAA…\"",
                ),
            }
        }
        groups.insert(name.to_owned(), members);
    }
    groups
}

/// One word that does not look like a key.
fn is_principal(line: &str) -> bool {
    !line.is_empty() && !line.contains(char::is_whitespace) && !line.starts_with("AAAA")
}
