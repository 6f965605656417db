//! Equations over GF(2): each part says what the sum of some fragments is. Gauss–Jordan elimination finds the fragments
//! as soon as the parts determine them, which needs fewer parts than waiting for parts of one unknown fragment.
//!
//! Work and memory: with n fragments a row has n bits and one fragment's bytes. A new row is reduced by at most n rows
//! and reduces at most n rows. At the limits (4,096 fragments of 3.5 KB) that is 2 × 4,096 × 4 KB = 34 MB of exclusive
//! or for one part (milliseconds), and 17 MB of memory for all of them.

use super::bits::{add, is_set, ones, set, words_for};
use std::collections::BTreeMap;

/// What a part told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Something new: the rank is one higher.
    New,
    /// Nothing that was not known.
    Nothing,
    /// Something that cannot be, after the parts before it.
    Contradiction,
}

/// The equations that are known, reduced: each has one fragment (its key) that no other has.
#[derive(Debug, Clone)]
pub(super) struct Equations {
    fragments: usize,
    fragment_len: usize,
    /// Each row: the bits of its fragments, then the bytes of their sum.
    rows: BTreeMap<usize, Vec<u64>>,
}

impl Equations {
    /// Of that many fragments of that many bytes.
    pub(super) fn new(fragments: usize, fragment_len: usize) -> Self {
        Self { fragments, fragment_len, rows: BTreeMap::new() }
    }

    /// How many fragments could be found if only they were left: all when this is the number of fragments.
    pub(super) fn rank(&self) -> usize {
        self.rows.len()
    }

    /// Whether all fragments are known.
    pub(super) fn is_solved(&self) -> bool {
        self.rows.len() == self.fragments
    }

    /// Bytes that the rows take.
    pub(super) fn memory(&self) -> usize {
        self.row_words().saturating_mul(8).saturating_mul(self.rows.len())
    }

    fn row_words(&self) -> usize {
        words_for(self.fragments).saturating_add(self.fragment_len.div_ceil(8))
    }

    /// Takes that `data`, as long as a fragment, is the sum of some fragments.
    pub(super) fn add(&mut self, fragments: &[usize], data: &[u8]) -> Told {
        let coefficients = words_for(self.fragments);
        let mut row = vec![0; coefficients];
        row.reserve_exact(data.len().div_ceil(8));
        fragments
            .iter()
            .filter(|fragment| **fragment < self.fragments)
            .for_each(|fragment| set(&mut row, *fragment));
        row.extend(data.chunks(8).map(word));
        for fragment in fragments {
            if let Some(known) = self.rows.get(fragment) {
                add(&mut row, known);
            }
        }
        let (bits, sum) = row.split_at_checked(coefficients).unwrap_or_default();
        let Some(pivot) = ones(bits).next() else {
            return if sum.iter().all(|word| *word == 0) { Told::Nothing } else { Told::Contradiction };
        };
        for known in self.rows.values_mut().filter(|known| is_set(known, pivot)) {
            add(known, &row);
        }
        self.rows.insert(pivot, row);
        Told::New
    }

    /// The bytes of all fragments in their order, once they are known.
    pub(super) fn solution(&self) -> Option<Vec<u8>> {
        if !self.is_solved() {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.fragments.checked_mul(self.fragment_len)?);
        for row in self.rows.values() {
            let data = row.get(words_for(self.fragments)..)?;
            bytes.extend(data.iter().flat_map(|word| word.to_le_bytes()).take(self.fragment_len));
        }
        Some(bytes)
    }
}

/// Up to eight bytes as a word.
fn word(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_that_no_part_has_alone_are_found() {
        let (a, b, c) = ([1, 2, 3], [4, 5, 6], [7, 8, 9]);
        let sum = |x: [u8; 3], y: [u8; 3]| [x[0] ^ y[0], x[1] ^ y[1], x[2] ^ y[2]];
        let mut equations = Equations::new(3, 3);
        assert_eq!(equations.add(&[0, 1], &sum(a, b)), Told::New);
        assert_eq!(equations.add(&[1, 2], &sum(b, c)), Told::New);
        assert_eq!(equations.add(&[0, 2], &sum(a, c)), Told::Nothing);
        assert_eq!(equations.add(&[0, 2], &[0, 0, 0]), Told::Contradiction);
        assert_eq!(equations.solution(), None);
        assert_eq!(equations.add(&[2, 0, 1], &sum(sum(a, b), c)), Told::New);
        assert_eq!(equations.solution(), Some([a, b, c].concat()));
        assert_eq!(equations.rank(), 3);
    }
}
