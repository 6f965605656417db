//! Pictures and videos: every decoder of images, and both decoders of codes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    psbt_tools::scanner::texts_of(bytes);
});
