//! One frame: the brightness of its pixels.

/// Most pixels of a picture.
pub const MAX_PIXELS: usize = 16 * 1024 * 1024;

/// Brightness of every pixel, row by row; white is 255.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luma {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Luma {
    /// One with these pixels; `None` without any, above [`MAX_PIXELS`], or when their number is another.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Option<Self> {
        count(width, height).filter(|count| *count == pixels.len())?;
        Some(Self { width, height, pixels })
    }

    /// A white one; `None` without pixels, or above the limit.
    pub fn white(width: usize, height: usize) -> Option<Self> {
        let pixels = vec![u8::MAX; count(width, height)?];
        Some(Self { width, height, pixels })
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// All of them, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All of them, to be changed.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// At half the size, each pixel the average of four; `None` when nothing is left of it.
    pub(crate) fn halved(&self) -> Option<Self> {
        let (width, height) = (self.width / 2, self.height / 2);
        count(width, height)?;
        let mut pixels = Vec::with_capacity(width.saturating_mul(height));
        for rows in self.pixels.chunks_exact(self.width.saturating_mul(2)) {
            let (upper, lower) = rows.split_at_checked(self.width)?;
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            pixels.extend(pairs.map(|([a, b], [c, d])| a.midpoint(*b).midpoint(c.midpoint(*d))));
        }
        Self::new(width, height, pixels)
    }

    /// A row; empty outside.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let from = y.saturating_mul(self.width);
        self.pixels.get(from..from.saturating_add(self.width)).unwrap_or_default()
    }
}

/// How many pixels there are, if that many are read.
pub(crate) fn count(width: usize, height: usize) -> Option<usize> {
    width.checked_mul(height).filter(|count| (1..=MAX_PIXELS).contains(count))
}

/// Brightness of a colour before white (ITU-R BT.601).
pub(super) fn brightness(red: u8, green: u8, blue: u8, alpha: u8) -> u8 {
    let weighed = |value: u8, weight: u32| u32::from(value).saturating_mul(weight);
    let sum = weighed(red, 299).saturating_add(weighed(green, 587)).saturating_add(weighed(blue, 114));
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
    fn half_the_size_is_the_average_of_four() {
        let luma = Luma::new(3, 5, vec![0, 100, 9, 100, 200, 9, 8, 8, 9, 8, 8, 9, 7, 7, 7]).unwrap();
        assert_eq!(luma.halved(), Luma::new(1, 2, vec![100, 8]));
        assert_eq!(Luma::white(1, 9).unwrap().halved(), None);
    }

    #[test]
    fn frames_without_pixels_or_with_too_many_are_refused() {
        assert!(Luma::white(0, 5).is_none() && Luma::white(5, 0).is_none());
        assert!(Luma::white(usize::MAX, 2).is_none() && Luma::white(4_097, 4_096).is_none());
        assert!(Luma::white(1, 1).is_some());
        assert!(Luma::new(2, 2, vec![0; 3]).is_none() && Luma::new(2, 2, vec![0; 5]).is_none());
        assert_eq!(Luma::new(2, 1, vec![3, 4]).unwrap().row(0), [3, 4]);
    }
}
