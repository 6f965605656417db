//! The policy file: TOML that a treasurer can read, and every way in which it can be wrong.
//!
//! This version judges `allow`, `limit` and `require`. Every other part of the language is refused by name: a rule that is
//! ignored would be a wrong yes.

mod allows;
mod explain;
mod limits;
mod notes;
mod people;
mod problem;
mod requires;
mod section;
mod units;
mod wallets;

pub use explain::{allow_text, explain};
pub use problem::{Problem, Problems};

use bitcoin::Network;
use policies::id::PolicyId;
use policies::policy::{DEFAULT_HEADERS_MAX_AGE, DEFAULT_PERMIT_VALIDITY, Policy, PolicyTerms};
use psbt_tools::display::network_from_word;
use section::{Section, Value, table, text, whole};
use toml::de::DeTable;

/// The only schema that is read.
const SCHEMA: &str = "airlock-policy/1";

/// Largest policy file, in bytes.
pub const MAX_FILE_LEN: u64 = 4 << 20;

/// What a policy file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The policy.
    pub policy: Policy,
    /// The network of its wallets and addresses.
    pub network: Network,
}

/// Reads a policy file; `name` is how messages call it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &str, source: &str) -> Result<PolicyFile, Problems> {
    let mut problems = Problems::new(name, source);
    let (document, errors) = DeTable::parse_recoverable(source);
    for error in &errors {
        problems.add_plain(error.span().unwrap_or(0..0), error.message().replace('\n', " "));
    }
    // What a half-read document seems to say is not worth a message.
    let file = if errors.is_empty() { read(document.get_ref(), source, &mut problems) } else { None };
    match file {
        Some(file) if problems.is_empty() => Ok(file),
        _ => Err(problems.sorted()),
    }
}

fn read(document: &DeTable<'_>, source: &str, problems: &mut Problems) -> Option<PolicyFile> {
    let start = 0..source.lines().next().map_or(0, str::len);
    let mut top = Section::new("the policy", start.clone(), document);
    schema(&mut top, problems);
    let company = top.require("company", problems).and_then(|value| text("company", value, problems));
    let version = top.require("version", problems).and_then(|value| version(value, problems));
    let previous = previous(&mut top, version, problems);
    let valid_until = top.take("valid_until").and_then(|value| units::until("valid_until", value, problems));
    let network = network(&mut top, problems);
    let people =
        top.require("people", problems).map(|value| people::read(value, problems)).unwrap_or_default();
    let wallets = top
        .require("wallet", problems)
        .map(|value| wallets::read(value, network, problems))
        .unwrap_or_default();
    let defined = Defined {
        groups: people.keys.keys().chain(people.groups.keys()).map(String::as_str).collect(),
        wallets: wallets.keys().map(String::as_str).collect(),
    };
    let mut names = Names::default();
    let allows = top
        .require("allow", problems)
        .map(|value| allows::read(value, network, &defined, &mut names, problems))
        .unwrap_or_default();
    let limits = top
        .take("limit")
        .map(|value| limits::read(value, &defined, &mut names, problems))
        .unwrap_or_default();
    let requires = top
        .take("require")
        .map(|value| requires::read(value, &defined, &people, &mut names, problems))
        .unwrap_or_default();
    let permit = top.take("permit").map(|value| permit(value, problems)).unwrap_or_default();
    top.not_judged(&["identity", "evacuate", "governance", "address-book"], problems);
    top.finish(problems);
    if !problems.is_empty() {
        return None;
    }
    let terms = PolicyTerms {
        company: company?.to_owned(),
        version: version?,
        previous,
        valid_until,
        people: people.keys,
        groups: people.groups,
        wallets,
        allows,
        limits,
        requires,
        permit_valid_for: permit.valid_for.unwrap_or(DEFAULT_PERMIT_VALIDITY),
        headers_max_age: permit.headers_max_age.unwrap_or(DEFAULT_HEADERS_MAX_AGE),
    };
    match Policy::new(terms) {
        Ok(policy) => Some(PolicyFile { policy, network }),
        Err(error) => {
            problems.add_plain(start, error.to_string());
            None
        }
    }
}

/// Names that rules may refer to.
struct Defined<'a> {
    groups: Vec<&'a str>,
    wallets: Vec<&'a str>,
}

impl Defined<'_> {
    fn group(&self, span: std::ops::Range<usize>, name: &str, problems: &mut Problems) -> bool {
        defined("group", "[people]", &self.groups, span, name, problems)
    }

    fn wallet(&self, span: std::ops::Range<usize>, name: &str, problems: &mut Problems) -> bool {
        defined("wallet", "[wallet.NAME]", &self.wallets, span, name, problems)
    }
}

