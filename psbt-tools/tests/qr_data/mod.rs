//! Payloads and scans that the tests share.
// Each test file takes what it needs.
#![allow(dead_code)]

use psbt_tools::qr::{Fault, Payload, Scan, Taken};

/// Reproducible bytes that nothing compresses.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    (0..len).map(|_| random.next() as u8).collect()
}

/// A PSBT by its first bytes, half of it compressible.
pub fn psbt(len: usize, seed: u64) -> Vec<u8> {
    let body = noise(len, seed).into_iter().enumerate().map(|(at, byte)| if at % 64 < 32 { byte } else { 7 });
    b"psbt\xff".iter().copied().chain(body).take(len).collect()
}

/// A small generator of numbers (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

/// Takes all frames; the payload that one of them completes, or what is there without a check sum at their end.
pub fn join<T: AsRef<str>>(frames: impl IntoIterator<Item = T>) -> Result<Payload, Option<Fault>> {
    let mut scan = Scan::new();
    for frame in frames {
        match scan.take(frame.as_ref()) {
            Taken::Joined(payload) => return Ok(payload),
            Taken::Broken(fault) => return Err(Some(fault)),
            Taken::New | Taken::Nothing | Taken::Ignored(_) => {}
        }
    }
    scan.unconfirmed().unwrap_or(Err(Fault::Foreign)).map_err(|fault| match fault {
        Fault::Foreign => None,
        other => Some(other),
    })
}
