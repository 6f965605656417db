//! Which fields each map may have, how long their keys and values are (BIP174, BIP371, BIP373), and which belong to
//! version 2 only (BIP370).

use super::cursor::Cursor;
use std::ops::RangeInclusive;

/// Key type of the unsigned transaction.
pub(crate) const GLOBAL_UNSIGNED_TX: u8 = 0x00;
/// Key type of the version.
pub(super) const GLOBAL_VERSION: u8 = 0xfb;
/// Key type of proprietary fields, in every map.
pub(crate) const PROPRIETARY: u8 = 0xfc;

const NO_KEYDATA: RangeInclusive<usize> = 0..=0;
const ANY: RangeInclusive<usize> = 0..=usize::MAX;

/// Which map a field stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Map {
    Global,
    Input,
    Output,
}

/// What is known of a field.
enum Field {
    /// Its name, its keydata lengths and its value lengths, in bytes.
    Known(&'static str, RangeInclusive<usize>, RangeInclusive<usize>),
    /// Only PSBTv2 has it.
    Version2(&'static str),
    /// Kept and counted, never believed (check C22).
    Unknown,
}

/// Whether a field's key and value have lengths that its type allows; the error says what does not.
pub(super) fn check(map: Map, key: &[u8], value: &[u8]) -> Result<(), String> {
    let Some((kind, keydata)) = key.split_first() else { return Err("a key without type".to_owned()) };
    if *kind == PROPRIETARY {
        return proprietary(keydata);
    }
    match field(map, *kind) {
        Field::Unknown => Ok(()),
        Field::Version2(name) => Err(format!("{name} belongs to PSBT version 2 and this is version 0")),
        Field::Known(name, keys, values) => {
            within(name, "key", &keys, keydata.len())?;
            within(name, "value", &values, value.len())?;
            pattern(name, keydata, value)
        }
    }
}

/// The name of a field in its BIP; `None` for one that is not known.
pub(crate) fn name(map: Map, kind: u8) -> Option<&'static str> {
    match field(map, kind) {
        Field::Known(name, ..) | Field::Version2(name) => Some(name),
        Field::Unknown => None,
    }
}

/// The tables of the BIPs.
fn field(map: Map, kind: u8) -> Field {
    use Field::{Known, Unknown, Version2};
    let public_key = 33..=65;
    match (map, kind) {
        (Map::Global, GLOBAL_UNSIGNED_TX) => Known("PSBT_GLOBAL_UNSIGNED_TX", NO_KEYDATA, 10..=usize::MAX),
        (Map::Global, 0x01) => Known("PSBT_GLOBAL_XPUB", 78..=78, 4..=usize::MAX),
        (Map::Global, 0x02) => Version2("PSBT_GLOBAL_TX_VERSION"),
        (Map::Global, 0x03) => Version2("PSBT_GLOBAL_FALLBACK_LOCKTIME"),
        (Map::Global, 0x04) => Version2("PSBT_GLOBAL_INPUT_COUNT"),
        (Map::Global, 0x05) => Version2("PSBT_GLOBAL_OUTPUT_COUNT"),
        (Map::Global, 0x06) => Version2("PSBT_GLOBAL_TX_MODIFIABLE"),
        (Map::Global, GLOBAL_VERSION) => Known("PSBT_GLOBAL_VERSION", NO_KEYDATA, 4..=4),
        (Map::Input, 0x00) => Known("PSBT_IN_NON_WITNESS_UTXO", NO_KEYDATA, 10..=usize::MAX),
        (Map::Input, 0x01) => Known("PSBT_IN_WITNESS_UTXO", NO_KEYDATA, 9..=usize::MAX),
        (Map::Input, 0x02) => Known("PSBT_IN_PARTIAL_SIG", public_key, 9..=73),
        (Map::Input, 0x03) => Known("PSBT_IN_SIGHASH_TYPE", NO_KEYDATA, 4..=4),
        (Map::Input, 0x04) => Known("PSBT_IN_REDEEM_SCRIPT", NO_KEYDATA, ANY),
        (Map::Input, 0x05) => Known("PSBT_IN_WITNESS_SCRIPT", NO_KEYDATA, ANY),
        (Map::Input, 0x06) => Known("PSBT_IN_BIP32_DERIVATION", public_key, 4..=usize::MAX),
        (Map::Input, 0x07) => Known("PSBT_IN_FINAL_SCRIPTSIG", NO_KEYDATA, ANY),
        (Map::Input, 0x08) => Known("PSBT_IN_FINAL_SCRIPTWITNESS", NO_KEYDATA, 1..=usize::MAX),
        (Map::Input, 0x09) => Known("PSBT_IN_POR_COMMITMENT", NO_KEYDATA, ANY),
        (Map::Input, 0x0a) => Known("PSBT_IN_RIPEMD160", 20..=20, ANY),
        (Map::Input, 0x0b) => Known("PSBT_IN_SHA256", 32..=32, ANY),
        (Map::Input, 0x0c) => Known("PSBT_IN_HASH160", 20..=20, ANY),
        (Map::Input, 0x0d) => Known("PSBT_IN_HASH256", 32..=32, ANY),
        (Map::Input, 0x0e) => Version2("PSBT_IN_PREVIOUS_TXID"),
        (Map::Input, 0x0f) => Version2("PSBT_IN_OUTPUT_INDEX"),
        (Map::Input, 0x10) => Version2("PSBT_IN_SEQUENCE"),
        (Map::Input, 0x11) => Version2("PSBT_IN_REQUIRED_TIME_LOCKTIME"),
        (Map::Input, 0x12) => Version2("PSBT_IN_REQUIRED_HEIGHT_LOCKTIME"),
        (Map::Input, 0x13) => Known("PSBT_IN_TAP_KEY_SIG", NO_KEYDATA, 64..=65),
        (Map::Input, 0x14) => Known("PSBT_IN_TAP_SCRIPT_SIG", 64..=64, 64..=65),
        (Map::Input, 0x15) => Known("PSBT_IN_TAP_LEAF_SCRIPT", 33..=4129, 1..=usize::MAX),
        (Map::Input, 0x16) => Known("PSBT_IN_TAP_BIP32_DERIVATION", 32..=32, 5..=usize::MAX),
        (Map::Input, 0x17) => Known("PSBT_IN_TAP_INTERNAL_KEY", NO_KEYDATA, 32..=32),
        (Map::Input, 0x18) => Known("PSBT_IN_TAP_MERKLE_ROOT", NO_KEYDATA, 32..=32),
        (Map::Input, 0x1a) => Known("PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS", 33..=33, 33..=usize::MAX),
        (Map::Input, 0x1b) => Known("PSBT_IN_MUSIG2_PUB_NONCE", 66..=98, 66..=66),
        (Map::Input, 0x1c) => Known("PSBT_IN_MUSIG2_PARTIAL_SIG", 66..=98, 32..=32),
        (Map::Output, 0x00) => Known("PSBT_OUT_REDEEM_SCRIPT", NO_KEYDATA, ANY),
        (Map::Output, 0x01) => Known("PSBT_OUT_WITNESS_SCRIPT", NO_KEYDATA, ANY),
        (Map::Output, 0x02) => Known("PSBT_OUT_BIP32_DERIVATION", public_key, 4..=usize::MAX),
        (Map::Output, 0x03) => Version2("PSBT_OUT_AMOUNT"),
        (Map::Output, 0x04) => Version2("PSBT_OUT_SCRIPT"),
        (Map::Output, 0x05) => Known("PSBT_OUT_TAP_INTERNAL_KEY", NO_KEYDATA, 32..=32),
        (Map::Output, 0x06) => Known("PSBT_OUT_TAP_TREE", NO_KEYDATA, 3..=usize::MAX),
        (Map::Output, 0x07) => Known("PSBT_OUT_TAP_BIP32_DERIVATION", 32..=32, 5..=usize::MAX),
        (Map::Output, 0x08) => Known("PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS", 33..=33, 33..=usize::MAX),
        (Map::Global | Map::Input | Map::Output, _) => Unknown,
    }
}

fn within(name: &str, part: &str, allowed: &RangeInclusive<usize>, found: usize) -> Result<(), String> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    let expected = match (least == most, *most == usize::MAX) {
        (true, _) => format!("{least}"),
        (false, true) => format!("at least {least}"),
        (false, false) => format!("{least} to {most}"),
    };
    Err(format!("{name}: {found} bytes of {part} data, expected {expected}"))
}

