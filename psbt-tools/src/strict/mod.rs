//! Strict BIP174 and BIP370 (check C21): a small scanner walks the key-value maps and refuses whatever the BIPs forbid,
//! before the `bitcoin` crate reads the same fields. That crate alone lets fields of the other version, trailing bytes
//! and other oddities through, and reads some values that it writes in another way.

pub(crate) mod cursor;
pub(crate) mod fields;
pub(crate) mod tree;

use crate::document::MAGIC;
use crate::form::{Form, Trees, shape};
use crate::{Error, field};
use bitcoin::Psbt;
use bitcoin::psbt;
use cursor::Cursor;
use fields::{Map, Version};
use policies::check::Check;
use policies::spend::{MAX_ITEMS, MAX_WEIGHT};
use std::collections::BTreeSet;

/// Most key-value pairs in one map (check C27): the largest honest inputs have some dozens.
const MAX_PAIRS: usize = 4_096;

/// Most key-value pairs in all maps (check C27): the inputs of a full block have some 40 each.
const MAX_ALL_PAIRS: usize = 1_000_000;

/// A key with its type byte, and its value.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// All maps of a file in their order, borrowed from it.
pub(crate) struct Scan<'a> {
    pub(crate) version: Version,
    pub(crate) global: Vec<Pair<'a>>,
    pub(crate) inputs: Vec<Vec<Pair<'a>>>,
    pub(crate) outputs: Vec<Vec<Pair<'a>>>,
}

/// Reads a binary PSBT of version 0 or 2. What `bitcoin` has no place for is left out: [`read`] keeps it.
///
/// # Errors
/// Check C21 says what breaks BIP174, BIP370, BIP371 or BIP373; check C27 what is too large; [`Error::Malformed`] names
/// another version.
pub fn parse(bytes: &[u8]) -> Result<Psbt, Error> {
    read(bytes).map(|(psbt, _)| psbt)
}

/// The same, with the version it is of and what only that version says. [`Form::serialize`] writes both again.
///
/// # Errors
/// Those of [`parse`].
pub fn read(bytes: &[u8]) -> Result<(Psbt, Form), Error> {
    let scanned = scan(bytes)?;
    let (psbt, trees, version_2) = match scanned.version {
        Version::Zero => {
            let (psbt, trees) = deserialize(bytes, &scanned)?;
            (psbt, trees, None)
        }
        Version::Two => {
            let (shape, kept) = shape::version_0(&scanned)?;
            let (psbt, trees) = deserialize(&shape, &scan(&shape)?)?;
            (psbt, trees, Some(kept))
        }
    };
    Ok((psbt, Form { version_2, trees }))
}

/// The value of a key that is its type alone.
pub(crate) fn value<'a>(pairs: &[Pair<'a>], kind: u8) -> Option<&'a [u8]> {
    pairs.iter().find(|(key, _)| *key == [kind]).map(|(_, value)| *value)
}

/// Walks all maps.
///
/// # Errors
/// Those of [`parse`] that need no value to be understood.
pub(crate) fn scan(bytes: &[u8]) -> Result<Scan<'_>, Error> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take("magic", MAGIC.len())? != MAGIC {
        return Err(Error::malformed("this is no PSBT", "give a .psbt file"));
    }
    let mut left = MAX_ALL_PAIRS;
    let global = map(&mut cursor, "global map", &mut left)?;
    let version = version(&global)?;
    check(version, Map::Global, "global map", &global)?;
    let (input_count, output_count) = counts(version, &global)?;
    let mut maps = |kind: Map, noun: &str, count: u64| {
        let one = |at: u64| {
            let place = format!("{noun} {at}");
            let pairs = map(&mut cursor, &place, &mut left)?;
            check(version, kind, &place, &pairs)?;
            Ok(pairs)
        };
        (0..count).map(one).collect::<Result<Vec<_>, Error>>()
    };
    let inputs = maps(Map::Input, "input", input_count)?;
    let outputs = maps(Map::Output, "output", output_count)?;
    match cursor.remaining() {
        0 => Ok(Scan { version, global, inputs, outputs }),
        left => Err(Error::broken(format!(
            "{left} bytes follow the last of the maps for {input_count} inputs and {output_count} outputs"
        ))),
    }
}

