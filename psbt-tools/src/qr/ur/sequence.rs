//! Which parts are shown, in which order. A reader takes parts of any number, so the sender may choose the ones that tell
//! most; every number means the same as in the specification.
//!
//! First each fragment by itself: a reader that misses none needs no more. Then as many sums, most of them of many
//! fragments, because those nearly always hold one that was missed. Then, for readers that come late, a sum and a single
//! fragment in turn: readers that wait for sums of one unknown fragment need those. Measured with `qr_loss`: for a late
//! reader of 100 parts 1.02 frames a part instead of 1.05 (and 1.64 instead of 2.13 in the crate `ur`).

use super::fountain::Fountain;

/// Part numbers do not go above this one: five digits and three bytes are kept for them.
const MAX_NUMBER: u64 = 65_535;

/// Numbers of which one is chosen.
const CHOICE: u64 = 4;

/// Fragments of the sums for readers that wait for sums of one unknown fragment.
const FEW: usize = 4;

/// The number (from 1) of the part that a frame (from 0) shows. It never ends: the sums begin again after an hour or so.
pub(super) fn part_number(frame: u64, parts: usize, fountain: &Fountain) -> u32 {
    let parts = u64::try_from(parts).unwrap_or(MAX_NUMBER).min(MAX_NUMBER);
    let many = usize::try_from(parts / 2).unwrap_or_default();
    let Some(second) = frame.checked_sub(parts) else {
        return u32::try_from(frame.saturating_add(1)).unwrap_or_default();
    };
    let Some(turn) = second.checked_sub(parts) else {
        return sum(second, parts, if second % 4 < 3 { many } else { FEW }, fountain);
    };
    if turn.is_multiple_of(2) {
        return sum((turn / 2).saturating_add(parts), parts, many, fountain);
    }
    let fragment = (turn / 2).checked_rem(parts).unwrap_or_default();
    u32::try_from(fragment.saturating_add(1)).unwrap_or_default()
}

/// Of the numbers of one choice the one whose part mixes most nearly that many fragments.
fn sum(choice: u64, parts: u64, degree: usize, fountain: &Fountain) -> u32 {
    let choices = MAX_NUMBER.saturating_sub(parts) / CHOICE;
    let first = choice.checked_rem(choices).unwrap_or_default().saturating_mul(CHOICE).saturating_add(parts);
    let numbers = (1..=CHOICE).filter_map(|one| u32::try_from(first.saturating_add(one)).ok());
    numbers.min_by_key(|number| fountain.degree(*number).abs_diff(degree)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_all_fragments_then_sums_then_both_in_turn() {
        let fountain = Fountain::new(9, 7);
        let numbers: Vec<u32> = (0..40).map(|frame| part_number(frame, 9, &fountain)).collect();
        assert_eq!(numbers[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(numbers[9..18].iter().all(|number| *number > 9));
        assert!(numbers[18..].chunks_exact(2).all(|pair| pair[0] > 9 && pair[1] <= 9));
    }

    #[test]
    fn sums_differ_for_an_hour_and_numbers_stay_small() {
        for parts in [2, 300, 4_096] {
            let fountain = Fountain::new(parts, 7);
            let sums: Vec<u32> = (parts as u64..20_000)
                .map(|frame| part_number(frame, parts, &fountain))
                .filter(|n| *n > parts as u32)
                .collect();
            let mut different = sums.clone();
            different.sort_unstable();
            different.dedup();
            assert_eq!(different.len(), sums.len());
        }
        let fountain = Fountain::new(2, 7);
        assert!([u64::MAX, u64::MAX - 1].iter().all(|frame| part_number(*frame, 2, &fountain) <= 65_535));
    }
}
