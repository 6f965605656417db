//! Walking the chain when a store is opened.

use super::file::{Appender, Reader};
use super::tear::{self, MAX_TAIL, Position};
use super::{AUDIT_KEY_LEN, Entry, STORE_FORMAT, Store};
use crate::Error;
use crate::record::{HEADER_LEN, Header, Kind, Record, RecordError};

impl Store {
    /// Reads every record from the first byte to the last.
    pub(super) fn scanned(reader: Reader, appender: Option<Appender>) -> Result<Self, Error> {
        let length = reader.len()?;
        let mut store =
            Self { reader, appender, entries: Vec::new(), audit_key: [0; 32], end: 0, torn: None };
        while store.end < length && store.torn.is_none() {
            store.step()?;
        }
        store.check_beginning()?;
        Ok(store)
    }

    /// Takes the next record, or the TEAR that closed a torn one, or the torn tail.
    fn step(&mut self) -> Result<(), Error> {
        let at = self.position();
        let reason = match self.record_at(&at)? {
            Ok(record) => match chained(&at, &record) {
                Ok(()) => return self.accept(&record, at.offset),
                Err(reason) => return Err(broken(&at, reason)),
            },
            // A later version's critical record is whole: nothing was torn.
            Err(RecordError::UnknownCritical) => RecordError::UnknownCritical,
            Err(reason) => {
                let rest = self.reader.read(at.offset, MAX_TAIL.saturating_add(1))?;
                if let Some((distance, tear)) = tear::closed_by(&at, &rest) {
                    let distance = u64::try_from(distance).unwrap_or(u64::MAX);
                    return self.accept(&tear, at.offset.saturating_add(distance));
                }
                if tear::is_torn(&at, &rest) {
                    self.torn = Some(rest);
                    return Ok(());
                }
                reason
            }
        };
        Err(broken(&at, sentence(reason)))
    }

    fn record_at(&self, at: &Position) -> Result<Result<Record, RecordError>, Error> {
        let start = self.reader.read(at.offset, HEADER_LEN)?;
        let header = match Header::decode(&start) {
            Ok(header) => header,
            Err(reason) => return Ok(Err(reason)),
        };
        let bytes = self.reader.read(at.offset, header.record_len())?;
        Ok(Record::decode(&bytes))
    }

    fn accept(&mut self, record: &Record, offset: u64) -> Result<(), Error> {
        let length = u64::try_from(record.header.record_len()).unwrap_or(u64::MAX);
        self.end = offset.saturating_add(length);
        self.entries.push(Entry { header: record.header, hash: record.hash(), offset });
        if record.header.kind == Kind::Genesis {
            self.audit_key = audit_key(record).ok_or(Error::Broken {
                sequence: 0,
                offset,
                reason: "its genesis is malformed",
            })?;
        }
        Ok(())
    }

    /// A store begins with genesis, once, and a keyslot: creation is atomic, so both are always whole.
    fn check_beginning(&self) -> Result<(), Error> {
        let kinds: Vec<Kind> = self.entries.iter().take(2).map(|entry| entry.header.kind).collect();
        if kinds == [Kind::Genesis, Kind::Keyslot] {
            return Ok(());
        }
        Err(Error::Broken { sequence: 0, offset: 0, reason: "it does not begin with genesis and keyslot" })
    }
}

fn chained(at: &Position, record: &Record) -> Result<(), &'static str> {
    let header = &record.header;
    if header.sequence != at.sequence {
        return Err("its sequence number is out of order");
    }
    if header.previous != at.previous {
        return Err("it does not chain to the record before it");
    }
    if (header.kind == Kind::Genesis) != (header.sequence == 0) {
        return Err("genesis is out of place");
    }
    if header.kind == Kind::Tear {
        return Err("it closes a torn tail where there is none");
    }
    Ok(())
}

fn audit_key(genesis: &Record) -> Option<[u8; AUDIT_KEY_LEN]> {
    let key = genesis.clear().strip_prefix(&STORE_FORMAT.to_be_bytes())?;
    key.try_into().ok()
}

fn broken(at: &Position, reason: &'static str) -> Error {
    Error::Broken { sequence: at.sequence, offset: at.offset, reason }
}

fn sentence(reason: RecordError) -> &'static str {
    match reason {
        RecordError::Short => "the file ends within it",
        RecordError::Magic => "it does not begin as a record",
        RecordError::Version => "its format version is unknown",
        RecordError::Header => "its header is malformed",
        RecordError::TooLarge => "its payload is too large",
        RecordError::UnknownCritical => "it is of an unknown critical type, written by a later version",
        RecordError::Hash => "its hash is wrong",
        RecordError::Padding => "its padding is not zero",
    }
}
