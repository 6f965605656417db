//! Codes in frames. The decoders are other people's and can be made to panic: only the confined child, tests and benches
//! run them.

mod bits;
mod place;
mod reader;
mod second;
mod sight;

pub use sight::Sight;

use super::picture::luma::Luma;
use place::Place;
use reader::Found;

/// Most codes that are read in one frame.
pub(super) const MAX_CODES: usize = 16;

/// Every so many frames the whole frame is looked at, although the code is still where it was.
const WHOLE: u64 = 8;

/// Every so many frames without a code the other polarity and the second decoder are tried.
const RARE: u64 = 4;

/// Least pixels of a side of what is worth looking at in half the size, and how often it is halved.
const FINE: usize = 320;
const HALVINGS: usize = 2;

/// What is seen in a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The texts of the codes that were read.
    pub texts: Vec<String>,
    /// Codes that are there but were not read.
    pub unread: usize,
    /// What hinders, when none was read.
    pub sight: Option<Sight>,
}

/// Reads codes, frame by frame: where the last one was is looked at first.
#[derive(Debug, Default)]
pub struct Decoder {
    frames: u64,
    /// Frames without a code since the last one.
    without: u64,
    last: Option<Place>,
    /// Sixteenths of a pixel of its modules.
    module: Option<u32>,
    /// Whether the last code was light on dark.
    is_inverted: bool,
}

impl Decoder {
    /// The texts of the codes in a frame.
    pub fn texts(&mut self, luma: &Luma) -> Vec<String> {
        self.look(luma).texts
    }

    /// What is seen in a frame. A code that was seen before is looked for in its place; the whole frame is looked at
    /// when it is not there, and now and then.
    pub fn look(&mut self, luma: &Luma) -> Look {
        self.frames = self.frames.saturating_add(1);
        let nearby = self.last.map(|last| last.widened(luma)).filter(|_| !self.frames.is_multiple_of(WHOLE));
        let mut found = match nearby {
            Some(place) => reader::read(luma, place, self.is_inverted, self.module),
            None => Found::default(),
        };
        if found.texts.is_empty() {
            let whole = Place::whole(luma);
            if nearby != Some(whole) {
                found = reader::read(luma, whole, self.is_inverted, None);
            }
            // Where nothing is known of the frame's codes, and now and then where they are not read.
            if found.texts.is_empty() && (self.frames == 1 || self.without % RARE == RARE - 1) {
                found = self.read_otherwise(luma, whole, found);
            }
        }
        self.remember(luma, found)
    }

    /// What is seen in a picture that stands by itself: everything is tried. Pictures of a screen by a good camera show
    /// the screen's own pattern; at half the size it is gone.
    pub(super) fn look_closely(&mut self, luma: &Luma) -> Look {
        let mut found = self.read_closely(luma);
        let mut smaller = luma.halved();
        for _ in 0..HALVINGS {
            let Some(luma) =
                smaller.filter(|luma| found.texts.is_empty() && luma.width().max(luma.height()) >= FINE)
            else {
                break;
            };
            found.texts = self.read_closely(&luma).texts;
            smaller = luma.halved();
        }
        self.last = None;
        self.remember(luma, found)
    }

    fn read_closely(&mut self, luma: &Luma) -> Found {
        let whole = Place::whole(luma);
        let mut found = reader::read(luma, whole, self.is_inverted, None);
        if found.texts.is_empty() {
            found = self.read_otherwise(luma, whole, found);
        } else if found.unread > 0 {
            found.texts.extend(second::read(luma, whole, self.is_inverted));
        }
        found
    }

    /// The other polarity, then the other decoder.
    fn read_otherwise(&mut self, luma: &Luma, whole: Place, found: Found) -> Found {
        let other = reader::read(luma, whole, !self.is_inverted, None);
        if !other.texts.is_empty() {
            self.is_inverted = !self.is_inverted;
            return other;
        }
        let place = found.place.or(self.last).map_or(whole, |place| place.widened(luma));
        let texts = second::read(luma, place, self.is_inverted);
        Found { texts, ..found }
    }

    fn remember(&mut self, luma: &Luma, found: Found) -> Look {
        let Found { mut texts, unread, module, place } = found;
        texts.sort_unstable();
        texts.dedup();
        texts.truncate(MAX_CODES);
        self.last = place.filter(|_| !texts.is_empty());
        self.module = module.filter(|_| !texts.is_empty());
        if texts.is_empty() {
            self.without = self.without.saturating_add(1);
            let sight = sight::of(luma, place, unread, module);
            return Look { texts, unread, sight };
        }
        self.without = 0;
        Look { texts, unread, sight: None }
    }
}

#[cfg(test)]
mod tests;
