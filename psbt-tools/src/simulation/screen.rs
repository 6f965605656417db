//! What a display shows at one time.

use crate::show::Symbol;
use png::{ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

/// Light modules around a symbol (ISO 18004).
const QUIET: usize = 4;

/// Brightness of what is light on a display in a room, and of what is dark.
const LIGHT: f32 = 235.0;
const DARK: f32 = 20.0;

/// Most pixels of a side.
const MAX_SIDE: usize = 4_096;

/// A square picture on a display.
#[derive(Debug, Clone)]
pub struct Screen {
    side: usize,
    brightness: Vec<f32>,
}

impl Screen {
    /// A symbol with four light modules around it.
    pub fn of(symbol: &Symbol) -> Self {
        let side = QUIET.saturating_mul(2).saturating_add(symbol.side());
        let module = |x: usize, y: usize| if symbol.is_dark(x, y, QUIET) { DARK } else { LIGHT };
        let brightness = (0..side).flat_map(|y| (0..side).map(move |x| module(x, y))).collect();
        Self { side, brightness }
    }

    /// A PNG as [`crate::show::png`] makes it; `None` for one that is not square, not grey, or of more than 4,096 pixels a
    /// side.
    pub fn of_png(bytes: &[u8]) -> Option<Self> {
        let limits = Limits { bytes: MAX_SIDE.saturating_mul(MAX_SIDE) };
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().ok()?;
        let (width, height) = reader.info().size();
        let side = usize::try_from(width).ok().filter(|side| (1..=MAX_SIDE).contains(side))?;
        let mut image = vec![0; reader.output_buffer_size()?.min(MAX_SIDE.saturating_mul(MAX_SIDE))];
        let info = reader.next_frame(&mut image).ok()?;
        let count = side.saturating_mul(side);
        if width != height || info.color_type != ColorType::Grayscale || image.len() != count {
            return None;
        }
        let brightness = image.iter().map(|grey| DARK + f32::from(*grey) / 255.0 * (LIGHT - DARK)).collect();
        Some(Self { side, brightness })
    }

    /// The brightness at a place of the square whose sides are 1 long; `None` outside of it.
    pub(super) fn brightness(&self, (u, v): (f32, f32)) -> Option<f32> {
        let side = self.side as f32;
        if u < 0.0 || v < 0.0 {
            return None;
        }
        // At most 4,096: conversions to signed integers of 32 bits are the fastest.
        let (x, y) = ((u * side) as i32 as usize, (v * side) as i32 as usize);
        if x >= self.side {
            return None;
        }
        self.brightness.get(y.saturating_mul(self.side).saturating_add(x)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;

    #[test]
    fn a_picture_shows_what_its_symbol_shows() {
        let symbol = Symbol::of("A SCREEN", Version::new(2).unwrap()).unwrap();
        let (one, other) =
            (Screen::of(&symbol), Screen::of_png(&crate::show::png(&symbol).unwrap()).unwrap());
        for place in (0..2_500).map(|at| ((at % 50) as f32 / 50.0 + 0.01, (at / 50) as f32 / 50.0 + 0.01)) {
            let (one, other) = (one.brightness(place).unwrap(), other.brightness(place).unwrap());
            assert!((one - other).abs() < 0.1, "{place:?}");
        }
        assert!(one.brightness((1.0, 0.5)).is_none() && one.brightness((0.5, -0.1)).is_none());
    }

    #[test]
    fn what_is_no_square_grey_picture_is_no_screen() {
        let png = |width: u32, height: u32, color| {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, width, height);
            encoder.set_color(color);
            let mut writer = encoder.write_header().unwrap();
            let samples = (width * height) as usize * color.samples();
            writer.write_image_data(&vec![7; samples]).unwrap();
            writer.finish().unwrap();
            bytes
        };
        assert!(Screen::of_png(&png(5, 5, ColorType::Grayscale)).is_some());
        assert!(Screen::of_png(&png(5, 4, ColorType::Grayscale)).is_none());
        assert!(Screen::of_png(&png(5, 5, ColorType::Rgb)).is_none());
        assert!(Screen::of_png(b"no picture").is_none());
        assert!(Screen::of_png(&png(5, 5, ColorType::Grayscale)[..40]).is_none());
    }
}
