//! The first decoder: `rxing`, a translation of ZXing's C++ detector. It tells where the finder patterns are as well.
// Its coordinates are floating point numbers; they say where to look, never what was read.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_arithmetic)]

use super::super::picture::luma::Luma;
use super::place::Place;
use super::{MAX_CODES, bits};
use rxing::common::cpp_essentials::ConcentricPattern;
use rxing::common::{BitMatrix, DetectorRXingResult, HybridBinarizer};
use rxing::qrcode::cpp_port::decoder::Decode;
use rxing::qrcode::cpp_port::detector::{
    FindFinderPatterns, FinderPatternSet, GenerateFinderPatternSets, SampleQR,
};
use rxing::{Binarizer, Luma8Source, LuminanceSource};

/// Most finder patterns from which codes are made up: each three of them may be one.
const MAX_PATTERNS: usize = 48;

/// Most threes of finder patterns that are tried.
const MAX_SETS: usize = 64;

/// Modules of a finder pattern's side.
const PATTERN_MODULES: i32 = 7;

/// What a decoder found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) texts: Vec<String>,
    /// Codes by their finder patterns that were not read.
    pub(super) unread: usize,
    /// Sixteenths of a pixel of a module's side, by the finder patterns, where there are some.
    pub(super) module: Option<u32>,
    /// Where the codes are.
    pub(super) place: Option<Place>,
}

/// Reads the codes in a part of a frame. Modules smaller than half of those of `before`, in sixteenths of a pixel, are not
/// looked for.
pub(super) fn read(luma: &Luma, place: Place, inverted: bool, before: Option<u32>) -> Found {
    let bits = bits::dark(luma, place, inverted).or_else(|| small(luma, place, inverted));
    bits.map(|bits| decode(&bits, place, before)).unwrap_or_default()
}

/// Dark and light of what is too small for thresholds of its parts.
fn small(luma: &Luma, place: Place, inverted: bool) -> Option<BitMatrix> {
    let (width, height) = (u32::try_from(luma.width()).ok()?, u32::try_from(luma.height()).ok()?);
    let mut source = Luma8Source::new_with_slice(luma.pixels(), width, height)
        .and_then(|source| source.crop(place.left, place.top, place.width(), place.height()))
        .ok()?;
    if inverted {
        source.invert();
    }
    HybridBinarizer::new(source).get_black_matrix().ok().cloned()
}

fn decode(bits: &BitMatrix, within: Place, before: Option<u32>) -> Found {
    let least = before.map_or(0, |module| module / 32);
    let mut patterns = FindFinderPatterns(bits, before.is_none(), least);
    patterns.truncate(MAX_PATTERNS);
    let module = module(&patterns);
    let mut found = Found { module, ..Found::default() };
    let mut used: Vec<ConcentricPattern> = Vec::new();
    let mut unread: Option<FinderPatternSet> = None;
    for set in GenerateFinderPatternSets(&mut patterns).into_iter().take(MAX_SETS) {
        if [set.bl, set.tl, set.tr].iter().any(|pattern| used.contains(pattern)) {
            continue;
        }
        let read = SampleQR(bits, &set).and_then(|sampled| Decode(sampled.getBits()));
        match read {
            Ok(content) if content.isValid() => {
                used.extend([set.bl, set.tl, set.tr]);
                found.texts.push(content.text());
                let place = around(&set, within);
                found.place = Some(found.place.map_or(place, |before| before.and(place)));
            }
            Ok(_) | Err(_) => drop(unread.get_or_insert(set)),
        }
        if found.texts.len() >= MAX_CODES {
            break;
        }
    }
    // Threes that were not read because one of them belongs to a code that was are no codes.
    let is_free = |set: &FinderPatternSet| ![set.bl, set.tl, set.tr].iter().any(|one| used.contains(one));
    if let Some(set) = unread.filter(is_free) {
        found.unread = 1;
        if found.place.is_none() {
            found.place = Some(around(&set, within));
        }
    }
    found
}

/// The module's side by the smallest three patterns.
fn module(patterns: &[ConcentricPattern]) -> Option<u32> {
    let size = patterns.iter().map(|pattern| pattern.size).min().filter(|_| patterns.len() >= 3)?;
    u32::try_from(size.saturating_mul(16) / PATTERN_MODULES).ok()
}

/// The square that three finder patterns are the corners of, in pixels of the frame.
fn around(set: &FinderPatternSet, within: Place) -> Place {
    let half = [set.bl, set.tl, set.tr].iter().map(|pattern| pattern.size).max().unwrap_or_default() as f32;
    let (one, corner, other) = (set.bl.p, set.tl.p, set.tr.p);
    let across = [one.x, corner.x, other.x, one.x + other.x - corner.x];
    let down = [one.y, corner.y, other.y, one.y + other.y - corner.y];
    let least = |of: [f32; 4]| of.into_iter().fold(f32::MAX, f32::min) - half;
    let most = |of: [f32; 4]| of.into_iter().fold(0.0, f32::max) + half;
    // Below zero and above the range a cast ends at the range.
    Place {
        left: within.left.saturating_add(least(across) as usize),
        top: within.top.saturating_add(least(down) as usize),
        right: within.left.saturating_add(most(across) as usize).min(within.right),
        bottom: within.top.saturating_add(most(down) as usize).min(within.bottom),
    }
}
