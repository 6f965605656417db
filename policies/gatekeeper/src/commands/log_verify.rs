//! `gatekeeper log verify`: every hash, every event, every permit's signature, from the beginning.

use crate::Error;
use crate::ledger::Ledger;
use crate::report::Report;
use psbt_tools::display::hex;
use serde_json::json;
use std::path::Path;

/// Verifies the ledger.
///
/// # Errors
/// [`Error::Ledger`] at the first event that does not hold.
pub fn run(data: &Path) -> Result<Report, Error> {
    let summary = Ledger::open(data)?.verify()?;
    let head = hex(&summary.head);
    Ok(Report::new(json!({ "events": summary.events, "head": head }))
        .line(format!("{} events, all in order; head {head}", summary.events))
        .line("write the head down elsewhere: a shorter ledger with another head was set back"))
}
