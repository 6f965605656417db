//! The bytes of one record.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | magic `AIRVAULT` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 2 | type, see [`Kind`] |
//! | 12 | 2 | flags: bit 0 critical, bit 1 a sealed part is present; all others zero |
//! | 14 | 2 | length c of the clear part |
//! | 16 | 8 | sequence number, from 0 |
//! | 24 | 8 | Unix time in seconds |
//! | 32 | 4 | payload length n |
//! | 36 | 32 | record hash of the previous record (zeros before genesis) |
//! | 68 | n | payload: c clear bytes, then the sealed part |
//! | 68+n | 32 | record hash: SHA-256 of everything before |
//! | 100+n | 32 | HMAC-SHA256 of everything before, keyed from the data key |
//! | 132+n | | zeros, at least 32 of them, up to the next multiple of 512 |
//!
//! Integers are big-endian. The closing zeros are never empty, so that a record whose end is missing
//! can be told from one whose end is damaged (see [`crate::store`]).

mod kind;

use bitcoin::hashes::{Hash, sha256};

pub use kind::Kind;

/// First bytes of every record.
pub const MAGIC: [u8; 8] = *b"AIRVAULT";
/// The only format version so far.
pub const FORMAT_VERSION: u16 = 1;
/// Records begin at multiples of this many bytes.
pub const BLOCK: usize = 512;
/// Length of the clear header in bytes.
pub const HEADER_LEN: usize = 68;
/// Largest payload in bytes.
pub const MAX_PAYLOAD: usize = 4 * 1024 * 1024;
/// Fewest zero bytes after the HMAC.
pub const MIN_PADDING: usize = 32;

const HASH_LEN: usize = 32;
const FLAG_CRITICAL: u16 = 1;
const FLAG_SEALED: u16 = 2;

/// The clear header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record says.
    pub kind: Kind,
    /// A reader that does not know the kind must refuse the store.
    pub critical: bool,
    /// The payload ends with a sealed part.
    pub sealed: bool,
    /// Length of the clear part in bytes.
    pub clear_len: u16,
    /// Position in the store, from 0.
    pub sequence: u64,
    /// Unix time in seconds at which the record was written.
    pub time: u64,
    /// Length of the whole payload in bytes.
    pub payload_len: u32,
    /// Record hash of the previous record.
    pub previous: [u8; 32],
}

/// Why bytes are no record. The store adds the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Fewer bytes than the header states.
    #[error("it is shorter than its header states")]
    Short,
    /// Not the magic bytes.
    #[error("it does not begin as a record")]
    Magic,
    /// A format of another time.
    #[error("its format version is unknown")]
    Version,
    /// Reserved flag bits are set, or the lengths contradict each other.
    #[error("its header is malformed")]
    Header,
    /// Larger than [`MAX_PAYLOAD`].
    #[error("its payload is too large")]
    TooLarge,
    /// A critical record of a type that this program does not know.
    #[error("it is of an unknown critical type, written by a later version")]
    UnknownCritical,
    /// The record hash is wrong.
    #[error("its hash is wrong")]
    Hash,
    /// The closing bytes are not zero.
    #[error("its padding is not zero")]
    Padding,
}

