//! A policy in words, for the people who must agree to it.

use super::PolicyFile;
use super::notes::notes;
use bitcoin::{Amount, Network};
use policies::evidence::script_text;
use policies::examine::FeeCeiling;
use policies::policy::{
    Above, Allow, Destination, Limit, PolicyTerms, Replacement, Requester, Require, Window,
};
use policies::text::{amount_text, duration_text, utc_text};

/// What the policy says, one line each, and then what one should know about it, each beginning with `note:`.
pub fn explain(file: &PolicyFile) -> Vec<String> {
    let terms = file.policy.terms();
    let mut lines = vec![format!("{}, policy version {}, on {}", terms.company, terms.version, file.network)];
    lines.push(format!("hash sha256:{}", file.policy.id()));
    if let Some(until) = terms.valid_until {
        lines.push(format!("nothing is permitted after {}", utc_text(until)));
    }
    lines.extend(people_lines(terms));
    for (name, wallet) in &terms.wallets {
        let replaced = match wallet.replacement {
            Replacement::FeeOnly => "with another fee, or by one back to the wallet itself",
            Replacement::BackOnly => "only by one back to the wallet itself",
        };
        lines.push(format!(
            "wallet `{name}`: a payment that is not in a block yet may be replaced {replaced}"
        ));
    }
    for allow in &terms.allows {
        lines.push(allow_text(allow, file.network));
    }
    for limit in &terms.limits {
        lines.push(limit_text(limit));
    }
    lines.extend(terms.requires.iter().map(require_text));
    lines.push(format!("a permit is good for {}", duration_text(terms.permit_valid_for)));
    if file.network != Network::Regtest {
        let age = duration_text(terms.headers_max_age);
        lines.push(format!("nothing is permitted while the latest known block is older than {age}"));
    }
    lines.extend(notes(&file.policy).into_iter().map(|note| format!("note: {note}")));
    lines
}

fn people_lines(terms: &PolicyTerms) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, members) in &terms.people {
        let keys: Vec<_> = members.iter().map(member_text).collect();
        let is_listed = terms.groups.values().flatten().any(|listed| listed == name);
        lines.push(match keys.as_slice() {
            [key] => format!("person `{name}`: {key}"),
            keys if is_listed => {
                format!("person `{name}`: {}; one person with all these keys", keys.join(", "))
            }
            keys => format!("group `{name}`: {}; each key counts as one person", keys.join(", ")),
        });
    }
    for (name, members) in &terms.groups {
        lines.push(format!("group `{name}`: {}", members.join(", ")));
    }
    lines
}

fn member_text(member: &Requester) -> String {
    match member {
        Requester::Operator => "the operator".to_owned(),
        Requester::Key(key) => key.fingerprint(),
    }
}

/// An `allow` rule in words.
pub fn allow_text(allow: &Allow, network: Network) -> String {
    let to: Vec<_> = allow
        .to
        .iter()
        .map(|to| match to {
            Destination::Anyone => "anyone".to_owned(),
            Destination::Back => "the wallet itself".to_owned(),
            Destination::Script(script) => script_text(script, network),
        })
        .collect();
    format!(
        "allow `{}`: {} may pay from `{}` to {}",
        allow.name,
        allow.requesters.join(", "),
        allow.wallet,
        to.join(", ")
    )
}

fn limit_text(limit: &Limit) -> String {
    let who = limit.requesters.as_ref().map_or_else(|| "everybody".to_owned(), |groups| groups.join(", "));
    let from = limit.wallet.as_ref().map_or_else(|| "all wallets".to_owned(), |name| format!("`{name}`"));
    let mut ceilings = Vec::new();
    if let Some(most) = limit.per_payment {
        ceilings.push(format!("at most {} a payment, fee included", amount_text(most)));
    }
    if let Some(window) = limit.per_window {
        ceilings.push(window_text(window));
    }
    if let Some(fee) = limit.fee {
        ceilings.push(fee_text(fee));
    }
    format!("limit `{}`: {who}, {from}: {}", limit.name, ceilings.join("; "))
}

fn require_text(require: &Require) -> String {
    let who = require.requesters.as_ref().map_or_else(|| "everybody".to_owned(), |groups| groups.join(", "));
    let from = require.wallet.as_ref().map_or_else(|| "all wallets".to_owned(), |name| format!("`{name}`"));
    let when = require.above.as_ref().map_or_else(|| "every payment".to_owned(), above_text);
    let quorums: Vec<_> =
        require.approvals.iter().map(|quorum| format!("{} of `{}`", quorum.count, quorum.from)).collect();
    format!("require `{}`: {who}, {from}: {when} needs approvals: {}", require.name, quorums.join(" and "))
}

fn above_text(above: &Above) -> String {
    let sums = match (above.by.requester, above.by.destination) {
        (true, true) => "asked for by one person, or paid to one destination,",
        (true, false) => "asked for by one person",
        (false, true) => "paid to one destination",
        (false, false) => "of all payments together",
    };
    format!("more than {} {sums} within any {}", amount_text(above.amount), duration_text(above.seconds))
}

fn window_text(window: Window) -> String {
    let amount = window.amount.map(|amount| format!("at most {}, fees included,", amount_text(amount)));
    let count = window.count.map(|count| format!("at most {count} payments"));
    let ceilings: Vec<_> = amount.into_iter().chain(count).collect();
    format!("{} within any {}", ceilings.join(" "), duration_text(window.seconds))
}

fn fee_text(fee: FeeCeiling) -> String {
    let mut bases = Vec::new();
    if fee.amount < Amount::MAX_MONEY {
        bases.push(amount_text(fee.amount));
    }
    if fee.percent < u64::MAX {
        bases.push(format!("{}% of what recipients get", fee.percent));
    }
    if fee.sat_per_vb < u64::MAX {
        bases.push(format!("{} sat/vB", fee.sat_per_vb));
    }
    format!("fee at most {}", bases.join(" and "))
}
