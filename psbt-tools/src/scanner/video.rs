//! Y4M: uncompressed video as `ffmpeg` and others write it. Bytes come in pieces; only the brightness of 8 bits is used.

use super::picture::luma::{Luma, count};

/// Longest line of the header, or of a frame.
const MAX_LINE: usize = 1_024;

/// Largest frame, in bytes with its colours: the largest picture in 4:4:4.
const MAX_FRAME_LEN: usize = 48 * 1024 * 1024;

/// Why a video is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("it is no Y4M video, or is broken")]
    Form,
    #[error("its frames have no pixels, or more than 16,777,216")]
    Size,
    #[error("its colours are `{0}`; 8 bits of 420, 422, 444 or mono are read")]
    Colours(String),
}

/// What the bytes so far are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// The header.
    Header,
    /// A frame.
    Frame(Luma),
    /// Not enough bytes yet.
    Nothing,
}

/// The frames of a video.
#[derive(Debug, Default)]
pub(super) struct Video {
    shape: Option<Shape>,
    bytes: Vec<u8>,
    /// How many of these are done with.
    used: usize,
    /// How many of them the last thing took.
    last: usize,
}

/// What the header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    width: usize,
    height: usize,
    /// Bytes of a frame, its colours too.
    len: usize,
}

impl Video {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used.min(self.bytes.len()));
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes the last header or frame took.
    pub(super) fn consumed(&self) -> u64 {
        u64::try_from(self.last).unwrap_or(u64::MAX)
    }

    /// The next thing in it. A frame that is left out has one white pixel.
    pub(super) fn next(&mut self, leave_out: bool) -> Result<Next, Unread> {
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        let Some((line, rest)) = line(rest)? else { return Ok(Next::Nothing) };
        let Some(shape) = self.shape else {
            self.shape = Some(Shape::of(line)?);
            self.use_up(line.len().saturating_add(1));
            return Ok(Next::Header);
        };
        if line != b"FRAME" && !line.starts_with(b"FRAME ") {
            return Err(Unread::Form);
        }
        let Some(pixels) = rest.get(..shape.len) else { return Ok(Next::Nothing) };
        let luma = if leave_out {
            Luma::white(1, 1)
        } else {
            let pixels = pixels.get(..shape.width.saturating_mul(shape.height)).map(<[u8]>::to_vec);
            pixels.and_then(|pixels| Luma::new(shape.width, shape.height, pixels))
        };
        let frame = luma.ok_or(Unread::Size)?;
        self.use_up(line.len().saturating_add(1).saturating_add(shape.len));
        Ok(Next::Frame(frame))
    }

    fn use_up(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
        self.last = count;
    }
}

impl Shape {
    fn of(line: &[u8]) -> Result<Self, Unread> {
        let line = std::str::from_utf8(line).map_err(|_| Unread::Form)?;
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(Unread::Form);
        }
        let (mut width, mut height, mut colours) = (None, None, "420");
        for word in words {
            if let Some(number) = word.strip_prefix('W') {
                width = number.parse::<usize>().ok();
            } else if let Some(number) = word.strip_prefix('H') {
                height = number.parse::<usize>().ok();
            } else if let Some(word) = word.strip_prefix('C') {
                colours = word;
            }
        }
        let (Some(width), Some(height)) = (width, height) else { return Err(Unread::Form) };
        let pixels = count(width, height).ok_or(Unread::Size)?;
        let (across, down) = match colours {
            "mono" => return Ok(Self { width, height, len: pixels }),
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => (width.div_ceil(2), height.div_ceil(2)),
            "422" => (width.div_ceil(2), height),
            "444" => (width, height),
            other => return Err(Unread::Colours(other.chars().take(16).collect())),
        };
        let len = across.saturating_mul(down).saturating_mul(2).saturating_add(pixels);
        if len > MAX_FRAME_LEN {
            return Err(Unread::Size);
        }
        Ok(Self { width, height, len })
    }
}

/// A line, and what follows it.
type Line<'a> = (&'a [u8], &'a [u8]);

/// The first line; `None` when it is not whole yet.
fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, Unread> {
    let start = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = start.iter().position(|byte| *byte == b'\n') else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(Unread::Form) };
    };
    Ok(bytes.get(..end).zip(bytes.get(end.saturating_add(1)..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(colours: &str, chroma: usize) -> Vec<u8> {
        let mut bytes = format!("YUV4MPEG2 W3 H2 F30:1 C{colours}\n").into_bytes();
        for number in 0..3_u8 {
            bytes.extend(b"FRAME Ip\n");
            bytes.extend([number; 6]);
            bytes.resize(bytes.len() + chroma, 128);
        }
        bytes
    }

    /// The frames of a video that comes in pieces of so many bytes, and how many bytes were done with.
    fn frames(bytes: &[u8], piece: usize) -> (Vec<Luma>, u64) {
        let (mut video, mut frames, mut done) = (Video::default(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            video.take(piece);
            loop {
                match video.next(false).unwrap() {
                    Next::Nothing => break,
                    Next::Header => {}
                    Next::Frame(luma) => frames.push(luma),
                }
                done += video.consumed();
            }
        }
        (frames, done)
    }

    #[test]
    fn brightness_is_what_comes_before_the_colours() {
        for (colours, chroma) in [("420jpeg", 4), ("420", 4), ("422", 8), ("444", 12), ("mono", 0)] {
            let bytes = film(colours, chroma);
            for piece in [1, 7, 10_000] {
                let (frames, done) = frames(&bytes, piece);
                let expected: Vec<_> =
                    (0..3).map(|number| Luma::new(3, 2, vec![number; 6]).unwrap()).collect();
                assert_eq!(frames, expected, "{colours} {piece}");
                assert_eq!(done, bytes.len() as u64);
            }
        }
    }

    #[test]
    fn a_video_without_a_word_on_its_colours_is_420() {
        let mut video = Video::default();
        video.take(b"YUV4MPEG2 W2 H2\nFRAME\n\x01\x02\x03\x04\x80\x80");
        assert_eq!(video.next(false), Ok(Next::Header));
        assert_eq!(video.next(false), Ok(Next::Frame(Luma::new(2, 2, vec![1, 2, 3, 4]).unwrap())));
        assert_eq!(video.next(false), Ok(Next::Nothing));
    }

    #[test]
    fn a_frame_that_is_left_out_is_done_with_all_the_same() {
        let mut video = Video::default();
        video.take(&film("mono", 0));
        assert_eq!(video.next(true), Ok(Next::Header));
        assert_eq!(video.next(true), Ok(Next::Frame(Luma::white(1, 1).unwrap())));
        assert_eq!(video.consumed(), 15);
        assert_eq!(video.next(false), Ok(Next::Frame(Luma::new(3, 2, vec![1; 6]).unwrap())));
    }
}
