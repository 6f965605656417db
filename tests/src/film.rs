//! A payload that is shown as QR codes and seen by a simulated camera, end to end in simulated time.

use psbt_tools::qr::{Format, Frames, Kind, Scan, Taken, Version};
use psbt_tools::scanner::{Decoder, Luma};
use psbt_tools::show::Symbol;
use psbt_tools::simulation::{Conditions, Scene, Screen, Shown, SimulatedCamera, Timeline, Timing};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is shown, and how it is seen.
#[derive(Debug, Clone, Copy)]
pub struct Film {
    /// Bytes of the payload.
    pub bytes: usize,
    /// The version of the codes.
    pub version: u8,
    /// How badly they are seen.
    pub conditions: Conditions,
    /// Pixels of the camera's pictures.
    pub size: (usize, usize),
    /// The frame that the display shows when the camera begins.
    pub first: u64,
    /// What everything that looks random follows from.
    pub seed: u64,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Parts of the payload.
    pub parts: usize,
    /// Pictures that were taken.
    pub pictures: u64,
    /// Simulated time until the payload was whole.
    pub time: Duration,
}

/// A display of 15 codes a second and a camera of 30 pictures a second that begins a little later; half of the first
/// exposures of a code are torn.
const TIMING: Timing =
    Timing { shown_per_second: 15, taken_per_second: 30, phase: Duration::from_millis(7), torn_percent: 50 };

/// Takes pictures until the payload is whole.
///
/// # Panics
/// When another payload comes out, or none after so many pictures that something is wrong.
pub fn taken(film: &Film) -> Ending {
    let version = Version::new(film.version).expect("a version");
    let payload = payload(film.bytes, film.seed);
    let frames = Frames::new(Format::Ur, Kind::Bytes, &payload, version).expect("it fits");
    let mut camera = SimulatedCamera::new(film.seed, film.conditions, film.size.0, film.size.1).moving(30);
    let (mut decoder, mut scan) = (Decoder::default(), Scan::new());
    // Each code is drawn once, and forgotten when it is no longer shown.
    let mut screens: BTreeMap<u64, Screen> = BTreeMap::new();
    let parts = frames.parts();
    for (pictures, moment) in (1..=20 * parts as u64 + 100).zip(Timeline::new(film.seed, TIMING)) {
        let (from, to) = match moment.shown {
            Shown::Whole(number) => (number, number),
            Shown::Torn { upper, lower, .. } => (upper, lower),
        };
        screens.retain(|number, _| *number >= from);
        for number in [from, to] {
            let draw = || Symbol::of(&frames.frame(film.first + number), version).expect("it reads back");
            screens.entry(number).or_insert_with(|| Screen::of(&draw()));
        }
        let scene = match moment.shown {
            Shown::Whole(number) => Scene::Whole(&screens[&number]),
            Shown::Torn { upper, lower, at_percent } => {
                Scene::Torn { upper: &screens[&upper], lower: &screens[&lower], at_percent }
            }
        };
        let exposure = camera.expose(scene);
        let luma = Luma::new(exposure.width, exposure.height, exposure.pixels).expect("a picture");
        for text in decoder.texts(&luma) {
            if let Taken::Joined(joined) = scan.take(&text) {
                assert!(joined.bytes == payload, "another payload was joined");
                return Ending { parts, pictures, time: moment.ended };
            }
        }
    }
    panic!("nothing was joined: {film:?}");
}

/// Bytes that do not get smaller.
fn payload(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed + 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| byte()).collect()
}
