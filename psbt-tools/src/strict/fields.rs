//! Which fields each map may have, how long their keys and values are (BIP174, BIP370, BIP371, BIP373, BIP375), and
//! which belong to one version only (BIP370).

use super::cursor::Cursor;
use crate::display::hex;
use bitcoin::absolute::LOCK_TIME_THRESHOLD;
use std::ops::RangeInclusive;

/// Key type of the unsigned transaction.
pub(crate) const GLOBAL_UNSIGNED_TX: u8 = 0x00;
/// Key types of the fields that version 2 has in place of the unsigned transaction (BIP370).
pub(crate) const GLOBAL_TX_VERSION: u8 = 0x02;
pub(crate) const GLOBAL_FALLBACK_LOCKTIME: u8 = 0x03;
pub(crate) const GLOBAL_INPUT_COUNT: u8 = 0x04;
pub(crate) const GLOBAL_OUTPUT_COUNT: u8 = 0x05;
pub(crate) const GLOBAL_TX_MODIFIABLE: u8 = 0x06;
pub(crate) const IN_PREVIOUS_TXID: u8 = 0x0e;
pub(crate) const IN_OUTPUT_INDEX: u8 = 0x0f;
pub(crate) const IN_SEQUENCE: u8 = 0x10;
pub(crate) const IN_REQUIRED_TIME_LOCKTIME: u8 = 0x11;
pub(crate) const IN_REQUIRED_HEIGHT_LOCKTIME: u8 = 0x12;
pub(crate) const OUT_AMOUNT: u8 = 0x03;
pub(crate) const OUT_SCRIPT: u8 = 0x04;
/// Key type of an output's taproot tree (BIP371).
pub(crate) const OUT_TAP_TREE: u8 = 0x06;
/// Key type of MuSig2's partial signatures (BIP373), which `bitcoin` keeps as an unknown field.
pub(crate) const IN_MUSIG2_PARTIAL_SIG: u8 = 0x1c;
/// Key types of silent payments' recipients (BIP375).
pub(crate) const OUT_SP_V0_INFO: u8 = 0x09;
pub(crate) const OUT_SP_V0_LABEL: u8 = 0x0a;
/// Key type of the version.
pub(crate) const GLOBAL_VERSION: u8 = 0xfb;
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

/// The versions of PSBTs: BIP174's and BIP370's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Zero,
    Two,
}

impl Version {
    /// Its number.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Version::Zero => 0,
            Version::Two => 2,
        }
    }
}

