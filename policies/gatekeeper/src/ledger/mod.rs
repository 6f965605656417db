//! The ledger: an append-only, hash-chained event log, and the state that is its fold.

pub mod alarm;
pub mod event;
mod sqlite;
pub mod state;

pub use sqlite::{Ledger, Summary};

use event::{Event, EventKind};
use policies::codec::{Canonical, Encoder};
use policies::id::{SpendId, tagged_hash};
use psbt_tools::display::escape;
use state::State;

/// Why a ledger is not used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is none; a missing ledger is never a new one.
    #[error("there is no ledger in {}", escape(.0))]
    Missing(String),
    /// The folder already holds something.
    #[error("{} exists already and is not empty", escape(.0))]
    Exists(String),
    /// The folder cannot be made.
    #[error("cannot make {}: {source}", escape(name))]
    Folder {
        /// The folder.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The database fails.
    #[error("the ledger's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The file is no ledger of this program.
    #[error("{} is not a gatekeeper's ledger", escape(.0))]
    NotALedger(String),
    /// The chain of hashes or the order of events is broken.
    #[error("the ledger is damaged at event {sequence}: {reason}")]
    Damaged {
        /// Which event, counted from 1.
        sequence: u64,
        /// What does not hold.
        reason: String,
    },
}

/// Hash of an event and of everything before it.
pub fn chain_hash(previous: &[u8; 32], sequence: u64, event: &[u8]) -> [u8; 32] {
    let mut to = Encoder::default();
    to.fixed(previous);
    to.u64(sequence);
    to.string(event);
    tagged_hash("airlock/ledger/1", &to.finish())
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    sequence: u64,
    hash: [u8; 32],
    event: Vec<u8>,
}

/// Verifies a chain from its beginning while folding it.
struct Fold {
    sequence: u64,
    hash: [u8; 32],
    state: Option<State>,
}

impl Fold {
    fn start() -> Self {
        Self { sequence: 0, hash: [0; 32], state: None }
    }

    /// The next event as a row, when it can follow.
    fn append(&mut self, event: &Event) -> Result<Row, LedgerError> {
        let bytes = event.to_bytes();
        let sequence = self.sequence.saturating_add(1);
        let row = Row { sequence, hash: chain_hash(&self.hash, sequence, &bytes), event: bytes };
        // What could not be read back must never be written: it would end the ledger.
        let reread = Event::from_bytes(&row.event);
        let reread = reread
            .map_err(|error| LedgerError::Damaged { sequence, reason: format!("not written: {error}") })?;
        self.take(&row, reread)?;
        Ok(row)
    }

    /// The next row of the database.
    fn read(&mut self, row: &Row) -> Result<(), LedgerError> {
        let damaged = |reason: String| LedgerError::Damaged { sequence: row.sequence, reason };
        if row.sequence != self.sequence.saturating_add(1) {
            return Err(damaged(format!("event {} is missing", self.sequence.saturating_add(1))));
        }
        if row.hash != chain_hash(&self.hash, row.sequence, &row.event) {
            return Err(damaged("its hash does not follow from the events before it".to_owned()));
        }
        let event = Event::from_bytes(&row.event).map_err(|error| damaged(error.to_string()))?;
        self.take(row, event)
    }

    /// Whether a row is the reservation of a spend.
    fn reserves(&self, row: &Row, spend: &SpendId) -> bool {
        let event = Event::from_bytes(&row.event).map(|event| event.kind);
        matches!(event, Ok(EventKind::Reserved(reserved)) if reserved.charge.spend == *spend)
    }

    /// The state after the rows so far. Settling looks at every transaction: it is done here and not at every row.
    fn settled(&mut self) -> Option<&State> {
        let state = self.state.as_mut()?;
        state.settle();
        Some(state)
    }

    fn take(&mut self, row: &Row, event: Event) -> Result<(), LedgerError> {
        let damaged = |reason: String| LedgerError::Damaged { sequence: row.sequence, reason };
        match &mut self.state {
            None => self.state = Some(State::founded(event).map_err(damaged)?),
            Some(state) => state.fold(event).map_err(damaged)?,
        }
        self.sequence = row.sequence;
        self.hash = row.hash;
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
