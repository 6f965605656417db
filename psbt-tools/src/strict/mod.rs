//! Strict BIP174 (check C21): a small scanner walks the key-value maps and refuses whatever the BIPs forbid, before the
//! `bitcoin` crate reads the same bytes. That crate alone lets PSBTv2-only fields, trailing bytes and other
//! oddities through.

mod cursor;
pub(crate) mod fields;

use crate::Error;
use crate::document::MAGIC;
use bitcoin::Psbt;
use bitcoin::psbt;
use cursor::Cursor;
use fields::Map;
use policies::check::Check;
use policies::spend::{MAX_ITEMS, MAX_WEIGHT};
use std::collections::BTreeSet;

/// Most key-value pairs in one map (check C27): the largest honest inputs have some dozens.
const MAX_PAIRS: usize = 4_096;

/// A key with its type byte, and its value.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Reads a binary PSBT of version 0.
///
/// # Errors
/// Check C21 says what breaks BIP174, BIP370 or BIP371; check C27 what is too large; [`Error::Malformed`] what is not
/// read here, such as version 2.
pub fn parse(bytes: &[u8]) -> Result<Psbt, Error> {
    scan(bytes)?;
    Psbt::deserialize(bytes).map_err(|error| refusal(&error))
}

/// Walks all maps and keeps nothing.
fn scan(bytes: &[u8]) -> Result<(), Error> {
    walk(bytes, |_, _| ())
}

/// Walks all maps in their order: the global one, each input's, each output's.
///
/// # Errors
/// Those of [`parse`] that need no value to be understood.
pub(crate) fn walk<'a>(bytes: &'a [u8], mut visit: impl FnMut(Map, Vec<Pair<'a>>)) -> Result<(), Error> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take("magic", MAGIC.len())? != MAGIC {
        return Err(Error::malformed("this is no PSBT", "give a .psbt file"));
    }
    let global = map(&mut cursor, "global map")?;
    require_version_0(&global)?;
    for (key, value) in &global {
        fields::check(Map::Global, key, value).map_err(|reason| wrong("global map", &reason))?;
    }
    let unsigned = global.iter().find(|(key, _)| *key == [fields::GLOBAL_UNSIGNED_TX]);
    let (_, transaction) = unsigned.ok_or_else(|| Error::broken("the unsigned transaction is missing"))?;
    let (inputs, outputs) = unsigned_transaction(transaction)?;
    visit(Map::Global, global);
    for (kind, count, noun) in [(Map::Input, inputs, "input"), (Map::Output, outputs, "output")] {
        for at in 0..count {
            let place = format!("{noun} {at}");
            let pairs = map(&mut cursor, &place)?;
            for (key, value) in &pairs {
                fields::check(kind, key, value).map_err(|reason| wrong(&place, &reason))?;
            }
            visit(kind, pairs);
        }
    }
    match cursor.remaining() {
        0 => Ok(()),
        left => Err(Error::broken(format!(
            "{left} bytes follow the last of the maps for {inputs} inputs and {outputs} outputs"
        ))),
    }
}

/// One map up to its separator: keys with their type byte, and values.
fn map<'a>(cursor: &mut Cursor<'a>, place: &str) -> Result<Vec<Pair<'a>>, Error> {
    let mut pairs = Vec::new();
    let mut keys = BTreeSet::new();
    loop {
        let key = cursor.string(place)?;
        if key.is_empty() {
            return Ok(pairs);
        }
        let value = cursor.string(place)?;
        if !keys.insert(key) {
            return Err(wrong(place, &format!("the key {} stands twice", crate::display::hex(key))));
        }
        if pairs.len() >= MAX_PAIRS {
            return Err(Error::refused(Check::BOUNDS, format!("{place}: more than {MAX_PAIRS} fields")));
        }
        pairs.push((key, value));
    }
}

