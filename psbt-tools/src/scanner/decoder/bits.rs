//! Dark and light: a threshold for every block of 8 by 8 pixels, by the blocks around it, as ZXing's hybrid binarizer has
//! it. Eight pixels are compared at a time, which is several times faster.

use super::super::picture::luma::Luma;
use super::place::Place;
use super::sight;
use rxing::common::{BitArray, BitMatrix};

/// Pixels of a block's side.
const BLOCK: usize = 8;

/// Blocks of which the average is taken, in both directions.
const AROUND: usize = 5;

/// Least difference within a block that is no noise.
const RANGE: u8 = 24;

/// The highest bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Brings the lowest bits of eight bytes together in the highest byte.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// Which pixels of a part of a frame are dark; `None` when it has less than five blocks in a direction.
pub(super) fn dark(luma: &Luma, place: Place, inverted: bool) -> Option<BitMatrix> {
    let flip = if inverted { u8::MAX } else { 0 };
    let (dark, light) = sight::tenths(luma, place);
    let darkest = if inverted { light ^ flip } else { dark };
    let blocks: Vec<Vec<u8>> = black_points(luma, place, flip, darkest);
    let across = blocks.first()?.len();
    if blocks.len() < AROUND || across < AROUND {
        return None;
    }
    let (width, height) = (u32::try_from(place.width()).ok()?, u32::try_from(place.height()).ok()?);
    let mut matrix = BitMatrix::new(width, height).ok()?;
    let thresholds = averages(&blocks);
    let mut bits = BitArray::with_size(place.width());
    for (y, (row, at)) in (0_u32..).zip(place.rows(luma).zip(0_usize..)) {
        let Some(thresholds) = thresholds.get(at / BLOCK) else { break };
        let words = row.chunks(BLOCK * BLOCK).zip(thresholds.chunks(BLOCK));
        for (start, (pixels, thresholds)) in (0..).step_by(BLOCK * BLOCK).zip(words) {
            bits.setBulk(start, word(pixels, thresholds, flip));
        }
        matrix.setRow(y, &bits);
    }
    Some(matrix)
}

/// Up to 64 pixels, the first one lowest; one is dark.
fn word(pixels: &[u8], thresholds: &[u8], flip: u8) -> usize {
    let mut word = 0_u64;
    for ((pixels, threshold), shift) in pixels.chunks(BLOCK).zip(thresholds).zip((0_u32..).step_by(BLOCK)) {
        // Light where there is no pixel: nothing is above 255.
        let mut eight = [flip ^ u8::MAX; BLOCK];
        eight.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
        let pixels = u64::from_le_bytes(eight.map(|pixel| pixel ^ flip));
        let threshold = u64::from_le_bytes([*threshold; BLOCK]);
        // The highest bit of each byte says whether the pixel is not above the threshold.
        let below = (threshold | HIGH).wrapping_sub(pixels & !HIGH);
        let is_dark = ((threshold & !pixels) | (!(threshold ^ pixels) & below)) & HIGH;
        let eight = (is_dark >> 7).wrapping_mul(GATHER) >> 56;
        word |= eight.checked_shl(shift).unwrap_or_default();
    }
    usize::try_from(word).unwrap_or_default()
}

/// The brightness below which a block's pixels are dark, by itself and the blocks before it.
fn black_points(luma: &Luma, place: Place, flip: u8, darkest: u8) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    let mut rows = place.rows(luma);
    loop {
        let mut blocks = vec![Block::default(); place.width().div_ceil(BLOCK)];
        let mut count = 0_usize;
        for row in rows.by_ref().take(BLOCK) {
            count = count.saturating_add(1);
            let (eights, rest) = row.as_chunks::<BLOCK>();
            blocks.iter_mut().zip(eights).for_each(|(block, eight)| block.add(eight));
            if let Some(last) = blocks.last_mut().filter(|_| !rest.is_empty()) {
                last.add(rest);
            }
        }
        if count == 0 {
            return all;
        }
        let mut points: Vec<u8> = Vec::with_capacity(blocks.len());
        for (at, block) in blocks.iter().enumerate() {
            let before = at.checked_sub(1);
            let of = |row: Option<&Vec<u8>>, at: usize| row.and_then(|row| row.get(at)).copied();
            let around = before.and_then(|before| {
                let (left, above) = (of(Some(&points), before)?, of(all.last(), at)?);
                let corner = of(all.last(), before)?;
                let sum = u16::from(left).saturating_mul(2).saturating_add(u16::from(above));
                u8::try_from(sum.saturating_add(u16::from(corner)) / 4).ok()
            });
            points.push(block.black_point(around, flip, darkest));
        }
        all.push(points);
    }
}

/// What is known of a block.
#[derive(Debug, Clone, Copy)]
struct Block {
    sum: u16,
    count: u16,
    least: u8,
    most: u8,
}

impl Default for Block {
    fn default() -> Self {
        Self { sum: 0, count: 0, least: u8::MAX, most: 0 }
    }
}

