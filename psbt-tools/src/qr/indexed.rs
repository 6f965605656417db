//! Parts that are known by their number alone, without any check sum: those of BBQr and of Specter.
//!
//! Nothing in a frame says of which payload it is. Two codes in view with the same header, or one after the other, could
//! fill each other's gaps without ever contradicting. So parts that are all there wait until some were seen again: codes
//! that repeat bring the oldest parts first, and those of another payload contradict them.

use super::fault::Fault;
use std::collections::{BTreeMap, BTreeSet};

/// Parts that must be seen again after all are there. If every frame came from one of two payloads at random, so many
/// would agree by chance once in 256 times.
const CONFIRMATIONS: usize = 8;

/// The parts of one payload so far.
#[derive(Debug, Clone)]
pub(super) struct Indexed {
    parts: usize,
    known: BTreeMap<usize, Vec<u8>>,
    /// Those that were seen again after all were there.
    again: BTreeSet<usize>,
    memory: usize,
    /// Whether a part that was there before the last interruption was seen again, or there was none.
    linked: bool,
}

impl Indexed {
    /// Of that many parts, from 0.
    pub(super) fn new(parts: usize) -> Self {
        Self { parts, known: BTreeMap::new(), again: BTreeSet::new(), memory: 0, linked: true }
    }

    /// Parts that are known.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// Whether all parts are there.
    pub(super) fn is_complete(&self) -> bool {
        self.linked && self.known.len() == self.parts
    }

    /// Whether enough parts were seen again since. A single part has nothing to be mixed with.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_complete() && (self.parts == 1 || self.again.len() >= self.parts.min(CONFIRMATIONS))
    }

    /// Bytes that are kept.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// The scan was interrupted: another payload with the same header may follow. The parts are kept, and joined only
    /// after one of them was seen again.
    pub(super) fn interrupted(&mut self) {
        self.linked = self.known.is_empty();
        self.again.clear();
    }

    /// Takes a part; whether it told something new.
    ///
    /// # Errors
    /// [`Fault::Contradiction`] when the part was another before: nothing of these parts is to be trusted any more.
    pub(super) fn add(&mut self, number: usize, bytes: &[u8]) -> Result<bool, Fault> {
        match self.known.get(&number) {
            Some(known) if known == bytes => {
                let links = !self.linked;
                let confirms = self.is_complete() && self.again.insert(number);
                self.linked = true;
                Ok(links || confirms)
            }
            Some(_) => Err(Fault::Contradiction(number.saturating_add(1))),
            None => {
                self.memory = self.memory.saturating_add(bytes.len());
                self.known.insert(number, bytes.to_vec());
                Ok(true)
            }
        }
    }

    /// The length of a part other than the last one, of which all must be equally long.
    pub(super) fn len_before_last(&self) -> Option<usize> {
        let last = self.parts.saturating_sub(1);
        self.known.iter().find(|(number, _)| **number < last).map(|(_, bytes)| bytes.len())
    }

    /// All parts in their order, as far as they are there.
    pub(super) fn joined(&self) -> Vec<u8> {
        self.known.values().flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_seen_again_confirm_all_of_them() {
        let mut parts = Indexed::new(2);
        assert_eq!(parts.add(1, b"b"), Ok(true));
        assert_eq!(parts.add(1, b"b"), Ok(false));
        assert!(!parts.is_complete());
        assert_eq!(parts.add(0, b"a"), Ok(true));
        assert!(parts.is_complete() && !parts.is_confirmed());
        assert_eq!(parts.add(0, b"a"), Ok(true));
        assert_eq!(parts.add(0, b"a"), Ok(false));
        assert!(!parts.is_confirmed());
        assert_eq!(parts.add(1, b"b"), Ok(true));
        assert!(parts.is_confirmed());
        assert_eq!(parts.joined(), b"ab");
        assert_eq!(parts.add(0, b"c"), Err(Fault::Contradiction(1)));
    }

    #[test]
    fn eight_of_many_parts_confirm_them() {
        let mut parts = Indexed::new(100);
        (0..100).for_each(|number| assert_eq!(parts.add(number, b"x"), Ok(true)));
        (0..7).for_each(|number| assert_eq!(parts.add(number, b"x"), Ok(true)));
        assert!(!parts.is_confirmed());
        assert_eq!(parts.add(7, b"x"), Ok(true));
        assert!(parts.is_confirmed());
    }

    #[test]
    fn after_an_interruption_a_known_part_links_the_new_ones() {
        let mut parts = Indexed::new(2);
        parts.interrupted();
        assert_eq!(parts.add(0, b"a"), Ok(true));
        parts.interrupted();
        assert_eq!(parts.add(1, b"b"), Ok(true));
        assert!(!parts.is_complete());
        assert_eq!(parts.add(0, b"a"), Ok(true));
        assert!(parts.is_complete() && !parts.is_confirmed());
    }

    #[test]
    fn one_part_needs_no_other() {
        let mut parts = Indexed::new(1);
        assert_eq!(parts.add(0, b"a"), Ok(true));
        assert!(parts.is_confirmed());
    }
}
