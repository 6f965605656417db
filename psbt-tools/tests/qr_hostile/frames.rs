//! Frames that no honest encoder makes.

use data_encoding::{BASE32_NOPAD, HEXUPPER};

/// A CBOR head at its shortest.
pub fn head(major: u8, value: u64) -> Vec<u8> {
    let major = major << 5;
    match value {
        0..=23 => vec![major | value as u8],
        24..=0xff => vec![major | 24, value as u8],
        0x100..=0xffff => [&[major | 25][..], &(value as u16).to_be_bytes()].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26][..], &(value as u32).to_be_bytes()].concat(),
        _ => [&[major | 27][..], &value.to_be_bytes()].concat(),
    }
}

pub fn part(number: u64, parts: u64, message_len: u64, checksum: u64, data: &[u8]) -> Vec<u8> {
    let numbers = [number, parts, message_len, checksum].map(|number| head(0, number)).concat();
    [head(4, 5), numbers, head(2, data.len() as u64), data.to_vec()].concat()
}

pub fn ur_body(path: &str, body: &[u8]) -> String {
    format!("ur:{path}/{}", ur::bytewords::encode(body, ur::bytewords::Style::Minimal))
}

pub fn ur_part(number: u64, parts: u64, message_len: u64, checksum: u64, data: &[u8]) -> String {
    ur_body(&format!("bytes/{number}-{parts}"), &part(number, parts, message_len, checksum, data))
}

pub fn bbqr(encoding: char, ty: char, counts: &str, bytes: &[u8]) -> String {
    let body = if encoding == 'H' { HEXUPPER.encode(bytes) } else { BASE32_NOPAD.encode(bytes) };
    format!("B${encoding}{ty}{counts}{body}")
}

pub fn base36(number: usize) -> String {
    let digit = |digit: usize| char::from_digit(digit as u32, 36).unwrap().to_ascii_uppercase();
    format!("{}{}", digit(number / 36), digit(number % 36))
}

/// All frames of bytes in parts of a length.
pub fn bbqr_parts(encoding: char, ty: char, bytes: &[u8], each: usize) -> Vec<String> {
    let total = bytes.len().div_ceil(each);
    let numbered = bytes.chunks(each).enumerate();
    numbered
        .map(|(at, bytes)| bbqr(encoding, ty, &format!("{}{}", base36(total), base36(at)), bytes))
        .collect()
}

/// Stored (not compressed) deflate blocks, which no mixing breaks.
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.chunks(1_000).enumerate().map(|(at, block)| {
        let len = block.len() as u16;
        let last = u8::from((at + 1) * 1_000 >= bytes.len());
        [&[last][..], &len.to_le_bytes(), &(!len).to_le_bytes(), block].concat()
    });
    blocks.collect::<Vec<_>>().concat()
}