fn check(version: Version, kind: Map, place: &str, pairs: &[Pair<'_>]) -> Result<(), Error> {
    pairs.iter().try_for_each(|(key, value)| {
        fields::check(version, kind, key, value).map_err(|reason| wrong(place, &reason))
    })
}

/// How many inputs and outputs the maps are for; nothing is allocated for them before.
fn counts(version: Version, global: &[Pair<'_>]) -> Result<(u64, u64), Error> {
    if version == Version::Zero {
        let transaction = value(global, fields::GLOBAL_UNSIGNED_TX);
        return unsigned_transaction(
            transaction.ok_or_else(|| Error::broken("the unsigned transaction is missing"))?,
        );
    }
    let count = |kind: u8, what: &str| {
        let name = fields::name(Map::Global, kind).unwrap_or_default();
        let mut cursor = Cursor::new(required("global map", Map::Global, global, kind)?);
        let count = cursor.count(name)?;
        bounded(what, count)?;
        match cursor.remaining() {
            0 => Ok(count),
            left => Err(wrong("global map", &format!("{name}: {left} bytes follow the number"))),
        }
    };
    Ok((count(fields::GLOBAL_INPUT_COUNT, "inputs")?, count(fields::GLOBAL_OUTPUT_COUNT, "outputs")?))
}

/// The value of a field that must be there.
pub(crate) fn required<'a>(place: &str, map: Map, pairs: &[Pair<'a>], kind: u8) -> Result<&'a [u8], Error> {
    value(pairs, kind).ok_or_else(|| {
        let name = fields::name(map, kind).unwrap_or_default();
        wrong(place, &format!("{name} is missing, and version 2 requires it"))
    })
}

/// What `bitcoin` makes of a scanned PSBT of version 0, when it would write every field as it stands there. Taproot
/// trees that it would write in another order are given beside it.
fn deserialize(bytes: &[u8], scanned: &Scan<'_>) -> Result<(Psbt, Trees), Error> {
    let psbt = Psbt::deserialize(bytes).map_err(|error| refusal(&error))?;
    let mut trees = Trees::new();
    let written = psbt.serialize();
    if written == bytes {
        return Ok((psbt, trees));
    }
    let again = scan(&written)?;
    same(Map::Global, || "global map".to_owned(), &scanned.global, &again.global, None)?;
    for (at, (read, written)) in scanned.inputs.iter().zip(&again.inputs).enumerate() {
        same(Map::Input, || format!("input {at}"), read, written, None)?;
    }
    for (at, (read, written)) in scanned.outputs.iter().zip(&again.outputs).enumerate() {
        let tree = |pairs| value(pairs, fields::OUT_TAP_TREE);
        let other_order = tree(read).zip(tree(written)).filter(|(one, other)| one != other);
        let kept = other_order.filter(|(one, other)| tree::is_same(one, other)).map(|(one, _)| one);
        trees.extend(kept.map(|tree| (at, tree.to_vec())));
        same(Map::Output, || format!("output {at}"), read, written, kept.map(|_| fields::OUT_TAP_TREE))?;
    }
    Ok((psbt, trees))
}

/// Every field of a map stands in another with the same value, but for one that is kept beside it, and for the version,
/// which need not be written when it is zero.
fn same(
    kind: Map,
    place: impl Fn() -> String,
    read: &[Pair<'_>],
    written: &[Pair<'_>],
    kept: Option<u8>,
) -> Result<(), Error> {
    let written: BTreeSet<_> = written.iter().collect();
    let unwritten = if kind == Map::Global { Some(fields::GLOBAL_VERSION) } else { kept };
    let stands = |key: &[u8]| unwritten.is_none_or(|kind| key != [kind]);
    let lost = read.iter().filter(|(key, _)| stands(key)).find(|pair| !written.contains(pair));
    match lost {
        None => Ok(()),
        Some((key, _)) => {
            let name = field::name(kind, key);
            Err(wrong(&place(), &format!("{name}: its value is not in the one form that it has")))
        }
    }
}

/// One map up to its separator: keys with their type byte, and values; so many pairs are left for all maps.
fn map<'a>(cursor: &mut Cursor<'a>, place: &str, left: &mut usize) -> Result<Vec<Pair<'a>>, Error> {
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
        let Some(fewer) = left.checked_sub(1) else {
            return Err(Error::refused(
                Check::BOUNDS,
                format!("{place}: more than {MAX_ALL_PAIRS} fields in all"),
            ));
        };
        *left = fewer;
        pairs.push((key, value));
    }
}

