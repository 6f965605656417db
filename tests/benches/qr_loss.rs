//! How many frames must be displayed for each part of a payload, when some are lost: this joiner beside the `ur` crate.
//!
//! `cargo bench -p airlock-tests --bench qr_loss [-- RUNS]` prints a table of the mean (and the worst of twenty) of displayed
//! frames ÷ parts. "First" sees the display from its first frame on; "late" comes at a random frame of the sums.

use psbt_tools::qr::{Format, Frames, Kind, Scan, Taken, Version};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }
}

/// A payload of that many parts in codes of version 10.
fn shown(format: Format, parts: usize, seed: u64) -> Frames {
    let version = Version::new(10).unwrap();
    let mut random = Random(seed);
    let mut bytes = Vec::new();
    loop {
        bytes.extend((0..40).map(|_| random.next() as u8));
        let frames = Frames::new(format, Kind::Bytes, &bytes, version).unwrap();
        if frames.parts() == parts {
            return frames;
        }
    }
}

/// Displays frames from `first` until `take` says that it has all; how many were displayed.
fn displayed(
    frames: &Frames,
    first: u64,
    loss: u64,
    random: &mut Random,
    mut take: impl FnMut(&str) -> bool,
) -> f64 {
    for number in first.. {
        if random.next() % 100 >= loss && take(&frames.frame(number)) {
            return (number - first + 1) as f64;
        }
    }
    0.0
}

fn main() {
    let runs: u64 = std::env::args().nth(1).and_then(|runs| runs.parse().ok()).unwrap_or(40);
    println!("parts  loss  joins   ours         ur crate     BBQr (ours, to confirmed)");
    for parts in [32, 100, 300] {
        let (ur, bbqr) = (shown(Format::Ur, parts, 1), shown(Format::Bbqr, parts, 1));
        for loss in [0, 10, 30, 50] {
            for late in [false, true] {
                let mut figures: [Vec<f64>; 3] = Default::default();
                for run in 0..runs {
                    let mut random = Random(run + 1);
                    let first = if late { parts as u64 + random.next() % 5_000 } else { 0 };
                    let of = |frames| frames / parts as f64;
                    let mut scan = Scan::new();
                    let ours = |text: &str| matches!(scan.take(text), Taken::Joined(_));
                    figures[0].push(of(displayed(&ur, first, loss, &mut Random(run + 9), ours)));
                    let mut decoder = ur::Decoder::default();
                    let theirs = |text: &str| {
                        decoder.receive(&text.to_lowercase()).unwrap();
                        decoder.complete()
                    };
                    figures[1].push(of(displayed(&ur, first, loss, &mut Random(run + 9), theirs)));
                    let mut scan = Scan::new();
                    let ours = |text: &str| matches!(scan.take(text), Taken::Joined(_));
                    figures[2].push(of(displayed(&bbqr, first, loss, &mut Random(run + 9), ours)));
                }
                let figure = |values: &mut Vec<f64>| {
                    values.sort_by(f64::total_cmp);
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    format!("{mean:.2} ({:.2})", values[values.len() * 19 / 20])
                };
                let [ours, theirs, bbqr] = &mut figures;
                let joins = if late { "late " } else { "first" };
                println!(
                    "{parts:5}  {loss:3}%  {joins}   {}  {}  {}",
                    figure(ours),
                    figure(theirs),
                    figure(bbqr)
                );
            }
        }
    }
}
