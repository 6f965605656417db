//! A frame: its header of eight characters, and its bytes.

use super::MAX_PARTS;
use crate::qr::fault::{Fault, form};
use crate::qr::payload::{Format, Kind};
use data_encoding::{BASE32_NOPAD, HEXUPPER};

/// How every frame begins.
const MAGIC: &str = "B$";

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    /// `H`: hexadecimal in upper case.
    Hex,
    /// `2`: base32 (RFC 4648) without padding.
    Base32,
    /// `Z`: the whole payload deflated, then base32.
    Deflated,
}

/// What all frames of one payload have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Header {
    pub(super) encoding: Encoding,
    pub(super) file_type: u8,
    pub(super) parts: usize,
}

impl Header {
    /// How many parts there are.
    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    /// What the frames say that the payload is.
    pub(crate) fn kind(&self) -> Kind {
        match self.file_type {
            b'P' => Kind::Psbt,
            b'T' => Kind::Transaction,
            b'J' => Kind::Json,
            b'U' => Kind::Text,
            _ => Kind::Bytes,
        }
    }
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What it has in common with the others.
    pub(crate) header: Header,
    /// Which part it is, from 0; below the count of parts.
    pub(crate) number: usize,
    /// Its bytes, not empty.
    pub(crate) bytes: Vec<u8>,
}

/// The type letter for content of a kind.
pub(super) fn file_type(kind: Kind) -> char {
    match kind {
        Kind::Psbt => 'P',
        Kind::Transaction => 'T',
        Kind::Json => 'J',
        Kind::Descriptor | Kind::Text => 'U',
        Kind::Bytes => 'B',
    }
}

/// Reads a frame; `None` when the text does not begin like one.
pub(crate) fn parse(text: &str) -> Option<Result<Frame, Fault>> {
    text.strip_prefix(MAGIC).map(parse_behind_magic)
}

fn parse_behind_magic(text: &str) -> Result<Frame, Fault> {
    let Some((&[encoding, file_type, p, q, n, m], body)) = text.as_bytes().split_first_chunk() else {
        return Err(form(Format::Bbqr, "its header is too short"));
    };
    let encoding = match encoding {
        b'H' => Encoding::Hex,
        b'2' => Encoding::Base32,
        b'Z' => Encoding::Deflated,
        _ => return Err(form(Format::Bbqr, "its encoding is none of H, 2 and Z")),
    };
    if !matches!(file_type, b'P' | b'T' | b'J' | b'C' | b'U' | b'B') {
        let found = char::from(file_type).to_string();
        return Err(Fault::Type { format: Format::Bbqr, found });
    }
    let numbers = base36(p, q).zip(base36(n, m));
    let (parts, number) = numbers.ok_or(form(Format::Bbqr, "a count in it is no number in base 36"))?;
    if parts == 0 || parts > MAX_PARTS {
        return Err(Fault::Parts(0));
    }
    if number >= parts {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        return Err(Fault::Number { number: wide(number), parts: wide(parts) });
    }
    let bytes = match encoding {
        Encoding::Hex => HEXUPPER.decode(body).ok(),
        Encoding::Base32 | Encoding::Deflated => BASE32_NOPAD.decode(body).ok(),
    };
    let bytes = bytes.ok_or(form(Format::Bbqr, "its text is not of its encoding"))?;
    if bytes.is_empty() {
        return Err(form(Format::Bbqr, "it has no bytes"));
    }
    Ok(Frame { header: Header { encoding, file_type, parts }, number, bytes })
}

fn base36(high: u8, low: u8) -> Option<usize> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'A'..=b'Z' => digit.checked_sub(b'A').and_then(|digit| digit.checked_add(10)),
        _ => None,
    };
    usize::from(digit(high)?).checked_mul(36)?.checked_add(usize::from(digit(low)?))
}

/// Two digits in base 36.
pub(super) fn to_base36(number: usize) -> String {
    let digit = |digit: usize| {
        let digit = u32::try_from(digit).ok().and_then(|digit| char::from_digit(digit, 36));
        digit.unwrap_or_default().to_ascii_uppercase()
    };
    [digit(number / 36), digit(number % 36)].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_encoding_are_read() {
        for (text, bytes) in [("B$HB0201C0FFEE", vec![0xc0, 0xff, 0xee]), ("B$2UZZZYMFRGG", b"abc".to_vec())]
        {
            let Frame { header, number, bytes: read } = parse(text).unwrap().unwrap();
            assert_eq!(read, bytes);
            assert_eq!((header.parts, number), if text.contains("ZZ") { (1295, 1294) } else { (2, 1) });
        }
    }

    #[test]
    fn numbers_in_base_36_read_back() {
        for number in 0..=MAX_PARTS {
            let text = to_base36(number);
            assert_eq!(base36(text.as_bytes()[0], text.as_bytes()[1]), Some(number));
        }
    }

    #[test]
    fn broken_frames_are_refused() {
        for text in
            ["B$", "B$HP01", "B$XP0100AA", "B$hP0100AA", "B$HP0a00AA", "B$HP01-0AA", "B$HP0100", "B$HP0100A"]
        {
            assert!(matches!(parse(text), Some(Err(Fault::Form { .. }))), "{text}");
        }
        for text in
            ["B$HP0100aa", "B$2P0100A", "B$2P0100AB======", "B$2P0100A1", "B$2P0100AB CD", "B$2P0100AZ"]
        {
            assert!(matches!(parse(text), Some(Err(Fault::Form { .. }))), "{text}");
        }
        assert_eq!(parse("B$HP0000AA"), Some(Err(Fault::Parts(0))));
        assert!(matches!(parse("B$HP0202AA"), Some(Err(Fault::Number { number: 2, parts: 2 }))));
        assert!(matches!(parse("B$HX0100AA"), Some(Err(Fault::Type { .. }))));
        assert!(matches!(parse("B$H\u{e9}0100AA"), Some(Err(_))));
        assert_eq!(parse("b$HP0100AA"), None);
    }
}
