//! `[[allow]]`: who may ask for payments from where to where.

use super::problem::Problems;
use super::section::{NOT_JUDGED, Value, nearest, text, texts};
use super::{Defined, Names, rules};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network};
use policies::policy::{Allow, Destination};
use std::ops::Range;

/// Reads the rules.
pub fn read(
    value: Value<'_>,
    network: Network,
    defined: &Defined<'_>,
    names: &mut Names,
    problems: &mut Problems,
) -> Vec<Allow> {
    let mut allows = Vec::new();
    for mut rule in rules("allow", value, problems) {
        let name = names.of(&mut rule, problems);
        let requesters = rule.require("requesters", problems).map(|value| {
            let groups = texts("requesters", value, problems);
            if groups.is_empty() {
                problems.add_plain(value.span(), "`requesters` names nobody");
            }
            groups_of(groups, defined, problems)
        });
        let wallet = rule.require("wallet", problems).and_then(|value| {
            let name = text("wallet", value, problems)?;
            defined.wallet(value.span(), name, problems).then(|| name.to_owned())
        });
        let to = rule.require("to", problems).map(|value| {
            let to = texts("to", value, problems);
            if to.is_empty() {
                problems.add(value.span(), "`to` names no destination", "write to = [\"anyone\"]");
            }
            to.into_iter().filter_map(|(span, word)| destination(span, word, network, problems)).collect()
        });
        rule.finish(problems);
        if let (Some(name), Some(requesters), Some(wallet), Some(to)) = (name, requesters, wallet, to) {
            allows.push(Allow { name, requesters, wallet, to });
        }
    }
    allows
}

/// Those of the names that are groups; the others are problems.
pub fn groups_of(
    names: Vec<(Range<usize>, &str)>,
    defined: &Defined<'_>,
    problems: &mut Problems,
) -> Vec<String> {
    names
        .into_iter()
        .filter(|(span, name)| defined.group(span.clone(), name, problems))
        .map(|(_, name)| name.to_owned())
        .collect()
}

fn destination(
    span: Range<usize>,
    word: &str,
    network: Network,
    problems: &mut Problems,
) -> Option<Destination> {
    match word {
        "anyone" => return Some(Destination::Anyone),
        "self" => return Some(Destination::Back),
        _ => {}
    }
    let Ok(address) = word.parse::<Address<NetworkUnchecked>>() else {
        let word = word.escape_debug();
        match nearest(&word.to_string(), ["anyone", "self"].into_iter()) {
            Some(near) => {
                problems.add(span, format!("`{word}` is no destination"), format!("did you mean `{near}`?"));
            }
            None => problems.add(
                span,
                format!("`{word}` is no destination: it is no address, and address books are {NOT_JUDGED}"),
                "write \"anyone\", \"self\" or an address",
            ),
        }
        return None;
    };
    match address.require_network(network) {
        Ok(address) => Some(Destination::Script(address.script_pubkey())),
        Err(_) => {
            problems.add(
                span,
                format!("the address is not of {network}, the policy's network"),
                "name the network of the policy at its top: network = \"regtest\"",
            );
            None
        }
    }
}
