//! The texts of a file of pictures, in one process: what is fuzzed.

use super::decoder::Decoder;
use super::picture::{
    self,
    luma::{Luma, MAX_PIXELS},
};
use super::video::{Next, Video};
use super::{Glance, glance};

/// What a video begins with.
const MAGIC: &[u8] = b"YUV4MPEG2";

/// Most frames that [`texts_of`] looks at.
const MAX_TEXTS_FRAMES: usize = 64;

/// The texts of all codes in a picture or a Y4M video, frame by frame, as the child reads them: of its first 64 frames, and
/// of no more once they have [`MAX_PIXELS`] together. What is broken has none behind its fault.
///
/// It decodes in this process, and what it decodes with can be made to panic: it is there for fuzzing and tests only.
pub fn texts_of(bytes: &[u8]) -> Vec<String> {
    let (mut decoder, mut texts, mut frames, mut pixels) = (Decoder::default(), Vec::new(), 0_usize, 0_usize);
    let mut look = |luma: &Luma, look: Glance| {
        texts.append(&mut look(&mut decoder, luma).texts);
        frames = frames.saturating_add(1);
        pixels = pixels.saturating_add(luma.pixels().len());
        frames < MAX_TEXTS_FRAMES && pixels < MAX_PIXELS
    };
    if bytes.starts_with(MAGIC) {
        let mut video = Video::default();
        video.take(bytes);
        loop {
            match video.next(false) {
                Ok(Next::Header) => {}
                Ok(Next::Frame(luma)) if look(&luma, Decoder::look) => {}
                Ok(Next::Frame(_) | Next::Nothing) | Err(_) => break,
            }
        }
    } else {
        let glance = glance(bytes);
        // What was read of a broken one counts.
        let _ = picture::each(bytes, |luma| look(luma, glance));
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::Version;
    use crate::show::Symbol;

    /// A video of a code in so many frames.
    fn video(text: &str, frames: usize) -> Vec<u8> {
        let symbol = Symbol::of(text, Version::new(2).unwrap()).unwrap();
        let side = (symbol.side() + 8) * 3;
        let pixel = |at: usize| if symbol.is_dark(at % side / 3, at / side / 3, 4) { 0 } else { 255 };
        let pixels: Vec<u8> = (0..side * side).map(pixel).collect();
        let frame = [b"FRAME\n", &pixels[..]].concat();
        [format!("YUV4MPEG2 W{side} H{side} Cmono\n").into_bytes(), frame.repeat(frames)].concat()
    }

    #[test]
    fn the_texts_of_a_video_are_those_of_its_first_frames() {
        assert_eq!(texts_of(&video("UR:A", 2)), ["UR:A", "UR:A"]);
        let cut = video("UR:A", 2);
        assert_eq!(texts_of(&cut[..cut.len() - 1]).len(), 1);
        assert_eq!(texts_of(&video("UR:A", MAX_TEXTS_FRAMES + 9)).len(), MAX_TEXTS_FRAMES);
    }

    #[test]
    fn the_texts_of_a_picture_are_those_of_its_codes() {
        let look = |colours, data: &[u8], side: u32| {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, side, side);
            encoder.set_color(colours);
            encoder.write_header().unwrap().write_image_data(data).unwrap();
            texts_of(&bytes)
        };
        let film = video("UR:B", 1);
        let side = (2 * 4 + 17 + 8) * 3;
        assert_eq!(look(png::ColorType::Grayscale, &film[film.len() - side * side..], side as u32), ["UR:B"]);
        for none in [&b""[..], b"YUV4MPEG2", b"YUV4MPEG2 W9\n", b"GIF89a", b"\x89PNG", b"\xff\xd8\xff"] {
            assert!(texts_of(none).is_empty());
        }
    }
}
