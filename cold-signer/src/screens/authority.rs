//! An authority in full: what every key made under it obeys.

use bitcoin::{Address, Network, ScriptBuf};
use policies::authority::Authority;
use policies::policy::{
    Allow, Destination, Limit, PolicyTerms, Replacement, Requester, Require, WalletTerms,
};
use policies::text::{duration_text, utc_text};
use psbt_tools::display::{address_text, escape, hex};
use psbt_tools::money::amount_text;

/// Every line, nothing left out but the policy's previous version.
pub fn authority_lines(authority: &Authority) -> Vec<String> {
    let terms = authority.policy.terms();
    let mut lines = vec![
        format!("company        {}", escape(&authority.company)),
        format!("authority id   {}", authority.id()),
    ];
    lines.extend(authority.permit_keys.iter().map(|key| format!("permit key     {}", key.fingerprint())));
    lines.push(format!("policy         version {}, {}", terms.version, authority.policy.id()));
    lines.push(format!("  of {}", escape(&terms.company)));
    lines.push(match terms.valid_until {
        Some(unix) => format!("  valid until {}", utc_text(unix)),
        None => "  valid without end".to_owned(),
    });
    lines.push(format!("  a permit is valid for {}", duration_text(terms.permit_valid_for)));
    lines.push(format!(
        "  nothing is permitted when the latest block is older than {}",
        duration_text(terms.headers_max_age)
    ));
    lines.extend(people(terms));
    lines.extend(terms.wallets.iter().flat_map(|(name, wallet)| wallet_lines(name, wallet)));
    lines.extend(terms.allows.iter().flat_map(allow));
    lines.extend(terms.limits.iter().map(limit));
    lines.extend(terms.requires.iter().map(require));
    lines
}

fn people(terms: &PolicyTerms) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, keys) in &terms.people {
        lines.push(format!("  keys of {}:", escape(name)));
        lines.extend(keys.iter().map(|member| match member {
            Requester::Operator => "    the operator at the console".to_owned(),
            Requester::Key(key) => format!("    {}", key.fingerprint()),
        }));
    }
    let group = |(name, members): (&String, &Vec<String>)| {
        format!("  group {}: {}", escape(name), escape(&members.join(", ")))
    };
    lines.extend(terms.groups.iter().map(group));
    lines
}

fn wallet_lines(name: &str, wallet: &WalletTerms) -> Vec<String> {
    let mut lines = vec![format!("  wallet {}", escape(name))];
    lines.extend(wallet.id.iter().map(|id| format!("    its id {id}")));
    lines.extend(wallet.vaults.iter().map(|key| format!("    its vault {}", key.fingerprint())));
    lines.push(match wallet.replacement {
        Replacement::FeeOnly => {
            "    a payment may be replaced by one with another fee, or taken back".to_owned()
        }
        Replacement::BackOnly => "    a payment may be taken back, not replaced".to_owned(),
    });
    lines
}

fn allow(allow: &Allow) -> Vec<String> {
    let mut lines = vec![format!(
        "  allow {}: {} from {} to",
        escape(&allow.name),
        escape(&allow.requesters.join(", ")),
        escape(&allow.wallet)
    )];
    lines.extend(allow.to.iter().map(|to| match to {
        Destination::Anyone => "    ANYONE".to_owned(),
        Destination::Back => "    the wallet itself".to_owned(),
        Destination::Script(script) => format!("    {}", destination(script)),
    }));
    lines
}

/// A policy names no network: the address is that of mainnet, and the script is the same everywhere.
fn destination(script: &ScriptBuf) -> String {
    let script_hex = hex(script.as_bytes());
    match Address::from_script(script, Network::Bitcoin) {
        Ok(address) => format!("{} (on mainnet; script {script_hex})", address_text(&address.to_string())),
        Err(_) => format!("script {script_hex}"),
    }
}

/// To whose payments and from which wallet a rule applies; nothing where to all.
fn scope(requesters: Option<&Vec<String>>, wallet: Option<&String>) -> String {
    let who = requesters.map(|names| format!(" of {}", escape(&names.join(", "))));
    let from = wallet.map(|name| format!(" from {}", escape(name)));
    who.into_iter().chain(from).collect()
}

