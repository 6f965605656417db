//! Counts, lengths and numbers that are out of bounds or do not fit each other.

use crate::Streams;
use crate::frames::{base36, bbqr, ur_part};
use crate::qr_data::noise;

pub fn huge_counts(streams: &mut Streams) {
    let data = [7; 10];
    for parts in [0, 4_097, 65_536, 1 << 31, u64::from(u32::MAX), 1 << 40, u64::MAX] {
        streams.fault(format!("UR of {parts} parts"), vec![ur_part(1, parts, 100, 1, &data)], "parts");
        let far = vec![ur_part(u64::from(u32::MAX), parts, 100, 1, &data)];
        streams.fault(format!("UR of {parts} parts, the last of all numbers"), far, "parts");
    }
    for number in [u64::from(u32::MAX) + 1, 1 << 40, u64::MAX] {
        streams.fault(format!("UR part {number}"), vec![ur_part(number, 10, 100, 1, &data)], "form");
    }
    streams.fault("UR part 0", vec![ur_part(0, 10, 100, 1, &data)], "number");
    for len in [0, 32 * 1024 * 1024 + 1, 1 << 32, 1 << 63, u64::MAX] {
        streams.fault(
            format!("UR message of {len} bytes"),
            vec![ur_part(1, 10, len, 1, &data)],
            "message length",
        );
    }
    for checksum in [1 << 32, u64::MAX] {
        streams.fault(format!("UR check sum {checksum}"), vec![ur_part(1, 10, 100, checksum, &data)], "form");
    }
    let misfits = [
        (10, 101),
        (10, 32 << 20),
        (10, 1),
        (10, 90),
        (1, 11),
        (2, 10),
        (4_096, 100),
        (4_096, 32 << 20),
        (11, 99),
    ];
    for (parts, len) in misfits {
        let frames = vec![ur_part(1, parts, len, 1, &data)];
        streams.fault(format!("UR of {parts} parts of 10 bytes for {len}"), frames, "fragments");
    }
    streams.fault("UR parts of no bytes", vec![ur_part(1, 10, 100, 1, &[])], "fragments");
    for number in [1, 4_096, 4_097, u64::from(u32::MAX)] {
        let frames = vec![ur_part(number, 4_096, 4_096 * 900, 1, &noise(900, 1))];
        streams.waits(format!("UR part {number} of the most there may be"), frames);
    }
    for parts in [0, 4_097, 65_536, 999_999] {
        streams.fault(format!("Specter of {parts} parts"), vec![format!("p1of{parts} cHNi")], "parts");
    }
    for number in [0, 3, 4_096, 999_999] {
        streams.fault(format!("Specter part {number} of 2"), vec![format!("p{number}of2 cHNi")], "number");
    }
    for parts in ["1000000", "18446744073709551616", "00000000000001"] {
        streams.fault(format!("Specter of {parts} parts"), vec![format!("p1of{parts} cHNi")], "foreign");
    }
    streams.fault("BBQr of no parts", vec![bbqr('H', 'P', "0000", &data)], "parts");
    for (parts, number) in [(1, 1), (1, 1_295), (2, 2), (35, 36), (1_294, 1_294), (1_295, 1_295)] {
        let counts = format!("{}{}", base36(parts), base36(number));
        streams.fault(
            format!("BBQr part {number} of {parts}"),
            vec![bbqr('2', 'P', &counts, &data)],
            "number",
        );
    }
    streams.waits("BBQr of the most parts there may be", vec![bbqr('2', 'P', "ZZZY", &data)]);
}
