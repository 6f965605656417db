//! The pictures of a series that ends.

use super::Symbol;
use crate::Error;
use crate::qr::{Format, Frames, Version};

/// The symbols that a folder or a moving picture holds: for UR every part and as many sums, so that a reader that misses
/// some need not wait for the series to begin again; for BBQr every part.
///
/// # Errors
/// Those of [`Symbol::of`].
pub fn series(
    frames: &Frames,
    version: Version,
) -> impl ExactSizeIterator<Item = Result<Symbol, Error>> + '_ {
    let parts = frames.parts();
    let count = match (parts, frames.format()) {
        (0 | 1, _) => parts,
        (_, Format::Ur) => parts.saturating_mul(2),
        _ => parts,
    };
    // At most 8,192.
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (0..count).map(move |number| Symbol::of(&frames.frame(u64::from(number)), version))
}
