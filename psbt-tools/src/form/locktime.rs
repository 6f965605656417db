//! BIP370, "Determining Lock Time".

use super::InputForm;
use bitcoin::absolute::LOCK_TIME_THRESHOLD;

/// The locktime of a PSBT of version 2: the greatest of its inputs' required heights, or else times, of the kind that
/// every input with a requirement names; the fallback where none has one. `None` when no kind suits all of them.
pub(crate) fn determined(inputs: &[InputForm], fallback: Option<u32>) -> Option<u32> {
    let bound: Vec<_> =
        inputs.iter().filter(|input| input.height.is_some() || input.time.is_some()).collect();
    if bound.is_empty() {
        return Some(fallback.unwrap_or(0));
    }
    let greatest = |of: fn(&InputForm) -> Option<u32>| -> Option<u32> {
        let all: Option<Vec<u32>> = bound.iter().map(|input| of(input)).collect();
        all?.into_iter().max()
    };
    // BIP370: a height goes before a time where both would do.
    greatest(|input| input.height).or_else(|| greatest(|input| input.time))
}

/// The greater of two locktimes; `None` when one is a height and the other a time. Zero locks nothing.
pub(crate) fn later(one: u32, other: u32) -> Option<u32> {
    let is_time = |lock: u32| lock >= LOCK_TIME_THRESHOLD;
    (one == 0 || other == 0 || is_time(one) == is_time(other)).then_some(one.max(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(height: Option<u32>, time: Option<u32>) -> InputForm {
        InputForm { height, time, ..InputForm::default() }
    }

    #[test]
    fn a_height_goes_before_a_time_and_the_fallback_counts_only_alone() {
        let (both, height, time) =
            (input(Some(9), Some(500_000_009)), input(Some(7), None), input(None, Some(500_000_001)));
        let free = InputForm::default();
        assert_eq!(determined(&[], None), Some(0));
        assert_eq!(determined(std::slice::from_ref(&free), Some(5)), Some(5));
        assert_eq!(determined(&[both.clone(), free.clone()], Some(5)), Some(9));
        assert_eq!(determined(&[both.clone(), height.clone()], None), Some(9));
        assert_eq!(determined(&[both.clone(), time.clone()], None), Some(500_000_009));
        assert_eq!(determined(&[both, height, time], Some(5)), None);
    }

    #[test]
    fn a_height_and_a_time_have_no_greater_one() {
        assert_eq!(later(0, 500_000_000), Some(500_000_000));
        assert_eq!(later(7, 5), Some(7));
        assert_eq!(later(7, 500_000_000), None);
    }
}
