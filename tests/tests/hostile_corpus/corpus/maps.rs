//! The bytes of a PSBT as lists of keys and values, so that what no serialiser writes can be written.

use bitcoin::VarInt;
use bitcoin::consensus::{Decodable, Encodable};

/// A key with its type byte, and a value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// `psbt` and 0xff.
const MAGIC: &[u8] = b"psbt\xff";

/// Every map in order: the global one, then inputs, then outputs.
pub fn read(bytes: &[u8]) -> Vec<Vec<Pair>> {
    try_read(bytes).expect("a PSBT")
}

/// The same; `None` for bytes that are no whole maps.
pub fn try_read(bytes: &[u8]) -> Option<Vec<Vec<Pair>>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let mut maps = vec![vec![]];
    while !rest.is_empty() {
        let key = string(&mut rest)?;
        if key.is_empty() {
            maps.push(vec![]);
        } else {
            let value = string(&mut rest)?;
            maps.last_mut()?.push((key, value));
        }
    }
    maps.pop().filter(Vec::is_empty).map(|_| maps)
}

/// The bytes again.
pub fn write(maps: &[Vec<Pair>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for map in maps {
        for part in map.iter().flat_map(|(key, value)| [key, value]) {
            put(&mut bytes, part);
        }
        bytes.push(0);
    }
    bytes
}

/// A string behind its length.
pub fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    VarInt::from(part.len()).consensus_encode(bytes).expect("memory");
    bytes.extend(part);
}

fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let len = VarInt::consensus_decode(rest).ok()?;
    let (string, after) = rest.split_at_checked(usize::try_from(len.0).ok()?)?;
    *rest = after;
    Some(string.to_vec())
}

/// Edits the maps of a PSBT.
pub fn edit(bytes: &mut Vec<u8>, edit: impl FnOnce(&mut Vec<Vec<Pair>>)) {
    let mut maps = read(bytes);
    edit(&mut maps);
    *bytes = write(&maps);
}

/// Adds a field to a map.
pub fn add(bytes: &mut Vec<u8>, map: usize, key: &[u8], value: &[u8]) {
    edit(bytes, |maps| maps[map].push((key.to_vec(), value.to_vec())));
}

/// Takes a field away; it must be there.
pub fn remove(bytes: &mut Vec<u8>, map: usize, key: &[u8]) {
    edit(bytes, |maps| {
        let before = maps[map].len();
        maps[map].retain(|(found, _)| found != key);
        assert_eq!(maps[map].len() + 1, before, "the field {key:02x?}");
    });
}

/// Changes a field's value; it must be there.
pub fn change(bytes: &mut Vec<u8>, map: usize, key: &[u8], change: impl FnOnce(&mut Vec<u8>)) {
    edit(bytes, |maps| {
        let field = maps[map].iter_mut().find(|(found, _)| found == key);
        change(&mut field.unwrap_or_else(|| panic!("the field {key:02x?}")).1);
    });
}
