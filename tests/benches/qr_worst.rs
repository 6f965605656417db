//! The most work that a stream of frames makes: 4,096 parts of the largest codes, sums only.
//!
//! `cargo bench -p airlock-tests --bench qr_worst` prints the time of all frames, of the slowest one, and of an inflated bomb.

use psbt_tools::qr::{Format, Frames, Kind, Scan, Taken, Version};
use std::time::{Duration, Instant};

fn main() {
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let bytes: Vec<u8> = (0..8_400_000).map(|_| byte()).collect();
    let frames = Frames::new(Format::Ur, Kind::Bytes, &bytes, Version::new(40).unwrap()).unwrap();
    let (mut scan, mut all, mut slowest, mut taken) = (Scan::new(), Duration::ZERO, Duration::ZERO, 0);
    // In the second round there are only sums.
    for number in frames.parts() as u64..2 * frames.parts() as u64 {
        let text = frames.frame(number);
        let begun = Instant::now();
        let whole = matches!(scan.take(&text), Taken::Joined(_));
        let time = begun.elapsed();
        (all, slowest, taken) = (all + time, slowest.max(time), taken + 1);
        if whole {
            break;
        }
    }
    println!("{} parts: {taken} frames in {all:.1?}, the slowest in {slowest:.1?}", frames.parts());
    println!("rank {:?}", scan.progress().streams.first().map(|stream| (stream.rank, stream.parts)));
}
