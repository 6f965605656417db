//! Everything the node knows, in one SQLite file.
//!
//! What a transaction *is* (its coins, what it spends) is written once and never changes; where it stands
//! (height, mempool) are a few columns of one row. So undoing a block is one `UPDATE`, and no order of blocks
//! and reorganisations can leave a coin in a state that a fresh scan would not give it.

mod attempts;
mod blocks;
mod documents;
mod lock;
mod payments;
mod proofs;
mod requests;
mod schema;
mod settings;
mod signatures;
mod transactions;
mod wallets;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};

pub use attempts::{Attempt, Conduct, Draft};
pub use blocks::ConnectedBlock;
pub use lock::Lock;
pub use payments::Payment;
pub use proofs::ProvenSpend;
pub use transactions::{CoinRow, Matched, OwnTransaction, SpendingTransaction};
pub use wallets::{Branch, NewWallet, Place, WatchedVault, WatchedWallet};

const FILE: &str = "watch-node.sqlite";

/// The open store of one data folder.
pub struct Store {
    db: Connection,
    dir: PathBuf,
}

impl Store {
    /// Opens the store in `dir`. Errors: [`Error::NotInitialised`] when there is none.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Err(Error::NotInitialised(dir.to_owned()));
        }
        let db = open_database(&path, schema::APPLICATION_ID, schema::VERSION, schema::MIGRATIONS)?;
        let mut store = Self { db, dir: dir.to_owned() };
        store.fill_unsigned_txids()?;
        // `init` was killed between the file and its settings: nothing was promised yet.
        if !store.has_settings()? {
            return Err(Error::NotInitialised(dir.to_owned()));
        }
        Ok(store)
    }

    /// The data folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the folder's writer lock, waiting a little for another process.
    pub fn lock(&self) -> Result<Lock> {
        Lock::take(&self.dir.join("watch-node.lock"))
    }
}

/// Opens or creates a SQLite file of this program: WAL, `synchronous=FULL` (a commit survives power loss),
/// foreign keys on, and brings its schema from `user_version` to `version`, one migration at a time.
pub(crate) fn open_database(
    path: &Path,
    application_id: i64,
    version: i64,
    migrations: &[&str],
) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;

    let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let pragma = |name: &str| change.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (found_id, found_version) = (pragma("application_id")?, pragma("user_version")?);
    let is_new = found_id == 0 && found_version == 0;
    if !is_new && (found_id != application_id || found_version > version) {
        return Err(Error::ForeignDatabase {
            path: path.to_owned(),
            application_id: found_id,
            version: found_version,
        });
    }
    let done = usize::try_from(found_version).map_err(|_| Error::CorruptStore("schema version"))?;
    for migration in migrations.iter().skip(done) {
        change.execute_batch(migration)?;
    }
    if found_version != version {
        change.pragma_update(None, "application_id", application_id)?;
        change.pragma_update(None, "user_version", version)?;
    }
    change.commit()?;
    Ok(db)
}

/// SQLite's integers are signed; every amount of bitcoin fits.
pub(crate) fn to_i64(amount: bitcoin::Amount) -> Result<i64> {
    i64::try_from(amount.to_sat()).map_err(|_| Error::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_programs_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let foreign = Connection::open(&path).unwrap();
        foreign.pragma_update(None, "application_id", 7).unwrap();
        foreign.execute_batch("CREATE TABLE t (x)").unwrap();
        drop(foreign);
        assert!(matches!(Store::open(dir.path()), Err(Error::ForeignDatabase { application_id: 7, .. })));
    }

    #[test]
    fn a_newer_versions_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let newer = Connection::open(&path).unwrap();
        newer.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
        newer.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
        drop(newer);
        assert!(matches!(Store::open(dir.path()), Err(Error::ForeignDatabase { .. })));
    }

    #[test]
    fn an_empty_folder_is_not_initialised() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Store::open(dir.path()), Err(Error::NotInitialised(_))));
    }

    #[test]
    fn commits_survive_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let db = open_database(&dir.path().join(FILE), 1, 1, &["CREATE TABLE t (x)"]).unwrap();
        let mode: String = db.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        let synchronous: i64 = db.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }
}
