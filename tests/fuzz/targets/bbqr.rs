//! BBQr: texts as they come, and frames with a right header, whose contents are then base32, hex or deflated.
#![no_main]

mod taken;

use data_encoding::{BASE32_NOPAD, HEXUPPER};
use libfuzzer_sys::fuzz_target;
use taken::{Chunks, taken};

const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Vec::new();
    for (kind, body) in Chunks(bytes) {
        let Some((&[ty, parts, number], body)) = body.split_first_chunk::<3>() else {
            frames.push(String::from_utf8_lossy(body).into_owned());
            continue;
        };
        if kind == 0 {
            frames.push(format!("B${}", String::from_utf8_lossy(body)));
            continue;
        }
        let encoding = char::from(b"H2Z"[usize::from(kind) % 3]);
        let ty = char::from(b"PTJUBCX"[usize::from(ty) % 7]);
        let text = if encoding == 'H' { HEXUPPER.encode(body) } else { BASE32_NOPAD.encode(body) };
        let (parts, number) = (base36(parts % 64), base36(number % 64));
        frames.push(format!("B${encoding}{ty}{parts}{number}{text}"));
    }
    taken(&frames);
});

fn base36(number: u8) -> String {
    [number / 36, number % 36].map(|digit| char::from(DIGITS[usize::from(digit)])).iter().collect()
}
