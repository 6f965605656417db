//! Specter's numbered parts, and the single codes of older devices: base43, base64, hex.
#![no_main]

mod taken;

use libfuzzer_sys::fuzz_target;
use taken::{Chunks, taken};

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Vec::new();
    for (kind, body) in Chunks(bytes) {
        let text = String::from_utf8_lossy(body);
        frames.push(match body.split_first_chunk::<2>() {
            Some((&[number, parts], body)) if kind > 64 => {
                let text = String::from_utf8_lossy(body);
                format!("p{}of{} {text}", number % 64, parts % 64)
            }
            _ => text.into_owned(),
        });
    }
    taken(&frames);
});
