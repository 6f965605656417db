//! A ledger that was changed is not believed.

use super::alarm::{Alarm, Frozen, Unfrozen};
use super::event::{Event, EventKind, Founded, VaultAdded};
use super::*;
use crate::chain::tests::{NOW, branch, genesis, mine, transaction, tree};
use bitcoin::Network;
use policies::evidence::Evidence;
use policies::identity::PublicKey;
use policies::policy::Policy;
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::facts::{Facts, OwnInput, ProvenTransaction};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const TPUB: &str = "[73c5da0a/84h/1h/0h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M";

pub(crate) fn founding(at: u64) -> Event {
    founded_on(Network::Regtest, at)
}

pub(crate) fn founded_on(network: Network, at: u64) -> Event {
    let founded = Founded {
        network,
        policy: Policy::standalone("savings", None).unwrap(),
        permit_key: PublicKey::ed25519([1; 32]),
        checkpoint: None,
    };
    Event { at, kind: EventKind::Founded(Box::new(founded)) }
}

pub(crate) fn vault(n: u8) -> Event {
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
        ledger.append::<(), LedgerError, _>(|_| Ok((Some(vault(n)), ()))).unwrap();
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
    Ledger::open(&data).and_then(|mut ledger| ledger.state()).unwrap_err().to_string()
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
        assert!(open.append::<(), LedgerError, _>(|_| Ok((Some(event), ()))).is_err());
    }
    assert_eq!(open.verify().unwrap().events, 4);
}

/// Two blocks, of which the second holds a transaction that spends a coin of the wallet.
pub(crate) fn facts() -> Facts {
    let own =
        OwnInput { input: 0, wallet: wallet().id(), keypath: Keypath { branch: Branch::External, index: 2 } };
    let mut previous = transaction(7);
    previous.output[0].script_pubkey = wallet().script(own.keypath).unwrap();
    let mut spending = transaction(8);
    spending.input[0].previous_output = bitcoin::OutPoint { txid: previous.compute_txid(), vout: 0 };
    let (root, proof) = tree(&[transaction(1), spending.clone()], 1);
    let first = branch(&genesis(), 1, 1)[0];
    let second = mine(first.block_hash(), first.time + 600, root);
    Facts {
        network: Network::Regtest,
        from: 1,
        headers: vec![first, second],
        transactions: vec![ProvenTransaction {
            transaction: spending,
            block: second.block_hash(),
            proof,
            own: vec![own],
        }],
        previous: Evidence::new([previous]),
    }
}

fn wallet() -> Wallet {
    Wallet::new(Network::Regtest, &[format!("wpkh({TPUB}/0/*)"), format!("wpkh({TPUB}/1/*)")]).unwrap()
}

fn at_now(kind: EventKind) -> Event {
    Event { at: NOW, kind }
}

#[test]
fn what_froze_and_what_ended_it_survive_and_are_verified_again() {
    let (_folder, data) = ledger();
    let mut open = Ledger::open(&data).unwrap();
    let told = EventKind::Facts(Box::new(facts()));
    let state = open.state().unwrap();
    let events = state.with_consequences(vec![told], NOW).unwrap();
    assert_eq!(events.len(), 2, "the facts freeze");
    for event in &events {
        assert_eq!(Event::from_bytes(&event.to_bytes()).unwrap().to_bytes(), event.to_bytes());
    }
    open.append::<(), LedgerError, _>(|_| Ok((events, ()))).unwrap();
    let state = open.state().unwrap();
    assert!(state.seen().is_frozen());
    assert_eq!(state.news(&facts(), NOW), Ok(None));
    let incident = state.seen().incidents()[0].id;
    let unfrozen = || at_now(EventKind::Unfrozen(Unfrozen { incident, reason: "CFO".to_owned() }));
    assert_eq!(Event::from_bytes(&unfrozen().to_bytes()), Ok(unfrozen()));
    open.append::<(), LedgerError, _>(|_| Ok((Some(unfrozen()), ()))).unwrap();
    assert!(!Ledger::open(&data).unwrap().state().unwrap().seen().is_frozen());
    assert!(open.append::<(), LedgerError, _>(|_| Ok((Some(unfrozen()), ()))).is_err(), "ended twice");
    assert_eq!(open.verify().unwrap().events, 7);
}

#[test]
fn facts_and_freezing_that_do_not_follow_are_not_written() {
    let (_folder, data) = ledger();
    let mut open = Ledger::open(&data).unwrap();
    type Change = fn(&mut Facts);
    let changes: [Change; 5] = [
        |facts| facts.network = Network::Bitcoin,
        |facts| facts.from = 2,
        |facts| facts.headers.truncate(1),
        |facts| facts.transactions[0].transaction = transaction(9),
        |facts| facts.transactions[0].own[0].keypath.index = 3,
    ];
    let forged = changes.map(|change| {
        let mut facts = facts();
        change(&mut facts);
        EventKind::Facts(Box::new(facts))
    });
    let causeless = Frozen { alarms: vec![Alarm::Transaction(transaction(9).compute_txid())] };
    let incident = causeless.incident(NOW);
    let others = [
        EventKind::Frozen(causeless),
        EventKind::Frozen(Frozen { alarms: vec![] }),
        EventKind::Unfrozen(Unfrozen { incident, reason: "CFO".to_owned() }),
    ];
    for kind in forged.into_iter().chain(others) {
        let what = format!("{kind:?}");
        assert!(open.append::<(), LedgerError, _>(|_| Ok((Some(at_now(kind)), ()))).is_err(), "{what}");
    }
    // The clock of a header is the clock of the event that brought it.
    let told = || EventKind::Facts(Box::new(facts()));
    let early = Event { at: u64::from(facts().headers[1].time) - crate::chain::MAX_AHEAD - 1, kind: told() };
    assert!(open.append::<(), LedgerError, _>(|_| Ok((Some(early), ()))).is_err());
    assert_eq!(open.verify().unwrap().events, 4);
    // Of several events, all are written or none.
    let good = [at_now(told()), at_now(told()), vault(1)];
    assert!(open.append::<(), LedgerError, _>(|_| Ok((good, ()))).is_err());
    assert_eq!(open.verify().unwrap().events, 4);
}

#[test]
fn nothing_is_reserved_while_an_alarm_is_pending_without_an_incident() {
    let (_folder, data) = ledger();
    let mut open = Ledger::open(&data).unwrap();
    let told = at_now(EventKind::Facts(Box::new(facts())));
    open.append::<(), LedgerError, _>(|_| Ok((Some(told), ()))).unwrap();
    let state = open.state().unwrap();
    assert!(state.seen().is_frozen() && state.seen().incidents().is_empty());
    // The next intake names it.
    let events = state.with_consequences(vec![], NOW).unwrap();
    assert!(matches!(events[..], [Event { kind: EventKind::Frozen(_), .. }]));
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
