//! `gatekeeper unfreeze`: an incident was looked into; who decided so and why goes into the ledger.

use crate::Error;
use crate::clock::refuse_set_back;
use crate::ledger::Ledger;
use crate::ledger::alarm::{IncidentId, MAX_REASON_LEN, Unfrozen};
use crate::ledger::event::EventKind;
use crate::report::Report;
use policies::codec::clean_text;
use serde_json::json;
use std::path::Path;

/// Ends one incident. The gatekeeper permits again when none lasts.
///
/// # Errors
/// [`Error::Incident`] when no such incident lasts, [`Error::Usage`] for a reason that says nothing or deceives.
pub fn run(data: &Path, incident: &IncidentId, reason: &str, now: u64) -> Result<Report, Error> {
    let unreadable = |message: String| Error::Usage {
        message,
        hint:
            "say in one line who decided it and why: --reason \"CFO: old wallet swept, see minutes of 3 May\""
                .to_owned(),
    };
    if reason.trim().is_empty() {
        return Err(unreadable("the reason is empty".to_owned()));
    }
    clean_text("the reason", reason, MAX_REASON_LEN).map_err(|error| unreadable(error.to_string()))?;
    let mut ledger = Ledger::open(data)?;
    refuse_set_back(&ledger.state()?, now)?;
    ledger.append(|state| {
        let is_it =
            |known: &&crate::ledger::state::seen::Incident| known.id == *incident && known.ended.is_none();
        if !state.seen().incidents().iter().any(|known| is_it(&known)) {
            return Err(Error::Incident(*incident));
        }
        let unfrozen = Unfrozen { incident: *incident, reason: reason.to_owned() };
        let events = state.with_consequences(vec![EventKind::Unfrozen(unfrozen)], now);
        Ok((events.map_err(|_| Error::Incident(*incident))?, ()))
    })?;
    let state = ledger.state()?;
    let open: Vec<_> = state.seen().open_incidents().collect();
    let frozen = state.seen().is_frozen();
    let ids: Vec<_> = open.iter().map(|incident| incident.id.to_string()).collect();
    let line = match open.len() {
        0 => "nothing is frozen any more".to_owned(),
        count => format!("still frozen: {count} more to look into; `gatekeeper show` names them"),
    };
    Ok(Report::new(
        json!({ "incident": incident.to_string(), "reason": reason, "frozen": frozen, "incidents": ids }),
    )
    .line(format!("incident {incident} ended"))
    .line(line))
}
