//! Pictures with codes on them, as the tests want them.

use psbt_tools::show::Symbol;

/// Brightness of pixels, row by row.
#[derive(Debug, Clone)]
pub struct Canvas {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Canvas {
    pub fn new(width: usize, height: usize, value: u8) -> Self {
        Self { width, height, pixels: vec![value; width * height] }
    }

    /// A symbol with four light modules around it.
    pub fn of(symbol: &Symbol, scale: usize) -> Self {
        let side = (symbol.side() + 8) * scale;
        let mut canvas = Self::new(side, side, 255);
        canvas.put(symbol, 0, 0, scale);
        canvas
    }

    pub fn put(&mut self, symbol: &Symbol, left: usize, top: usize, scale: usize) {
        for y in 0..(symbol.side() + 8) * scale {
            for x in 0..(symbol.side() + 8) * scale {
                let is_dark = symbol.is_dark(x / scale, y / scale, 4);
                self.pixels[(top + y) * self.width + left + x] = if is_dark { 0 } else { 255 };
            }
        }
    }

    pub fn map(mut self, of: impl Fn(u8) -> u8) -> Self {
        self.pixels.iter_mut().for_each(|pixel| *pixel = of(*pixel));
        self
    }

    /// Each pixel from somewhere else; white from outside.
    pub fn moved(&self, width: usize, height: usize, from: impl Fn(usize, usize) -> (i64, i64)) -> Self {
        let mut canvas = Self::new(width, height, 255);
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = from(x, y);
                let inside =
                    (0..self.width as i64).contains(&from_x) && (0..self.height as i64).contains(&from_y);
                if inside {
                    canvas.pixels[y * width + x] =
                        self.pixels[from_y as usize * self.width + from_x as usize];
                }
            }
        }
        canvas
    }

    pub fn mirrored(&self) -> Self {
        let last = self.width as i64 - 1;
        self.moved(self.width, self.height, |x, y| (last - x as i64, y as i64))
    }

    /// Turned by a quarter, so many times.
    pub fn turned(&self, quarters: usize) -> Self {
        (0..quarters).fold(self.clone(), |canvas, _| {
            let last = canvas.height as i64 - 1;
            canvas.moved(canvas.height, canvas.width, |x, y| (y as i64, last - x as i64))
        })
    }

    /// Turned by any angle, in a canvas that is half as large again.
    pub fn tilted(&self, degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let side = self.width * 3 / 2;
        let centre = |length: usize| length as f64 / 2.0;
        self.moved(side, side, |x, y| {
            let (x, y) = (x as f64 - centre(side), y as f64 - centre(side));
            (
                (x * cos + y * sin + centre(self.width)) as i64,
                (y * cos - x * sin + centre(self.height)) as i64,
            )
        })
    }

    /// One channel of 8 bits.
    pub fn png(&self) -> Vec<u8> {
        self.png_of(png::ColorType::Grayscale, |pixel| vec![pixel])
    }

    pub fn png_of(&self, colours: png::ColorType, samples: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(colours);
        let mut writer = encoder.write_header().unwrap();
        let data: Vec<u8> = self.pixels.iter().flat_map(|pixel| samples(*pixel)).collect();
        writer.write_image_data(&data).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// JPEG with colours, as phones make it.
    pub fn jpeg(&self, quality: u8, is_progressive: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
        encoder.set_progressive(is_progressive);
        let data: Vec<u8> = self.pixels.iter().flat_map(|pixel| [*pixel; 3]).collect();
        let (width, height) = (self.width as u16, self.height as u16);
        encoder.encode(&data, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
        bytes
    }
}

/// A video of frames of one size, each shown so often.
pub fn y4m(frames: &[Canvas], colours: &str) -> Vec<u8> {
    let (width, height) = (frames[0].width, frames[0].height);
    let chroma = match colours {
        "420jpeg" => width.div_ceil(2) * height.div_ceil(2) * 2,
        "422" => width.div_ceil(2) * height * 2,
        "444" => width * height * 2,
        "mono" => 0,
        other => panic!("{other}"),
    };
    let mut bytes = format!("YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C{colours}\n").into_bytes();
    for frame in frames {
        bytes.extend(b"FRAME\n");
        bytes.extend(&frame.pixels);
        bytes.resize(bytes.len() + chroma, 128);
    }
    bytes
}
