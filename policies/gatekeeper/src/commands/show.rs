//! `gatekeeper show`: every payment that was permitted, and whether anything is frozen.

use crate::Error;
use crate::commands::reconcile::{frozen_lines, seen_line};
use crate::incident;
use crate::ledger::Ledger;
use crate::report::Report;
use policies::text::utc_text;
use psbt_tools::money::btc_text;
use serde_json::{Value, json};
use std::path::Path;

/// Lists the reservations and the incidents.
///
/// # Errors
/// [`Error::Ledger`].
pub fn run(data: &Path) -> Result<Report, Error> {
    let state = Ledger::open(data)?.state()?;
    let mut payments = Vec::new();
    let mut lines = Vec::new();
    for reservation in state.reservations() {
        let reserved = &reservation.reserved;
        let word = if reservation.signature.is_some() { "permitted" } else { "reserved" };
        let number = reserved.request.request.number();
        lines.push(format!(
            "{number}  {word:9}  {}  {}  {}",
            utc_text(reserved.statement.issued),
            btc_text(reserved.charge.outflow),
            reserved.charge.spend
        ));
        payments.push(json!({
            "payment": number,
            "state": word,
            "spend_id": reserved.charge.spend.to_string(),
            "wallet": reserved.charge.wallet,
            "outflow_sat": reserved.charge.outflow.to_sat(),
            "at": reserved.statement.issued,
            "expires": reserved.statement.expires,
        }));
    }
    if lines.is_empty() {
        lines.push("nothing was permitted yet".to_owned());
    }
    lines.extend(frozen_lines(&state));
    lines.push(seen_line(&state));
    let seen = state.seen();
    let mut report = Report::new(json!({
        "payments": Value::Array(payments),
        "height": seen.chain().tip().map(|(height, _)| height),
        "bitcoin_time": seen.bitcoin_time(),
        "frozen": seen.is_frozen(),
        "incidents": incident::all(&state),
    }));
    report.lines = lines;
    Ok(report)
}
