//! What is taken into a ledger before anything is judged: facts and receipts, and the freezing that follows from them.

use crate::Error;
use crate::incident;
use crate::ledger::event::EventKind;
use crate::ledger::state::State;
use crate::ledger::{Ledger, LedgerError};
use crate::receipts::ReceiptList;
use psbt_tools::facts::Facts;

/// Takes what is new in facts, durable when this returns. Gives whether anything was.
///
/// # Errors
/// [`Error::Facts`] when they are not proven; nothing is written then.
pub fn take_facts(ledger: &mut Ledger, facts: &Facts, now: u64) -> Result<bool, Error> {
    ledger.append(|state| {
        let kinds: Vec<_> =
            state.news(facts, now)?.map(|news| EventKind::Facts(Box::new(news))).into_iter().collect();
        let is_new = !kinds.is_empty();
        Ok((state.with_consequences(kinds, now).map_err(contradiction)?, is_new))
    })
}

/// Takes the receipts of a vault that are new, durable when this returns. Gives how many there were.
///
/// # Errors
/// [`Error::Document`] when the vault was never added here.
pub fn take_receipts(ledger: &mut Ledger, list: &ReceiptList, now: u64) -> Result<usize, Error> {
    ledger.append(|state| {
        if !state.knows_vault(list.vault) {
            return Err(Error::document(
                "the receipts",
                format!("they are by vault {}, which was not added here", list.vault),
            ));
        }
        let new = state.new_receipts(&list.receipts);
        let kinds = new.iter().map(|receipt| EventKind::Receipted(Box::new((*receipt).clone()))).collect();
        Ok((state.with_consequences(kinds, now).map_err(contradiction)?, new.len()))
    })
}

/// Names what was raised and never named: facts and the freezing they cause are one step, but nothing depends on that.
///
/// # Errors
/// [`Error::Ledger`].
pub fn name_pending(ledger: &mut Ledger, now: u64) -> Result<(), Error> {
    ledger.append(|state| Ok((state.with_consequences(vec![], now).map_err(contradiction)?, ())))
}

/// The state as facts would make it, without writing.
///
/// # Errors
/// [`Error::Facts`].
pub fn with_facts(mut state: State, facts: &[Facts], now: u64) -> Result<State, Error> {
    for facts in facts {
        let kinds =
            state.news(facts, now)?.map(|news| EventKind::Facts(Box::new(news))).into_iter().collect();
        for event in state.with_consequences(kinds, now).map_err(contradiction)? {
            state.apply(event).map_err(contradiction)?;
        }
    }
    Ok(state)
}

/// Nothing is permitted while an incident lasts.
///
/// # Errors
/// [`Error::Frozen`].
pub fn refuse_while_frozen(state: &State) -> Result<(), Error> {
    if !state.seen().is_frozen() {
        return Ok(());
    }
    let open = state.seen().open_incidents();
    let alarms = open.flat_map(|incident| &incident.alarms).chain(state.seen().pending());
    Err(Error::Frozen {
        reasons: alarms.map(|alarm| incident::text(state, alarm)).collect(),
        incident: state.seen().open_incidents().next().map(|incident| incident.id),
    })
}

/// What was verified cannot contradict the ledger; if it does, nothing is written.
fn contradiction(reason: String) -> LedgerError {
    LedgerError::Damaged { sequence: 0, reason: format!("not written: {reason}") }
}