/// A version field of 2 makes it a PSBTv2 (BIP370), whatever else is there.
fn require_version_0(global: &[Pair<'_>]) -> Result<(), Error> {
    let Some((_, value)) = global.iter().find(|(key, _)| *key == [fields::GLOBAL_VERSION]) else {
        return Ok(());
    };
    let version = <[u8; 4]>::try_from(*value)
        .map(u32::from_le_bytes)
        .map_err(|_| wrong("global map", &format!("the version has {} bytes, expected 4", value.len())))?;
    match version {
        0 => Ok(()),
        2 => Err(Error::malformed(
            "PSBT version 2: not read yet",
            "let the program that made it write version 0 (BIP174)",
        )),
        other => Err(Error::malformed(
            format!("PSBT version {other}: no such version is known"),
            "let the program that made it write version 0 (BIP174)",
        )),
    }
}

/// Walks the unsigned transaction without keeping it: how many inputs and outputs it has.
fn unsigned_transaction(bytes: &[u8]) -> Result<(u64, u64), Error> {
    let place = "unsigned transaction";
    let bound = usize::try_from(MAX_WEIGHT.to_vbytes_floor()).unwrap_or(usize::MAX);
    if bytes.len() > bound {
        return Err(Error::refused(
            Check::BOUNDS,
            format!("the unsigned transaction has {} bytes, more than a block's {bound}", bytes.len()),
        ));
    }
    let mut cursor = Cursor::new(bytes);
    cursor.take(place, 4)?;
    let inputs = cursor.count(place)?;
    bounded("inputs", inputs)?;
    for at in 0..inputs {
        cursor.take(place, 36)?;
        if !cursor.string(place)?.is_empty() {
            return Err(Error::broken(format!("input {at} of the unsigned transaction has a scriptSig")));
        }
        cursor.take(place, 4)?;
    }
    let outputs = cursor.count(place)?;
    bounded("outputs", outputs)?;
    for _ in 0..outputs {
        cursor.take(place, 8)?;
        cursor.string(place)?;
    }
    cursor.take(place, 4)?;
    match cursor.remaining() {
        0 => Ok((inputs, outputs)),
        left => Err(Error::broken(format!(
            "the unsigned transaction has {left} bytes too many: it must be without witnesses"
        ))),
    }
}

fn bounded(what: &str, count: u64) -> Result<(), Error> {
    if usize::try_from(count).is_ok_and(|count| count <= MAX_ITEMS) {
        return Ok(());
    }
    Err(Error::refused(Check::BOUNDS, format!("{count} {what}, at most {MAX_ITEMS} are read")))
}

fn wrong(place: &str, reason: &str) -> Error {
    Error::broken(format!("{place}: {reason}"))
}

/// What the `bitcoin` crate refuses after the scan: values that do not parse.
fn refusal(error: &psbt::Error) -> Error {
    #[allow(clippy::wildcard_enum_match_arm, reason = "every other error of a foreign enum is a broken PSBT")]
    match error {
        psbt::Error::NonStandardSighashType(found) => Error::Refused {
            check: Check::PRESENT_SIGNATURES,
            message: format!("a signature has the sighash type 0x{found:02x}, which does not exist"),
            hint: Some("remove the signature, or start again from the unsigned PSBT".to_owned()),
        },
        other => Error::broken(crate::display::escape(&other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hex::FromHex;

    /// An unsigned transaction of one input and one output, as a field of the global map.
    const TX: &str = concat!(
        "01003c0200000001",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000",
        "0100000000000000000000000000"
    );

    fn document(global: &[&str], rest: &str) -> Vec<u8> {
        Vec::from_hex(&format!("70736274ff{}00{rest}", global.concat())).unwrap()
    }

    fn refused(bytes: &[u8]) -> String {
        let error = parse(bytes).unwrap_err();
        assert_eq!(error.code(), "C21", "{error}");
        error.to_string()
    }

    fn one(input: &str) -> Vec<u8> {
        document(&[TX], &format!("{input}0000"))
    }

    #[test]
    fn a_psbt_without_fields_is_read() {
        assert!(parse(&document(&["01000a02000000000000000000"], "")).is_ok());
        assert!(parse(&one("")).is_ok());
    }

    #[test]
    fn each_structural_fault_is_named() {
        let ok = one("");
        for cut in 5..ok.len() {
            refused(&ok[..cut]);
        }
        let mut trailing = ok.clone();
        trailing.push(0);
        assert!(refused(&trailing).contains("1 bytes follow"));
        assert!(refused(&document(&["03fc00000100"], "")).contains("unsigned transaction is missing"));
        let key = "0afc07616972".to_owned() + "6c6f636b0501aa";
        assert!(parse(&document(&[TX, &key], "0000")).is_ok());
        assert!(refused(&document(&[TX, &key, &key], "0000")).contains("stands twice"));
    }

    #[test]
    fn numbers_have_one_encoding() {
        assert!(refused(&one("fd0200f0aa00")).contains("shortest"));
    }

    #[test]
    fn fields_of_version_2_are_refused_in_version_0() {
        let out = |field: &str| document(&[TX], &format!("00{field}00"));
        for (bytes, field) in [
            (document(&[TX, "01020402000000"], "0000"), "PSBT_GLOBAL_TX_VERSION"),
            (document(&[TX, "01030400000000"], "0000"), "PSBT_GLOBAL_FALLBACK_LOCKTIME"),
            (document(&[TX, "01040101"], "0000"), "PSBT_GLOBAL_INPUT_COUNT"),
            (document(&[TX, "01050101"], "0000"), "PSBT_GLOBAL_OUTPUT_COUNT"),
            (document(&[TX, "01060101"], "0000"), "PSBT_GLOBAL_TX_MODIFIABLE"),
            (
                one("010e20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                "PSBT_IN_PREVIOUS_TXID",
            ),
            (one("010f0400000000"), "PSBT_IN_OUTPUT_INDEX"),
            (one("01100400000000"), "PSBT_IN_SEQUENCE"),
            (one("01110400000000"), "PSBT_IN_REQUIRED_TIME_LOCKTIME"),
            (one("01120400000000"), "PSBT_IN_REQUIRED_HEIGHT_LOCKTIME"),
            (out("0103080000000000000000"), "PSBT_OUT_AMOUNT"),
            (out("010400"), "PSBT_OUT_SCRIPT"),
        ] {
            assert!(Psbt::deserialize(&bytes).is_ok(), "{field}: the control is that bitcoin reads it");
            assert!(refused(&bytes).contains(field), "{field}");
        }
    }

    #[test]
    fn counts_and_sizes_are_capped() {
        let fields = |count: u32| {
            let fields: String = (0..count).map(|n| format!("0577{n:08x}00")).collect();
            parse(&one(&fields)).map(|_| ()).map_err(|error| error.code())
        };
        assert_eq!(fields(4_096), Ok(()));
        assert_eq!(fields(4_097), Err("C27".to_owned()));
        let transaction = |script: u32| {
            let script_len = script.swap_bytes();
            let bytes = "00".repeat(script as usize);
            let len = (script + 64).swap_bytes();
            let inner = "02000000".to_owned() + "01" + &"00".repeat(41) + "01" + &"00".repeat(8);
            let tx = format!("0100fe{len:08x}{inner}fe{script_len:08x}{bytes}00000000");
            parse(&document(&[&tx], "0000")).map(|_| ()).map_err(|error| error.code())
        };
        assert_eq!(transaction(1_000_000 - 64), Ok(()));
        assert_eq!(transaction(1_000_000 - 63), Err("C27".to_owned()));
        assert_eq!(unsigned_transaction(&[2, 0, 0, 0, 0xfe, 0xa1, 0x86, 1, 0]).unwrap_err().code(), "C27");
    }

    #[test]
    fn another_version_is_named() {
        let version = |n: &str| parse(&document(&[TX, &format!("01fb04{n}000000")], "0000"));
        assert!(version("00").is_ok());
        let two = version("02").unwrap_err();
        assert_eq!(
            (two.code().as_str(), two.to_string().as_str()),
            ("malformed", "PSBT version 2: not read yet")
        );
        assert!(version("01").unwrap_err().to_string().contains("version 1"));
    }

    #[test]
    fn a_signature_of_unknown_sighash_type_is_a_bad_signature() {
        let key = "220202".to_owned() + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let signature = "3006020101020101";
        let field = |byte: &str| one(&format!("{key}09{signature}{byte}"));
        assert_eq!(parse(&field("05")).unwrap_err().code(), "C14");
        assert!(parse(&field("01")).is_ok());
    }
}
