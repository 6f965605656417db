//! Numbers that look random and follow from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): small and fast. Nothing that anybody must not guess may come from it.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not, 1.
    pub(super) fn unit(&mut self) -> f32 {
        // 24 bits are what an `f32` holds.
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// Between -`most` and `most`.
    pub(super) fn either(&mut self, most: f32) -> f32 {
        (self.unit() * 2.0 - 1.0) * most
    }

    /// Close to a normal deviate of mean 0 and standard deviation 1; never beyond 3.5.
    pub(super) fn normal(&mut self) -> f32 {
        // The sum of four uniform numbers (Irwin-Hall): mean 2, variance 4/12.
        let bits = self.next();
        let sum = (bits & 0xffff)
            .wrapping_add(bits >> 16 & 0xffff)
            .wrapping_add(bits >> 32 & 0xffff)
            .wrapping_add(bits >> 48);
        (sum as f32 / 65_536.0 - 2.0) * 1.732_050_8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_numbers() {
        // Those of the reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn deviates_have_their_mean_and_spread() {
        let mut random = Random::new(1);
        let values: Vec<f32> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f32>() / 20_000.0;
        let spread = values.iter().map(|value| value * value).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (spread - 1.0).abs() < 0.05, "{mean} {spread}");
    }
}