impl Header {
    /// The header's bytes, which are also the associated data of the sealed part.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut flags = 0;
        if self.critical {
            flags |= FLAG_CRITICAL;
        }
        if self.sealed {
            flags |= FLAG_SEALED;
        }
        let mut out = [0; HEADER_LEN];
        let fields: [&[u8]; 9] = [
            &MAGIC,
            &FORMAT_VERSION.to_be_bytes(),
            &self.kind.number().to_be_bytes(),
            &u16::to_be_bytes(flags),
            &self.clear_len.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.time.to_be_bytes(),
            &self.payload_len.to_be_bytes(),
            &self.previous,
        ];
        for (place, byte) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        out
    }

    /// Parses a header strictly: exactly the values that [`Header::encode`] can produce are accepted.
    ///
    /// # Errors
    /// [`RecordError`]; [`RecordError::UnknownCritical`] only when everything else is in order.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let rest = bytes.get(..HEADER_LEN).ok_or(RecordError::Short)?;
        let (magic, rest) = split::<8>(rest)?;
        if magic != MAGIC {
            return Err(RecordError::Magic);
        }
        let (version, rest) = split::<2>(rest)?;
        if u16::from_be_bytes(version) != FORMAT_VERSION {
            return Err(RecordError::Version);
        }
        let (kind, rest) = split::<2>(rest)?;
        let (flags, rest) = split::<2>(rest)?;
        let (clear_len, rest) = split::<2>(rest)?;
        let (sequence, rest) = split::<8>(rest)?;
        let (time, rest) = split::<8>(rest)?;
        let (payload_len, rest) = split::<4>(rest)?;
        let (previous, _) = split::<32>(rest)?;
        let flags = u16::from_be_bytes(flags);
        let header = Self {
            kind: Kind::from_number(u16::from_be_bytes(kind)),
            critical: flags & FLAG_CRITICAL != 0,
            sealed: flags & FLAG_SEALED != 0,
            clear_len: u16::from_be_bytes(clear_len),
            sequence: u64::from_be_bytes(sequence),
            time: u64::from_be_bytes(time),
            payload_len: u32::from_be_bytes(payload_len),
            previous,
        };
        let clear = u32::from(header.clear_len);
        let lengths_agree =
            if header.sealed { clear <= header.payload_len } else { clear == header.payload_len };
        if flags & !(FLAG_CRITICAL | FLAG_SEALED) != 0 || !lengths_agree {
            return Err(RecordError::Header);
        }
        if header.payload() > MAX_PAYLOAD {
            return Err(RecordError::TooLarge);
        }
        if header.critical && matches!(header.kind, Kind::Unknown(_)) {
            return Err(RecordError::UnknownCritical);
        }
        Ok(header)
    }

    /// Length of the whole record in the file, a multiple of [`BLOCK`].
    #[must_use]
    pub fn record_len(&self) -> usize {
        self.payload()
            .saturating_add(HEADER_LEN)
            .saturating_add(2 * HASH_LEN)
            .saturating_add(MIN_PADDING)
            .next_multiple_of(BLOCK)
    }

    /// Length of the payload in bytes.
    #[must_use]
    pub fn payload(&self) -> usize {
        usize::try_from(self.payload_len).unwrap_or(usize::MAX)
    }
}

/// One record of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The clear header.
    pub header: Header,
    payload: Vec<u8>,
    hash: [u8; 32],
    mac: [u8; 32],
}

impl Record {
    /// Completes a record. `mac` computes the HMAC over the bytes it is given.
    ///
    /// # Errors
    /// [`RecordError::Header`] when header and payload disagree, [`RecordError::TooLarge`].
    pub fn new(
        header: Header,
        payload: Vec<u8>,
        mac: impl FnOnce(&[u8]) -> [u8; 32],
    ) -> Result<Self, RecordError> {
        Header::decode(&header.encode())?;
        if payload.len() != header.payload() {
            return Err(RecordError::Header);
        }
        let mut record = Self { header, payload, hash: [0; 32], mac: [0; 32] };
        record.hash = sha256::Hash::hash(&record.hashed()).to_byte_array();
        record.mac = mac(&record.authenticated());
        Ok(record)
    }

    /// The bytes in the file, padding included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.authenticated();
        out.extend_from_slice(&self.mac);
        out.resize(self.header.record_len(), 0);
        out
    }

    /// Parses exactly one record; `bytes` may go on after it. The HMAC is not checked here: see
    /// [`Record::authenticated`] and [`Record::mac`].
    ///
    /// # Errors
    /// [`RecordError`]: anything that [`Record::encode`] would not write is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let header = Header::decode(bytes)?;
        let bytes = bytes.get(..header.record_len()).ok_or(RecordError::Short)?;
        let rest = bytes.get(HEADER_LEN..).ok_or(RecordError::Short)?;
        let (payload, rest) = rest.split_at_checked(header.payload()).ok_or(RecordError::Short)?;
        let (hash, rest) = split::<HASH_LEN>(rest)?;
        let (mac, padding) = split::<HASH_LEN>(rest)?;
        let record = Self { header, payload: payload.to_vec(), hash, mac };
        if sha256::Hash::hash(&record.hashed()).to_byte_array() != hash {
            return Err(RecordError::Hash);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(RecordError::Padding);
        }
        Ok(record)
    }

    /// The record hash, which the next record and receipts name.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// The stored HMAC.
    #[must_use]
    pub fn mac(&self) -> [u8; 32] {
        self.mac
    }

    /// The bytes that the HMAC covers: header, payload, record hash.
    #[must_use]
    pub fn authenticated(&self) -> Vec<u8> {
        let mut out = self.hashed();
        out.extend_from_slice(&self.hash);
        out
    }

    /// The part of the payload that anyone may read.
    #[must_use]
    pub fn clear(&self) -> &[u8] {
        self.payload.get(..usize::from(self.header.clear_len)).unwrap_or_default()
    }

    /// The sealed part of the payload; empty when there is none.
    #[must_use]
    pub fn sealed(&self) -> &[u8] {
        self.payload.get(usize::from(self.header.clear_len)..).unwrap_or_default()
    }

    fn hashed(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.header.record_len());
        out.extend_from_slice(&self.header.encode());
        out.extend_from_slice(&self.payload);
        out
    }
}

