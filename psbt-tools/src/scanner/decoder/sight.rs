//! Why no code was read in a frame.

use super::super::picture::luma::Luma;
use super::place::Place;
use serde::{Deserialize, Serialize};

/// Brightness below which nine of ten pixels are of a frame that is too dark.
const DARK: u8 = 50;

/// Least difference between the dark tenth and the light tenth of the pixels that a code is read with.
const CONTRAST: u8 = 40;

/// Sixteenths of a pixel of a module's side below which codes are not read reliably.
const SMALL: u32 = 36;

/// Most pixels that are looked at: every so many-th of a frame.
const SAMPLES: usize = 4_096;

/// What hinders in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// Nearly all of it is dark.
    Dark,
    /// Light and dark hardly differ.
    Flat,
    /// A code is there, with modules of about two pixels or less.
    Small,
    /// A code is there, but its content does not read: it moved, changed while it was seen, or is covered in part.
    Torn,
    /// There is no code.
    Empty,
}

/// What hinders in a frame in which none was read.
pub(super) fn of(luma: &Luma, place: Option<Place>, unread: usize, module: Option<u32>) -> Option<Sight> {
    let (dark, light) = tenths(luma, place.unwrap_or_else(|| Place::whole(luma)));
    Some(if unread > 0 {
        match module {
            Some(module) if module < SMALL => Sight::Small,
            Some(_) | None => Sight::Torn,
        }
    } else if light < DARK {
        Sight::Dark
    } else if light.saturating_sub(dark) < CONTRAST {
        Sight::Flat
    } else {
        Sight::Empty
    })
}

/// The brightness below which a tenth of the pixels is, and above which a tenth is.
pub(super) fn tenths(luma: &Luma, place: Place) -> (u8, u8) {
    let pixels = place.width().saturating_mul(place.height());
    let step = (pixels / SAMPLES).max(1);
    let mut samples: Vec<u8> = place.rows(luma).flatten().copied().step_by(step).collect();
    samples.sort_unstable();
    let at =
        |tenth: usize| samples.get(samples.len().saturating_mul(tenth) / 10).copied().unwrap_or_default();
    (at(1), at(9))
}
