//! The store: one append-only file of chained records.
//!
//! A process opens it in one of two ways: [`Store::inspect`] reads (an auditor, without lock and
//! passphrase), [`Store::open`] takes the lock and may append once [`Store::unlock`] has given the
//! [`DataKey`]. Both check that every record parses, is of a known type or may be skipped, and chains.
//! `unlock` also checks every HMAC and closes a torn tail (`tear.rs` says how).
//!
//! After a failed write or fsync the store is poisoned: nothing is appended any more by this process.

mod create;
mod file;
mod scan;
mod tear;
#[cfg(test)]
mod tests;
mod unlock;

use std::path::Path;

use policies::id::VaultId;

use self::file::{Appender, Reader};
use self::tear::Position;
use crate::Error;
use crate::passphrase::Passphrase;
use crate::record::{Header, Kind, MAX_PAYLOAD, Record};
use crate::seal::{DataKey, KdfCost, SEAL_OVERHEAD};
use crate::secret::Secret;

/// Format of the store as a whole, stated in genesis.
pub const STORE_FORMAT: u16 = 1;

const AUDIT_KEY_LEN: usize = 32;
/// One line of `log`: what anyone may know of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The clear header.
    pub header: Header,
    /// The record hash, which receipts name.
    pub hash: [u8; 32],
    /// Byte offset in the file.
    pub offset: u64,
}

/// The last record, as receipts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number.
    pub sequence: u64,
    /// Its record hash.
    pub hash: [u8; 32],
}

/// What to append.
pub struct Content<'a> {
    /// Type of the record.
    pub kind: Kind,
    /// The part that an auditor may read; at most 65,535 bytes.
    pub clear: &'a [u8],
    /// The part that is sealed under the data key.
    pub sealed: Option<&'a [u8]>,
}

/// An open store.
pub struct Store {
    reader: Reader,
    appender: Option<Appender>,
    entries: Vec<Entry>,
    audit_key: [u8; AUDIT_KEY_LEN],
    end: u64,
    torn: Option<Vec<u8>>,
}

impl Store {
    /// Creates a store (new data key, new audit key, one keyslot) and opens it.
    ///
    /// Must run before the sandbox. `time` is Unix time in seconds.
    ///
    /// # Errors
    /// [`Error::Exists`]: nothing is overwritten; [`Error::KdfRange`], [`Error::Kdf`],
    /// [`Error::Randomness`], [`Error::System`].
    pub fn create(path: &Path, passphrase: &Passphrase, cost: KdfCost, time: u64) -> Result<Self, Error> {
        create::create(path, passphrase, cost, time)?;
        Self::open(path)
    }

