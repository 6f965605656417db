//! Coinkite's BBQr: `B$`, an encoding, a type, how many parts, which part, the bytes (coinkite/BBQr, `BBQr.md`).

mod encoder;
mod header;
mod joiner;

pub(super) use encoder::Encoder;
pub(super) use header::{Frame, Header, parse};
pub(super) use joiner::Joiner;

/// Most parts: two digits in base 36.
const MAX_PARTS: usize = 36 * 36 - 1;
