//! Electrum's base43: bytes as one big number in the characters that a QR code holds best (`electrum/bitcoin.py`).

/// The digits, from 0 to 42.
const DIGITS: &[u8; 43] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$*+-./:";

/// The bytes of a text in base43, a zero byte for each `0` in front; `None` when it has other characters. The work grows
/// with the square of the length, which the caller bounds.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    // The number in base 2^32, least first.
    let mut limbs: Vec<u32> = Vec::new();
    for digit in digits {
        let mut carry = u64::try_from(digit?).ok()?;
        for limb in &mut limbs {
            carry = u64::from(*limb).wrapping_mul(43).wrapping_add(carry);
            *limb = u32::try_from(carry & 0xffff_ffff).ok()?;
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(u32::try_from(carry).ok()?);
        }
    }
    let zeros = text.bytes().take_while(|byte| *byte == b'0').count();
    let number = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).skip_while(|byte| *byte == 0);
    Some(std::iter::repeat_n(0, zeros).chain(number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_electrum_are_read() {
        assert_eq!(decode(""), Some(vec![]));
        assert_eq!(decode("1"), Some(vec![1]));
        assert_eq!(decode("00:"), Some(vec![0, 0, 42]));
        assert_eq!(decode("-"), Some(vec![39]));
        // 256 = 5 * 43 + 41
        assert_eq!(decode("5/"), Some(vec![1, 0]));
    }

    #[test]
    fn other_characters_are_refused() {
        assert_eq!(decode("ab"), None);
        assert_eq!(decode("A B"), None);
    }
}
