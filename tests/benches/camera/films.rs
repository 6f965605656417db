//! End to end: a payload shown, seen by a camera and joined, in simulated time.

use airlock_tests::film::{Ending, Film, taken};
use psbt_tools::simulation::Conditions;

/// A 20 KB PSBT in ten films each, then an answer of 10,000 signatures.
pub fn print() {
    println!("15 codes a second, 30 pictures a second of 720p, half of the first exposures torn:");
    println!("film                             parts   pictures   simulated seconds: mean, worst");
    for (name, conditions) in [("easy", Conditions::easy()), ("hand-held", Conditions::hand_held())] {
        for version in [20, 27, 40] {
            for (joins, first) in [("first", 0), ("late", 1_000)] {
                let film = |seed| Film {
                    bytes: 20_480,
                    version,
                    conditions,
                    size: (1_280, 720),
                    // A camera that joins late comes anywhere among the sums.
                    first: if first == 0 { 0 } else { first + seed * 37 },
                    seed,
                };
                let endings: Vec<Ending> = (0..10).map(|seed| taken(&film(seed))).collect();
                line(&format!("20 KB {name} v{version} joins {joins}"), &endings);
            }
        }
    }
    for version in [20, 27, 40] {
        let conditions = Conditions::hand_held();
        // 64 bytes a signature.
        let film = Film { bytes: 640_000, version, conditions, size: (1_280, 720), first: 0, seed: 1 };
        line(&format!("10,000 signatures hand-held v{version}"), &[taken(&film)]);
    }
}

fn line(label: &str, endings: &[Ending]) {
    let seconds: Vec<f64> = endings.iter().map(|ending| ending.time.as_secs_f64()).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let worst = seconds.iter().copied().fold(0.0, f64::max);
    let pictures = endings.iter().map(|ending| ending.pictures).sum::<u64>() / endings.len() as u64;
    println!("{label:34} {:5}   {pictures:8}   {mean:6.2} {worst:6.2}", endings[0].parts);
}
