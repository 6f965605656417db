//! Symbols as one moving picture.

use super::{QUIET, SCALE, Symbol};
use crate::Error;
use gif::{Encoder, EncodingError, Frame, Repeat};
use std::borrow::Cow;

/// The moving picture, which begins again without end.
///
/// # Errors
/// The first error of a symbol; [`Error::Symbol`] when it cannot be written.
pub fn gif(
    symbols: impl Iterator<Item = Result<Symbol, Error>>,
    frames_per_second: u8,
) -> Result<Vec<u8>, Error> {
    let mut encoder: Option<Encoder<Vec<u8>>> = None;
    for symbol in symbols {
        let symbol = symbol?;
        let modules = symbol.width(QUIET);
        let pixels = modules.saturating_mul(SCALE);
        // At most 740 pixels.
        let side = u16::try_from(pixels).unwrap_or_default();
        let encoder = match &mut encoder {
            Some(encoder) => encoder,
            none => {
                let mut begun =
                    Encoder::new(Vec::new(), side, side, &[255, 255, 255, 0, 0, 0]).map_err(fault)?;
                begun.set_repeat(Repeat::Infinite).map_err(fault)?;
                none.insert(begun)
            }
        };
        let pixel = |x: usize, y: usize| u8::from(symbol.is_dark(x / SCALE, y / SCALE, QUIET));
        let indices: Vec<u8> = (0..pixels).flat_map(|y| (0..pixels).map(move |x| pixel(x, y))).collect();
        // Hundredths of a second.
        let delay = 100_u16.checked_div(u16::from(frames_per_second)).unwrap_or(100);
        let frame =
            Frame { delay, width: side, height: side, buffer: Cow::Owned(indices), ..Frame::default() };
        encoder.write_frame(&frame).map_err(fault)?;
    }
    match encoder {
        Some(encoder) => encoder.into_inner().map_err(fault),
        None => Err(Error::Symbol("there is none".to_owned())),
    }
}

fn fault(reason: EncodingError) -> Error {
    Error::Symbol(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;

    #[test]
    fn every_picture_of_it_reads_as_its_text() {
        let texts: Vec<String> = (0..5).map(|number| format!("GIF {number} ").repeat(40)).collect();
        let version = Version::new(12).unwrap();
        let bytes = gif(texts.iter().map(|text| Symbol::of(text, version)), 8).unwrap();
        let mut decoder = gif::DecodeOptions::new().read_info(bytes.as_slice()).unwrap();
        let mut read = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            assert_eq!(frame.delay, 12);
            let side = usize::from(frame.width);
            let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| {
                255 * (1 - frame.buffer[y * side + x])
            });
            read.push(image.detect_grids()[0].decode().unwrap().1);
        }
        assert_eq!(read, texts);
    }
}
