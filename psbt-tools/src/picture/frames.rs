//! One frame of a picture, and the texts of the codes in it.

use super::{MAX_CODES, MAX_PIXELS};

/// Brightness of every pixel, row by row; white is 255.
#[derive(Debug, Clone)]
pub(super) struct Luma {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl Luma {
    /// A white one; `None` without pixels, or above the limit.
    pub(super) fn white(width: usize, height: usize) -> Option<Self> {
        let count = width.checked_mul(height).filter(|count| (1..=MAX_PIXELS).contains(count))?;
        Some(Self { width, height, pixels: vec![255; count] })
    }

    /// The texts of the codes that are found and read.
    pub(super) fn texts(&self) -> Vec<String> {
        let pixel =
            |x: usize, y: usize| self.pixels.get(y.saturating_mul(self.width).saturating_add(x)).copied();
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, |x, y| {
            pixel(x, y).unwrap_or(u8::MAX)
        });
        let read = |grid: &rqrr::Grid<_>| {
            let mut bytes = Vec::new();
            grid.decode_to(&mut bytes).ok().and_then(|_| String::from_utf8(bytes).ok())
        };
        image.detect_grids().iter().take(MAX_CODES).filter_map(read).collect()
    }
}

/// Brightness of a colour before white.
pub(super) fn brightness(red: u8, green: u8, blue: u8, alpha: u8) -> u8 {
    // Rec. 601, in thousandths.
    let colour = [(red, 299_u32), (green, 587), (blue, 114)];
    let sum = colour
        .iter()
        .fold(0_u32, |sum, (value, weight)| sum.saturating_add(u32::from(*value).saturating_mul(*weight)));
    let alpha = u32::from(alpha);
    let over =
        (sum / 1_000).saturating_mul(alpha).saturating_add(255_u32.saturating_sub(alpha).saturating_mul(255));
    u8::try_from(over / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_is_that_of_the_colour_before_white() {
        assert_eq!(brightness(255, 255, 255, 255), 255);
        assert_eq!(brightness(0, 0, 0, 255), 0);
        assert_eq!(brightness(0, 0, 0, 0), 255);
        assert_eq!(brightness(255, 0, 0, 255), 76);
    }

    #[test]
    fn pictures_without_pixels_or_with_too_many_are_refused() {
        assert!(Luma::white(0, 5).is_none() && Luma::white(5, 0).is_none());
        assert!(Luma::white(usize::MAX, 2).is_none() && Luma::white(4_097, 4_096).is_none());
        assert!(Luma::white(1, 1).is_some());
    }
}
