//! A part of a frame.

use super::super::picture::luma::Luma;

/// A rectangle of pixels; the far edges are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Place {
    pub(super) fn whole(luma: &Luma) -> Self {
        Self { left: 0, top: 0, right: luma.width(), bottom: luma.height() }
    }

    pub(super) fn width(&self) -> usize {
        self.right.saturating_sub(self.left)
    }

    pub(super) fn height(&self) -> usize {
        self.bottom.saturating_sub(self.top)
    }

    /// With the room around it into which a hand moves between two frames, within the frame.
    pub(super) fn widened(self, luma: &Luma) -> Self {
        let margin = self.width().max(self.height()) / 6;
        let margin = margin.max(16);
        let (right, bottom) = (self.right.saturating_add(margin), self.bottom.saturating_add(margin));
        Self {
            left: self.left.saturating_sub(margin),
            top: self.top.saturating_sub(margin),
            right: right.min(luma.width()),
            bottom: bottom.min(luma.height()),
        }
    }

    /// The smallest that holds both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The rows of it, as far as they are within the frame.
    pub(super) fn rows<'a>(&self, luma: &'a Luma) -> impl Iterator<Item = &'a [u8]> {
        let (left, right) = (self.left, self.right);
        (self.top..self.bottom).filter_map(move |y| luma.row(y).get(left..right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_never_leaves_the_frame() {
        let luma = Luma::white(100, 50).unwrap();
        let place = Place { left: 10, top: 10, right: 90, bottom: 45 }.widened(&luma);
        assert_eq!(place, Place { left: 0, top: 0, right: 100, bottom: 50 });
        assert_eq!(place.rows(&luma).count(), 50);
        let outside = Place { left: 90, top: 40, right: 300, bottom: 60 };
        assert_eq!(outside.rows(&luma).count(), 0);
    }
}
