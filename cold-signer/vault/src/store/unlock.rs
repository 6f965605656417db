//! Passphrases of an open store: unlocking it, adding one, retiring one.

use super::{Content, Head, Store, build, tear};
use crate::Error;
use crate::passphrase::Passphrase;
use crate::record::{Kind, Record};
use crate::seal::{DataKey, KEYSLOT_LEN, KdfCost};

/// Each live keyslot costs one Argon2id run at unlock; more than this is a forged file.
const MAX_LIVE_KEYSLOTS: usize = 4;

impl Store {
    /// Opens the store with a passphrase: tries each live keyslot, checks every HMAC, and closes a torn
    /// tail when this process holds the lock. `time` is Unix time in seconds, used for the TEAR record.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`]; [`Error::Broken`] when an HMAC is wrong; [`Error::KdfRange`],
    /// [`Error::Kdf`]; [`Error::System`] when closing the tail fails.
    pub fn unlock(&mut self, passphrase: &Passphrase, time: u64) -> Result<DataKey, Error> {
        let slots = self.live_keyslots()?;
        // Newest first: after a change of passphrase that is the one in use.
        for slot in slots.iter().rev() {
            if let Some(key) = DataKey::unwrap(&slot.header, slot.clear(), passphrase)? {
                self.authenticate(&key)?;
                if self.appender.is_some() {
                    self.close_tail(&key, time)?;
                }
                return Ok(key);
            }
        }
        Err(Error::WrongPassphrase)
    }

    /// Checks the HMAC of every record.
    ///
    /// # Errors
    /// [`Error::Broken`] at the first wrong one.
    pub fn authenticate(&self, key: &DataKey) -> Result<(), Error> {
        for record in self.replay() {
            let record = record?;
            if !key.mac_is(&record.authenticated(), &record.mac()) {
                return Err(self.broken_at(record.header.sequence, "its HMAC is wrong"));
            }
        }
        Ok(())
    }

    /// The keyslots that still open, by sequence number, with the cost of each.
    ///
    /// # Errors
    /// [`Error::Broken`] for a malformed keyslot, [`Error::KdfRange`] for one outside the limits.
    pub fn keyslots(&self) -> Result<Vec<(u64, KdfCost)>, Error> {
        let mut live = Vec::new();
        for record in self.live_keyslots()? {
            let broken = self.broken_at(record.header.sequence, "its keyslot is malformed");
            let cost = crate::seal::keyslot_cost(record.clear()).ok_or(broken)??;
            live.push((record.header.sequence, cost));
        }
        Ok(live)
    }

    /// Adds a passphrase. Copies made before still open with the old one.
    ///
    /// # Errors
    /// As [`DataKey::wrap`] and [`Store::append`].
    pub fn add_keyslot(
        &mut self,
        key: &DataKey,
        passphrase: &Passphrase,
        cost: KdfCost,
        time: u64,
    ) -> Result<Head, Error> {
        let blank = [0; KEYSLOT_LEN];
        let content = Content { kind: Kind::Keyslot, clear: &blank, sealed: None };
        let place = content.header(self.next_sequence(), self.head().hash, time)?;
        let slot = key.wrap(&place, passphrase, cost)?;
        self.append(key, time, &Content { kind: Kind::Keyslot, clear: &slot, sealed: None })
    }

    /// Makes a keyslot of this store open no more.
    ///
    /// # Errors
    /// [`Error::NoSuchRecord`] when it is no live keyslot or the last one; as [`Store::append`].
    pub fn retire_keyslot(&mut self, key: &DataKey, slot: u64, time: u64) -> Result<Head, Error> {
        let live = self.live_keyslots()?;
        if live.len() < 2 || !live.iter().any(|record| record.header.sequence == slot) {
            return Err(Error::NoSuchRecord(slot));
        }
        let clear = slot.to_be_bytes();
        self.append(key, time, &Content { kind: Kind::KeyslotRetire, clear: &clear, sealed: None })
    }

    fn live_keyslots(&self) -> Result<Vec<Record>, Error> {
        let mut live: Vec<Record> = Vec::new();
        for entry in &self.entries {
            if entry.header.kind == Kind::Keyslot {
                live.push(self.record(entry.header.sequence)?);
            } else if entry.header.kind == Kind::KeyslotRetire {
                let record = self.record(entry.header.sequence)?;
                live.retain(|slot| record.clear() != slot.header.sequence.to_be_bytes());
            }
        }
        if live.len() > MAX_LIVE_KEYSLOTS {
            return Err(self.broken_at(self.head().sequence, "it has too many keyslots"));
        }
        Ok(live)
    }

    fn close_tail(&mut self, key: &DataKey, time: u64) -> Result<(), Error> {
        let Some(tail) = self.torn.take() else {
            return Ok(());
        };
        let at = self.position();
        let clear = tear::statement(&at, &tail);
        let content = Content { kind: Kind::Tear, clear: &clear, sealed: None };
        // The clock may be wrong at the first start after a crash; a TEAR never lowers the floor.
        let time = time.max(self.latest_time());
        let record = build(key, at.sequence, at.previous, time, &content)?;
        let mut bytes = tear::filling(tail.len());
        let closed = u64::try_from(tail.len().saturating_add(bytes.len())).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&record.encode());
        self.write(&bytes, self.end.saturating_add(closed), &record)
    }
}
