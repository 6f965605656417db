//! Specter's parts: `pMofN ` and a piece of a text, numbered from 1. Read only.

use super::MAX_PARTS;
use super::fault::{Fault, form};
use super::payload::Format;

/// Digits of a count.
const MAX_DIGITS: usize = 6;

/// Reads a frame into how many parts there are, its number (from 0) and its piece; `None` when the text does not begin
/// like one.
pub(super) fn parse(text: &str) -> Option<Result<(usize, usize, &str), Fault>> {
    let (head, piece) = text.split_once(' ')?;
    let (number, parts) = head.strip_prefix('p')?.split_once("of")?;
    let count = |digits: &str| {
        let are_digits = digits.len() <= MAX_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| digits.parse::<u64>().ok()).flatten()
    };
    let (number, parts) = count(number).zip(count(parts))?;
    Some(read(number, parts, piece))
}

fn read(number: u64, parts: u64, piece: &str) -> Result<(usize, usize, &str), Fault> {
    let small = usize::try_from(parts).ok().filter(|parts| (1..=MAX_PARTS).contains(parts));
    let known = small.ok_or(Fault::Parts(parts))?;
    let place =
        usize::try_from(number).ok().and_then(|number| number.checked_sub(1)).filter(|place| *place < known);
    let place = place.ok_or(Fault::Number { number, parts })?;
    if piece.is_empty() {
        return Err(form(Format::Specter, "it has no text"));
    }
    Ok((known, place, piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read() {
        assert_eq!(parse("p1of3 cHNi"), Some(Ok((3, 0, "cHNi"))));
        assert_eq!(parse("p3of3 dP8="), Some(Ok((3, 2, "dP8="))));
    }

    #[test]
    fn broken_frames_are_refused() {
        assert!(matches!(parse("p0of3 x"), Some(Err(Fault::Number { .. }))));
        assert!(matches!(parse("p4of3 x"), Some(Err(Fault::Number { .. }))));
        assert!(matches!(parse("p1of0 x"), Some(Err(Fault::Parts(0)))));
        assert!(matches!(parse("p1of4097 x"), Some(Err(Fault::Parts(4097)))));
        assert!(matches!(parse("p1of1 "), Some(Err(Fault::Form { .. }))));
    }

    #[test]
    fn other_texts_are_left_to_others() {
        for text in ["p1of3", "pof x", "p+1of3 x", "p1of9999999 x", "part of it", "", "P1OF3 X", "p1of-3 x"] {
            let read = parse(text);
            assert!(read.is_none() || text == "pof x", "{text}: {read:?}");
        }
    }
}
