//! The decoders that are compared.

use psbt_tools::scanner::{Decoder, Luma};
use rxing::common::HybridBinarizer;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{BinaryBitmap, DecodeHints, Luma8Source, Reader as _};

/// One that reads the codes in a frame.
pub trait Reader {
    fn name(&self) -> &'static str;

    fn read(&mut self, luma: &Luma) -> Vec<String>;
}

/// That of `psbt-tools qr scan`, without the process around it. Nothing is known of the frames before: in a film it looks
/// first where the last code was.
pub struct Ours;

impl Reader for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn read(&mut self, luma: &Luma) -> Vec<String> {
        Decoder::default().texts(luma)
    }
}

/// The `rqrr` crate.
pub struct Rqrr;

impl Reader for Rqrr {
    fn name(&self) -> &'static str {
        "rqrr"
    }

    fn read(&mut self, luma: &Luma) -> Vec<String> {
        let (width, pixels) = (luma.width(), luma.pixels());
        let pixel = |x: usize, y: usize| pixels[y * width + x];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, luma.height(), pixel);
        image.detect_grids().iter().filter_map(|grid| Some(grid.decode().ok()?.1)).collect()
    }
}

/// The `rxing` crate as its documentation has it, with "try harder".
pub struct Rxing;

impl Reader for Rxing {
    fn name(&self) -> &'static str {
        "rxing"
    }

    fn read(&mut self, luma: &Luma) -> Vec<String> {
        let (width, height) = (luma.width() as u32, luma.height() as u32);
        let source = Luma8Source::new_with_slice(luma.pixels(), width, height).unwrap();
        let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
        let hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
        let read = QrReader.decode_with_hints(&mut bitmap, &hints);
        read.map(|result| result.getText().to_owned()).into_iter().collect()
    }
}
