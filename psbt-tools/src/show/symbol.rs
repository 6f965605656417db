//! One QR symbol.

use crate::Error;
use crate::qr::Version;
use qrcode::bits::Bits;
use qrcode::types::QrResult;
use qrcode::{Color, EcLevel, QrCode};

/// The modules of a symbol that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    side: usize,
    dark: Vec<bool>,
}

impl Symbol {
    /// The symbol of a frame's text: alphanumeric mode, error correction level L.
    ///
    /// # Errors
    /// [`Error::Symbol`] when the text does not fit the version, or when another decoder reads something else.
    pub fn of(text: &str, version: Version) -> Result<Self, Error> {
        Self::checked(text, drawn(|bits| bits.push_alphanumeric_data(text.as_bytes()), version))
    }

    /// The symbol of any text: byte mode, error correction level L.
    ///
    /// # Errors
    /// Those of [`Self::of`].
    pub(super) fn of_text(text: &str, version: Version) -> Result<Self, Error> {
        Self::checked(text, drawn(|bits| bits.push_byte_data(text.as_bytes()), version))
    }

    /// Whether a version holds a text in byte mode.
    pub(super) fn holds(text: &str, version: Version) -> bool {
        filled(|bits| bits.push_byte_data(text.as_bytes()), version).is_ok()
    }

    fn checked(text: &str, drawn: QrResult<Self>) -> Result<Self, Error> {
        let symbol = drawn.map_err(|reason| Error::Symbol(reason.to_string()))?;
        let grid = rqrr::SimpleGrid::from_func(symbol.side, |x, y| symbol.is_dark(x, y, 0));
        match rqrr::Grid::new(grid).decode() {
            Ok((_, read)) if read == text => Ok(symbol),
            Ok(_) => Err(Error::Symbol("it reads as another text".to_owned())),
            Err(reason) => Err(Error::Symbol(format!("it does not read: {reason}"))),
        }
    }

    /// Modules of a side, without the light ones around.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether a module is dark, counted from the upper left corner of a picture with so many light modules around the
    /// symbol. Everything outside is light.
    pub fn is_dark(&self, x: usize, y: usize, quiet: usize) -> bool {
        let inside = |at: usize| at.checked_sub(quiet).filter(|at| *at < self.side);
        let (Some(x), Some(y)) = (inside(x), inside(y)) else { return false };
        self.dark.get(y.saturating_mul(self.side).saturating_add(x)).copied().unwrap_or(false)
    }

    /// Modules of a side with so many light ones around.
    pub(super) fn width(&self, quiet: usize) -> usize {
        quiet.saturating_mul(2).saturating_add(self.side)
    }
}

/// Modules of a side of a version's symbols (ISO 18004).
pub(super) fn side_of(version: Version) -> usize {
    usize::from(version.number()).saturating_mul(4).saturating_add(17)
}

fn filled(fill: impl FnOnce(&mut Bits) -> QrResult<()>, version: Version) -> QrResult<Bits> {
    let mut bits = Bits::new(qrcode::Version::Normal(i16::from(version.number())));
    fill(&mut bits)?;
    bits.push_terminator(EcLevel::L)?;
    Ok(bits)
}

fn drawn(fill: impl FnOnce(&mut Bits) -> QrResult<()>, version: Version) -> QrResult<Symbol> {
    let code = QrCode::with_bits(filled(fill, version)?, EcLevel::L)?;
    let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
    Ok(Symbol { side: code.width(), dark })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_holds_what_its_table_says_and_no_more() {
        for number in 1..=40 {
            let version = Version::new(number).unwrap();
            let text = "A7:".repeat(2_000);
            let most = version.alphanumeric();
            assert_eq!(Symbol::of(&text[..most], version).unwrap().side(), side_of(version), "{number}");
            assert!(Symbol::of(&text[..=most], version).is_err(), "{number}");
        }
    }

    #[test]
    fn what_reads_as_another_text_is_not_shown() {
        // Small letters have no place in the alphanumeric set.
        let error = Symbol::of("ur:bytes/aeae", Version::new(5).unwrap()).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("symbol", 1));
    }

    #[test]
    fn outside_everything_is_light() {
        let symbol = Symbol::of("A", Version::new(1).unwrap()).unwrap();
        assert!(symbol.is_dark(0, 0, 0) && symbol.is_dark(4, 4, 4));
        assert!(!symbol.is_dark(3, 4, 4) && !symbol.is_dark(25, 4, 4) && !symbol.is_dark(usize::MAX, 4, 4));
    }
}