/// The version that the file says it is of (BIP174, `PSBT_GLOBAL_VERSION`); without the field it is zero.
fn version(global: &[Pair<'_>]) -> Result<Version, Error> {
    let Some(value) = value(global, fields::GLOBAL_VERSION) else { return Ok(Version::Zero) };
    let number = fields::little_endian(value)
        .ok_or_else(|| wrong("global map", &format!("the version has {} bytes, expected 4", value.len())))?;
    match number {
        0 => Ok(Version::Zero),
        2 => Ok(Version::Two),
        other => Err(Error::malformed(
            format!("PSBT version {other}: no such version is known"),
            "let the program that made it write version 0 (BIP174) or 2 (BIP370)",
        )),
    }
}

/// Walks the unsigned transaction without keeping it: how many inputs and outputs it has.
fn unsigned_transaction(bytes: &[u8]) -> Result<(u64, u64), Error> {
    let place = "unsigned transaction";
    bounded_transaction(bytes.len())?;
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

/// Check C27 for a transaction larger than a block allows.
pub(crate) fn bounded_transaction(len: usize) -> Result<(), Error> {
    let bound = usize::try_from(MAX_WEIGHT.to_vbytes_floor()).unwrap_or(usize::MAX);
    if len <= bound {
        return Ok(());
    }
    Err(Error::refused(
        Check::BOUNDS,
        format!("the unsigned transaction has {len} bytes, more than a block's {bound}"),
    ))
}

fn bounded(what: &str, count: u64) -> Result<(), Error> {
    if usize::try_from(count).is_ok_and(|count| count <= MAX_ITEMS) {
        return Ok(());
    }
    Err(Error::refused(Check::BOUNDS, format!("{count} {what}, at most {MAX_ITEMS} are read")))
}

pub(crate) fn wrong(place: &str, reason: &str) -> Error {
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
    fn all_maps_together_are_capped() {
        let bytes = [1, 0x77, 0, 1, 0x78, 0, 0];
        let read = |mut left: usize| map(&mut Cursor::new(&bytes), "input 0", &mut left).map(|_| left);
        assert_eq!(read(3).unwrap(), 1);
        assert_eq!(read(2).unwrap(), 0);
        assert_eq!(read(1).unwrap_err().code(), "C27");
    }

    #[test]
    fn another_version_is_named() {
        let version = |n: &str| parse(&document(&[TX, &format!("01fb04{n}000000")], "0000"));
        assert!(version("00").is_ok());
        assert!(
            version("02")
                .unwrap_err()
                .to_string()
                .contains("PSBT_GLOBAL_UNSIGNED_TX belongs to PSBT version 0")
        );
        for number in ["01", "03"] {
            let error = version(number).unwrap_err();
            assert_eq!(error.code(), "malformed");
            assert!(error.to_string().contains("no such version"), "{error}");
        }
    }

    #[test]
    fn values_that_bitcoin_would_write_in_another_way_are_refused() {
        // BIP341: the default type has no byte.
        let signature = |byte: &str| one(&format!("011341{}{byte}", "01".repeat(64)));
        assert!(parse(&signature("01")).is_ok());
        assert!(Psbt::deserialize(&signature("00")).is_ok(), "the control is that bitcoin reads it");
        assert!(refused(&signature("00")).contains("taproot signature: its value is not in the one form"));
        // Two bytes behind the last step of a path.
        let key = "2116".to_owned() + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        assert!(parse(&one(&format!("{key}09000102030400000080"))).is_ok());
        refused(&one(&format!("{key}0b0001020304000000800000")));
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
