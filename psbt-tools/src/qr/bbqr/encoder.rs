//! A payload as frames for QR codes of one version.

use super::MAX_PARTS;
use super::header::{file_type, to_base36};
use crate::qr::deflate::deflate;
use crate::qr::fault::Fault;
use crate::qr::payload::Kind;
use crate::qr::symbol::Version;
use data_encoding::BASE32_NOPAD;

/// Characters of a frame's header.
const HEADER_LEN: usize = 8;

/// The frames of one payload.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    frames: Vec<String>,
}

impl Encoder {
    /// Of content that fits into codes of a version: deflated where that is smaller, in parts that are as equal as base32
    /// allows.
    pub(crate) fn new(kind: Kind, bytes: &[u8], version: Version) -> Result<Self, Fault> {
        let too_large = || Fault::TooLarge { len: bytes.len(), parts: MAX_PARTS, version: version.number() };
        if bytes.is_empty() {
            return Err(Fault::MessageLen(0));
        }
        let deflated = deflate(bytes);
        let (encoding, data) = match &deflated {
            Some(deflated) => ('Z', deflated.as_slice()),
            None => ('2', bytes),
        };
        // Eight characters are five bytes: all parts but the last are whole groups.
        let groups = data.len().div_ceil(5);
        let most = version.alphanumeric().saturating_sub(HEADER_LEN) / 8;
        let parts = groups.checked_add(most).and_then(|sum| sum.checked_sub(1)?.checked_div(most));
        let each = groups.div_ceil(parts.filter(|parts| *parts <= MAX_PARTS).ok_or_else(too_large)?);
        let pieces = data.chunks(each.saturating_mul(5));
        let head = format!("B${encoding}{}{}", file_type(kind), to_base36(pieces.len()));
        let frames = pieces
            .enumerate()
            .map(|(number, piece)| format!("{head}{}{}", to_base36(number), BASE32_NOPAD.encode(piece)))
            .collect();
        Ok(Self { frames })
    }

    /// How many frames there are.
    pub(crate) fn parts(&self) -> usize {
        self.frames.len()
    }

    /// The frame of a number, from 0; they begin again after the last.
    pub(crate) fn frame(&self, number: u64) -> String {
        let number = usize::try_from(number).unwrap_or_default().checked_rem(self.frames.len());
        number.and_then(|number| self.frames.get(number)).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn parts_are_equal_and_fit_their_version() {
        for version in [3, 10, 20, 27, 40].map(|number| Version::new(number).unwrap()) {
            let encoder = Encoder::new(Kind::Bytes, &noise(version.alphanumeric() * 10), version).unwrap();
            let lens: Vec<usize> = encoder.frames.iter().map(String::len).collect();
            assert!(lens.iter().all(|len| *len <= version.alphanumeric()), "{lens:?}");
            let (last, others) = lens.split_last().unwrap();
            assert!(others.iter().all(|len| *len == others[0] && *len >= *last), "{lens:?}");
            assert!(others[0] - last <= 8 * lens.len(), "{lens:?}");
        }
    }

    #[test]
    fn what_deflates_is_deflated() {
        let version = Version::new(10).unwrap();
        assert!(Encoder::new(Kind::Psbt, &[7; 500], version).unwrap().frame(0).starts_with("B$ZP0100"));
        assert_eq!(Encoder::new(Kind::Text, b"abc", version).unwrap().frame(3), "B$2U0100MFRGG");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let reason = |bytes: &[u8], version| Encoder::new(Kind::Bytes, bytes, Version::new(version).unwrap());
        assert!(matches!(reason(&noise(90_000), 3).unwrap_err(), Fault::TooLarge { .. }));
        assert!(matches!(reason(&[], 3).unwrap_err(), Fault::MessageLen(0)));
    }
}
