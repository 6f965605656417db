//! The event log in SQLite: write-ahead log, every commit synced, one writer at a time.

use super::event::Event;
use super::state::State;
use super::{Fold, LedgerError, Row};
use policies::id::SpendId;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the database in the data folder.
const FILE: &str = "ledger.sqlite";

/// "AGKL" in SQLite's header, so that no other database is taken for a ledger.
const APPLICATION_ID: i32 = 0x4147_4b4c;

/// How long a command waits for another writer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing that was written is ever changed: the database itself refuses. Whoever goes around it breaks the chain.
const SCHEMA: &str = "
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    hash     BLOB NOT NULL,
    event    BLOB NOT NULL
) STRICT;
CREATE TRIGGER events_are_never_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_are_never_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER events_come_in_order BEFORE INSERT ON events
WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
";

/// An open ledger. What was verified once is kept: only what others append meanwhile is read again.
pub struct Ledger {
    connection: Connection,
    fold: Fold,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many events there are.
    pub events: u64,
    /// Hash of the last one, which commits to all.
    pub head: [u8; 32],
}

impl Ledger {
    /// Makes a data folder with a new ledger, whole or not at all. `furnish` puts the other files in.
    ///
    /// # Errors
    /// [`LedgerError`], or what `furnish` gives, when the folder is taken or cannot be made.
    pub fn create<E: From<LedgerError>>(
        data: &Path,
        founding: Event,
        furnish: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let fault = |path: &Path, source| LedgerError::Folder { name: path.display().to_string(), source };
        if is_taken(data) {
            return Err(LedgerError::Exists(data.display().to_string()).into());
        }
        let parent = match data.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(|source| fault(parent, source))?;
        let building = Building::new(data).map_err(|source| fault(data, source))?;
        write_first(&building.path.join(FILE), founding)?;
        furnish(&building.path)?;
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        sync(&building.path).map_err(|source| fault(data, source))?;
        // rename(2) puts a folder in the place of an empty one, and never of one that holds anything.
        std::fs::rename(&building.path, data).map_err(|source| fault(data, source))?;
        sync(parent).map_err(|source| fault(parent, source))?;
        Ok(())
    }

    /// Opens the ledger of a data folder. Missing is an error: it is never made here.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(data: &Path) -> Result<Self, LedgerError> {
        let path = data.join(FILE);
        if !path.is_file() {
            return Err(LedgerError::Missing(data.display().to_string()));
        }
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
        if id != APPLICATION_ID {
            return Err(LedgerError::NotALedger(path.display().to_string()));
        }
        Ok(Self { connection, fold: Fold::start() })
    }

    /// The state now. The whole chain is verified on the way.
    ///
    /// # Errors
    /// [`LedgerError`], also when the chain is broken.
    pub fn state(&mut self) -> Result<State, LedgerError> {
        self.current().cloned()
    }

    /// The state now, to be looked at.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn current(&mut self) -> Result<&State, LedgerError> {
        // After an error nothing of it is known any more.
        let mut fold = std::mem::replace(&mut self.fold, Fold::start());
        catch_up(&self.connection, &mut fold)?;
        self.fold = fold;
        self.fold.settled().ok_or_else(empty)
    }

    /// The state before the budget of a spend was reserved; none when it never was.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn before(&self, spend: &SpendId) -> Result<Option<State>, LedgerError> {
        let mut fold = Fold::start();
        let mut before = None;
        each_row(&self.connection, 0, |row| {
            let reserves = fold.reserves(&row, spend);
            if reserves && before.is_none() {
                before = fold.settled().cloned();
            }
            fold.read(&row)
        })?;
        Ok(before)
    }

    /// Verifies every hash and every signature.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] at the first event that does not hold.
    pub fn verify(&self) -> Result<Summary, LedgerError> {
        let mut fold = Fold::start();
        catch_up(&self.connection, &mut fold)?;
        fold.state.as_ref().ok_or_else(empty)?;
        Ok(Summary { events: fold.sequence, head: fold.hash })
    }

    /// Decides and appends as the only writer: nothing that `decide` was told can have changed when its events become
    /// durable. When this returns, all of them are on the disk; after an error or a crash, none.
    ///
    /// # Errors
    /// What `decide` gives, and [`LedgerError`]; nothing is written then.
    pub fn append<T, E: From<LedgerError>, I: IntoIterator<Item = Event>>(
        &mut self,
        decide: impl FnOnce(&State) -> Result<(I, T), E>,
    ) -> Result<T, E> {
        // What is there already is verified before anybody else is kept waiting.
        self.current()?;
        let database = |error| E::from(LedgerError::Database(error));
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(database)?;
        let mut fold = std::mem::replace(&mut self.fold, Fold::start());
        catch_up(&transaction, &mut fold)?;
        let decided = decide(fold.settled().ok_or_else(|| E::from(empty()))?);
        let (events, outcome) = match decided {
            Ok(decided) => decided,
            Err(error) => {
                self.fold = fold;
                return Err(error);
            }
        };
        for event in events {
            let row = fold.append(&event)?;
            insert(&transaction, &row).map_err(database)?;
        }
        transaction.commit().map_err(database)?;
        self.fold = fold;
        Ok(outcome)
    }
}

/// A folder beside the final one, removed unless it got the final name.
struct Building {
    path: PathBuf,
}

impl Building {
    fn new(data: &Path) -> std::io::Result<Self> {
        let mut name = data.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let path = data.with_file_name(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        // After the renaming there is nothing of this name; before it, nobody needs what is in it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn is_taken(data: &Path) -> bool {
    match std::fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A replacing insert would otherwise delete without asking the trigger.
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn write_first(path: &Path, founding: Event) -> Result<(), LedgerError> {
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    insert(&transaction, &Fold::start().append(&founding)?)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| LedgerError::Database(error))
}

/// Takes in what was appended since. The last event that is known must still be there.
fn catch_up(connection: &Connection, fold: &mut Fold) -> Result<(), LedgerError> {
    let (known, hash) = (fold.sequence, fold.hash);
    let mut is_same = known == 0;
    each_row(connection, known, |row| {
        if row.sequence == known && row.hash == hash {
            is_same = true;
            return Ok(());
        }
        fold.read(&row)
    })?;
    if !is_same {
        let reason = "it is not there any more, or another".to_owned();
        return Err(LedgerError::Damaged { sequence: known, reason });
    }
    Ok(())
}

/// Every row from this sequence number on.
fn each_row(
    connection: &Connection,
    from: u64,
    mut take: impl FnMut(Row) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let from = if from == 0 { i64::MIN } else { i64::try_from(from).unwrap_or(i64::MAX) };
    let mut statement = connection
        .prepare("SELECT sequence, hash, event FROM events WHERE sequence >= ?1 ORDER BY sequence")?;
    let mut rows = statement.query([from])?;
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)?;
        take(Row { sequence: u64::try_from(sequence).unwrap_or(0), hash: row.get(1)?, event: row.get(2)? })?;
    }
    Ok(())
}

fn insert(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    let sequence = i64::try_from(row.sequence).unwrap_or(i64::MAX);
    transaction
        .execute(
            "INSERT INTO events (sequence, hash, event) VALUES (?1, ?2, ?3)",
            (sequence, row.hash, &row.event),
        )
        .map(|_| ())
}

fn empty() -> LedgerError {
    LedgerError::Damaged { sequence: 1, reason: "it has no event".to_owned() }
}
