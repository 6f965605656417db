//! What is before the camera during one exposure.

use super::screen::Screen;

/// One screen, or two where the display changed meanwhile.
#[derive(Debug, Clone, Copy)]
pub enum Scene<'a> {
    /// One.
    Whole(&'a Screen),
    /// A rolling shutter met the change.
    Torn {
        /// In the upper rows.
        upper: &'a Screen,
        /// In the lower rows.
        lower: &'a Screen,
        /// Percent of the picture's rows that are the upper ones.
        at_percent: u8,
    },
    /// Both at once.
    Blended {
        /// One.
        one: &'a Screen,
        /// The other.
        other: &'a Screen,
        /// Percent of the light that is of the one.
        percent: u8,
    },
}

impl<'a> Scene<'a> {
    /// What is seen in a row of the picture, at that part of its height: one screen, or two with the first one's share.
    pub(super) fn row(&self, height: f32) -> (&'a Screen, Option<(&'a Screen, f32)>) {
        match *self {
            Self::Whole(screen) => (screen, None),
            Self::Torn { upper, lower, at_percent } => {
                (if height < f32::from(at_percent) / 100.0 { upper } else { lower }, None)
            }
            Self::Blended { one, other, percent } => {
                (one, Some((other, f32::from(percent.min(100)) / 100.0)))
            }
        }
    }
}