fn split<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RecordError> {
    bytes.split_first_chunk::<N>().map(|(head, rest)| (*head, rest)).ok_or(RecordError::Short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: Kind, critical: bool, clear: &[u8], sealed: Option<&[u8]>) -> Record {
        let payload = [clear, sealed.unwrap_or_default()].concat();
        let header = Header {
            kind,
            critical,
            sealed: sealed.is_some(),
            clear_len: clear.len() as u16,
            sequence: 7,
            time: 1_700_000_000,
            payload_len: payload.len() as u32,
            previous: [0x11; 32],
        };
        Record::new(header, payload, |_| [0x22; 32]).unwrap()
    }

    #[test]
    fn the_bytes_of_a_record_are_fixed() {
        let bytes = record(Kind::Intent, true, b"clear", Some(b"sealed")).encode();
        assert_eq!(bytes.len(), 512);
        let text: String = bytes[..143].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            concat!(
                "4149525641554c54",
                "0001",
                "000a",
                "0003",
                "0005",
                "0000000000000007",
                "000000006553f100",
                "0000000b",
                "1111111111111111111111111111111111111111111111111111111111111111",
                "636c656172",
                "7365616c6564",
                "8258def0d58a8588b876145c1deb18f05814fed75121e3b22853687e7e4f27e5",
                "2222222222222222222222222222222222222222222222222222222222222222"
            )
        );
        assert!(bytes[143..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn kinds_have_distinct_fixed_numbers() {
        for (index, kind) in Kind::KNOWN.into_iter().enumerate() {
            assert_eq!(usize::from(kind.number()), index + 1);
            assert_eq!(Kind::from_number(kind.number()), kind);
        }
    }

    #[test]
    fn an_unknown_critical_type_is_refused_and_an_uncritical_one_parses() {
        let mut bytes = record(Kind::Unknown(999), false, b"future", None).encode();
        assert_eq!(Record::decode(&bytes).unwrap().header.kind, Kind::Unknown(999));
        bytes[13] |= 1;
        assert_eq!(Record::decode(&bytes), Err(RecordError::UnknownCritical));
    }

    #[test]
    fn at_least_32_zero_bytes_close_a_record() {
        for len in 0..1200 {
            let bytes = record(Kind::Done, true, &vec![0xaa; len], None).encode();
            assert_eq!(bytes.len() % BLOCK, 0);
            assert!(bytes.iter().rev().take_while(|byte| **byte == 0).count() >= MIN_PADDING);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            number in 0_usize..16, critical: bool, clear in prop::collection::vec(any::<u8>(), 0..900),
            sealed in prop::option::of(prop::collection::vec(any::<u8>(), 0..900)), after in 0_usize..600,
        ) {
            let record = record(Kind::KNOWN[number], critical, &clear, sealed.as_deref());
            let mut bytes = record.encode();
            bytes.resize(bytes.len() + after, 0x5a);
            prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
        }

        #[test]
        fn any_flipped_bit_outside_the_hmac_is_refused(
            clear in prop::collection::vec(any::<u8>(), 0..600), place: prop::sample::Index, bit in 0_u8..8,
        ) {
            let mut bytes = record(Kind::Key, true, &clear, Some(b"x")).encode();
            let place = place.index(bytes.len());
            let mac = HEADER_LEN + clear.len() + 1 + 32;
            prop_assume!(!(mac..mac + 32).contains(&place));
            bytes[place] ^= 1 << bit;
            prop_assert!(Record::decode(&bytes).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_reencode_to_themselves(
            bytes in prop::collection::vec(any::<u8>(), 0..1100),
        ) {
            let mut bytes = bytes;
            if let Some(start) = bytes.get_mut(..10) { start.copy_from_slice(b"AIRVAULT\0\x01"); }
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(&header.encode()[..], &bytes[..HEADER_LEN]);
            }
            let _ = Record::decode(&bytes);
        }
    }
}