impl Block {
    fn add(&mut self, pixels: &[u8]) {
        for pixel in pixels {
            self.sum = self.sum.wrapping_add(u16::from(*pixel));
            self.least = self.least.min(*pixel);
            self.most = self.most.max(*pixel);
        }
        self.count = self.count.wrapping_add(u16::try_from(pixels.len()).unwrap_or_default());
    }

    /// `darkest` is what a tenth of all pixels is darker than: where a picture has little contrast, black is not at zero.
    fn black_point(&self, around: Option<u8>, flip: u8, darkest: u8) -> u8 {
        let average = self.sum.checked_div(self.count).unwrap_or_default();
        let average = u8::try_from(average).unwrap_or(u8::MAX) ^ flip;
        if self.most.saturating_sub(self.least) > RANGE {
            return average;
        }
        // Nothing but light, or nothing but dark: light, unless it is darker than what is dark around it.
        let least = if flip == 0 { self.least } else { self.most ^ flip };
        match around {
            Some(around) if least < around => around,
            Some(_) | None => darkest.min(least).midpoint(least),
        }
    }
}

/// The average of each block and those around it; at the edges that of the nearest block that has all of them.
fn averages(blocks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let sums = |values: &[u16]| -> Vec<u16> {
        let inner = values
            .windows(AROUND)
            .map(|window| window.iter().fold(0_u16, |sum, one| sum.saturating_add(*one)));
        spread(inner.collect())
    };
    let wide: Vec<Vec<u16>> = blocks
        .iter()
        .map(|row| sums(&row.iter().map(|point| u16::from(*point)).collect::<Vec<_>>()))
        .collect();
    let inner: Vec<Vec<u8>> = wide
        .windows(AROUND)
        .map(|rows| {
            let mut total = vec![0_u16; rows.first().map_or(0, Vec::len)];
            for row in rows {
                total.iter_mut().zip(row).for_each(|(total, one)| *total = total.saturating_add(*one));
            }
            total.into_iter().map(|total| u8::try_from(total / 25).unwrap_or(u8::MAX)).collect()
        })
        .collect();
    spread(inner)
}

/// With its first and its last twice more.
fn spread<T: Clone>(inner: Vec<T>) -> Vec<T> {
    let (first, last) = (inner.first().cloned(), inner.last().cloned());
    let twice = |end: Option<T>| end.into_iter().flat_map(|end| [end.clone(), end]);
    twice(first).chain(inner).chain(twice(last)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rxing::common::HybridBinarizer;
    use rxing::{Binarizer, Luma8Source, LuminanceSource};

    fn noisy(width: usize, height: usize) -> Luma {
        let pixel = |at: usize| {
            let (x, y) = (at % width, at / width);
            let mixed = (at as u64 + 7).wrapping_mul(6_364_136_223_846_793_005) >> 56;
            let base = if (x / 5 + y / 7) % 2 == 0 { 30 } else { 190 };
            (base + mixed / 5 + x as u64 / 32).min(255) as u8
        };
        Luma::new(width, height, (0..width * height).map(pixel).collect()).unwrap()
    }

    #[test]
    fn the_same_pixels_are_dark_as_for_zxing() {
        for (width, height) in [(640, 480), (96, 40), (200, 152)] {
            let luma = noisy(width, height);
            for inverted in [false, true] {
                let ours = dark(&luma, Place::whole(&luma), inverted).unwrap();
                let mut source =
                    Luma8Source::new_with_slice(luma.pixels(), width as u32, height as u32).unwrap();
                if inverted {
                    source.invert();
                }
                let theirs = HybridBinarizer::new(source).get_black_matrix().unwrap().clone();
                let differ = (0..width as u32)
                    .flat_map(|x| (0..height as u32).map(move |y| (x, y)))
                    .filter(|(x, y)| ours.get(*x, *y) != theirs.get(*x, *y))
                    .count();
                // An average that is rounded the other way.
                assert!(differ * 1_000 <= width * height, "{width} {height} {inverted}: {differ}");
            }
        }
    }

    #[test]
    fn any_size_and_place_has_its_bits() {
        let luma = noisy(133, 77);
        for place in [
            Place::whole(&luma),
            Place { left: 3, top: 5, right: 130, bottom: 70 },
            Place { left: 90, top: 40, right: 133, bottom: 77 },
        ] {
            let matrix = dark(&luma, place, false).unwrap();
            assert_eq!((matrix.width() as usize, matrix.height() as usize), (place.width(), place.height()));
        }
        assert!(dark(&luma, Place { left: 0, top: 0, right: 20, bottom: 20 }, false).is_none());
    }

    #[test]
    fn eight_pixels_are_compared_as_each_of_them() {
        for threshold in [0, 1, 127, 128, 200, 255] {
            let pixels = [0, 1, 126, 127, 128, 129, 254, 255];
            let word = word(&pixels, &[threshold], 0);
            for (at, pixel) in pixels.iter().enumerate() {
                assert_eq!(word >> at & 1 == 1, *pixel <= threshold, "{pixel} {threshold}");
            }
        }
    }
}
