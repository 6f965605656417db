//! `gatekeeper why ID|FILE`: every reason, with the figures.

mod dry_run;
mod recorded;

use crate::Error;
use crate::ledger::Ledger;
use crate::report::Report;
use policies::check::Check;
use std::path::Path;

/// Answers for a file when there is one of this name, else for what the ledger calls so.
///
/// # Errors
/// [`Error::Unknown`] when there is neither, [`Error::Ledger`], [`Error::Psbt`] for a file that is no PSBT.
pub fn run(data: &Path, what: &str, accepted: &[Check], now: u64) -> Result<Report, Error> {
    let ledger = Ledger::open(data)?;
    match Path::new(what) {
        file if file.is_file() => dry_run::run(ledger, file, accepted, now),
        _ => recorded::run(ledger, what, now),
    }
}
