//! A ledger that was changed is not believed.

use super::event::{Event, EventKind, Founded, VaultAdded};
use super::*;
use bitcoin::Network;
use policies::identity::PublicKey;
use policies::policy::Policy;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TPUB: &str = "[73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";

pub(crate) fn founding(at: u64) -> Event {
    let founded = Founded {
        network: Network::Regtest,
        policy: Policy::standalone("savings", None).unwrap(),
        permit_key: PublicKey::ed25519([1; 32]),
    };
    Event { at, kind: EventKind::Founded(Box::new(founded)) }
}

fn vault(n: u8) -> Event {
    let added = VaultAdded {
        wallet: "savings".to_owned(),
        external: format!("wpkh({TPUB}/0/*)"),
        internal: format!("wpkh({TPUB}/1/*)"),
        audit_key: PublicKey::ed25519([n; 32]),
    };
    Event { at: 7, kind: EventKind::VaultAdded(added) }
}

/// Founded, and three vaults.
fn ledger() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Ledger::create::<LedgerError>(&data, founding(5), |_| Ok(())).unwrap();
    let mut ledger = Ledger::open(&data).unwrap();
    for n in 1..=3 {
        ledger.append::<(), LedgerError>(|_| Ok((Some(vault(n)), ()))).unwrap();
    }
    (folder, data)
}

fn meddle(data: &Path, sql: &str) -> rusqlite::Result<()> {
    Connection::open(data.join("ledger.sqlite"))?.execute_batch(sql)
}

const UNGUARD: &str = "DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed; \
                       DROP TRIGGER events_come_in_order;";

fn damage(sql: &str) -> String {
    let (_folder, data) = ledger();
    meddle(&data, &format!("{UNGUARD} {sql}")).unwrap();
    Ledger::open(&data).and_then(|ledger| ledger.state()).unwrap_err().to_string()
}

#[test]
fn events_survive_and_their_fold_is_the_state() {
    let (_folder, data) = ledger();
    let state = Ledger::open(&data).unwrap().state().unwrap();
    let bound = state.wallet_named("savings").unwrap();
    assert_eq!(bound.vaults.len(), 3);
    assert_eq!(state.latest(), 7);
    assert_eq!(Ledger::open(&data).unwrap().verify().unwrap().events, 4);
    assert_eq!(Event::from_bytes(&vault(1).to_bytes()), Ok(vault(1)));
    assert_eq!(Event::from_bytes(&founding(1).to_bytes()), Ok(founding(1)));
}

#[test]
fn the_database_refuses_to_change_or_remove() {
    let (_folder, data) = ledger();
    for sql in [
        "UPDATE events SET event = x'00' WHERE sequence = 2",
        "DELETE FROM events WHERE sequence = 4",
        "INSERT INTO events VALUES (9, x'00', x'00')",
        "PRAGMA recursive_triggers = on; REPLACE INTO events VALUES (2, x'00', x'00')",
    ] {
        assert!(meddle(&data, sql).unwrap_err().to_string().contains("append-only"), "{sql}");
    }
    assert!(Ledger::open(&data).unwrap().verify().is_ok());
}

#[test]
fn whoever_goes_around_the_database_breaks_the_chain() {
    let changed =
        damage("UPDATE events SET event = (SELECT event FROM events WHERE sequence = 3) WHERE sequence = 2");
    assert!(changed.contains("event 2") && changed.contains("hash"), "{changed}");
    let removed = damage("DELETE FROM events WHERE sequence = 3");
    assert!(removed.contains("event 3 is missing"), "{removed}");
    let first = damage("DELETE FROM events WHERE sequence = 1");
    assert!(first.contains("event 1 is missing"), "{first}");
    let emptied = damage("DELETE FROM events");
    assert!(emptied.contains("no event"), "{emptied}");
    let swapped = damage(
        "UPDATE events SET sequence = -1 WHERE sequence = 2; UPDATE events SET sequence = 2 WHERE sequence = 3; \
         UPDATE events SET sequence = 3 WHERE sequence = -1",
    );
    assert!(swapped.contains("event 2"), "{swapped}");
}

#[test]
fn an_event_that_cannot_follow_is_not_written() {
    let (_folder, data) = ledger();
    let mut open = Ledger::open(&data).unwrap();
    let mut unreadable = vault(4);
    if let EventKind::VaultAdded(added) = &mut unreadable.kind {
        added.external.push('\n');
    }
    for event in [vault(1), founding(9), unreadable] {
        assert!(open.append::<(), LedgerError>(|_| Ok((Some(event), ()))).is_err());
    }
    assert_eq!(open.verify().unwrap().events, 4);
}

#[test]
fn a_folder_that_holds_something_is_not_taken_and_an_empty_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    Ledger::create::<LedgerError>(&taken, founding(1), |_| Ok(())).unwrap();
    assert!(matches!(
        Ledger::create::<LedgerError>(&taken, founding(1), |_| Ok(())),
        Err(LedgerError::Exists(_))
    ));
    let failed = folder.path().join("failed");
    let fail = |_: &Path| Err(LedgerError::NotALedger("test".to_owned()));
    assert!(Ledger::create::<LedgerError>(&failed, founding(1), fail).is_err());
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["taken"], "nothing is left behind");
}

#[test]
fn another_database_is_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(folder.path().join("ledger.sqlite"))
        .unwrap()
        .execute_batch("CREATE TABLE events (a)")
        .unwrap();
    assert!(matches!(Ledger::open(folder.path()), Err(LedgerError::NotALedger(_))));
    assert!(matches!(Ledger::open(&folder.path().join("none")), Err(LedgerError::Missing(_))));
}
