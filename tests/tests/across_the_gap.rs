//! A display, a camera that is held in a hand before it, and half of the changes torn.
//! Time is simulated. The figures for more of them are printed by the bench `camera`.

use airlock_tests::film::{Film, taken};
use psbt_tools::simulation::Conditions;
use std::time::Duration;

#[test]
fn twenty_kilobytes_cross_within_three_and_a_half_seconds() {
    // What is shown unless something else is asked for (version 20), and a common webcam.
    let film = Film {
        bytes: 20_480,
        version: psbt_tools::show::DEFAULT_VERSION,
        conditions: Conditions::hand_held(),
        size: (640, 480),
        first: 0,
        seed: 1,
    };
    let ending = taken(&film);
    assert!(ending.time < Duration::from_millis(3_500), "{ending:?}");
}

#[test]
fn a_camera_that_comes_late_misses_nothing_for_good() {
    let film = Film {
        bytes: 5_000,
        version: 20,
        conditions: Conditions::easy(),
        size: (640, 480),
        first: 1_234,
        seed: 2,
    };
    let ending = taken(&film);
    // Sums of parts: about as many are needed as there are parts.
    assert!(ending.pictures < 2 * ending.parts as u64 + 20, "{ending:?}");
}
