//! How many fragments a part mixes, and in which order they are drawn: the places where the specification computes
//! with floating point numbers, which sender and receiver must do to the last bit (BCR-2024-001, section 4).
// Nothing here is money: the numbers choose fragments, and a wrong choice ends in a wrong check sum.
#![allow(clippy::float_arithmetic)]

use super::xoshiro::Xoshiro;

/// 2^64 as the specification writes it.
const RANGE: f64 = 18_446_744_073_709_551_616.0;

/// A number from 0 to 1.
// The nearest of the floating point numbers is what the specification says.
#[allow(clippy::cast_precision_loss)]
fn unit(random: &mut Xoshiro) -> f64 {
    random.next() as f64 / RANGE
}

/// A number below `count`, which is not 0 and exact as a floating point number.
// `unit` may round to 1: the result is limited.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn below(count: usize, random: &mut Xoshiro) -> usize {
    ((unit(random) * count as f64) as usize).min(count.saturating_sub(1))
}

/// Draws numbers with given weights by Vose's alias method.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    /// For each column its own share, and the number that has the rest.
    columns: Vec<(f64, usize)>,
}

impl Sampler {
    /// Of the numbers from 0, each with its weight.
    // The counts are those of parts, all exact as floating point numbers.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let count = weights.len() as f64;
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight * count / sum).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..shares.len()).rev().partition(|number| shares.get(*number).is_some_and(|share| *share < 1.0));
        // What is left over has a whole column; in theory only large ones are.
        let mut columns = vec![(1.0, 0); shares.len()];
        while let (Some(low), Some(high)) = (small.last().copied(), large.last().copied()) {
            small.pop();
            large.pop();
            let share = shares.get(low).copied().unwrap_or(1.0);
            if let Some(column) = columns.get_mut(low) {
                *column = (share, high);
            }
            let Some(rest) = shares.get_mut(high) else { break };
            *rest += share - 1.0;
            if *rest < 1.0 { small.push(high) } else { large.push(high) }
        }
        Self { columns }
    }

    /// Of the degrees 1 to `parts`, less one: each with the weight of its inverse.
    // The counts are those of parts, all exact as floating point numbers.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn of_degrees(parts: usize) -> Self {
        let weights: Vec<f64> = (1..=parts).map(|degree| 1.0 / degree as f64).collect();
        Self::new(&weights)
    }

    /// The next number.
    pub(super) fn next(&self, random: &mut Xoshiro) -> usize {
        let column = below(self.columns.len(), random);
        let second = unit(random);
        match self.columns.get(column) {
            Some((share, other)) if second >= *share => *other,
            Some(_) | None => column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_count_are_the_specification_s() {
        let mut random = Xoshiro::seeded(b"Wolf");
        let numbers: Vec<usize> = (0..10).map(|_| below(10, &mut random) + 1).collect();
        assert_eq!(numbers, [6, 5, 8, 4, 10, 5, 7, 10, 4, 9]);
    }

    #[test]
    fn weighted_numbers_are_the_specification_s() {
        let (sampler, mut random) = (Sampler::new(&[1.0, 2.0, 4.0, 8.0]), Xoshiro::seeded(b"Wolf"));
        let numbers: Vec<usize> = (0..12).map(|_| sampler.next(&mut random)).collect();
        assert_eq!(numbers, [3, 3, 3, 3, 3, 3, 3, 0, 2, 3, 3, 3]);
    }

    #[test]
    fn degrees_are_the_specification_s() {
        let sampler = Sampler::of_degrees(11);
        let degrees: Vec<usize> = (1..=10)
            .map(|nonce| sampler.next(&mut Xoshiro::seeded(format!("Wolf-{nonce}").as_bytes())) + 1)
            .collect();
        assert_eq!(degrees, [11, 3, 6, 5, 2, 1, 2, 11, 1, 3]);
    }
}
