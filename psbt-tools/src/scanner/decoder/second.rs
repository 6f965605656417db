//! The second opinion: `rqrr`, other people's code, which reads some symbols that the first does not.

use super::super::picture::luma::Luma;
use super::MAX_CODES;
use super::place::Place;

/// The texts of the codes in a part of a frame.
pub(super) fn read(luma: &Luma, place: Place, inverted: bool) -> Vec<String> {
    let pixel = |x: usize, y: usize| {
        let value = luma.row(place.top.saturating_add(y)).get(place.left.saturating_add(x)).copied();
        let value = value.unwrap_or(u8::MAX);
        if inverted { u8::MAX.saturating_sub(value) } else { value }
    };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(place.width(), place.height(), pixel);
    let read = |grid: &rqrr::Grid<_>| {
        let mut bytes = Vec::new();
        grid.decode_to(&mut bytes).ok().and_then(|_| String::from_utf8(bytes).ok())
    };
    image.detect_grids().iter().take(MAX_CODES).filter_map(read).collect()
}