fn defined(
    kind: &str,
    place: &str,
    names: &[&str],
    span: std::ops::Range<usize>,
    name: &str,
    problems: &mut Problems,
) -> bool {
    if names.contains(&name) {
        return true;
    }
    let hint = match section::nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("define it under {place}"),
        None => format!("{place} defines: {}", names.join(", ")),
    };
    problems.add(span, format!("undefined {kind} `{}`", name.escape_debug()), hint);
    false
}

/// Names of rules that were seen.
#[derive(Default)]
struct Names(std::collections::BTreeSet<String>);

impl Names {
    /// The name of a rule; a second rule of that name is a problem.
    fn of(&mut self, rule: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
        let value = rule.require("name", problems)?;
        let name = clean("name", value, problems)?;
        if !self.0.insert(name.clone()) {
            problems.add(
                value.span(),
                format!("two rules are named `{name}`"),
                "give each rule a name of its own: it is shown when it decides",
            );
        }
        Some(name)
    }
}

/// A string that is fit for a screen and not empty.
fn clean(what: &'static str, value: Value<'_>, problems: &mut Problems) -> Option<String> {
    let found = text(what, value, problems)?;
    let wrong = if found.trim().is_empty() {
        Some(format!("`{what}` is empty"))
    } else {
        policies::codec::clean_text(what, found, policies::policy::MAX_NAME_LEN).err().map(|e| e.to_string())
    };
    match wrong {
        None => Some(found.to_owned()),
        Some(message) => {
            problems.add_plain(value.span(), message);
            None
        }
    }
}

fn schema(top: &mut Section<'_>, problems: &mut Problems) {
    let Some(value) = top.require("schema", problems) else { return };
    if let Some(found) = text("schema", value, problems).filter(|found| *found != SCHEMA) {
        problems.add(
            value.span(),
            format!("unknown schema `{}`", found.escape_debug()),
            format!("this version reads `schema = \"{SCHEMA}\"`"),
        );
    }
}

fn version(value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    let version = whole("version", value, problems)?;
    if version == 0 {
        problems.add(value.span(), "versions count from 1", "write version = 1");
    }
    Some(version)
}

fn previous(top: &mut Section<'_>, version: Option<u64>, problems: &mut Problems) -> Option<PolicyId> {
    const HINT: &str = "`gatekeeper policy check` prints a policy's hash: previous = \"sha256:…\"";
    let Some(value) = top.take("previous") else {
        if let Some(version) = version.filter(|version| *version > 1) {
            problems.add(top.span.clone(), format!("version {version} has no `previous`"), HINT);
        }
        return None;
    };
    let typed = text("previous", value, problems)?;
    if version == Some(1) {
        problems.add(value.span(), "version 1 has no previous one", "remove the line");
    }
    let id = typed.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    if id.is_none() {
        problems.add(value.span(), "`previous` is not the hash of a policy", HINT);
    }
    id
}

fn network(top: &mut Section<'_>, problems: &mut Problems) -> Network {
    let Some(value) = top.take("network") else { return Network::Bitcoin };
    let Some(word) = text("network", value, problems) else { return Network::Bitcoin };
    network_from_word(word).unwrap_or_else(|error| {
        problems.add_plain(value.span(), error.to_string());
        Network::Bitcoin
    })
}

/// `[permit]`: seconds, where it says them.
#[derive(Default)]
struct PermitTerms {
    valid_for: Option<u64>,
    headers_max_age: Option<u64>,
}

fn permit(value: Value<'_>, problems: &mut Problems) -> PermitTerms {
    let Some(mut permit) = table("[permit]", value, problems) else { return PermitTerms::default() };
    let [valid_for, headers_max_age] = ["valid_for", "headers_max_age"]
        .map(|key| permit.take(key).and_then(|value| units::duration(key, value, problems)));
    permit.finish(problems);
    PermitTerms { valid_for, headers_max_age }
}

/// Arrays of tables: `[[allow]]`, `[[limit]]`, `[[require]]`.
fn rules<'a>(name: &'static str, value: Value<'a>, problems: &mut Problems) -> Vec<Section<'a>> {
    let Some(items) = section::array(name, value, problems) else { return Vec::new() };
    items.iter().filter_map(|item| table(&format!("[[{name}]]"), item, problems)).collect()
}

#[cfg(test)]
mod tests;
