//! Torn tails: what a crash during an append leaves behind, and how it is closed.
//!
//! A record is appended by one write and counts only after fdatasync returned. A crash before that may
//! leave any part of it: a shorter file, or the full length with sectors that never arrived and read as
//! zeros. Such a tail is closed, never cut off:
//!
//! ```text
//! … good record | torn bytes | 0xff up to the next multiple of 512 | TEAR record | next record …
//!               ^ offset     ^ offset + length
//! ```
//!
//! The TEAR record continues the chain from the last good record (its sequence plus one, its hash as
//! `previous`) and states in clear: offset u64, length u64, SHA-256 of the torn bytes. A later open
//! finds no good record at `offset`, looks for a TEAR at the following multiples of 512 that names
//! exactly this place, length and hash, and goes on after it. The TEAR carries the HMAC like every record.
//!
//! The filling is 0xff and every whole record ends with at least 32 zeros: therefore a torn record never
//! becomes whole by being closed, and a crash while closing is recognised as such. A tail is torn only if
//!
//! - it begins with the header that must follow the last good record, and the file ends before the
//!   length that this header states; or
//! - a sector of it is missing: all zero, or filled by an interrupted closing;
//!
//! and no whole record stands anywhere after its first sector. Everything else (a flipped bit at full
//! length, a foreign record, torn bytes that changed after they were closed) is damage, and refused.

use bitcoin::hashes::{Hash, sha256};

use crate::record::{BLOCK, HEADER_LEN, Header, Kind, MAGIC, MAX_PAYLOAD, MIN_PADDING, Record};

/// Filling between torn bytes and the TEAR record.
const FILLING: u8 = 0xff;
/// Most bytes that a torn tail may have: one record, and the remains of several interrupted closings.
pub(super) const MAX_TAIL: usize = HEADER_LEN + MAX_PAYLOAD + 16 * BLOCK;
/// Length of the clear part of a TEAR record.
pub(super) const TEAR_LEN: usize = 8 + 8 + 32;

/// Where the chain stands before the tail.
#[derive(Clone, Copy)]
pub(super) struct Position {
    /// Sequence number that the next record must have.
    pub(super) sequence: u64,
    /// Record hash of the last good record.
    pub(super) previous: [u8; 32],
    /// Byte offset of the tail, a multiple of 512.
    pub(super) offset: u64,
}

/// Whether `tail`, the rest of the file, is a torn record rather than a damaged one.
pub(super) fn is_torn(at: &Position, tail: &[u8]) -> bool {
    if tail.is_empty() || tail.len() > MAX_TAIL || holds_whole_record(tail) {
        return false;
    }
    let (first, later) = tail.split_at(BLOCK.min(tail.len()));
    if first.iter().all(|byte| *byte == 0) {
        // The header itself never arrived.
        return true;
    }
    let filled = first.iter().rev().take_while(|byte| **byte == FILLING).count();
    let known = first.len().saturating_sub(filled);
    if known < HEADER_LEN {
        // The file ended within the header.
        let magic = MAGIC.len().min(known);
        return first.get(..magic) == MAGIC.get(..magic) && later.chunks(BLOCK).all(is_missing);
    }
    let Ok(header) = Header::decode(tail) else {
        return false;
    };
    if header.sequence != at.sequence || header.previous != at.previous {
        return false;
    }
    let Some((body, after)) = tail.split_at_checked(header.record_len()) else {
        return true;
    };
    let body_misses = body.chunks(BLOCK).any(is_missing) || is_filled(body);
    body_misses && after.chunks(BLOCK).all(is_missing)
}

/// The clear part of the TEAR record that closes `tail`.
pub(super) fn statement(at: &Position, tail: &[u8]) -> Vec<u8> {
    let length = u64::try_from(tail.len()).unwrap_or(u64::MAX);
    let hash = sha256::Hash::hash(tail).to_byte_array();
    [&at.offset.to_be_bytes()[..], &length.to_be_bytes(), &hash].concat()
}

/// The filling that brings a tail of this length to a multiple of 512.
pub(super) fn filling(tail_len: usize) -> Vec<u8> {
    vec![FILLING; tail_len.next_multiple_of(BLOCK).saturating_sub(tail_len)]
}

/// The TEAR record that closes the tail which `rest` begins with, and its distance from the tail's start.
pub(super) fn closed_by(at: &Position, rest: &[u8]) -> Option<(usize, Record)> {
    let mut distance = BLOCK;
    while let Some(bytes) = rest.get(distance..).filter(|bytes| !bytes.is_empty()) {
        if let Some(record) = tear_at(at, bytes) {
            let before = rest.get(..distance)?;
            let length = before.len().checked_sub(filling_len(&record, before.len())?)?;
            let (torn, filled) = before.split_at_checked(length)?;
            let matches = record.clear() == statement(at, torn)
                && filled.iter().all(|byte| *byte == FILLING)
                && is_torn(at, torn);
            return matches.then_some((distance, record));
        }
        distance = distance.checked_add(BLOCK)?;
    }
    None
}

fn tear_at(at: &Position, bytes: &[u8]) -> Option<Record> {
    let header = Header::decode(bytes).ok()?;
    let expected = header.kind == Kind::Tear
        && header.sequence == at.sequence
        && header.previous == at.previous
        && header.payload() == TEAR_LEN;
    if !expected {
        return None;
    }
    Record::decode(bytes).ok()
}

/// How many filling bytes the statement implies; less than one sector.
fn filling_len(record: &Record, before: usize) -> Option<usize> {
    let (_, rest) = record.clear().split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_be_bytes(*rest.first_chunk::<8>()?)).ok()?;
    before.checked_sub(length).filter(|filled| *filled < BLOCK)
}

/// Whether a record begins whole after the first sector. Then something was written after the torn part,
/// which only a TEAR may precede, and what looks like a torn tail is damage.
fn holds_whole_record(tail: &[u8]) -> bool {
    (1..)
        .map(|index: usize| index.saturating_mul(BLOCK))
        .map_while(|start| tail.get(start..).filter(|bytes| !bytes.is_empty()))
        .any(|bytes| bytes.starts_with(&MAGIC) && Record::decode(bytes).is_ok())
}

/// A sector that never arrived, that the file ends in, or that an interrupted closing filled.
fn is_missing(sector: &[u8]) -> bool {
    sector.len() < BLOCK
        || sector.iter().all(|byte| *byte == 0)
        || sector.iter().rev().take_while(|byte| **byte == FILLING).count() >= MIN_PADDING
}

/// A record that was cut within its closing zeros and then filled: whole but for the filling.
fn is_filled(body: &[u8]) -> bool {
    let mut restored = body.to_vec();
    let filled = body.iter().rev().take_while(|byte| **byte == FILLING).count();
    if filled == 0 || filled >= BLOCK {
        return false;
    }
    for byte in restored.iter_mut().rev().take(filled) {
        *byte = 0;
    }
    Record::decode(&restored).is_ok()
}