fn limit(limit: &Limit) -> String {
    let scope = scope(limit.requesters.as_ref(), limit.wallet.as_ref());
    let line = format!("  limit {}{scope}", escape(&limit.name));
    let mut ceilings = Vec::new();
    ceilings.extend(limit.per_payment.map(|amount| format!("{} a payment", amount_text(amount))));
    if let Some(window) = limit.per_window {
        let length = duration_text(window.seconds);
        ceilings.extend(window.amount.map(|amount| format!("{} in {length}", amount_text(amount))));
        ceilings.extend(window.count.map(|count| format!("{count} payments in {length}")));
    }
    ceilings.extend(limit.fee.map(|fee| {
        format!("a fee of {}, {} sat/vB, {} %", amount_text(fee.amount), fee.sat_per_vb, fee.percent)
    }));
    format!("{line}: at most {}", ceilings.join("; "))
}

fn require(require: &Require) -> String {
    let scope = scope(require.requesters.as_ref(), require.wallet.as_ref());
    let above = require.above.map_or_else(
        || "always".to_owned(),
        |above| {
            let by = match (above.by.requester, above.by.destination) {
                (false, false) => "of all payments",
                (true, false) => "of who asks",
                (false, true) => "to one destination",
                (true, true) => "of who asks or to one destination",
            };
            format!("above {} {by} in {}", amount_text(above.amount), duration_text(above.seconds))
        },
    );
    let approvals: Vec<String> = require
        .approvals
        .iter()
        .map(|quorum| format!("{} of {}", quorum.count, escape(&quorum.from)))
        .collect();
    format!("  require {}{scope}: {above}, approvals by {}", escape(&require.name), approvals.join(" and "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bitcoin::hashes::Hash;
    use bitcoin::{Amount, WPubkeyHash};
    use policies::examine::FeeCeiling;
    use policies::identity::PublicKey;
    use policies::policy::{Above, Policy, Quorum, SumBy, Window};
    use std::collections::BTreeMap;

    pub(crate) fn authority() -> Authority {
        let key = |n| PublicKey::ed25519([n; 32]);
        let script = |n| ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]));
        let allow = |name: &str, to| Allow {
            name: name.to_owned(),
            requesters: vec!["payroll".to_owned()],
            wallet: "main".to_owned(),
            to,
        };
        let policy = Policy::new(PolicyTerms {
            company: "Two Friends GmbH".to_owned(),
            version: 3,
            previous: None,
            valid_until: Some(1_795_240_249),
            people: BTreeMap::from([
                ("auto".to_owned(), vec![Requester::Operator]),
                ("payroll".to_owned(), vec![Requester::Key(key(1)), Requester::Key(key(2))]),
                ("anna".to_owned(), vec![Requester::Key(key(5))]),
                ("ben".to_owned(), vec![Requester::Key(key(6))]),
            ]),
            groups: BTreeMap::from([("board".to_owned(), vec!["anna".to_owned(), "ben".to_owned()])]),
            wallets: BTreeMap::from([
                ("main".to_owned(), WalletTerms { vaults: vec![key(3)], ..WalletTerms::default() }),
                (
                    "rest".to_owned(),
                    WalletTerms { replacement: Replacement::BackOnly, ..WalletTerms::default() },
                ),
            ]),
            allows: vec![
                allow("landlord", vec![Destination::Script(script(9)), Destination::Back]),
                allow("rest", vec![Destination::Anyone]),
            ],
            limits: vec![Limit {
                name: "day".to_owned(),
                requesters: Some(vec!["payroll".to_owned()]),
                wallet: Some("main".to_owned()),
                per_payment: Some(Amount::from_sat(1_000_000)),
                per_window: Some(Window {
                    seconds: 86_400,
                    amount: Some(Amount::from_sat(5_000_000)),
                    count: Some(4),
                }),
                fee: Some(FeeCeiling { amount: Amount::from_sat(20_000), percent: 2, sat_per_vb: 100 }),
            }],
            requires: vec![
                Require {
                    name: "large".to_owned(),
                    requesters: Some(vec!["payroll".to_owned()]),
                    wallet: None,
                    above: Some(Above {
                        seconds: 86_400,
                        amount: Amount::from_sat(500_000),
                        by: SumBy { requester: true, destination: true },
                    }),
                    approvals: vec![
                        Quorum { from: "anna".to_owned(), count: 1 },
                        Quorum { from: "board".to_owned(), count: 2 },
                    ],
                },
                Require {
                    name: "rest too".to_owned(),
                    requesters: None,
                    wallet: Some("rest".to_owned()),
                    above: None,
                    approvals: vec![Quorum { from: "board".to_owned(), count: 1 }],
                },
            ],
            permit_valid_for: 86_400,
            headers_max_age: 172_800,
        })
        .unwrap();
        Authority { company: "Two Friends GmbH".to_owned(), permit_keys: vec![key(4)], policy }
    }

    #[test]
    fn everything_that_a_policy_permits_is_shown() {
        insta::assert_snapshot!(authority_lines(&authority()).join("\n"));
    }
}