/// What lengths alone do not say.
fn pattern(name: &str, keydata: &[u8], value: &[u8]) -> Result<(), String> {
    let steps = |bytes: usize| bytes.is_multiple_of(4);
    let fits = match name {
        "PSBT_GLOBAL_XPUB" => {
            // BIP174: the path has as many steps as the key's depth says, the fifth byte of its serialisation.
            let depth = keydata.get(4).copied().map_or(usize::MAX, usize::from);
            steps(value.len()) && value.len() / 4 == depth.saturating_add(1)
        }
        "PSBT_IN_BIP32_DERIVATION" | "PSBT_OUT_BIP32_DERIVATION" => {
            is_public_key(keydata) && steps(value.len())
        }
        "PSBT_IN_PARTIAL_SIG" => is_public_key(keydata),
        "PSBT_IN_TAP_LEAF_SCRIPT" => keydata.len() % 32 == 1,
        "PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS" | "PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS" => {
            value.len().is_multiple_of(33)
        }
        "PSBT_IN_MUSIG2_PUB_NONCE" | "PSBT_IN_MUSIG2_PARTIAL_SIG" => matches!(keydata.len(), 66 | 98),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{name}: its key and value do not fit together")) }
}

/// 33 bytes compressed or 65 uncompressed, told apart by the first byte (SEC 1).
fn is_public_key(bytes: &[u8]) -> bool {
    matches!((bytes.len(), bytes.first()), (33, Some(2 | 3)) | (65, Some(4)))
}

/// An identifier behind its length, then a subtype (BIP174, "Proprietary Use Type").
fn proprietary(keydata: &[u8]) -> Result<(), String> {
    let mut cursor = Cursor::new(keydata);
    cursor
        .string("a proprietary key's identifier")
        .and_then(|_| cursor.count("a proprietary key's subtype"))
        .map(|_| ())
        .map_err(|error| error.to_string())
}
