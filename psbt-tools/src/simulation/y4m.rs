//! Films that other programs play, too.

use super::camera::Exposure;
use std::io::{self, Write};

/// Writes exposures as uncompressed video: YUV4MPEG2, brightness only.
#[derive(Debug)]
pub struct Y4m<W> {
    out: W,
    width: usize,
    height: usize,
}

impl<W: Write> Y4m<W> {
    /// Begins a film of that size and that many frames a second.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(mut out: W, width: usize, height: usize, frames_per_second: u32) -> io::Result<Self> {
        writeln!(out, "YUV4MPEG2 W{width} H{height} F{frames_per_second}:1 Ip A1:1 Cmono")?;
        Ok(Self { out, width, height })
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// Those of writing; [`io::ErrorKind::InvalidInput`] for one of another size.
    pub fn add(&mut self, exposure: &Exposure) -> io::Result<()> {
        let size = self.width.checked_mul(self.height);
        if (exposure.width, exposure.height) != (self.width, self.height)
            || size != Some(exposure.pixels.len())
        {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.out.write_all(b"FRAME\n")?;
        self.out.write_all(&exposure.pixels)
    }

    /// Ends the film.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_a_line_and_its_frames() {
        let exposure = |width, pixels: &[u8]| Exposure { width, height: 2, pixels: pixels.to_vec() };
        let mut film = Y4m::new(Vec::new(), 3, 2, 30).unwrap();
        film.add(&exposure(3, b"abcdef")).unwrap();
        film.add(&exposure(3, b"ghijkl")).unwrap();
        assert!(film.add(&exposure(2, b"abcd")).is_err() && film.add(&exposure(3, b"abcd")).is_err());
        let bytes = film.finish().unwrap();
        assert_eq!(bytes, b"YUV4MPEG2 W3 H2 F30:1 Ip A1:1 Cmono\nFRAME\nabcdefFRAME\nghijkl");
    }
}
