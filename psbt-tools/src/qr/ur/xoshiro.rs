//! The generator that sender and receiver share: xoshiro256** 1.0 (Blackman, Vigna), seeded with a SHA-256.

use bitcoin::hashes::{Hash, sha256};

/// The generator's state.
#[derive(Debug, Clone)]
pub(super) struct Xoshiro {
    state: [u64; 4],
}

impl Xoshiro {
    /// Seeded with the SHA-256 of the bytes, as four big-endian numbers.
    pub(super) fn seeded(seed: &[u8]) -> Self {
        let hash = sha256::Hash::hash(seed).to_byte_array();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(hash.chunks_exact(8)) {
            *word = u64::from_be_bytes(bytes.try_into().unwrap_or_default());
        }
        Self { state }
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        let [mut a, mut b, mut c, mut d] = self.state;
        let number = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= shifted;
        d = d.rotate_left(45);
        self.state = [a, b, c, d];
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_numbers_come_out() {
        let mut random = Xoshiro::seeded(b"Wolf");
        let numbers: Vec<u64> = (0..10).map(|_| random.next() % 100).collect();
        assert_eq!(numbers, [42, 81, 85, 8, 82, 84, 76, 73, 70, 88]);
    }
}
