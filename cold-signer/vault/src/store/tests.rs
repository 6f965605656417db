use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::record::{BLOCK, MIN_PADDING};

const CHEAP: KdfCost = KdfCost { memory_kib: 64, passes: 3, lanes: 1 };
const NOW: u64 = 1_800_000_000;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).ok().unwrap()
}

fn content<'a>(clear: &'a [u8], sealed: Option<&'a [u8]>) -> Content<'a> {
    Content { kind: Kind::Intent, clear, sealed }
}

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    /// A store with genesis, keyslot and three intents of one, one and several sectors.
    fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        let mut store = Store::create(&fixture.path(), &passphrase("right"), CHEAP, NOW).ok().unwrap();
        let key = store.unlock(&passphrase("right"), NOW).ok().unwrap();
        store.append(&key, NOW + 1, &content(b"first", Some(b"secret one"))).unwrap();
        store.append(&key, NOW + 2, &content(b"second", None)).unwrap();
        store.append(&key, NOW + 3, &content(b"third", Some(&[0x33; 3000]))).unwrap();
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).unwrap();
    }

    fn open(&self) -> Result<Store, Error> {
        Store::open(&self.path())
    }

    fn unlocked(&self) -> (Store, DataKey) {
        let mut store = self.open().ok().unwrap();
        let key = store.unlock(&passphrase("right"), NOW + 9).ok().unwrap();
        (store, key)
    }

    fn last_offset(&self) -> usize {
        Store::inspect(&self.path()).ok().unwrap().entries().last().unwrap().offset as usize
    }
}

fn refusal(result: Result<Store, Error>) -> &'static str {
    match result {
        Err(Error::Broken { reason, .. }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn what_was_appended_is_read_again_after_a_restart() {
    let fixture = Fixture::new();
    let (store, key) = fixture.unlocked();
    let kinds: Vec<Kind> = store.entries().iter().map(|entry| entry.header.kind).collect();
    assert_eq!(kinds, [Kind::Genesis, Kind::Keyslot, Kind::Intent, Kind::Intent, Kind::Intent]);
    let record = store.record(2).unwrap();
    assert_eq!((record.clear(), record.header.time), (&b"first"[..], NOW + 1));
    assert_eq!(store.unseal(&key, &record).ok().unwrap().expose(), b"secret one");
    let head = store.head();
    assert_eq!((head.sequence, head.hash), (4, store.record(4).unwrap().hash()));
    assert_eq!(store.latest_time(), NOW + 3);
    assert!(matches!(store.record(5), Err(Error::NoSuchRecord(5))));
    assert_eq!(store.replay().count(), 5);
    assert_eq!(store.keyslots().unwrap(), [(1, CHEAP)]);
    assert_eq!(store.audit_secret(&key).ok().unwrap().expose().len(), 32);
}

#[test]
fn an_auditor_reads_the_chain_without_passphrase_and_beside_the_lock() {
    let fixture = Fixture::new();
    let held = fixture.open().ok().unwrap();
    let mut seen = Store::inspect(&fixture.path()).ok().unwrap();
    assert_eq!(seen.entries(), held.entries());
    assert_eq!(seen.vault_id(), *policies::id::VaultId::of(&seen.audit_key()).as_bytes());
    let key = seen.unlock(&passphrase("right"), NOW).ok().unwrap();
    assert!(matches!(seen.append(&key, NOW, &content(b"x", None)), Err(Error::ReadOnly)));
    let bytes = fixture.bytes();
    assert!(!bytes.windows(10).any(|window| window == b"secret one"));
}

#[test]
fn the_vault_id_is_a_tagged_hash_of_the_audit_key() {
    let text: String =
        policies::id::VaultId::of(&[1; 32]).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text, "d9def2af8044163447e4f43ac4a940986901ec4683074eb941920d4fab9a9541");
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let fixture = Fixture::new();
    let _held = fixture.open().ok().unwrap();
    let error = fixture.open().err().unwrap();
    assert!(matches!(error, Error::StoreInUse));
    assert_eq!(error.exit_code(), 5);
}

#[test]
fn a_wrong_passphrase_is_its_own_error() {
    let fixture = Fixture::new();
    let error = fixture.open().ok().unwrap().unlock(&passphrase("wrong"), NOW).err().unwrap();
    assert!(matches!(error, Error::WrongPassphrase));
    assert_eq!(error.exit_code(), 5);
}

#[test]
fn only_a_private_regular_file_with_one_name_opens() {
    let fixture = Fixture::new();
    let path = fixture.path();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(fixture.open(), Err(Error::BadFile(_))));
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let link = fixture.folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(Store::open(&link), Err(Error::OpenStore { .. })));
    std::fs::hard_link(&path, fixture.folder.path().join("second")).unwrap();
    assert!(matches!(fixture.open(), Err(Error::BadFile(_))));
    assert!(matches!(Store::open(fixture.folder.path()), Err(Error::BadFile(_) | Error::OpenStore { .. })));
}

