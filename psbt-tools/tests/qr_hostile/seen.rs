//! Texts as codes in a video.

use qrcode::bits::Bits;
use qrcode::{EcLevel, QrCode, Version};

/// Pixels of a module, and light modules around a symbol.
const SCALE: usize = 2;
const QUIET: usize = 4;

/// A white square with a symbol in its corner.
pub struct Canvas {
    side: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    pub fn new(side: usize) -> Self {
        Self { side, pixels: vec![255; side * side] }
    }

    fn with(mut self, symbol: &QrCode) -> Self {
        let rows = self.pixels.chunks_exact_mut(self.side).skip(QUIET * SCALE);
        let modules = symbol.to_colors();
        let lines = modules.chunks_exact(symbol.width()).flat_map(|line| [line; SCALE]);
        for (row, line) in rows.zip(lines) {
            for (pixels, module) in row[QUIET * SCALE..].chunks_exact_mut(SCALE).zip(line) {
                pixels.fill(module.select(0, 255));
            }
        }
        self
    }

    pub fn save(&self, path: &std::path::Path) {
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, self.side as u32, self.side as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&self.pixels).unwrap();
    }
}

/// The smallest symbol of a text, if any holds it.
fn symbol(text: &str) -> Option<QrCode> {
    let is_alphanumeric =
        |byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b' ' | b'$' | b'%' | b'*'..=b'+' | b'-'..=b':');
    (1..=40).find_map(|version| {
        let mut bits = Bits::new(Version::Normal(version));
        if text.bytes().all(is_alphanumeric) {
            bits.push_alphanumeric_data(text.as_bytes()).ok()?;
        } else {
            bits.push_byte_data(text.as_bytes()).ok()?;
        }
        bits.push_terminator(EcLevel::L).ok()?;
        QrCode::with_bits(bits, EcLevel::L).ok()
    })
}

/// A video that shows each text once; `None` when a text is too long for a code, or empty.
pub fn video(texts: &[String]) -> Option<Vec<u8>> {
    let mut symbols = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let again = texts[..at].last().filter(|last| *last == text).and(symbols.last().cloned());
        symbols.push(again.or_else(|| symbol(text).filter(|_| !text.is_empty()))?);
    }
    let side = symbols.iter().map(|symbol: &QrCode| symbol.width() + 2 * QUIET).max()? * SCALE;
    let mut bytes = format!("YUV4MPEG2 W{side} H{side} F30:1 Ip A1:1 Cmono\n").into_bytes();
    for symbol in &symbols {
        bytes.extend(b"FRAME\n");
        bytes.extend(Canvas::new(side).with(symbol).pixels);
    }
    Some(bytes)
}
