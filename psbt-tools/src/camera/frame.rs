//! A frame, and how it lies in a device's buffer.

use super::layout::Format;
use super::modes::{MAX_SIDE, Pixels};
use super::sys::Mapping;

/// Largest buffer, in bytes: the largest frame with colours.
pub(super) const MAX_BUFFER_LEN: usize = 64 << 20;

/// Largest JPEG that is handed on, in bytes.
const MAX_JPEG_LEN: usize = 16 << 20;

/// What a camera saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Brightness, row by row without gaps; white is 255.
    Luma {
        /// Pixels of a row, at most 4,096.
        width: usize,
        /// Rows, at most 4,096.
        height: usize,
        /// `width` times `height` of them.
        pixels: Vec<u8>,
    },
    /// A JPEG as the camera made it, not looked at, of at most 16 MiB.
    Jpeg(Vec<u8>),
}

/// How frames lie in their buffers; checked against each buffer's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pixels: Pixels,
    width: usize,
    height: usize,
    bytes_per_line: usize,
}

impl Shape {
    /// Of what the device says that it will do.
    pub(super) fn of(format: &Format) -> Result<Self, String> {
        let (width, height) = (format.width, format.height);
        let pixels = Pixels::of(format.pixel_format).ok_or("another format than it was asked for")?;
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(format!("frames of {width} x {height} pixels"));
        }
        let size = |number: u32| usize::try_from(number).map_err(|_| format!("a size of {number}"));
        let (width, height, told) = (size(width)?, size(height)?, size(format.bytes_per_line)?);
        let bytes_per_line = match pixels {
            Pixels::Jpeg => 0,
            Pixels::Luma { step, .. } => {
                let least = width.saturating_mul(usize::from(step));
                // Old drivers leave it at zero.
                if told == 0 { least } else { told }
            }
        };
        let shape = Self { pixels, width, height, bytes_per_line };
        match shape.needed() {
            Some(needed) if needed <= MAX_BUFFER_LEN => Ok(shape),
            _ => Err(format!("rows of {told} bytes for {width} pixels")),
        }
    }

    /// Bytes from the first pixel's to the last one's; `None` when rows are shorter than their pixels.
    pub(super) fn needed(&self) -> Option<usize> {
        match self.pixels {
            Pixels::Jpeg => Some(1),
            Pixels::Luma { step, .. } => {
                let row = self.width.checked_mul(usize::from(step))?;
                let above = self.bytes_per_line.checked_mul(self.height.checked_sub(1)?)?;
                (row <= self.bytes_per_line).then_some(above.checked_add(row)?)
            }
        }
    }

    /// A frame out of its buffer; `None` when it is not all there.
    pub(super) fn frame(&self, mapping: &Mapping, bytes_used: u32) -> Option<Frame> {
        let used = usize::try_from(bytes_used).ok()?;
        match self.pixels {
            Pixels::Jpeg => {
                if !(1..=MAX_JPEG_LEN).contains(&used) {
                    return None;
                }
                mapping.copy(used).map(Frame::Jpeg)
            }
            Pixels::Luma { .. } => {
                let needed = self.needed()?;
                // Zero is what some drivers say of a whole buffer.
                if used != 0 && used < needed {
                    return None;
                }
                let pixels = self.luma(&mapping.copy(needed)?);
                let whole = self.width.checked_mul(self.height)?;
                (pixels.len() == whole).then_some(Frame::Luma {
                    width: self.width,
                    height: self.height,
                    pixels,
                })
            }
        }
    }

    /// The brightness in a frame's bytes, without the gaps between rows.
    fn luma(&self, bytes: &[u8]) -> Vec<u8> {
        let Pixels::Luma { step, first } = self.pixels else { return Vec::new() };
        let (step, first) = (usize::from(step.max(1)), usize::from(first));
        let mut pixels = Vec::with_capacity(self.width.saturating_mul(self.height));
        for row in bytes.chunks(self.bytes_per_line.max(1)).take(self.height) {
            pixels.extend(row.iter().skip(first).step_by(step).take(self.width));
        }
        pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn shape(format: &[u8; 4], width: u32, height: u32, bytes_per_line: u32) -> Result<Shape, String> {
        let format = Format { bytes_per_line, ..Format::of(u32::from_le_bytes(*format), width, height) };
        Shape::of(&format)
    }

    #[test]
    fn brightness_is_taken_out_of_its_rows() {
        let grey = shape(b"GREY", 3, 2, 4).unwrap();
        assert_eq!(grey.luma(&[1, 2, 3, 0, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
        let yuyv = shape(b"YUYV", 2, 2, 0).unwrap();
        assert_eq!(yuyv.luma(&[1, 0, 2, 0, 3, 0, 4, 0]), [1, 2, 3, 4]);
        let uyvy = shape(b"UYVY", 2, 2, 6).unwrap();
        assert_eq!(uyvy.luma(&[0, 1, 0, 2, 9, 9, 0, 3, 0, 4]), [1, 2, 3, 4]);
        let planar = shape(b"NV12", 2, 2, 2).unwrap();
        assert_eq!(planar.luma(&[1, 2, 3, 4, 9, 9]), [1, 2, 3, 4]);
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        assert!(shape(b"GREY", 640, 480, 639).is_err());
        assert!(shape(b"YUYV", 640, 480, 640).is_err());
        assert!(shape(b"GREY", 640, 480, u32::MAX).is_err());
        assert!(shape(b"GREY", 5_000, 480, 0).is_err());
        assert!(shape(b"GREY", 0, 480, 0).is_err());
        assert!(shape(b"RG10", 640, 480, 0).is_err());
        assert!(shape(b"MJPG", 640, 480, u32::MAX).is_ok());
    }

    #[test]
    fn a_frame_that_is_not_all_there_is_none() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[8; 64]).unwrap();
        let mapping = Mapping::new(&file, 64, 0).unwrap();
        let grey = shape(b"GREY", 8, 8, 0).unwrap();
        let whole = Frame::Luma { width: 8, height: 8, pixels: vec![8; 64] };
        assert_eq!(grey.frame(&mapping, 64), Some(whole.clone()));
        assert_eq!(grey.frame(&mapping, 0), Some(whole.clone()));
        assert_eq!(grey.frame(&mapping, u32::MAX), Some(whole));
        assert_eq!(grey.frame(&mapping, 63), None);
        assert_eq!(shape(b"GREY", 8, 9, 0).unwrap().frame(&mapping, 72), None);
        let jpeg = shape(b"MJPG", 8, 8, 0).unwrap();
        assert_eq!(jpeg.frame(&mapping, 10), Some(Frame::Jpeg(vec![8; 10])));
        for lie in [0, 65, u32::MAX] {
            assert_eq!(jpeg.frame(&mapping, lie), None, "{lie}");
        }
    }
}
