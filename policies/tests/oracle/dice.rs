//! Choices from a tape of numbers: a property test shrinks the tape, a seed makes one.

/// A tape of numbers, read once; after its end every choice is the first one.
#[derive(Debug, Clone)]
pub struct Dice {
    tape: Vec<u32>,
    at: usize,
}

/// Longer than what one company needs.
pub const TAPE: usize = 600;

impl Dice {
    /// A tape that was made elsewhere.
    pub fn of(tape: Vec<u32>) -> Self {
        Self { tape, at: 0 }
    }

    /// A tape from a seed (SplitMix64).
    pub fn seeded(seed: u64) -> Self {
        let mut state = seed;
        let tape = (0..TAPE).map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 32) as u32
        });
        Self::of(tape.collect())
    }

    /// A number below `sides`.
    pub fn below(&mut self, sides: u64) -> u64 {
        let rolled = self.tape.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        (u64::from(rolled) * sides) >> 32
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times out of a hundred. The first choice is `false`.
    pub fn percent(&mut self, often: u64) -> bool {
        self.below(100) >= 100 - often
    }

    /// One of these.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// Those of these that a coin picks, each with this chance in a hundred.
    pub fn some<T: Clone>(&mut self, of: &[T], often: u64) -> Vec<T> {
        of.iter().filter(|_| self.percent(often)).cloned().collect()
    }

    /// The same in another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