    /// Opens for appending, under the lock. Must run before the sandbox.
    ///
    /// # Errors
    /// [`Error::StoreInUse`], [`Error::BadFile`], [`Error::Broken`], [`Error::OpenStore`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let reader = Reader::open(path)?;
        let appender = Appender::open(path, &reader)?;
        Self::scanned(reader, Some(appender))
    }

    /// Opens for reading only, without the lock; a tail that another process is just writing shows as torn.
    ///
    /// # Errors
    /// As [`Store::open`], without [`Error::StoreInUse`].
    pub fn inspect(path: &Path) -> Result<Self, Error> {
        Self::scanned(Reader::open(path)?, None)
    }

    /// Every record, oldest first; records of an unknown uncritical type are among them.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this sequence number.
    ///
    /// # Errors
    /// [`Error::NoSuchRecord`].
    pub fn entry(&self, sequence: u64) -> Result<&Entry, Error> {
        usize::try_from(sequence)
            .ok()
            .and_then(|index| self.entries.get(index))
            .ok_or(Error::NoSuchRecord(sequence))
    }

    /// The last record.
    #[must_use]
    pub fn head(&self) -> Head {
        // A store without genesis does not open, so the fallback never shows.
        self.entries.last().map_or(Head { sequence: 0, hash: [0; 32] }, |entry| Head {
            sequence: entry.header.sequence,
            hash: entry.hash,
        })
    }

    /// Latest time that any record states, in Unix seconds: a part of the clock's floor.
    #[must_use]
    pub fn latest_time(&self) -> u64 {
        self.entries.iter().map(|entry| entry.header.time).max().unwrap_or(0)
    }

    /// The Ed25519 public key that signs receipts, from genesis.
    #[must_use]
    pub fn audit_key(&self) -> [u8; AUDIT_KEY_LEN] {
        self.audit_key
    }

    /// The vault's id: tagged hash (as in BIP340) `airlock/vault/1` of the audit public key.
    #[must_use]
    pub fn vault_id(&self) -> [u8; 32] {
        *VaultId::of(&self.audit_key).as_bytes()
    }

    /// Byte offset of a torn tail, if there is one.
    #[must_use]
    pub fn torn_at(&self) -> Option<u64> {
        self.torn.as_ref().map(|_| self.end)
    }

    /// Whether an earlier write failed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.appender.as_ref().is_some_and(Appender::is_poisoned)
    }

    /// Reads a record again from the file and checks that it is still the one that was scanned.
    ///
    /// # Errors
    /// [`Error::NoSuchRecord`]; [`Error::Broken`] when the file changed under this process.
    pub fn record(&self, sequence: u64) -> Result<Record, Error> {
        let entry = self.entry(sequence)?;
        let bytes = self.reader.read(entry.offset, entry.header.record_len())?;
        Record::decode(&bytes)
            .ok()
            .filter(|record| record.hash() == entry.hash)
            .ok_or_else(|| self.broken_at(sequence, "it changed after the store was opened"))
    }

    /// Every record, oldest first, read again from the file.
    pub fn replay(&self) -> impl Iterator<Item = Result<Record, Error>> + '_ {
        self.entries.iter().map(|entry| self.record(entry.header.sequence))
    }

    /// The content of a record's sealed part.
    ///
    /// # Errors
    /// [`Error::Unsealable`] when it has none or does not authenticate.
    pub fn unseal(&self, key: &DataKey, record: &Record) -> Result<Secret, Error> {
        key.open(&record.header, record.clear(), record.sealed())
    }

    /// Appends a record and returns once it is durable. Every record is written critical: a reader that
    /// does not know it must refuse. `time` is Unix time in seconds; judging the clock is the caller's part.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Torn`] before the tail is closed, [`Error::Poisoned`],
    /// [`Error::TooLong`], [`Error::System`] when the write fails, which poisons the store.
    pub fn append(&mut self, key: &DataKey, time: u64, content: &Content<'_>) -> Result<Head, Error> {
        if self.torn.is_some() {
            return Err(Error::Torn { offset: self.end });
        }
        let record = build(key, self.next_sequence(), self.head().hash, time, content)?;
        let bytes = record.encode();
        self.write(&bytes, self.end, &record)?;
        Ok(self.head())
    }

    /// The secret half of the audit key.
    ///
    /// # Errors
    /// [`Error::Unsealable`], [`Error::Broken`] when it does not belong to the public half.
    pub fn audit_secret(&self, key: &DataKey) -> Result<Secret, Error> {
        let secret = self.unseal(key, &self.record(0)?)?;
        let wrong = || self.broken_at(0, "the audit keys do not belong together");
        let seed = secret.expose().try_into().map_err(|_| wrong())?;
        let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
        if public == self.audit_key { Ok(secret) } else { Err(wrong()) }
    }

    /// Writes `bytes`, which end with `record` at byte `offset` of the file.
    fn write(&mut self, bytes: &[u8], offset: u64, record: &Record) -> Result<(), Error> {
        self.appender.as_mut().ok_or(Error::ReadOnly)?.append(bytes)?;
        let length = u64::try_from(record.header.record_len()).unwrap_or(u64::MAX);
        self.end = offset.saturating_add(length);
        self.entries.push(Entry { header: record.header, hash: record.hash(), offset });
        Ok(())
    }

    fn position(&self) -> Position {
        Position { sequence: self.next_sequence(), previous: self.head().hash, offset: self.end }
    }

    fn next_sequence(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    fn broken_at(&self, sequence: u64, reason: &'static str) -> Error {
        let offset = self.entry(sequence).map_or(self.end, |entry| entry.offset);
        Error::Broken { sequence, offset, reason }
    }
}

impl Content<'_> {
    /// The header that this content gets at a place in the chain.
    fn header(&self, sequence: u64, previous: [u8; 32], time: u64) -> Result<Header, Error> {
        let clear_len = u16::try_from(self.clear.len()).map_err(|_| Error::TooLong {
            what: "a clear part",
            got: self.clear.len(),
            limit: usize::from(u16::MAX),
        })?;
        let sealed = self.sealed.map_or(0, |sealed| sealed.len().saturating_add(SEAL_OVERHEAD));
        let length = self.clear.len().saturating_add(sealed);
        let payload_len = u32::try_from(length)
            .ok()
            .filter(|_| length <= MAX_PAYLOAD)
            .ok_or(Error::TooLong { what: "a record", got: length, limit: MAX_PAYLOAD })?;
        Ok(Header {
            kind: self.kind,
            critical: true,
            sealed: self.sealed.is_some(),
            clear_len,
            sequence,
            time,
            payload_len,
            previous,
        })
    }
}

fn build(
    key: &DataKey,
    sequence: u64,
    previous: [u8; 32],
    time: u64,
    content: &Content<'_>,
) -> Result<Record, Error> {
    let header = content.header(sequence, previous, time)?;
    let mut payload = content.clear.to_vec();
    if let Some(secret) = content.sealed {
        payload.extend_from_slice(&key.seal(&header, content.clear, secret)?);
    }
    Record::new(header, payload, |authenticated| key.mac(authenticated)).map_err(|_| Error::Broken {
        sequence,
        offset: 0,
        reason: "it could not be built",
    })
}
