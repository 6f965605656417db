//! Compressed bytes that are small, and large when they are inflated.

use zlib_rs::{Deflate, DeflateFlush, Status};

fn deflated(bytes: &[u8], has_header: bool, window_bits: u8) -> Vec<u8> {
    let mut into = vec![0; bytes.len() / 100 + 1_000];
    let mut stream = Deflate::new(9, has_header, window_bits);
    let status = stream.compress(bytes, &mut into, DeflateFlush::Finish).unwrap();
    assert_eq!(status, Status::StreamEnd);
    into.truncate(stream.total_out() as usize);
    into
}

/// With zlib's header, as PNG has it.
pub fn stored(bytes: &[u8]) -> Vec<u8> {
    deflated(bytes, true, 15)
}

pub fn bomb(len: usize) -> Vec<u8> {
    deflated(&vec![0; len], true, 15)
}

/// Without a header, as BBQr has it.
pub fn raw_bomb(len: usize) -> Vec<u8> {
    deflated(&vec![0; len], false, 10)
}
