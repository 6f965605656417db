//! Which fragments a part mixes (BCR-2024-001, section 4). A function of the part's number and the payload alone.

use super::degree::{Sampler, below};
use super::xoshiro::Xoshiro;

/// The fragments of every part of one payload.
#[derive(Debug, Clone)]
pub(super) struct Fountain {
    parts: usize,
    checksum: u32,
    degrees: Sampler,
}

impl Fountain {
    /// For a payload of that many fragments (which the caller bounds) and that CRC-32.
    pub(super) fn new(parts: usize, checksum: u32) -> Self {
        Self { parts, checksum, degrees: Sampler::of_degrees(parts) }
    }

    /// The fragments of a part, from 0, in the order in which they are drawn. The first parts are one fragment each.
    pub(super) fn fragments(&self, number: u32) -> Vec<usize> {
        match usize::try_from(number).ok().and_then(|number| number.checked_sub(1)) {
            Some(fragment) if fragment < self.parts => vec![fragment],
            Some(_) | None => {
                let (degree, mut random) = self.drawn_degree(number);
                drawn(self.parts, degree, &mut random)
            }
        }
    }

    /// How many fragments a part mixes that is none of the first.
    pub(super) fn degree(&self, number: u32) -> usize {
        self.drawn_degree(number).0
    }

    fn drawn_degree(&self, number: u32) -> (usize, Xoshiro) {
        let [a, b, c, d] = number.to_be_bytes();
        let [e, f, g, h] = self.checksum.to_be_bytes();
        let mut random = Xoshiro::seeded(&[a, b, c, d, e, f, g, h]);
        let degree = self.degrees.next(&mut random).saturating_add(1);
        (degree, random)
    }
}

/// The first `take` of the numbers below `count`, drawn without putting back.
pub(super) fn drawn(count: usize, take: usize, random: &mut Xoshiro) -> Vec<usize> {
    let mut remaining: Vec<usize> = (0..count).collect();
    let mut drawn = Vec::with_capacity(take.min(count));
    while drawn.len() < take && !remaining.is_empty() {
        // In range: below the count of a list that is not empty.
        drawn.push(remaining.remove(below(remaining.len(), random)));
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_in_the_specification_s_order() {
        let mut random = Xoshiro::seeded(b"Wolf");
        assert_eq!(drawn(10, 10, &mut random), [5, 3, 8, 2, 9, 4, 6, 7, 0, 1]);
        assert_eq!(drawn(10, 10, &mut random), [9, 7, 5, 4, 0, 1, 2, 8, 6, 3]);
        assert_eq!(drawn(3, 9, &mut random).len(), 3);
    }

    #[test]
    fn the_first_parts_are_the_fragments_themselves() {
        let fountain = Fountain::new(5, 0xdead_beef);
        for number in 1..=5 {
            assert_eq!(fountain.fragments(number), [number as usize - 1]);
        }
        assert!((6..200).any(|number| fountain.fragments(number).len() > 1));
        assert!(!fountain.fragments(0).is_empty());
    }
}
