//! Which bytes a manifest is about.

use crate::Error;
use crate::checks::signatures::is_final;
use crate::document::MAGIC;
use crate::envelope::{IDENTIFIER, Kind};
use crate::strict::cursor::Cursor;
use bitcoin::Psbt;
use bitcoin::consensus::serialize;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use policies::check::Check;

/// Most fields of one map that are put in order (check C27).
const MAX_FIELDS: usize = 1_000_000;

/// Type of a proprietary key (BIP174, `PSBT_GLOBAL_PROPRIETARY`).
const PROPRIETARY: u8 = 0xfc;

/// Length and hash of a document without its manifest.
pub(super) struct Digest {
    pub(super) length: u64,
    pub(super) sha256: [u8; 32],
}

/// Of bytes as they are.
pub(super) fn of_bytes(bytes: &[u8]) -> Digest {
    Digest { length: as_u64(bytes.len()), sha256: sha256::Hash::hash(bytes).to_byte_array() }
}

/// Of a binary PSBT: magic, then each map with its fields in the order of their keys and a zero byte. Programs that write the
/// fields in another order, or the PSBT in another encoding, change nothing.
///
/// # Errors
/// Check C21 where the bytes are no maps, C27 for more than 1,000,000 fields.
pub(super) fn of_psbt(bytes: &[u8]) -> Result<Digest, Error> {
    let mut engine = sha256::Hash::engine();
    engine.input(MAGIC);
    let mut length = MAGIC.len();
    let mut cursor = Cursor::new(bytes.strip_prefix(MAGIC).unwrap_or_default());
    let own = manifest_key();
    let mut is_global = true;
    while cursor.remaining() > 0 {
        let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
        loop {
            let key = cursor.string("a key")?;
            if key.is_empty() {
                break;
            }
            let value = cursor.string("a value")?;
            if is_global && key.starts_with(&own) {
                continue;
            }
            if pairs.len() >= MAX_FIELDS {
                return Err(Error::refused(Check::BOUNDS, format!("a map of more than {MAX_FIELDS} fields")));
            }
            pairs.push((key, value));
        }
        pairs.sort_unstable();
        for part in pairs.iter().flat_map(|(key, value)| [key, value]) {
            let size = serialize(&bitcoin::VarInt::from(part.len()));
            engine.input(&size);
            engine.input(part);
            length = length.saturating_add(size.len()).saturating_add(part.len());
        }
        engine.input(&[0]);
        length = length.saturating_add(1);
        is_global = false;
    }
    Ok(Digest { length: as_u64(length), sha256: sha256::Hash::from_engine(engine).to_byte_array() })
}

/// How many signatures the inputs have, and how many are final.
pub(super) fn signatures(psbt: &Psbt) -> (u32, u32) {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let signatures = psbt.inputs.iter().map(|input| {
        let taproot = usize::from(input.tap_key_sig.is_some()).saturating_add(input.tap_script_sigs.len());
        input.partial_sigs.len().saturating_add(taproot)
    });
    let finals = psbt.inputs.iter().filter(|input| is_final(input)).count();
    (count(signatures.fold(0, usize::saturating_add)), count(finals))
}

/// What the key of a manifest begins with: type, identifier with its length, subtype.
fn manifest_key() -> Vec<u8> {
    let mut key = vec![PROPRIETARY];
    key.extend(serialize(&IDENTIFIER.to_vec()));
    key.push(Kind::Manifest.subtype());
    key
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