/// What is known of a field: its name, its keydata lengths and its value lengths, in bytes.
enum Field {
    /// Both versions have it.
    Known(&'static str, RangeInclusive<usize>, RangeInclusive<usize>),
    /// Only version 0 has it.
    Version0(&'static str, RangeInclusive<usize>, RangeInclusive<usize>),
    /// Only version 2 has it; it has no keydata.
    Version2(&'static str, RangeInclusive<usize>),
    /// Kept and counted, never believed (check C22).
    Unknown,
}

/// Whether a version has a field, and its key and value have lengths that its type allows; the error says what does not.
pub(super) fn check(version: Version, map: Map, key: &[u8], value: &[u8]) -> Result<(), String> {
    let Some((kind, keydata)) = key.split_first() else { return Err("a key without type".to_owned()) };
    if *kind == PROPRIETARY {
        return proprietary(keydata);
    }
    let (only, name, keys, values) = match field(map, *kind) {
        Field::Unknown => return Ok(()),
        Field::Known(name, keys, values) => (version, name, keys, values),
        Field::Version0(name, keys, values) => (Version::Zero, name, keys, values),
        Field::Version2(name, values) => (Version::Two, name, NO_KEYDATA, values),
    };
    if only != version {
        return Err(format!(
            "{name} belongs to PSBT version {} and this is version {}",
            only.number(),
            version.number()
        ));
    }
    within(name, "key", &keys, keydata.len())?;
    within(name, "value", &values, value.len())?;
    pattern(name, keydata, value)
}

/// Whether only version 2 has a field.
pub(crate) fn is_of_version_2(map: Map, key: &[u8]) -> bool {
    key.first().is_some_and(|kind| matches!(field(map, *kind), Field::Version2(..)))
}

/// The name of a field in its BIP; `None` for one that is not known.
pub(crate) fn name(map: Map, kind: u8) -> Option<&'static str> {
    match field(map, kind) {
        Field::Known(name, ..) | Field::Version0(name, ..) | Field::Version2(name, _) => Some(name),
        Field::Unknown => None,
    }
}

/// The tables of the BIPs.
fn field(map: Map, kind: u8) -> Field {
    use Field::{Known, Unknown, Version0, Version2};
    let public_key = 33..=65;
    match (map, kind) {
        (Map::Global, GLOBAL_UNSIGNED_TX) => Version0("PSBT_GLOBAL_UNSIGNED_TX", NO_KEYDATA, 10..=usize::MAX),
        (Map::Global, 0x01) => Known("PSBT_GLOBAL_XPUB", 78..=78, 4..=usize::MAX),
        (Map::Global, GLOBAL_TX_VERSION) => Version2("PSBT_GLOBAL_TX_VERSION", 4..=4),
        (Map::Global, GLOBAL_FALLBACK_LOCKTIME) => Version2("PSBT_GLOBAL_FALLBACK_LOCKTIME", 4..=4),
        (Map::Global, GLOBAL_INPUT_COUNT) => Version2("PSBT_GLOBAL_INPUT_COUNT", 1..=9),
        (Map::Global, GLOBAL_OUTPUT_COUNT) => Version2("PSBT_GLOBAL_OUTPUT_COUNT", 1..=9),
        (Map::Global, GLOBAL_TX_MODIFIABLE) => Version2("PSBT_GLOBAL_TX_MODIFIABLE", 1..=1),
        (Map::Global, 0x07) => Known("PSBT_GLOBAL_SP_ECDH_SHARE", 33..=33, 33..=33),
        (Map::Global, 0x08) => Known("PSBT_GLOBAL_SP_DLEQ", 33..=33, 64..=64),
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
        (Map::Input, IN_PREVIOUS_TXID) => Version2("PSBT_IN_PREVIOUS_TXID", 32..=32),
        (Map::Input, IN_OUTPUT_INDEX) => Version2("PSBT_IN_OUTPUT_INDEX", 4..=4),
        (Map::Input, IN_SEQUENCE) => Version2("PSBT_IN_SEQUENCE", 4..=4),
        (Map::Input, IN_REQUIRED_TIME_LOCKTIME) => Version2("PSBT_IN_REQUIRED_TIME_LOCKTIME", 4..=4),
        (Map::Input, IN_REQUIRED_HEIGHT_LOCKTIME) => Version2("PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", 4..=4),
        (Map::Input, 0x13) => Known("PSBT_IN_TAP_KEY_SIG", NO_KEYDATA, 64..=65),
        (Map::Input, 0x14) => Known("PSBT_IN_TAP_SCRIPT_SIG", 64..=64, 64..=65),
        (Map::Input, 0x15) => Known("PSBT_IN_TAP_LEAF_SCRIPT", 33..=4129, 1..=usize::MAX),
        (Map::Input, 0x16) => Known("PSBT_IN_TAP_BIP32_DERIVATION", 32..=32, 5..=usize::MAX),
        (Map::Input, 0x17) => Known("PSBT_IN_TAP_INTERNAL_KEY", NO_KEYDATA, 32..=32),
        (Map::Input, 0x18) => Known("PSBT_IN_TAP_MERKLE_ROOT", NO_KEYDATA, 32..=32),
        (Map::Input, 0x1a) => Known("PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS", 33..=33, 33..=usize::MAX),
        (Map::Input, 0x1b) => Known("PSBT_IN_MUSIG2_PUB_NONCE", 66..=98, 66..=66),
        (Map::Input, IN_MUSIG2_PARTIAL_SIG) => Known("PSBT_IN_MUSIG2_PARTIAL_SIG", 66..=98, 32..=32),
        (Map::Input, 0x1d) => Known("PSBT_IN_SP_ECDH_SHARE", 33..=33, 33..=33),
        (Map::Input, 0x1e) => Known("PSBT_IN_SP_DLEQ", 33..=33, 64..=64),
        (Map::Output, 0x00) => Known("PSBT_OUT_REDEEM_SCRIPT", NO_KEYDATA, ANY),
        (Map::Output, 0x01) => Known("PSBT_OUT_WITNESS_SCRIPT", NO_KEYDATA, ANY),
        (Map::Output, 0x02) => Known("PSBT_OUT_BIP32_DERIVATION", public_key, 4..=usize::MAX),
        (Map::Output, OUT_AMOUNT) => Version2("PSBT_OUT_AMOUNT", 8..=8),
        (Map::Output, OUT_SCRIPT) => Version2("PSBT_OUT_SCRIPT", ANY),
        (Map::Output, 0x05) => Known("PSBT_OUT_TAP_INTERNAL_KEY", NO_KEYDATA, 32..=32),
        (Map::Output, OUT_TAP_TREE) => Known("PSBT_OUT_TAP_TREE", NO_KEYDATA, 3..=usize::MAX),
        (Map::Output, 0x07) => Known("PSBT_OUT_TAP_BIP32_DERIVATION", 32..=32, 5..=usize::MAX),
        (Map::Output, 0x08) => Known("PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS", 33..=33, 33..=usize::MAX),
        (Map::Output, OUT_SP_V0_INFO) => Known("PSBT_OUT_SP_V0_INFO", NO_KEYDATA, 66..=66),
        (Map::Output, OUT_SP_V0_LABEL) => Known("PSBT_OUT_SP_V0_LABEL", NO_KEYDATA, 4..=4),
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
            is_public_key(keydata) && value.chunks(33).all(is_public_key)
        }
        // BIP370: what is below is a height, what is not is a time, and height zero locks nothing.
        "PSBT_IN_REQUIRED_TIME_LOCKTIME" => {
            little_endian(value).is_some_and(|time| time >= LOCK_TIME_THRESHOLD)
        }
        "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME" => {
            little_endian(value).is_some_and(|height| (1..LOCK_TIME_THRESHOLD).contains(&height))
        }
        // BIP370, "Creator".
        "PSBT_GLOBAL_TX_VERSION" => {
            little_endian(value).is_some_and(|version| i32::from_le_bytes(version.to_le_bytes()) >= 2)
        }
        // BIP373: a participant's key, the aggregate key, and a leaf's hash where a script asks for it.
        "PSBT_IN_MUSIG2_PUB_NONCE" | "PSBT_IN_MUSIG2_PARTIAL_SIG" => {
            let keys = keydata.split_at_checked(66).map(|(keys, _)| keys);
            matches!(keydata.len(), 66 | 98) && keys.is_some_and(|keys| keys.chunks(33).all(is_public_key))
        }
        _ => true,
    };
    match fits {
        true => Ok(()),
        false if keydata.is_empty() => Err(format!("{name}: the value {} is not allowed", hex(value))),
        false => Err(format!("{name}: its key and value do not fit together")),
    }
}

/// The number of a value of four bytes.
pub(crate) fn little_endian(value: &[u8]) -> Option<u32> {
    <[u8; 4]>::try_from(value).ok().map(u32::from_le_bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    const XPUB: usize = 78;

    fn key(kind: u8, keydata: &[u8]) -> Vec<u8> {
        [&[kind], keydata].concat()
    }

    fn fits(map: Map, kind: u8, keydata: &[u8], value: &[u8]) -> bool {
        [Version::Zero, Version::Two]
            .iter()
            .any(|version| check(*version, map, &key(kind, keydata), value).is_ok())
    }

    fn point(first: u8) -> Vec<u8> {
        [&[first], &[1; 32][..]].concat()
    }

    #[test]
    fn a_derivation_is_of_a_public_key_and_has_whole_steps() {
        for (map, kind) in [(Map::Input, 0x06), (Map::Output, 0x02)] {
            assert!(fits(map, kind, &point(2), &[0; 8]));
            assert!(!fits(map, kind, &point(4), &[0; 8]), "the first byte of 33 is 2 or 3");
            assert!(!fits(map, kind, &point(2), &[0; 9]), "a step is four bytes");
        }
        let mut xpub = [0; XPUB];
        xpub[4] = 1;
        assert!(fits(Map::Global, 0x01, &xpub, &[0; 8]));
        assert!(!fits(Map::Global, 0x01, &xpub, &[0; 4]), "one step less than the depth");
        assert!(!fits(Map::Global, 0x01, &xpub, &[0; 9]), "a step is four bytes");
    }

    #[test]
    fn a_signature_is_of_a_public_key_and_a_leaf_behind_a_whole_proof() {
        assert!(fits(Map::Input, 0x02, &point(3), &[0x30; 71]));
        assert!(!fits(Map::Input, 0x02, &point(5), &[0x30; 71]));
        assert!(fits(Map::Input, 0x15, &[0xc0; 65], &[0x51, 0xc0]));
        assert!(!fits(Map::Input, 0x15, &[0xc0; 66], &[0x51, 0xc0]));
    }

    #[test]
    fn nonces_name_two_keys_and_a_leaf_or_none() {
        let keys = [point(2), point(3)].concat();
        for kind in [0x1b, IN_MUSIG2_PARTIAL_SIG] {
            let value = vec![0; if kind == 0x1b { 66 } else { 32 }];
            assert!(fits(Map::Input, kind, &keys, &value));
            assert!(fits(Map::Input, kind, &[&keys[..], &[7; 32]].concat(), &value));
            assert!(!fits(Map::Input, kind, &[&keys[..], &[7; 31]].concat(), &value));
            assert!(!fits(Map::Input, kind, &[point(2), point(4)].concat(), &value));
        }
        for (map, kind) in [(Map::Input, 0x1a), (Map::Output, 0x08)] {
            assert!(fits(map, kind, &point(2), &keys));
            assert!(!fits(map, kind, &point(4), &keys));
            assert!(!fits(map, kind, &point(2), &[point(2), point(4)].concat()));
        }
    }

    #[test]
    fn a_proprietary_key_has_an_identifier_and_a_subtype() {
        for map in [Map::Global, Map::Input, Map::Output] {
            assert!(fits(map, PROPRIETARY, &[1, b'x', 5], &[]));
            assert!(!fits(map, PROPRIETARY, &[1, b'x'], &[]), "no subtype");
            assert!(!fits(map, PROPRIETARY, &[2, b'x'], &[]), "half an identifier");
        }
    }

    #[test]
    fn a_wrong_length_is_told_with_the_lengths_that_are_right() {
        let expected = |map, kind, keydata: &[u8], value: &[u8]| {
            let said = check(Version::Zero, map, &key(kind, keydata), value).unwrap_err();
            said.split_once("expected ").map(|(_, lengths)| lengths.to_owned())
        };
        assert_eq!(expected(Map::Input, 0x17, &[], &[0; 31]).as_deref(), Some("32"));
        assert_eq!(expected(Map::Input, 0x1b, &[0; 65], &[0; 66]).as_deref(), Some("66 to 98"));
        assert_eq!(expected(Map::Output, OUT_TAP_TREE, &[], &[0]).as_deref(), Some("at least 3"));
        let said = |key: &[u8], value: &[u8]| check(Version::Zero, Map::Input, key, value).unwrap_err();
        assert!(said(&key(0x02, &point(5)), &[0x30; 71]).ends_with("its key and value do not fit together"));
        let version = check(Version::Two, Map::Global, &[GLOBAL_TX_VERSION], &[1, 0, 0, 0]).unwrap_err();
        assert!(version.ends_with("the value 01000000 is not allowed"), "{version}");
    }
}
