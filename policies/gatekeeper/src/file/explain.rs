//! A policy in words, for the people who must agree to it.

use super::PolicyFile;
use bitcoin::{Amount, Network};
use policies::evidence::script_text;
use policies::examine::FeeCeiling;
use policies::policy::{Allow, Destination, Limit, PolicyTerms, Requester, Window};
use policies::text::{amount_text, duration_text, utc_text};

/// What the policy says, one line each, and then what one should know about it, each beginning with `note:`.
pub fn explain(file: &PolicyFile) -> Vec<String> {
    let terms = file.policy.terms();
    let mut lines = vec![format!("{}, policy version {}, on {}", terms.company, terms.version, file.network)];
    lines.push(format!("hash sha256:{}", file.policy.id()));
    if let Some(until) = terms.valid_until {
        lines.push(format!("nothing is permitted after {}", utc_text(until)));
    }
    for (name, members) in &terms.people {
        let keys: Vec<_> = members.iter().map(member_text).collect();
        lines.push(format!("group `{name}`: {}", keys.join(", ")));
    }
    for allow in &terms.allows {
        lines.push(allow_text(allow, file.network));
    }
    for limit in &terms.limits {
        lines.push(limit_text(limit));
    }
    lines.push(format!("a permit is good for {}", duration_text(terms.permit_valid_for)));
    lines.extend(notes(terms).into_iter().map(|note| format!("note: {note}")));
    lines
}

fn notes(terms: &PolicyTerms) -> Vec<String> {
    let mut notes = Vec::new();
    if terms.limits.iter().any(|limit| limit.per_window.is_some()) {
        notes.push(
            "windows are counted on this machine's clock in this version, not on bitcoin time; whoever sets the clock \
             forward gets a new window here. The vault counts them again on its own clock"
                .to_owned(),
        );
    }
    for (name, wallet) in &terms.wallets {
        if wallet.id.is_none() {
            notes.push(format!("wallet `{name}` gets its descriptor when its first vault is added"));
        }
        if !terms.allows.iter().any(|allow| allow.wallet == *name) {
            notes.push(format!("nobody may pay from wallet `{name}`"));
        }
        let ceiling = |limit: &&Limit| {
            limit.wallet.as_ref().is_none_or(|other| other == name)
                && limit.requesters.is_none()
                && (limit.per_payment.is_some() || limit.per_window.is_some_and(|w| w.amount.is_some()))
        };
        if !terms.limits.iter().any(|limit| ceiling(&limit)) {
            notes.push(format!("no limit for everybody caps what leaves wallet `{name}`"));
        }
    }
    for (name, members) in &terms.people {
        if members.is_empty() {
            notes.push(format!("group `{name}` has no member"));
        }
        let used = |groups: &[String]| groups.contains(name);
        let asked = terms.allows.iter().any(|allow| used(&allow.requesters));
        if !asked {
            notes.push(format!("no `allow` names group `{name}`: its members may ask for nothing"));
        }
    }
    if terms.limits.iter().all(|limit| limit.fee.is_none()) {
        notes.push("without a fee limit the usual one holds: 0.05 BTC, 25%, 1000 sat/vB at most".to_owned());
    }
    notes
}

fn member_text(member: &Requester) -> String {
    match member {
        Requester::Operator => "the operator".to_owned(),
        Requester::Key(key) => key.fingerprint(),
    }
}

fn allow_text(allow: &Allow, network: Network) -> String {
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
