//! JPEG, as phones and cameras make it. Only its brightness is decoded, where it stands by itself.

use super::Unread;
use super::luma::{Luma, brightness, count};
use std::io::Cursor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Most pixels of a side, as JPEG itself has it.
const MAX_SIDE: usize = 65_535;

/// What many cameras write behind the two bytes with which a JPEG begins: that the usual Huffman tables are left out.
const MOTION: [u8; 18] = *b"\xff\xe0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

/// The picture of the file. Of cameras that leave the tables out without a word, too.
pub(super) fn read(bytes: &[u8]) -> Result<Luma, Unread> {
    decode(bytes).or_else(|unread| match (unread, bytes.split_at_checked(2)) {
        (Unread::Broken, Some((begin, rest))) => decode(&[begin, &MOTION, rest].concat()),
        _ => Err(unread),
    })
}

fn decode(bytes: &[u8]) -> Result<Luma, Unread> {
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options(ColorSpace::Luma));
    decoder.decode_headers().map_err(|_| Unread::Broken)?;
    let (width, height) = decoder.dimensions().ok_or(Unread::Broken)?;
    count(width, height).ok_or(Unread::Size)?;
    let is_separate = matches!(decoder.input_colorspace(), Some(ColorSpace::Luma | ColorSpace::YCbCr));
    let pixels = if is_separate {
        decoder.decode().map_err(|_| Unread::Broken)?
    } else {
        let options = options(ColorSpace::RGB);
        let colours = JpegDecoder::new_with_options(Cursor::new(bytes), options).decode();
        let brightness_of = |[red, green, blue]: &[u8; 3]| brightness(*red, *green, *blue, u8::MAX);
        colours.map_err(|_| Unread::Broken)?.as_chunks().0.iter().map(brightness_of).collect()
    };
    Luma::new(width, height, pixels).ok_or(Unread::Broken)
}

fn options(colours: ColorSpace) -> DecoderOptions {
    DecoderOptions::new_safe()
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_out_colorspace(colours)
}
