//! PNG.

use super::Unread;
use super::luma::{Luma, MAX_PIXELS, brightness};
use png::{ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

/// The first picture of the file.
pub(super) fn read(bytes: &[u8]) -> Result<Luma, Unread> {
    let limits = Limits { bytes: MAX_PIXELS.saturating_mul(4) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|_| Unread::Broken)?;
    let (width, height) = reader.info().size();
    let side = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    let mut luma = Luma::white(side(width), side(height)).ok_or(Unread::Size)?;
    let len = reader.output_buffer_size().ok_or(Unread::Size)?;
    let mut image = vec![0; len];
    let info = reader.next_frame(&mut image).map_err(|_| Unread::Broken)?;
    let channels = info.color_type.samples();
    for (pixel, samples) in luma.pixels_mut().iter_mut().zip(image.chunks_exact(channels)) {
        *pixel = match (info.color_type, samples) {
            (ColorType::Grayscale, [grey]) => *grey,
            (ColorType::GrayscaleAlpha, [grey, alpha]) => brightness(*grey, *grey, *grey, *alpha),
            (ColorType::Rgb, [red, green, blue]) => brightness(*red, *green, *blue, u8::MAX),
            (ColorType::Rgba, [red, green, blue, alpha]) => brightness(*red, *green, *blue, *alpha),
            _ => return Err(Unread::Broken),
        };
    }
    Ok(luma)
}
