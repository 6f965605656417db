//! How much a QR symbol holds.

/// Characters of the alphanumeric set that a symbol holds at error correction level L, by version (ISO 18004, table 7).
const ALPHANUMERIC_L: [u16; 40] = [
    25, 47, 77, 114, 154, 195, 224, 279, 335, 395, 468, 535, 619, 667, 758, 854, 938, 1046, 1153, 1249, 1352,
    1460, 1588, 1704, 1853, 1990, 2132, 2223, 2369, 2520, 2677, 2840, 3009, 3183, 3351, 3537, 3729, 3927,
    4087, 4296,
];

/// A version (size) of QR symbols: 1 has 21 modules a side, each further one four more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    number: u8,
    alphanumeric: u16,
}

impl Version {
    /// Version 1 to 40; `None` for other numbers.
    pub fn new(number: u8) -> Option<Self> {
        let alphanumeric = *ALPHANUMERIC_L.get(usize::from(number.checked_sub(1)?))?;
        Some(Self { number, alphanumeric })
    }

    /// 1 to 40.
    pub fn number(self) -> u8 {
        self.number
    }

    /// Characters of the alphanumeric set that it holds at error correction level L.
    pub fn alphanumeric(self) -> usize {
        usize::from(self.alphanumeric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_1_to_40() {
        assert_eq!(Version::new(0), None);
        assert_eq!(Version::new(41), None);
        assert_eq!(Version::new(1).unwrap().alphanumeric(), 25);
        assert_eq!(Version::new(27).unwrap().alphanumeric(), 2132);
        assert_eq!(Version::new(40).unwrap().alphanumeric(), 4296);
    }
}
