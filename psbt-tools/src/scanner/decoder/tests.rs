//! What the decoder reads, and what it says where it reads nothing.

use super::*;
use crate::qr::Version;
use crate::show::Symbol;

fn symbol(seed: usize, version: u8) -> (Symbol, String) {
    let text: String = (0..40).map(|at| char::from(b'A' + ((at * 7 + seed * 3) % 26) as u8)).collect();
    (Symbol::of(&text, Version::new(version).unwrap()).unwrap(), text)
}

/// Symbols at places of a frame, with so many pixels for two modules.
fn frame(
    width: usize,
    height: usize,
    symbols: &[(&Symbol, usize, usize)],
    scale: usize,
    ink: [u8; 2],
) -> Luma {
    let mut luma = Luma::new(width, height, vec![ink[1]; width * height]).unwrap();
    for (symbol, left, top) in symbols {
        for y in 0..symbol.side() * scale / 2 {
            for x in 0..symbol.side() * scale / 2 {
                let is_dark = symbol.is_dark(x * 2 / scale, y * 2 / scale, 0);
                luma.pixels_mut()[(top + y) * width + left + x] = ink[usize::from(!is_dark)];
            }
        }
    }
    luma
}

#[test]
fn a_code_is_read_wherever_it_moves() {
    let mut decoder = Decoder::default();
    let mut random = 7_u64;
    for number in 0..40 {
        let (symbol, text) = symbol(number, 5);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Now and then it jumps.
        let jump = if number % 10 == 9 { 120 } else { 0 };
        let (left, top) = (60 + (random >> 40) as usize % 20 + jump, 50 + (random >> 50) as usize % 20);
        let luma = frame(420, 300, &[(&symbol, left, top)], 8, [30, 220]);
        assert_eq!(decoder.texts(&luma), [text], "{number}");
    }
}

#[test]
fn several_codes_in_view_are_all_read() {
    let mut decoder = Decoder::default();
    let (one, first) = symbol(1, 4);
    let (other, second) = symbol(2, 6);
    let luma = frame(600, 400, &[(&one, 20, 20), (&other, 300, 150)], 8, [0, 255]);
    // In the first frame and, at the latest, in the eighth after.
    for _ in 0..2 {
        let seen: std::collections::BTreeSet<String> =
            (0..WHOLE).flat_map(|_| decoder.texts(&luma)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [first.clone(), second.clone()]);
    }
}

#[test]
fn light_codes_on_dark_are_read_after_dark_ones_on_light() {
    let mut decoder = Decoder::default();
    let (symbol, text) = symbol(1, 4);
    let dark = frame(300, 300, &[(&symbol, 50, 50)], 8, [0, 255]);
    let light = frame(300, 300, &[(&symbol, 50, 50)], 8, [255, 0]);
    assert_eq!(decoder.texts(&dark), [text.as_str()]);
    let tries = (0..2 * RARE).filter(|_| decoder.texts(&light) == [text.as_str()]).count();
    assert!(tries as u64 >= RARE, "{tries}");
    assert_eq!(Decoder::default().texts(&light), [text.as_str()]);
}

#[test]
fn what_hinders_is_told_apart() {
    let sight = |luma: &Luma| Decoder::default().look(luma).sight;
    let plain = |value: u8| Luma::new(200, 200, vec![value; 40_000]).unwrap();
    assert_eq!(sight(&plain(10)), Some(Sight::Dark));
    assert_eq!(sight(&plain(150)), Some(Sight::Flat));
    let (symbol, _) = symbol(1, 10);
    let stripes =
        Luma::new(200, 200, (0..40_000).map(|at| if at / 20 % 2 == 0 { 20 } else { 230 }).collect());
    assert_eq!(sight(&stripes.unwrap()), Some(Sight::Empty));
    // A third of it is covered.
    let mut torn = frame(400, 400, &[(&symbol, 40, 40)], 10, [0, 255]);
    let (side, width) = (symbol.side() * 5, 400);
    for y in side / 3..side * 2 / 3 {
        torn.pixels_mut()[(40 + y) * width + 40..][..side].fill(255);
    }
    assert_eq!(sight(&torn), Some(Sight::Torn));
    assert_eq!(Decoder::default().look(&torn).unread, 1);
}

#[test]
fn codes_with_modules_of_two_pixels_read_or_are_said_to_be_small() {
    let (symbol, text) = symbol(3, 10);
    let luma = frame(300, 300, &[(&symbol, 40, 40)], 4, [0, 255]);
    let look = Decoder::default().look(&luma);
    assert!(look.texts == [text] || look.sight == Some(Sight::Small), "{look:?}");
}

#[test]
fn frames_of_any_size_are_looked_at() {
    for (width, height) in [(1, 1), (1, 500), (500, 1), (2, 2), (7, 9), (39, 41), (40, 40), (41, 39), (64, 3)]
    {
        for value in [0, 128, 255] {
            let luma = Luma::new(width, height, vec![value; width * height]).unwrap();
            let mut decoder = Decoder::default();
            (0..9).for_each(|_| assert!(decoder.look(&luma).texts.is_empty()));
        }
    }
}
