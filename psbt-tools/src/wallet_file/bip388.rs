//! Wallet policies (BIP388): a descriptor template whose keys are `@0`, `@1` …, and the list of those keys.

use super::{Fault, Found, descriptor, json};
use crate::Error;
use miniscript::{DescriptorPublicKey, ForEachKey};
use policies::wallet::{Branch, MAX_DESCRIPTOR_LEN, MAX_PLACES, Wallet, require_strict};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Names of the template in JSON, as programs write it, and of the keys.
const TEMPLATE_NAMES: [&str; 4] = ["descriptor_template", "description_template", "policy", "template"];
const KEYS_NAMES: [&str; 2] = ["keys_info", "keys"];

const HINT: &str =
    "a policy is like wsh(sortedmulti(2,@0/**,@1/**)), with each key as [fingerprint/path]xpub";

/// A wallet policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The descriptor template.
    pub template: String,
    /// The key information vector: `[73c5da0a/48'/0'/0'/2']xpub…`.
    pub keys_info: Vec<String>,
}

impl Policy {
    /// The policy of a wallet; `None` where BIP388 has no words for it: a fixed point, or a key with more steps than the
    /// branch and the index.
    pub fn of(wallet: &Wallet) -> Option<Self> {
        let text = wallet.descriptor(Branch::External);
        let body = text.split('#').next()?;
        let mut found = Vec::new();
        for (at, place) in wallet.places().iter().enumerate() {
            let ([external], [internal]) = (place.external.as_slice(), place.internal.as_slice()) else {
                return None;
            };
            let key = wallet.key_at(at)?.to_string();
            let expression = format!("{key}/{external}/*");
            let start = body.find(&expression)?;
            found.push((start, expression.len(), key, (u32::from(*external), u32::from(*internal))));
        }
        found.sort_by_key(|(start, ..)| *start);
        let mut policy = Policy { template: String::new(), keys_info: Vec::new() };
        let mut rest = 0;
        for (start, len, key, (external, internal)) in found {
            let known = policy.keys_info.iter().position(|known| *known == key);
            let index = known.unwrap_or(policy.keys_info.len());
            if known.is_none() {
                policy.keys_info.push(key);
            }
            policy.template.push_str(body.get(rest..start)?);
            policy.template.push_str(&match (external, internal) {
                (0, 1) => format!("@{index}/**"),
                _ => format!("@{index}/<{external};{internal}>/*"),
            });
            rest = start.checked_add(len)?;
        }
        policy.template.push_str(body.get(rest..)?);
        // An origin that is the key's own is not in its text.
        (!policy.template.contains('[')).then_some(policy)
    }

    /// As JSON, in the names that hardware wallets' libraries use.
    pub fn to_json(&self, name: &str) -> Value {
        json!({ "name": name, "descriptor_template": self.template, "keys_info": self.keys_info })
    }

    /// The multipath descriptor, with checksum.
    ///
    /// # Errors
    /// [`Error::Malformed`] says which rule of BIP388 is broken, or what is not supported.
    pub fn descriptor(&self) -> Result<String, Error> {
        expand(&self.template, &self.keys_info)
            .map_err(|fault| Error::malformed(format!("wallet policy: {}", fault.reason), fault.hint))
    }
}

pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    let template = json::required(value, only(value, &TEMPLATE_NAMES)?)?;
    let keys = value.get(only(value, &KEYS_NAMES)?).and_then(Value::as_array);
    let keys: Option<Vec<_>> =
        keys.and_then(|keys| keys.iter().map(|key| key.as_str().map(str::to_owned)).collect());
    let keys = keys.ok_or_else(|| Fault::new("its keys are no list of texts", HINT))?;
    Ok(Found {
        name: json::text(value, "name")?.map(str::to_owned),
        descriptors: vec![expand(template, &keys)?],
        ..Found::default()
    })
}

/// The one of these names that is there.
fn only<'a>(value: &Value, names: &[&'a str]) -> Result<&'a str, Fault> {
    let mut there = names.iter().filter(|name| value.get(**name).is_some());
    match (there.next(), there.next()) {
        (Some(name), None) => Ok(name),
        (None, _) => Err(Fault::new(format!("`{}` is missing", names.first().unwrap_or(&"")), HINT)),
        (Some(_), Some(_)) => Err(Fault::new("it says the same thing under two names", HINT)),
    }
}

fn fault(reason: impl Into<String>) -> Fault {
    Fault::new(reason, HINT)
}

/// A placeholder's key and its two branches.
#[derive(PartialEq, Eq)]
struct Placeholder {
    index: usize,
    branches: (u32, u32),
}

