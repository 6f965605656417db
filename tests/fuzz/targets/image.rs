//! Pictures and videos: every decoder of images, and both decoders of codes.
//!
//! The decoders are other people's and can be made to panic; the confined child is there to fall with them, and that costs
//! a frame. Such a fall is named once for each place; a panic anywhere else is a finding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::panic;
use std::sync::Mutex;

/// Where the sources of other people's crates lie, whichever registry they come from.
const OTHERS: &str = "/registry/src/";

/// Lets a panic of a decoder unwind, and hands every other one on.
fn expect_falls() {
    let finding = panic::take_hook();
    let seen = Mutex::new(BTreeSet::new());
    panic::set_hook(Box::new(move |panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        let Some((_, decoder)) = place.split_once(OTHERS).and_then(|(_, place)| place.split_once('/')) else {
            return finding(panicked);
        };
        if seen.lock().is_ok_and(|mut seen| seen.insert(decoder.to_owned())) {
            eprintln!("fell: {decoder}");
        }
    }));
}

fuzz_target!(
    init: expect_falls(),
    |bytes: &[u8]| {
        // What did not unwind from here never returned from the hook.
        let _ = panic::catch_unwind(|| psbt_tools::scanner::texts_of(bytes));
    }
);
