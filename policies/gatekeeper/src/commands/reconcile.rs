//! `gatekeeper reconcile`: takes what blocks and vaults showed, and holds every permit against it.

use crate::Error;
use crate::clock::refuse_set_back;
use crate::incident;
use crate::intake::{name_pending, take_facts, take_receipts};
use crate::ledger::Ledger;
use crate::ledger::state::{Progress, State};
use crate::receipts::ReceiptList;
use crate::report::Report;
use policies::codec::Canonical;
use policies::text::utc_text;
use psbt_tools::facts::Facts;
use psbt_tools::files::{DEFAULT_LIMIT, read};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Takes the files, then says how far every permit has come.
///
/// # Errors
/// [`Error::Unauthorised`] while something that no permit explains was not looked into; [`Error::Facts`] and
/// [`Error::Document`] for files that are not believed.
pub fn run(data: &Path, facts: &[PathBuf], receipts: &[PathBuf], now: u64) -> Result<Report, Error> {
    let mut ledger = Ledger::open(data)?;
    refuse_set_back(&ledger.state()?, now)?;
    // All files are read before anything of one is taken.
    let facts =
        facts.iter().map(|file| read_facts(&read(file, DEFAULT_LIMIT)?)).collect::<Result<Vec<_>, _>>()?;
    let lists = receipts
        .iter()
        .map(|file| ReceiptList::read(&read(file, DEFAULT_LIMIT)?))
        .collect::<Result<Vec<_>, _>>()?;
    for facts in &facts {
        take_facts(&mut ledger, facts, now)?;
    }
    for list in &lists {
        take_receipts(&mut ledger, list, now)?;
    }
    name_pending(&mut ledger, now)?;
    let state = ledger.state()?;
    let report = report(&state);
    if state.seen().is_frozen() {
        let open = state.seen().open_incidents();
        let reasons = open.flat_map(|incident| &incident.alarms).map(|alarm| incident::text(&state, alarm));
        return Err(Error::Unauthorised { reasons: reasons.collect(), report: Box::new(report) });
    }
    Ok(report)
}

/// Facts as they travel.
///
/// # Errors
/// [`Error::Document`].
pub fn read_facts(bytes: &[u8]) -> Result<Facts, Error> {
    let tag = Facts::TAG.as_bytes();
    // The tag follows the four bytes of its length.
    if bytes.get(4..).is_none_or(|rest| !rest.starts_with(tag)) {
        return Err(Error::document(
            "the facts",
            "this is no facts file: `watch-node facts -o F` writes one",
        ));
    }
    Facts::from_bytes(bytes).map_err(|error| Error::document("the facts", error))
}

/// The chain's height, bitcoin time and whether the gatekeeper is frozen, as a line.
pub fn seen_line(state: &State) -> String {
    let height = state
        .seen()
        .chain()
        .tip()
        .map_or_else(|| "no header".to_owned(), |(height, _)| format!("block {height}"));
    let time = state.seen().bitcoin_time().map_or_else(|| "not known".to_owned(), utc_text);
    format!("{height}, bitcoin time {time}")
}

/// Why it is frozen and how that ends, as lines.
pub fn frozen_lines(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for incident in state.seen().open_incidents() {
        lines.push(format!("FROZEN since {}, incident {}", utc_text(incident.at), incident.id));
        lines.extend(incident.alarms.iter().map(|alarm| format!("  {}", incident::text(state, alarm))));
    }
    lines
}

fn report(state: &State) -> Report {
    let seen = state.seen();
    let mut lines = Vec::new();
    let mut permits = Vec::new();
    for reservation in state.reservations() {
        let progress = state.progress(reservation);
        let statement = &reservation.reserved.statement;
        let number = reservation.reserved.request.request.number();
        let word = match progress {
            Progress::Confirmed(confirmed) => format!("{} {}", progress.as_str(), confirmed.depth),
            _ => progress.as_str().to_owned(),
        };
        let unsigned = statement.unsigned_txid;
        let wallet = state.wallet(&statement.wallet);
        let changes = wallet.is_some_and(|bound| bound.wallet.kind().has_script_sig());
        // Where signing changes the txid, only a block tells it.
        let txid = seen.confirmed_as(&unsigned).map(|(txid, _)| txid).or((!changes).then_some(unsigned));
        lines.push(format!("{number}  {word:12}  {}", txid.unwrap_or(unsigned)));
        permits.push(json!({
            "payment": number,
            "spend_id": statement.spend.to_string(),
            "permit": statement.id().to_string(),
            "state": progress.as_str(),
            "confirmations": progress.confirmations(),
            "txid": txid.map(|txid| txid.to_string()),
            "unsigned_txid": unsigned.to_string(),
        }));
    }
    let (mut unauthorised, mut acknowledged) = (Vec::new(), Vec::new());
    for incident in seen.incidents() {
        let list = if incident.ended.is_none() { &mut unauthorised } else { &mut acknowledged };
        for alarm in &incident.alarms {
            let mut object = incident::json(state, alarm);
            if let Some(object) = object.as_object_mut() {
                object.insert("incident".to_owned(), incident.id.to_string().into());
            }
            list.push(object);
        }
    }
    let verdict = if seen.is_frozen() { "unauthorised" } else { "clean" };
    lines.extend(frozen_lines(state));
    if !acknowledged.is_empty() {
        let count = acknowledged.len();
        lines.push(format!("{count} looked into before; `gatekeeper show --json` names them"));
    }
    lines.push(format!("{verdict}: {} permits, {}", permits.len(), seen_line(state)));
    let mut report = Report::new(json!({
        "permits": permits,
        "unauthorised": unauthorised,
        "acknowledged": acknowledged,
        "height": seen.chain().tip().map(|(height, _)| height),
        "bitcoin_time": seen.bitcoin_time(),
        "frozen": seen.is_frozen(),
        "verdict": verdict,
    }));
    report.lines = lines;
    report
}
