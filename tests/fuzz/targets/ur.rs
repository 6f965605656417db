//! Uniform resources: texts as they come, and parts whose bytewords and check sums are right, so that what is inside is
//! reached.
#![no_main]

mod taken;

use libfuzzer_sys::fuzz_target;
use taken::{Chunks, taken};

const TYPES: [&str; 4] = ["bytes", "crypto-psbt", "psbt", "crypto-output"];

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Vec::new();
    for (kind, body) in Chunks(bytes) {
        let ty = TYPES[usize::from(kind) % TYPES.len()];
        frames.push(match kind {
            0..64 => String::from_utf8_lossy(body).into_owned(),
            64..128 => format!("ur:{ty}/{}", ur::bytewords::encode(body, ur::bytewords::Style::Minimal)),
            _ => part(ty, body, kind >= 192),
        });
    }
    taken(&frames);
});

/// A part: its number and the number of all, then its CBOR as it stands there or built of what stands there.
fn part(ty: &str, body: &[u8], is_built: bool) -> String {
    let Some((&[number, parts], body)) = body.split_first_chunk::<2>() else { return String::new() };
    let inside = match body.split_first_chunk::<6>() {
        // An array of five: number, parts, message length, CRC-32, fragment (BCR-2024-001).
        Some((head, fragment)) if is_built => {
            let mut inside = vec![0x85, 0x18, number, 0x18, parts, 0x19, head[0], head[1]];
            inside.extend([0x1a, head[2], head[3], head[4], head[5], 0x58]);
            inside.push(u8::try_from(fragment.len()).unwrap_or(u8::MAX));
            inside.extend(fragment);
            inside
        }
        _ => body.to_vec(),
    };
    let words = ur::bytewords::encode(&inside, ur::bytewords::Style::Minimal);
    format!("UR:{ty}/{number}-{parts}/{words}").to_uppercase()
}
