//! `gatekeeper budget`: what each window holds, and what is left.

use crate::Error;
use crate::commands::reconcile::seen_line;
use crate::headroom::Usage;
use crate::ledger::Ledger;
use crate::ledger::state::State;
use crate::people::person_text;
use crate::report::Report;
use bitcoin::Amount;
use policies::policy::{Limit, Person, Window};
use policies::text::{amount_text, btc_text, duration_text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Lists every limit with a window, as of the bitcoin time of the ledger.
///
/// # Errors
/// [`Error::Ledger`].
pub fn run(data: &Path) -> Result<Report, Error> {
    let mut ledger = Ledger::open(data)?;
    let state = ledger.current()?;
    let limits = state.policy().terms().limits.iter();
    let windows = limits.filter_map(|limit| Some((limit, limit.per_window?)));
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for (limit, window) in windows {
        let (more, object) = of_limit(state, limit, window);
        lines.extend(more);
        objects.push(object);
    }
    if lines.is_empty() {
        lines.push("no limit of the policy has a window".to_owned());
    }
    lines.push(seen_line(state));
    let report =
        Report::new(json!({ "limits": objects, "bitcoin_time": state.seen().bitcoin_time().unwrap_or(0) }));
    Ok(Report { lines, ..report })
}

fn of_limit(state: &State, limit: &Limit, window: Window) -> (Vec<String>, Value) {
    let Usage { used, unsettled } = Usage::of(state, limit, window, |_| true);
    // A sum that overflows leaves nothing.
    let left = |most: Amount| used.sum.and_then(|sum| most.checked_sub(sum)).unwrap_or(Amount::ZERO);
    let remaining = window.amount.map(left);
    let remaining_count = window.count.map(|most| most.saturating_sub(used.count));
    let text = |amount: Option<Amount>| amount.map_or_else(|| "more than 2^64 sat".to_owned(), btc_text);
    let mut lines = vec![format!("`{}`, within any {}", limit.name, duration_text(window.seconds))];
    if let Some((most, left)) = window.amount.zip(remaining) {
        lines.push(format!("  {} of {} used, {} left", text(used.sum), btc_text(most), amount_text(left)));
    } else {
        lines.push(format!("  {} used", text(used.sum)));
    }
    if let Some((most, left)) = window.count.zip(remaining_count) {
        lines.push(format!("  {} of {most} payments, {left} left", used.count));
    }
    lines.push(format!("  {} of it is not settled: it stays until it is", text(unsettled)));
    let mut requesters = Vec::new();
    for person in askers(state, limit) {
        let of_person =
            |charge: &policies::history::Charge| state.policy().person(&charge.requester) == person;
        let used = Usage::of(state, limit, window, of_person).used;
        let who = person_text(state.policy().terms(), &person);
        lines.push(format!("  {who}: {} in {} payments", text(used.sum), used.count));
        requesters.push(json!({
            "who": who,
            "used_sat": used.sum.map(Amount::to_sat),
            "used_count": used.count,
        }));
    }
    let object = json!({
        "name": limit.name,
        "window_seconds": window.seconds,
        "amount_sat": window.amount.map(Amount::to_sat),
        "used_sat": used.sum.map(Amount::to_sat),
        "remaining_sat": remaining.map(Amount::to_sat),
        "count": window.count,
        "used_count": used.count,
        "remaining_count": remaining_count,
        "unsettled_sat": unsettled.map(Amount::to_sat),
        "requesters": requesters,
    });
    (lines, object)
}

/// The people whom a limit names.
fn askers<'a>(state: &'a State, limit: &Limit) -> BTreeSet<Person<'a>> {
    limit.requesters.iter().flatten().flat_map(|name| state.policy().people_in(name)).collect()
}
