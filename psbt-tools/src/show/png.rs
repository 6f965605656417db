//! A symbol as PNG.

use super::{QUIET, SCALE, Symbol};
use crate::Error;
use png::{BitDepth, ColorType, Compression, Encoder};

/// The picture: one bit a pixel, four pixels a module's side.
///
/// # Errors
/// [`Error::Symbol`] when it cannot be written.
pub fn png(symbol: &Symbol) -> Result<Vec<u8>, Error> {
    let fault = |reason: png::EncodingError| Error::Symbol(reason.to_string());
    let pixels = symbol.width(QUIET).saturating_mul(SCALE);
    // At most 740 pixels.
    let side = u32::try_from(pixels).unwrap_or_default();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_compression(Compression::High);
    let mut writer = encoder.write_header().map_err(fault)?;
    writer.write_image_data(&rows(symbol, pixels)).map_err(fault)?;
    writer.finish().map_err(fault)?;
    Ok(bytes)
}

/// Rows of pixels, eight in a byte, the leftmost highest; one is white.
fn rows(symbol: &Symbol, pixels: usize) -> Vec<u8> {
    let byte = |x: usize, y: usize| {
        (x..x.saturating_add(8)).fold(0, |bits: u8, x| {
            let white = x >= pixels || !symbol.is_dark(x / SCALE, y / SCALE, QUIET);
            bits << 1 | u8::from(white)
        })
    };
    (0..pixels).flat_map(|y| (0..pixels).step_by(8).map(move |x| byte(x, y))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;

    #[test]
    fn a_decoder_finds_the_text_in_the_picture() {
        let text = "PNG:".repeat(200);
        for number in [14, 20, 40] {
            let symbol = Symbol::of(&text[..500], Version::new(number).unwrap()).unwrap();
            let bytes = png(&symbol).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
            let mut image = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut image).unwrap();
            let pixel = |x: usize, y: usize| image[y * info.line_size + x / 8] >> (7 - x % 8) & 1;
            let side = info.width as usize;
            let mut found = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| pixel(x, y) * 255);
            let grids = found.detect_grids();
            assert_eq!(grids[0].decode().unwrap().1, text[..500], "{number}");
        }
    }
}
