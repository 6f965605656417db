//! Frames of several payloads, and lies among honest frames.

use crate::frames::{bbqr, bbqr_parts, head, stored, ur_part};
use crate::qr_data::{Random, noise, psbt};
use crate::{End, Streams};
use data_encoding::BASE64;
use psbt_tools::qr::{Format, Frames, Kind, Version};

pub fn two_payloads(streams: &mut Streams) {
    for seed in 0..10 {
        let (a, b) = (psbt(1_500 + 5 * seed, 1), psbt(1_500 + 5 * seed, 2 + seed as u64));
        for encoding in ['H', '2'] {
            let (a, b) = (bbqr_parts(encoding, 'P', &a, 200), bbqr_parts(encoding, 'P', &b, 200));
            let interleaved: Vec<String> =
                a.iter().zip(&b).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
            streams.fault(
                format!("two BBQr {encoding} frame by frame, {seed}"),
                interleaved,
                "contradiction",
            );
            let mut random = Random(seed as u64);
            let mixed = (0..200).map(|_| [&a, &b][random.below(2)][random.below(a.len())].clone()).collect();
            streams.fault(format!("two BBQr {encoding} at random, {seed}"), mixed, "contradiction");
            let switched = a[..4].iter().chain(&b[4..]).chain(&b).cloned().collect();
            streams.fault(
                format!("a BBQr {encoding} after half of another, {seed}"),
                switched,
                "contradiction",
            );
        }
        let (a, b) = (stored(&a), stored(&b));
        let (a, b) = (bbqr_parts('Z', 'P', &a, 200), bbqr_parts('Z', 'P', &b, 200));
        let aliased =
            (0..).map(|at: usize| [&a, &b][at % 2][at % a.len()].clone()).take(a.len() * 4).collect();
        // With an odd count of parts every part comes from both; with an even one no contradiction is ever seen.
        if a.len() % 2 == 1 {
            streams.fault(format!("two BBQr Z in turns, {seed}"), aliased, "contradiction");
        }
    }
    for (what, first, second) in [
        ("a longer part", bbqr('H', 'B', "0300", &[1; 5]), bbqr('H', 'B', "0301", &[1; 6])),
        ("a shorter part", bbqr('H', 'B', "0300", &[1; 5]), bbqr('H', 'B', "0301", &[1; 4])),
        ("a longer part before", bbqr('H', 'B', "0301", &[1; 9]), bbqr('H', 'B', "0300", &[1; 5])),
    ] {
        streams.fault(format!("BBQr with {what}"), vec![first, second], "unequal parts");
    }
    let whole = bbqr_parts('H', 'B', &noise(50, 1), 10);
    for (what, other) in [
        ("another count", bbqr('H', 'B', "0604", &[1; 10])),
        ("another encoding", bbqr('2', 'B', "0504", &[1; 10])),
        ("another type", bbqr('H', 'U', "0504", &[1; 10])),
    ] {
        let frames = [&whole[..4], &[other]].concat();
        streams.waits(format!("BBQr with {what} in its last part"), frames);
    }
    for seed in 0..8 {
        let pieces = |seed| BASE64.encode(&psbt(600, seed));
        let (a, b) = (pieces(1), pieces(20 + seed));
        let frames = |text: &str| -> Vec<String> {
            let total = text.len().div_ceil(80);
            let pieces = text.as_bytes().chunks(80).enumerate();
            pieces
                .map(|(at, piece)| format!("p{}of{total} {}", at + 1, std::str::from_utf8(piece).unwrap()))
                .collect()
        };
        let mixed = frames(&a).into_iter().zip(frames(&b)).flat_map(|(a, b)| [a, b]).collect();
        streams.fault(format!("two Specter payloads, {seed}"), mixed, "contradiction");
    }
}

pub fn liars_among_ur(streams: &mut Streams) {
    for seed in 0..10 {
        let bytes = noise(2_000, seed);
        let message = [head(2, 2_000), bytes].concat();
        let checksum = u64::from(crc32fast::hash(&message));
        let fragment = |at: usize| {
            let mut data = message.iter().skip(at * 201).take(201).copied().collect::<Vec<u8>>();
            data.resize(201, 0);
            data
        };
        let honest = |at: usize| ur_part(at as u64 + 1, 10, message.len() as u64, checksum, &fragment(at));
        let lie =
            |at: usize| ur_part(at as u64 + 1, 10, message.len() as u64, checksum, &noise(201, seed + 99));
        let at = seed as usize;
        let with_lie = (0..10).map(|part| if part == at { lie(part) } else { honest(part) }).collect();
        streams.fault(format!("UR with part {at} of another message"), with_lie, "checksum");
        let both = (0..9).map(honest).chain([lie(at % 9)]).collect();
        streams.fault(format!("UR with part {} twice and different", at % 9), both, "contradiction");
        let other_sum =
            (0..10).map(|at| ur_part(at as u64 + 1, 10, message.len() as u64, checksum ^ 1, &fragment(at)));
        streams.fault(format!("UR with a wrong check sum, {seed}"), other_sum.collect(), "checksum");
        let others = (0..10).map(|at| match at {
            3 => ur_part(4, 10, message.len() as u64, checksum ^ 8, &fragment(at)),
            _ => honest(at),
        });
        streams.waits(format!("UR with another check sum in one part, {seed}"), others.collect());
        let shorter = (0..10).map(|at| match at {
            5 => ur_part(6, 10, message.len() as u64 - 1, checksum, &fragment(at)),
            _ => honest(at),
        });
        streams.waits(format!("UR with another length in one part, {seed}"), shorter.collect());
        let poisoned = [lie(2)].into_iter().chain((0..10).map(honest)).chain((0..10).map(honest)).collect();
        streams.0.push((format!("UR that goes on after a lie, {seed}"), poisoned, End::Payload(2_000)));
    }
    let floods = (0..200).map(|seed| shown(Format::Ur, &noise(2_000, seed)).frame(seed)).collect();
    streams.waits("the first frames of 200 payloads", floods);
    let same = shown(Format::Ur, &noise(2_000, 1)).frame(0);
    streams.waits("one frame a thousand times", vec![same; 1_000]);
}

fn shown(format: Format, bytes: &[u8]) -> Frames {
    Frames::new(format, Kind::Bytes, bytes, Version::new(10).unwrap()).unwrap()
}