fn expand(template: &str, keys_info: &[String]) -> Result<String, Fault> {
    if template.len() > MAX_DESCRIPTOR_LEN || keys_info.len() > MAX_PLACES {
        return Err(fault("it is too long"));
    }
    require_distinct(keys_info)?;
    let mut out = String::new();
    let mut used: Vec<Placeholder> = Vec::new();
    let mut pieces = template.split('@');
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        if out.ends_with("musig(") {
            return Err(Fault::new("musig() is not supported", "use multi_a or sortedmulti"));
        }
        let (placeholder, rest) = placeholder(piece)?;
        let next = used.iter().map(|before| before.index.saturating_add(1)).max().unwrap_or(0);
        if placeholder.index > next {
            return Err(fault(format!("@{} stands before @{next}", placeholder.index)));
        }
        let key = keys_info.get(placeholder.index);
        let key = key.ok_or_else(|| fault(format!("there is no key @{}", placeholder.index)))?;
        let (external, internal) = placeholder.branches;
        out.push_str(&format!("{key}/<{external};{internal}>/*{rest}"));
        used.push(placeholder);
        if out.len() > MAX_DESCRIPTOR_LEN {
            return Err(fault("it is too long"));
        }
    }
    let distinct: BTreeSet<usize> = used.iter().map(|placeholder| placeholder.index).collect();
    if distinct.len() != keys_info.len() {
        return Err(fault(format!("{} keys are listed, and {} are used", keys_info.len(), distinct.len())));
    }
    require_disjoint(&used)?;
    require_placeholders_only(template, &out, used.len())
}

/// `0/**` or `0/<0;1>/*`, and what follows.
fn placeholder(piece: &str) -> Result<(Placeholder, &str), Fault> {
    let wrong = || fault("after a key's number comes /** or /<M;N>/*, and nothing else");
    let (index, rest) = number(piece).ok_or_else(wrong)?;
    let index = usize::try_from(index).map_err(|_| wrong())?;
    let (branches, rest) = match rest.strip_prefix("/**") {
        Some(rest) => ((0, 1), rest),
        None => {
            let (external, rest) = rest.strip_prefix("/<").and_then(number).ok_or_else(wrong)?;
            let (internal, rest) = rest.strip_prefix(';').and_then(number).ok_or_else(wrong)?;
            ((external, internal), rest.strip_prefix(">/*").ok_or_else(wrong)?)
        }
    };
    if !rest.starts_with([',', ')', '}']) {
        return Err(wrong());
    }
    if branches.0 == branches.1 {
        return Err(fault(format!("@{index} has the same branch twice")));
    }
    Ok((Placeholder { index, branches }, rest))
}

/// A number as BIP388 writes it: no sign, no leading zero, below 2³¹.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let number = digits.parse::<u32>().ok().filter(|number| *number < 1 << 31)?;
    (number.to_string() == digits).then_some((number, rest))
}

/// Every entry is an extended public key, with or without its origin, and each is another one.
fn require_distinct(keys_info: &[String]) -> Result<(), Fault> {
    let mut points = BTreeSet::new();
    for (at, text) in keys_info.iter().enumerate() {
        require_strict(text).map_err(|error| fault(format!("key @{at}: {error}")))?;
        let wrong = || fault(format!("key @{at} is no [fingerprint/path]xpub"));
        let key: DescriptorPublicKey = text.parse().map_err(|_| wrong())?;
        let DescriptorPublicKey::XPub(key) = key else { return Err(wrong()) };
        if !key.derivation_path.as_ref().is_empty() || key.wildcard != miniscript::descriptor::Wildcard::None
        {
            return Err(fault(format!("key @{at} has a path after the key")));
        }
        if !points.insert(key.xkey.public_key.serialize()) {
            return Err(fault(format!("key @{at} is listed twice")));
        }
    }
    Ok(())
}

/// No key derives the same addresses' keys in two places.
fn require_disjoint(used: &[Placeholder]) -> Result<(), Fault> {
    let mut seen = BTreeSet::new();
    for Placeholder { index, branches: (external, internal) } in used {
        for branch in [external, internal] {
            if !seen.insert((*index, *branch)) {
                return Err(fault(format!("@{index}/{branch}/* stands twice")));
            }
        }
    }
    Ok(())
}

/// The template has no keys but placeholders.
fn require_placeholders_only(template: &str, expanded: &str, placeholders: usize) -> Result<String, Fault> {
    if template.contains(['[', ']', '#']) {
        return Err(fault("the template has a key or a checksum of its own"));
    }
    let parsed = descriptor::parse(expanded)?;
    let mut keys = 0usize;
    parsed.for_each_key(|_| {
        keys = keys.saturating_add(1);
        true
    });
    if keys != placeholders {
        return Err(fault("the template has a key that is no placeholder"));
    }
    Ok(parsed.to_string())
}
