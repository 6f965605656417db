//! `gatekeeper show`: every payment that was permitted.

use crate::Error;
use crate::ledger::Ledger;
use crate::report::Report;
use policies::text::utc_text;
use psbt_tools::money::btc_text;
use serde_json::{Value, json};
use std::path::Path;

/// Lists the reservations.
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
            utc_text(reserved.charge.at),
            btc_text(reserved.charge.outflow),
            reserved.charge.spend
        ));
        payments.push(json!({
            "payment": number,
            "state": word,
            "spend_id": reserved.charge.spend.to_string(),
            "wallet": reserved.charge.wallet,
            "outflow_sat": reserved.charge.outflow.to_sat(),
            "at": reserved.charge.at,
            "expires": reserved.statement.expires,
        }));
    }
    if lines.is_empty() {
        lines.push("nothing was permitted yet".to_owned());
    }
    let mut report = Report::new(json!({ "payments": Value::Array(payments) }));
    report.lines = lines;
    Ok(report)
}
