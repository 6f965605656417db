//! Which of a camera's formats and sizes is taken.

use super::layout::{CAPTURE, DISCRETE, FormatDescription, FrameInterval, FrameSize};
use super::sys::{self, ENUM_FMT, ENUM_FRAMEINTERVALS, ENUM_FRAMESIZES};
use std::cmp::Reverse;
use std::fs::File;

/// Most formats, most sizes of a format, and most intervals of a size that are looked at.
const MOST: u32 = 64;

/// Longest side of a frame, in pixels.
pub(super) const MAX_SIDE: u32 = 4_096;

/// The sizes that are wanted, the best first: the first reads dense codes, the second is what every camera has.
const WANTED: [(u32, u32); 2] = [(1_280, 720), (640, 480)];

/// Fewer frames a second than this miss codes at their usual speed, of which there are eight.
const LEAST_RATE: u32 = 20;

/// How the brightness lies in a frame's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pixels {
    /// In every `step`th byte of a row, from the one numbered `first`. Colours come between or after.
    Luma {
        /// Bytes from one pixel to the next.
        step: u8,
        /// Which of them it is.
        first: u8,
    },
    /// The frame is a JPEG.
    Jpeg,
}

/// The pixel formats that are read, the best first: what is brightness only needs no decoder.
const KNOWN: [(&[u8; 4], Pixels); 11] = [
    (b"GREY", Pixels::Luma { step: 1, first: 0 }),
    (b"NV12", Pixels::Luma { step: 1, first: 0 }),
    (b"YU12", Pixels::Luma { step: 1, first: 0 }),
    (b"NV21", Pixels::Luma { step: 1, first: 0 }),
    (b"YV12", Pixels::Luma { step: 1, first: 0 }),
    (b"422P", Pixels::Luma { step: 1, first: 0 }),
    (b"YUYV", Pixels::Luma { step: 2, first: 0 }),
    (b"YVYU", Pixels::Luma { step: 2, first: 0 }),
    (b"UYVY", Pixels::Luma { step: 2, first: 1 }),
    (b"MJPG", Pixels::Jpeg),
    (b"JPEG", Pixels::Jpeg),
];

/// A format in a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    /// Its four characters.
    pub(super) pixel_format: u32,
    /// Pixels of a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
    /// Whole frames a second, where the device tells.
    rate: Option<u32>,
}

impl Pixels {
    /// How a format's brightness lies; `None` for formats that are not read.
    pub(super) fn of(pixel_format: u32) -> Option<Self> {
        place(pixel_format).map(|(_, pixels)| pixels)
    }
}

/// The best of a camera's modes; without one, the names of the formats that it offers.
pub(super) fn choose(device: &File) -> Result<Mode, Vec<String>> {
    let formats: Vec<u32> = (0..MOST)
        .map_while(|index| {
            let mut format = FormatDescription { index, kind: CAPTURE, ..FormatDescription::default() };
            sys::ask(device, ENUM_FMT, &mut format).is_ok().then_some(format.pixel_format)
        })
        .collect();
    let modes: Vec<Mode> = formats
        .iter()
        .filter(|format| Pixels::of(**format).is_some())
        .flat_map(|format| sizes(device, *format).into_iter().map(|size| mode(device, *format, size)))
        .collect();
    best(&modes).ok_or_else(|| formats.iter().map(|format| name(*format)).collect())
}

/// The best of several: fast enough, of the wanted size, and brightness only, in this order.
fn best(modes: &[Mode]) -> Option<Mode> {
    let fits = |mode: &&Mode| (1..=MAX_SIDE).contains(&mode.width) && (1..=MAX_SIDE).contains(&mode.height);
    modes.iter().filter(fits).copied().min_by_key(|mode| {
        let (order, pixels) = place(mode.pixel_format).unzip();
        let size = (mode.width, mode.height);
        let rank = WANTED.iter().position(|wanted| *wanted == size).unwrap_or(WANTED.len());
        let is_slow = mode.rate.is_some_and(|rate| rate < LEAST_RATE);
        (is_slow, rank, distance(size), pixels == Some(Pixels::Jpeg), Reverse(mode.rate), order)
    })
}

