//! Words of 64 bits: the fragments that a row mixes, and its data.

/// Bits of a word, as a number of places to shift.
const WORD: usize = 64;

/// Words that hold that many bits.
pub(super) fn words_for(bits: usize) -> usize {
    bits.div_ceil(WORD)
}

/// A mask of one bit, and the word that it is in.
fn place(bit: usize) -> (usize, u64) {
    (bit / WORD, u64::rotate_left(1, u32::try_from(bit % WORD).unwrap_or_default()))
}

/// Sets a bit, where there is such a word.
pub(super) fn set(words: &mut [u64], bit: usize) {
    let (word, mask) = place(bit);
    if let Some(word) = words.get_mut(word) {
        *word |= mask;
    }
}

/// Whether a bit is set.
pub(super) fn is_set(words: &[u64], bit: usize) -> bool {
    let (word, mask) = place(bit);
    words.get(word).is_some_and(|word| word & mask != 0)
}

/// The bits that are set, the lowest first.
pub(super) fn ones(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(at, word)| {
        let base = at.saturating_mul(WORD);
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = usize::try_from(rest.trailing_zeros()).ok().filter(|bit| *bit < WORD)?;
            rest &= rest.wrapping_sub(1);
            Some(base.saturating_add(bit))
        })
    })
}

/// Adds (exclusive or) the second to the first, which are equally long.
pub(super) fn add(to: &mut [u64], words: &[u64]) {
    for (to, word) in to.iter_mut().zip(words) {
        *to ^= word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_set_and_found() {
        let mut words = vec![0; words_for(130)];
        assert_eq!(words.len(), 3);
        for bit in [0, 63, 64, 129] {
            set(&mut words, bit);
        }
        set(&mut words, 5_000);
        assert_eq!(ones(&words).collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert!(is_set(&words, 63) && !is_set(&words, 62) && !is_set(&words, 5_000));
        let copy = words.clone();
        add(&mut words, &copy);
        assert_eq!(ones(&words).next(), None);
    }
}
