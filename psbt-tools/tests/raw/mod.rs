//! PSBTs as maps of bytes, without the crate that is tested.
#![allow(dead_code, reason = "each test program uses its part")]

use bitcoin::VarInt;
use bitcoin::consensus::{Decodable, serialize};
use std::collections::BTreeMap;

/// One map: keys with their type byte, and values.
pub type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

/// The maps of a PSBT that is well formed, in their order.
pub fn maps(bytes: &[u8]) -> Vec<Fields> {
    let mut rest = bytes.strip_prefix(b"psbt\xff").unwrap();
    let mut maps = vec![Fields::new()];
    loop {
        let key = string(&mut rest);
        match (key.is_empty(), rest.is_empty()) {
            (true, true) => return maps,
            (true, false) => maps.push(Fields::new()),
            (false, _) => {
                let value = string(&mut rest);
                assert!(maps.last_mut().unwrap().insert(key, value).is_none());
            }
        }
    }
}

/// The PSBT of these maps.
pub fn file(maps: &[Fields]) -> Vec<u8> {
    let mut bytes = b"psbt\xff".to_vec();
    for fields in maps {
        for (key, value) in fields {
            bytes.extend(serialize(key));
            bytes.extend(serialize(value));
        }
        bytes.push(0);
    }
    bytes
}

fn string(rest: &mut &[u8]) -> Vec<u8> {
    let len = VarInt::consensus_decode(rest).unwrap().0 as usize;
    let (string, after) = rest.split_at(len);
    *rest = after;
    string.to_vec()
}
