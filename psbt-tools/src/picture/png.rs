//! PNG.

use super::MAX_PIXELS;
use super::frames::{Luma, brightness};
use png::{ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

/// The first picture of the file; `None` when it cannot be read.
pub(super) fn read(bytes: &[u8]) -> Option<Luma> {
    let limits = Limits { bytes: MAX_PIXELS.saturating_mul(4) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = reader.info().size();
    let mut luma = Luma::white(usize::try_from(width).ok()?, usize::try_from(height).ok()?)?;
    let mut image = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut image).ok()?;
    let channels = info.color_type.samples();
    for (pixel, samples) in luma.pixels.iter_mut().zip(image.chunks_exact(channels)) {
        *pixel = match (info.color_type, samples) {
            (ColorType::Grayscale, [grey]) => *grey,
            (ColorType::GrayscaleAlpha, [grey, alpha]) => brightness(*grey, *grey, *grey, *alpha),
            (ColorType::Rgb, [red, green, blue]) => brightness(*red, *green, *blue, u8::MAX),
            (ColorType::Rgba, [red, green, blue, alpha]) => brightness(*red, *green, *blue, *alpha),
            _ => return None,
        };
    }
    Some(luma)
}
