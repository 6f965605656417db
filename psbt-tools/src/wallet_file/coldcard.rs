//! Coldcard's text file for a multisig wallet (Coldcard documentation, "Multisig"): also written by Sparrow, Specter and
//! Electrum. Its keys are always sorted (BIP67).

use super::key::{self, ListedKey};
use super::{Fault, Found};
use policies::wallet::{Branch, Wallet, WalletKind};
use std::fmt::Write;

/// Words before the colon.
const WORDS: [&str; 4] = ["name", "policy", "derivation", "format"];

/// Most keys of such a wallet (BIP383: `multi` in P2WSH).
const MAX_KEYS: usize = 20;

/// Longest name that a Coldcard takes, in characters.
const MAX_NAME_LEN: usize = 20;

/// Whether a text has the lines of such a file.
pub(super) fn is_file(text: &str) -> bool {
    let known = |line: &str| {
        split(line).is_some_and(|(word, _)| {
            WORDS.contains(&word.to_ascii_lowercase().as_str()) || is_fingerprint(word)
        })
    };
    text.lines().filter(|line| known(line)).count() >= 2
}

/// Reads the file. The format must be named: a Coldcard takes P2SH where it is not, and a guess is worse than a question.
pub(super) fn read(text: &str) -> Result<Found, Fault> {
    let mut lines = Lines::default();
    for (at, line) in text.lines().enumerate() {
        lines.take(line).map_err(|fault| Fault {
            reason: format!("line {}: {}", at.saturating_add(1), fault.reason),
            ..fault
        })?;
    }
    let missing = |what: &str| Fault::broken(format!("there is no line `{what}`"));
    let (threshold, count) = lines.policy.ok_or_else(|| missing("Policy: M of N"))?;
    let kind = lines.kind.ok_or_else(|| missing("Format: P2WSH"))?;
    if lines.keys.len() != count {
        return Err(Fault::broken(format!(
            "the policy is of {count} keys, and {} are listed",
            lines.keys.len()
        )));
    }
    Ok(Found {
        name: lines.name,
        network: None,
        descriptors: vec![key::descriptor(kind, Some(threshold), &lines.keys)?],
        notes: key::converted(&lines.keys, kind)?,
    })
}

/// Writes a wallet as such a file, with a path for each key; `None` for what is no sorted multisig on `/0/*` and `/1/*`.
pub fn write(wallet: &Wallet, name: &str) -> Option<String> {
    let descriptor = wallet.descriptor(Branch::External);
    let (format, inner) = match wallet.kind() {
        WalletKind::Sh => ("P2SH", descriptor.strip_prefix("sh(")?),
        WalletKind::ShWsh => ("P2SH-P2WSH", descriptor.strip_prefix("sh(wsh(")?),
        WalletKind::Wsh => ("P2WSH", descriptor.strip_prefix("wsh(")?),
        WalletKind::Pkh | WalletKind::ShWpkh | WalletKind::Wpkh | WalletKind::Tr | WalletKind::TrTree => {
            return None;
        }
    };
    let plain = |steps: &[bitcoin::bip32::ChildNumber], branch: Branch| steps == [branch.number().into()];
    let usual = |place: &policies::wallet::KeyPlace| {
        plain(&place.external, Branch::External) && plain(&place.internal, Branch::Internal)
    };
    if !inner.starts_with("sortedmulti(") || !wallet.places().iter().all(usual) {
        return None;
    }
    let [path] = wallet.paths() else { return None };
    let (threshold, count) = path.threshold()?;
    let name: String =
        name.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_NAME_LEN).collect();
    let mut out = format!("Name: {name}\nPolicy: {threshold} of {count}\nFormat: {format}\n");
    for key in wallet.keys() {
        // Writing to a string does not fail.
        let _ = write!(out, "\nDerivation: m");
        for step in &key.origin {
            let _ = write!(out, "/{step}");
        }
        let _ = write!(out, "\n{:X}: {}\n", key.fingerprint, key.xpub);
    }
    Some(out)
}

/// What the lines say so far.
#[derive(Default)]
struct Lines {
    name: Option<String>,
    policy: Option<(usize, usize)>,
    kind: Option<WalletKind>,
    path: Option<String>,
    keys: Vec<ListedKey>,
}

impl Lines {
    fn take(&mut self, line: &str) -> Result<(), Fault> {
        let line = line.trim();
        // Sparrow writes the paths of single keys as comments.
        let line =
            line.strip_prefix("# derivation:").map_or(line.to_owned(), |path| format!("derivation:{path}"));
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let Some((word, value)) = split(&line) else {
            return Err(Fault::broken("expected a word, a colon and a value"));
        };
        match word.to_ascii_lowercase().as_str() {
            "name" => once(&mut self.name, value.to_owned()),
            "policy" => once(&mut self.policy, policy(value)?),
            "format" => once(&mut self.kind, kind(value)?),
            // It holds for the keys after it, until the next.
            "derivation" => {
                self.path = Some(value.to_owned());
                Ok(())
            }
            fingerprint if is_fingerprint(fingerprint) => {
                if self.keys.len() == MAX_KEYS {
                    return Err(Fault::broken(format!("more than {MAX_KEYS} keys")));
                }
                let path =
                    self.path.as_ref().ok_or_else(|| Fault::broken("a key before any `Derivation:`"))?;
                self.keys.push(ListedKey::new("the key", fingerprint, path, value)?);
                Ok(())
            }
            _ => Err(Fault::broken("a word that is not known")),
        }
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::broken("said twice")),
    }
}

/// `2 of 3`, or `2/3`.
fn policy(value: &str) -> Result<(usize, usize), Fault> {
    let fault = || Fault::broken("the policy is not like `2 of 3`");
    let (threshold, count) = value.split_once(" of ").or_else(|| value.split_once('/')).ok_or_else(fault)?;
    let number = |text: &str| {
        let text = text.trim();
        text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse::<usize>().ok()).flatten()
    };
    let (threshold, count) = number(threshold).zip(number(count)).ok_or_else(fault)?;
    if threshold == 0 || threshold > count || count > MAX_KEYS {
        return Err(Fault::broken(format!("a policy of {threshold} of {count}")));
    }
    Ok((threshold, count))
}

fn kind(value: &str) -> Result<WalletKind, Fault> {
    match value.to_ascii_uppercase().as_str() {
        "P2SH" => Ok(WalletKind::Sh),
        "P2WSH" => Ok(WalletKind::Wsh),
        "P2SH-P2WSH" | "P2WSH-P2SH" => Ok(WalletKind::ShWsh),
        _ => Err(Fault::broken("a format that is none of P2SH, P2WSH, P2SH-P2WSH")),
    }
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.split_once(':').map(|(word, value)| (word.trim(), value.trim()))
}

fn is_fingerprint(word: &str) -> bool {
    word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit())
}
