//! How many codes are read from a simulated camera, and how fast: ours beside `rqrr` alone, `rxing` alone and zbar.
//!
//! `cargo bench -p airlock-tests --bench camera [-- FRAMES [SECTION]]` prints for every row the part of FRAMES (25) frames
//! whose text was read, and frames per second of processor time of one core. Sections: `frames`, `worse`, `films`; all
//! unless one is named. All decoders get the same frames. Every frame has a pose of its own, so that nothing is gained by
//! looking where the last code was. A text that was not shown counts as wrong: there must be none, else it ends with an
//! error. The model is that of `psbt_tools::simulation`.

mod decoders;
mod films;
mod frames;
mod zbar;

use decoders::{Ours, Reader, Rqrr, Rxing};
use frames::Row;
use psbt_tools::simulation::Conditions;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let count = arguments.first().and_then(|count| count.parse().ok()).unwrap_or(25);
    let section = arguments.get(1).map_or("all", String::as_str);
    let wants = |name: &str| section == "all" || section == name;
    let mut wrong = 0;
    if wants("frames") {
        wrong += clear(count);
    }
    if wants("worse") {
        wrong += worse(count);
    }
    if wants("films") {
        films::print();
    }
    println!("{wrong} wrong texts");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

type Named = (&'static str, fn() -> Conditions);

const CONDITIONS: [Named; 3] =
    [("easy", Conditions::easy), ("hand-held", Conditions::hand_held), ("hard", Conditions::hard)];

/// Whole symbols: how many texts were wrong.
fn clear(count: u64) -> u64 {
    let mut wrong = 0;
    frames::heading();
    for (name, conditions) in CONDITIONS {
        for (width, height) in [(1_280, 720), (640, 480)] {
            for version in [10, 20, 27, 40] {
                let label = format!("{name} {height}p v{version}");
                wrong += Row::whole(label, conditions(), (width, height), version).print(count);
            }
        }
    }
    wrong
}

/// Compressed, torn and blended ones.
fn worse(count: u64) -> u64 {
    let mut wrong = 0;
    frames::heading();
    for (name, conditions) in CONDITIONS {
        let row =
            |label: &str| Row::whole(format!("{name} 720p v20 {label}"), conditions(), (1_280, 720), 20);
        for quality in [90, 70, 40] {
            wrong += row(&format!("JPEG {quality}")).compressed(quality).print(count);
        }
        wrong += row("torn").torn().print(count);
        wrong += row("blended").blended().print(count);
    }
    wrong
}

/// The decoders that run in this process.
fn readers() -> [Box<dyn Reader>; 3] {
    [Box::new(Ours), Box::new(Rqrr), Box::new(Rxing)]
}
