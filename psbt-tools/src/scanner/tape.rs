//! What is kept of a video so that a new child can go on with it: its header, and the bytes of the frame that is looked
//! at.

use super::process::Lost;

/// Longest header: more than any that is read.
pub(super) const MAX_HEADER: usize = 4_096;

/// Most bytes that no child is done with: the largest frame and the piece in which it ended.
pub(super) const MAX_PENDING: usize = 56 * 1024 * 1024;

/// The bytes of a video that may be needed again.
#[derive(Debug)]
pub(super) struct Tape {
    name: String,
    header: Option<Vec<u8>>,
    pending: Vec<u8>,
    /// How many of these a child is done with.
    done: usize,
}

impl Tape {
    /// Of a video with this name, escaped.
    pub(super) fn new(name: String) -> Self {
        Self { name, header: None, pending: Vec::new(), done: 0 }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes the next bytes, unless there are more than a child leaves.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        self.pending.drain(..self.done.min(self.pending.len()));
        self.done = 0;
        if self.pending.len().saturating_add(bytes.len()) > MAX_PENDING {
            return Err(Lost::Nonsense);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// A child is done with so many bytes more. The first of them are the header.
    pub(super) fn consumed(&mut self, count: u64) -> Result<(), Lost> {
        let rest = self.pending.get(self.done..).unwrap_or_default();
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Lost::Nonsense)?;
        let done = rest.get(..count).ok_or(Lost::Nonsense)?;
        if self.header.is_none() {
            self.header = Some(done.to_vec()).filter(|header| header.len() <= MAX_HEADER);
            self.header.as_ref().ok_or(Lost::Nonsense)?;
        }
        self.done = self.done.saturating_add(count);
        Ok(())
    }

    /// What a new child must be told: the header, and all that no child is done with.
    pub(super) fn again(&mut self) -> Vec<u8> {
        let rest = self.pending.get(self.done..).unwrap_or_default();
        self.pending = [&self.header.take().unwrap_or_default(), rest].concat();
        self.done = 0;
        self.pending.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_child_is_told_the_header_and_what_is_not_done() {
        let mut tape = Tape::new("v".to_owned());
        tape.add(b"HEAD").unwrap();
        tape.consumed(4).unwrap();
        tape.add(b"onetwo").unwrap();
        tape.consumed(3).unwrap();
        assert_eq!(tape.again(), b"HEADtwo");
        tape.consumed(4).unwrap();
        tape.consumed(3).unwrap();
        assert_eq!(tape.again(), b"HEAD");
    }

    #[test]
    fn what_is_done_makes_room_with_the_next_piece() {
        let mut tape = Tape::new("v".to_owned());
        tape.add(&[0; 4]).unwrap();
        tape.add(&vec![0; MAX_PENDING - 4]).unwrap();
        tape.consumed(4).unwrap();
        tape.add(&[1; 4]).unwrap();
        assert_eq!(tape.add(&[1]), Err(Lost::Nonsense));
        assert_eq!(tape.again().len(), MAX_PENDING + 4);
    }

    #[test]
    fn a_child_cannot_be_done_with_more_than_it_was_given() {
        let mut tape = Tape::new("v".to_owned());
        tape.add(b"HEAD").unwrap();
        assert_eq!(tape.consumed(5), Err(Lost::Nonsense));
        assert_eq!(tape.consumed(0), Err(Lost::Nonsense));
        tape.add(&[0; 5_000]).unwrap();
        assert_eq!(tape.consumed(5_000), Err(Lost::Nonsense), "a header that long");
        assert_eq!(tape.add(&vec![0; MAX_PENDING]), Err(Lost::Nonsense));
    }
}
