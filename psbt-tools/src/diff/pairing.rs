//! Which entry of one list is which of another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A partial matching of two lists, by position.
pub(super) struct Pairing {
    /// For each entry before, its position after.
    after: Vec<Option<usize>>,
    /// Positions after that nothing is matched with.
    free: BTreeSet<usize>,
}

impl Pairing {
    pub(super) fn new(before: usize, after: usize) -> Self {
        Self { after: vec![None; before], free: (0..after).collect() }
    }

    /// Matches what is still free and has the same key; equal ones in their order.
    pub(super) fn by<K: Ord>(
        mut self,
        before: impl IntoIterator<Item = K>,
        after: impl IntoIterator<Item = K>,
    ) -> Self {
        let mut places: BTreeMap<K, VecDeque<usize>> = BTreeMap::new();
        for (at, key) in after.into_iter().enumerate().filter(|(at, _)| self.free.contains(at)) {
            places.entry(key).or_default().push_back(at);
        }
        for (matched, key) in self.after.iter_mut().zip(before).filter(|(matched, _)| matched.is_none()) {
            *matched = places.get_mut(&key).and_then(VecDeque::pop_front);
            matched.map(|at| self.free.remove(&at));
        }
        self
    }

    /// Positions before and after of what is in both, in the order before.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.after.iter().enumerate().filter_map(|(before, after)| Some((before, (*after)?)))
    }

    /// Positions before of what is gone.
    pub(super) fn removed(&self) -> impl Iterator<Item = usize> {
        self.after.iter().enumerate().filter(|(_, after)| after.is_none()).map(|(before, _)| before)
    }

    /// Positions after of what is new.
    pub(super) fn added(&self) -> impl Iterator<Item = usize> {
        self.free.iter().copied()
    }

    /// The pairs that stand in another order among those in both.
    pub(super) fn moved(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut sorted: Vec<_> = self.pairs().map(|(_, after)| after).collect();
        sorted.sort_unstable();
        self.pairs().zip(sorted).filter(|((_, after), ranked)| after != ranked).map(|(pair, _)| pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(before: &str, after: &str) -> Pairing {
        Pairing::new(before.len(), after.len()).by(before.chars(), after.chars())
    }

    #[test]
    fn insertion_moves_nothing_and_a_swap_moves_two() {
        let inserted = pairing("abc", "xabc");
        assert_eq!(inserted.added().collect::<Vec<_>>(), [0]);
        assert_eq!(inserted.pairs().collect::<Vec<_>>(), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(inserted.moved().count(), 0);
        let swapped = pairing("abc", "cba");
        assert_eq!(swapped.moved().collect::<Vec<_>>(), [(0, 2), (2, 0)]);
        assert_eq!((swapped.removed().count(), swapped.added().count()), (0, 0));
    }

    #[test]
    fn equal_entries_are_matched_in_order() {
        let twice = pairing("aab", "aaab");
        assert_eq!(twice.pairs().collect::<Vec<_>>(), [(0, 0), (1, 1), (2, 3)]);
        assert_eq!(twice.added().collect::<Vec<_>>(), [2]);
        assert_eq!(pairing("aa", "a").removed().collect::<Vec<_>>(), [1]);
    }
}