#[test]
fn creation_never_overwrites_and_leaves_no_temporary_file() {
    let fixture = Fixture::new();
    let before = fixture.bytes();
    let again = Store::create(&fixture.path(), &passphrase("x"), CHEAP, NOW);
    assert!(matches!(again, Err(Error::Exists(_))));
    assert_eq!(fixture.bytes(), before);
    assert_eq!(std::fs::read_dir(fixture.folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(fixture.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_new_passphrase_opens_and_a_retired_one_does_not() {
    let fixture = Fixture::new();
    let (mut store, key) = fixture.unlocked();
    assert!(matches!(store.retire_keyslot(&key, 1, NOW), Err(Error::NoSuchRecord(1))));
    store.add_keyslot(&key, &passphrase("new"), CHEAP, NOW).unwrap();
    store.retire_keyslot(&key, 1, NOW).unwrap();
    drop(store);
    let mut store = fixture.open().ok().unwrap();
    assert!(matches!(store.unlock(&passphrase("right"), NOW), Err(Error::WrongPassphrase)));
    let again = store.unlock(&passphrase("new"), NOW).ok().unwrap();
    assert_eq!(again.mac(b"x"), key.mac(b"x"));
}

#[test]
fn a_removed_exchanged_or_foreign_record_is_refused() {
    let fixture = Fixture::new();
    let bytes = fixture.bytes();
    let sector = |index: usize| &bytes[index * BLOCK..(index + 1) * BLOCK];
    let (start, rest) = bytes.split_at(2 * BLOCK);
    fixture.put(&[start, &rest[BLOCK..]].concat());
    assert_eq!(refusal(fixture.open()), "its sequence number is out of order");
    fixture.put(&[start, sector(3), sector(2), &rest[2 * BLOCK..]].concat());
    assert_eq!(refusal(fixture.open()), "its sequence number is out of order");
    let other = Fixture::new();
    fixture.put(&[start, &other.bytes()[2 * BLOCK..]].concat());
    assert_eq!(refusal(fixture.open()), "it does not chain to the record before it");
    fixture.put(b"");
    assert_eq!(refusal(fixture.open()), "it does not begin with genesis and keyslot");
    fixture.put(&bytes[..700]);
    assert_eq!(refusal(fixture.open()), "it does not begin with genesis and keyslot");
}

#[test]
fn a_record_with_a_forged_hmac_is_found_at_unlock() {
    let fixture = Fixture::new();
    let mut bytes = fixture.bytes();
    let mac = 3 * BLOCK + crate::record::HEADER_LEN + 6 + 32;
    bytes[mac] ^= 1;
    fixture.put(&bytes);
    let error = fixture.open().ok().unwrap().unlock(&passphrase("right"), NOW).err().unwrap();
    assert!(matches!(error, Error::Broken { sequence: 3, reason: "its HMAC is wrong", .. }));
}

#[test]
fn an_unknown_uncritical_record_is_chained_and_skipped_and_a_critical_one_refused() {
    let fixture = Fixture::new();
    let (store, key) = fixture.unlocked();
    for (critical, opens) in [(false, true), (true, false)] {
        let content = Content { kind: Kind::Unknown(900), clear: b"future", sealed: None };
        let mut header = content.header(5, store.head().hash, NOW).unwrap();
        header.critical = false;
        let record = Record::new(header, b"future".to_vec(), |bytes| key.mac(bytes)).unwrap();
        let mut bytes = record.encode();
        bytes[13] |= u8::from(critical);
        let copy = Fixture { folder: tempfile::tempdir().unwrap() };
        copy.put(&[fixture.bytes(), bytes].concat());
        std::fs::set_permissions(copy.path(), Permissions::from_mode(0o600)).unwrap();
        if opens {
            let (mut store, key) = copy.unlocked();
            assert_eq!(store.entry(5).unwrap().header.kind, Kind::Unknown(900));
            assert_eq!(store.append(&key, NOW, &self::content(b"after", None)).unwrap().sequence, 6);
        } else {
            assert!(refusal(copy.open()).contains("unknown critical type"));
        }
    }
}

#[test]
fn a_failed_write_poisons_for_good() {
    let fixture = Fixture::new();
    let (mut store, key) = fixture.unlocked();
    let before = fixture.bytes();
    // A descriptor that cannot be written stands for the failing disk.
    let dead: OwnedFd = File::open(fixture.path()).unwrap().into();
    let alive = store.appender.as_mut().unwrap().replace(dead);
    assert!(matches!(store.append(&key, NOW, &content(b"x", None)), Err(Error::System { .. })));
    assert!(store.is_poisoned());
    store.appender.as_mut().unwrap().replace(alive);
    assert!(matches!(store.append(&key, NOW, &content(b"x", None)), Err(Error::Poisoned)));
    assert_eq!(fixture.bytes(), before);
}

#[test]
fn a_failed_fsync_poisons_for_good() {
    let fixture = Fixture::new();
    let (mut store, key) = fixture.unlocked();
    // A pipe takes the bytes and refuses fdatasync.
    let (_read, write) = rustix::pipe::pipe().unwrap();
    store.appender.as_mut().unwrap().replace(write);
    let error = store.append(&key, NOW, &content(b"x", None)).unwrap_err();
    assert!(matches!(error, Error::System { action: "syncing the store", .. }));
    assert!(matches!(store.append(&key, NOW, &content(b"x", None)), Err(Error::Poisoned)));
    assert_eq!(store.head().sequence, 4);
}

#[test]
fn a_file_changed_behind_the_open_store_is_noticed() {
    let fixture = Fixture::new();
    let (store, _) = fixture.unlocked();
    let file = OpenOptions::new().write(true).open(fixture.path()).unwrap();
    file.write_all_at(b"FIRST", (2 * BLOCK + crate::record::HEADER_LEN) as u64).unwrap();
    assert!(matches!(store.record(2), Err(Error::Broken { sequence: 2, .. })));
}

/// Opens a store whose tail is `tail`, closes it, appends, and opens again.
fn closes(whole: &[u8], offset: usize, tail: &[u8]) -> Result<(), String> {
    let fixture = Fixture { folder: tempfile::tempdir().unwrap() };
    fixture.put(&[&whole[..offset], tail].concat());
    std::fs::set_permissions(fixture.path(), Permissions::from_mode(0o600)).unwrap();
    let mut store = fixture.open().map_err(|error| error.to_string())?;
    assert_eq!(store.torn_at(), Some(offset as u64));
    let key = store.unlock(&passphrase("right"), 1).map_err(|error| error.to_string())?;
    assert_eq!(store.entry(4).unwrap().header.kind, Kind::Tear);
    assert_eq!(store.entry(4).unwrap().header.time, NOW + 2);
    store.append(&key, NOW + 5, &content(b"after", Some(b"the tear"))).unwrap();
    drop(store);
    // Append-only: the torn bytes are still there.
    assert_eq!(fixture.bytes()[offset..offset + tail.len()], *tail);
    let (store, key) = fixture.unlocked();
    assert_eq!(store.torn_at(), None);
    assert_eq!(store.unseal(&key, &store.record(5).unwrap()).ok().unwrap().expose(), b"the tear");
    Ok(())
}

#[test]
fn a_record_cut_anywhere_is_closed_by_a_tear() {
    let fixture = Fixture::new();
    let (bytes, offset) = (fixture.bytes(), fixture.last_offset());
    let length = bytes.len() - offset;
    assert_eq!(length % BLOCK, 0);
    let ends = (length - 250)..length;
    for cut in (1..length).step_by(97).chain([1, 7, 8, 67, 68, 511, 512, 513]).chain(ends.step_by(7)) {
        closes(&bytes, offset, &bytes[offset..offset + cut]).unwrap_or_else(|error| panic!("{cut}: {error}"));
    }
    closes(&bytes, offset, &bytes[offset..bytes.len() - 1]).unwrap();
}

#[test]
fn missing_sectors_are_closed_by_a_tear() {
    let fixture = Fixture::new();
    let (bytes, offset) = (fixture.bytes(), fixture.last_offset());
    let sectors = (bytes.len() - offset) / BLOCK;
    assert!(sectors > 5);
    for missing in 0..sectors {
        let mut tail = bytes[offset..].to_vec();
        tail[missing * BLOCK..(missing + 1) * BLOCK].fill(0);
        closes(&bytes, offset, &tail).unwrap_or_else(|error| panic!("{missing}: {error}"));
    }
    closes(&bytes, offset, &vec![0; sectors * BLOCK]).unwrap();
}

#[test]
fn a_crash_while_closing_is_closed_again() {
    let fixture = Fixture::new();
    let (bytes, offset) = (fixture.bytes(), fixture.last_offset());
    let length = bytes.len() - offset;
    for cut in [1, 100, 512, 700, length - 100, length - MIN_PADDING - 1, length - MIN_PADDING, length - 5] {
        let torn = Fixture { folder: tempfile::tempdir().unwrap() };
        torn.put(&bytes[..offset + cut]);
        std::fs::set_permissions(torn.path(), Permissions::from_mode(0o600)).unwrap();
        drop(torn.unlocked());
        let closed = torn.bytes();
        let tail = &closed[offset..];
        for again in (cut..tail.len()).filter(|at| at % 61 == 0 || at % BLOCK < 2 || at % BLOCK > 500) {
            closes(&closed, offset, &tail[..again])
                .unwrap_or_else(|error| panic!("{cut} then {again}: {error}"));
        }
        // The whole length, but the TEAR's sector never arrived.
        let mut empty = tail.to_vec();
        let start = empty.len() - BLOCK;
        empty[start..].fill(0);
        closes(&closed, offset, &empty).unwrap_or_else(|error| panic!("{cut} then zeros: {error}"));
    }
}

#[test]
fn a_full_length_bad_record_is_refused_not_closed() {
    let fixture = Fixture::new();
    let (bytes, offset) = (fixture.bytes(), fixture.last_offset());
    let hmac = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count() - 32;
    for place in (offset..bytes.len()).step_by(13).filter(|place| !(hmac..hmac + 33).contains(place)) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        fixture.put(&damaged);
        assert!(fixture.open().is_err(), "{}", place - offset);
    }
    let mut longer = bytes.clone();
    longer.extend_from_slice(b"garbage");
    fixture.put(&longer);
    assert!(fixture.open().is_err());
}

#[test]
fn damage_in_the_middle_is_never_closed() {
    let fixture = Fixture::new();
    let bytes = fixture.bytes();
    for start in [0, BLOCK, 2 * BLOCK, 3 * BLOCK] {
        let mut damaged = bytes.clone();
        damaged[start..start + BLOCK].fill(0);
        fixture.put(&damaged);
        assert!(fixture.open().is_err(), "zero sector at {start}");
    }
}

#[test]
fn a_tear_that_lies_about_the_torn_bytes_is_refused() {
    let fixture = Fixture::new();
    let (bytes, offset) = (fixture.bytes(), fixture.last_offset());
    fixture.put(&bytes[..offset + 700]);
    drop(fixture.unlocked());
    let mut changed = fixture.bytes();
    changed[offset + 650] ^= 1;
    fixture.put(&changed);
    assert_eq!(refusal(fixture.open()), "the file ends within it");
    let (tear, start) = (Fixture::new(), offset + 1024);
    tear.put(&[&bytes[..offset], &changed[start..]].concat());
    assert_eq!(refusal(tear.open()), "it closes a torn tail where there is none");
}

#[test]
fn a_torn_store_cannot_be_appended_to_before_it_is_unlocked_again() {
    let fixture = Fixture::new();
    let (_, key) = fixture.unlocked();
    let bytes = fixture.bytes();
    OpenOptions::new().append(true).open(fixture.path()).unwrap().write_all(b"AIRVAULT").unwrap();
    let mut store = fixture.open().ok().unwrap();
    let refused = store.append(&key, NOW, &content(b"x", None));
    assert!(matches!(refused, Err(Error::Torn { offset }) if offset == bytes.len() as u64));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_prefix_of_a_store_opens_or_says_why_and_never_panics(cut: prop::sample::Index) {
        let fixture = Fixture::new();
        let bytes = fixture.bytes();
        let cut = cut.index(bytes.len());
        fixture.put(&bytes[..cut]);
        match fixture.open() {
            Ok(store) => prop_assert!(cut >= 2 * BLOCK && (cut % BLOCK != 0) <= store.torn_at().is_some()),
            Err(_) => prop_assert!(cut < 2 * BLOCK),
        }
    }
}
