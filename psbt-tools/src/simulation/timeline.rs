//! When the camera takes which of the symbols that the display shows.

use super::random::Random;
use std::time::Duration;

/// How fast both are, and how badly they fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Symbols that the display shows in a second; at least 1.
    pub shown_per_second: u32,
    /// Pictures that the camera takes in a second; at least 1.
    pub taken_per_second: u32,
    /// How long after the first symbol appeared the camera begins.
    pub phase: Duration,
    /// Percent of the first exposures of a symbol that are torn: the shutter met the change.
    pub torn_percent: u8,
}

/// One exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it was over, after the first symbol appeared.
    pub ended: Duration,
    /// What was before the camera.
    pub shown: Shown,
}

/// Numbers of the symbols that an exposure shows, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// One.
    Whole(u64),
    /// Two.
    Torn {
        /// In the upper rows.
        upper: u64,
        /// In the lower rows: the next one.
        lower: u64,
        /// Percent of the rows that are the upper ones.
        at_percent: u8,
    },
}

/// The exposures in their order, without end.
#[derive(Debug, Clone)]
pub struct Timeline {
    timing: Timing,
    random: Random,
    number: u32,
    last: u64,
}

impl Timeline {
    /// One that follows from a seed.
    pub fn new(seed: u64, timing: Timing) -> Self {
        Self { timing, random: Random::new(seed), number: 0, last: 0 }
    }

    /// When that exposure begins.
    fn begin(&self, number: u32) -> Duration {
        let period = Duration::from_secs(u64::from(number));
        let taken = self.timing.taken_per_second.max(1);
        self.timing.phase.saturating_add(period.checked_div(taken).unwrap_or_default())
    }
}

impl Iterator for Timeline {
    type Item = Moment;

    fn next(&mut self) -> Option<Moment> {
        let (begun, ended) = (self.begin(self.number), self.begin(self.number.saturating_add(1)));
        self.number = self.number.saturating_add(1);
        let middle = begun.saturating_add(ended.saturating_sub(begun).checked_div(2).unwrap_or_default());
        let shown = u128::from(self.timing.shown_per_second.max(1));
        let showing =
            u64::try_from(middle.as_nanos().saturating_mul(shown) / 1_000_000_000).unwrap_or(u64::MAX);
        let is_first = showing > self.last;
        let before = self.last;
        self.last = showing;
        let chance = self.random.next();
        let shown = if is_first && chance % 100 < u64::from(self.timing.torn_percent) {
            // Anywhere but at the edges.
            let at_percent = u8::try_from((chance >> 32) % 81).unwrap_or_default().saturating_add(10);
            Shown::Torn { upper: before, lower: showing, at_percent }
        } else {
            Shown::Whole(showing)
        };
        Some(Moment { ended, shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing =
        Timing { shown_per_second: 15, taken_per_second: 30, phase: Duration::ZERO, torn_percent: 0 };

    #[test]
    fn a_camera_twice_as_fast_takes_each_symbol_twice() {
        let shown: Vec<Shown> = Timeline::new(1, TIMING).take(6).map(|moment| moment.shown).collect();
        assert_eq!(shown, [0, 0, 1, 1, 2, 2].map(Shown::Whole));
        let ended = Timeline::new(1, TIMING).nth(29).unwrap().ended;
        assert_eq!(ended, Duration::from_secs(1));
    }

    #[test]
    fn only_first_exposures_are_torn_and_in_their_share() {
        let timing = Timing { torn_percent: 50, phase: Duration::from_millis(7), ..TIMING };
        let moments: Vec<Shown> = Timeline::new(1, timing).take(2_000).map(|moment| moment.shown).collect();
        let mut torn = 0;
        for pair in moments.windows(2) {
            if let Shown::Torn { upper, lower, .. } = pair[0] {
                assert_eq!((upper + 1, pair[1]), (lower, Shown::Whole(lower)));
                torn += 1;
            }
        }
        assert!((450..550).contains(&torn), "{torn}");
    }
}