/// How far a size is from the best one, in pixels.
fn distance((width, height): (u32, u32)) -> u64 {
    let area = |width: u32, height: u32| u64::from(width).saturating_mul(u64::from(height));
    area(width, height).abs_diff(area(WANTED[0].0, WANTED[0].1))
}

/// The sizes of a format; the wanted ones where the device does not tell, which then takes the nearest.
fn sizes(device: &File, pixel_format: u32) -> Vec<(u32, u32)> {
    let mut sizes = Vec::new();
    for index in 0..MOST {
        let mut size = FrameSize { index, pixel_format, ..FrameSize::default() };
        if sys::ask(device, ENUM_FRAMESIZES, &mut size).is_err() {
            break;
        }
        if size.kind == DISCRETE {
            sizes.push((size.width, size.height));
            continue;
        }
        // A range: `width` and `height` are the least and the greatest width.
        let within = |wanted: u32, least: u32, greatest: u32| wanted.min(greatest).max(least);
        sizes.extend(WANTED.map(|(width, height)| {
            (within(width, size.width, size.height), within(height, size.min_height, size.max_height))
        }));
        break;
    }
    if sizes.is_empty() {
        sizes.extend(WANTED);
    }
    sizes
}

fn mode(device: &File, pixel_format: u32, (width, height): (u32, u32)) -> Mode {
    let rate = (0..MOST)
        .map_while(|index| {
            let mut interval =
                FrameInterval { index, pixel_format, width, height, ..FrameInterval::default() };
            sys::ask(device, ENUM_FRAMEINTERVALS, &mut interval).is_ok().then_some(interval)
        })
        .filter_map(|interval| interval.denominator.checked_div(interval.numerator))
        .max();
    Mode { pixel_format, width, height, rate }
}

fn place(pixel_format: u32) -> Option<(usize, Pixels)> {
    let order = KNOWN.iter().position(|(name, _)| u32::from_le_bytes(**name) == pixel_format)?;
    KNOWN.get(order).map(|(_, pixels)| (order, *pixels))
}

/// A format's four characters, as far as they can be shown.
fn name(pixel_format: u32) -> String {
    pixel_format.to_le_bytes().escape_ascii().to_string().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(name: &[u8; 4], width: u32, height: u32, rate: u32) -> Mode {
        Mode { pixel_format: u32::from_le_bytes(*name), width, height, rate: (rate > 0).then_some(rate) }
    }

    #[test]
    fn speed_comes_before_size_and_size_before_format() {
        // A common USB camera: too slow in its best size but as JPEG.
        let usb = [
            mode(b"YUYV", 640, 480, 30),
            mode(b"YUYV", 1_280, 720, 10),
            mode(b"MJPG", 640, 480, 30),
            mode(b"MJPG", 1_280, 720, 30),
            mode(b"MJPG", 1_920, 1_080, 30),
        ];
        assert_eq!(best(&usb), Some(usb[3]));
        assert_eq!(best(&usb[..3]), Some(usb[0]));
        assert_eq!(best(&usb[1..2]), Some(usb[1]));
        let all =
            [mode(b"MJPG", 1_280, 720, 30), mode(b"YUYV", 1_280, 720, 30), mode(b"GREY", 1_280, 720, 30)];
        assert_eq!(best(&all), Some(all[2]));
    }

    #[test]
    fn without_a_wanted_size_the_nearest_is_taken_and_none_beyond_bounds() {
        let odd = [mode(b"GREY", 320, 240, 0), mode(b"GREY", 1_024, 768, 0), mode(b"GREY", 4_096, 4_096, 0)];
        assert_eq!(best(&odd), Some(odd[1]));
        assert_eq!(best(&[mode(b"GREY", 4_097, 10, 0), mode(b"GREY", 0, 10, 0)]), None);
    }

    #[test]
    fn formats_are_known_by_their_characters() {
        assert_eq!(Pixels::of(0x5956_5955), Some(Pixels::Luma { step: 2, first: 1 }));
        assert_eq!(Pixels::of(0x4747_504a), None);
        assert_eq!(Pixels::of(0x4750_4a4d), Some(Pixels::Jpeg));
        assert_eq!(name(u32::from_le_bytes(*b"Y16 ")), "Y16");
    }
}
