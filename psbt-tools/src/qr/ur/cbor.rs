//! CBOR (RFC 8949), deterministic only: definite lengths, shortest numbers, nothing behind the end.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// Items within items.
const MAX_DEPTH: u8 = 16;

/// Why CBOR is not read.
pub(super) type Wrong = &'static str;

/// Reads one item that is all there is; `read` takes it from the decoder.
pub(super) fn whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, Wrong>,
) -> Result<T, Wrong> {
    let mut check = Decoder::new(bytes);
    deterministic(&mut check, MAX_DEPTH)?;
    if check.position() != bytes.len() {
        return Err("there are bytes behind its end");
    }
    read(&mut Decoder::new(bytes))
}

/// Walks over one item, whose every head must be as short as it can be.
fn deterministic(decoder: &mut Decoder<'_>, depth: u8) -> Result<(), Wrong> {
    let depth = depth.checked_sub(1).ok_or("its items are nested too deep")?;
    let start = decoder.position();
    let (head, items) = match decoder.datatype().map_err(|_| "it ends too early")? {
        Type::Bool => {
            let value = decoder.bool().map_err(|_| "a broken truth value")?;
            (encoded(|e| e.bool(value).is_ok()), 0)
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let value = decoder.u64().map_err(|_| "a broken number")?;
            (encoded(|e| e.u64(value).is_ok()), 0)
        }
        Type::Bytes => {
            let value = decoder.bytes().map_err(|_| "a broken byte string")?;
            (encoded(|e| e.bytes_len(len(value.len())).is_ok()), 0)
        }
        Type::String => {
            let value = decoder.str().map_err(|_| "a broken text")?;
            (encoded(|e| e.str_len(len(value.len())).is_ok()), 0)
        }
        Type::Array => {
            let items = decoder.array().ok().flatten().ok_or("a broken array")?;
            (encoded(|e| e.array(items).is_ok()), items)
        }
        Type::Map => {
            let items = decoder.map().ok().flatten().ok_or("a broken map")?;
            (encoded(|e| e.map(items).is_ok()), items.checked_mul(2).ok_or("a map that is too long")?)
        }
        Type::Tag => {
            let tag = decoder.tag().map_err(|_| "a broken tag")?;
            (encoded(|e| e.tag(tag).is_ok()), 1)
        }
        Type::Null
        | Type::Undefined
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int
        | Type::F16
        | Type::F32
        | Type::F64
        | Type::Simple
        | Type::BytesIndef
        | Type::StringIndef
        | Type::ArrayIndef
        | Type::MapIndef
        | Type::Break
        | Type::Unknown(_) => return Err("it has an item that is not read"),
    };
    let found = decoder.input().get(start..).unwrap_or_default();
    if !found.starts_with(&head) {
        return Err("a number or length in it is not written as short as can be");
    }
    // Every item takes a byte at least: the walk ends with the input whatever the count says.
    for _ in 0..items {
        deterministic(decoder, depth)?;
    }
    Ok(())
}

fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(9);
    write(&mut Encoder::new(&mut head));
    head
}

fn len(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A map from small numbers, in the order of its keys: `field` reads the value of each key, or says `false` when it
/// does not know the key, whose value is passed over then.
pub(super) fn map<'a>(
    decoder: &mut Decoder<'a>,
    mut field: impl FnMut(u64, &mut Decoder<'a>) -> Result<bool, Wrong>,
) -> Result<(), Wrong> {
    let count = decoder.map().ok().flatten().ok_or("there is no map where one belongs")?;
    let mut last = None;
    for _ in 0..count {
        let key = decoder.u64().map_err(|_| "a map has a key that is no number")?;
        if last.is_some_and(|last| last >= key) {
            return Err("a map's keys are not in their order");
        }
        last = Some(key);
        if !field(key, decoder)? {
            decoder.skip().map_err(|_| "it ends too early")?;
        }
    }
    Ok(())
}

/// The item behind one of these tags.
pub(super) fn tag(decoder: &mut Decoder<'_>) -> Result<u64, Wrong> {
    decoder.tag().map(|tag| tag.as_u64()).map_err(|_| "a tag is missing")
}

/// A number that fits.
pub(super) fn number<T: TryFrom<u64>>(decoder: &mut Decoder<'_>) -> Result<T, Wrong> {
    let number = decoder.u64().map_err(|_| "there is no number where one belongs")?;
    T::try_from(number).map_err(|_| "a number is too large")
}

/// Bytes of a known length.
pub(super) fn bytes<const N: usize>(decoder: &mut Decoder<'_>) -> Result<[u8; N], Wrong> {
    let bytes = decoder.bytes().map_err(|_| "there are no bytes where some belong")?;
    bytes.try_into().map_err(|_| "bytes of a wrong length")
}

/// How many items follow in an array.
pub(super) fn array(decoder: &mut Decoder<'_>) -> Result<u64, Wrong> {
    decoder.array().ok().flatten().ok_or("there is no array where one belongs")
}

/// The bytes as a byte string.
pub(super) fn byte_string(bytes: &[u8]) -> Vec<u8> {
    let mut cbor = Vec::with_capacity(bytes.len().saturating_add(9));
    // Writing into memory does not fail.
    let _ = Encoder::new(&mut cbor).bytes(bytes);
    cbor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cbor: &[u8]) -> Result<(), Wrong> {
        whole(cbor, |_| Ok(()))
    }

    #[test]
    fn only_deterministic_items_are_read() {
        for good in
            [&[0x00][..], &[0x18, 24], &[0x41, 7], &[0x82, 1, 0xf5], &[0xa1, 1, 0x61, b'a'], &[0xc1, 0]]
        {
            assert_eq!(read(good), Ok(()), "{good:?}");
        }
        let bad: [&[u8]; 14] = [
            &[],
            &[0x18, 23],
            &[0x19, 0, 255],
            &[0x58, 1, 7],
            &[0x5f, 0x41, 7, 0xff],
            &[0x9f, 0xff],
            &[0x98, 1, 0],
            &[0xd8, 1, 0],
            &[0x00, 0x00],
            &[0x42, 7],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x81; 40],
            &[0xf9, 0, 0],
        ];
        for bad in bad {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
