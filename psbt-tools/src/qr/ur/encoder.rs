//! A message as frames for QR codes of one version.

use super::bytewords::encoded_len;
use super::content::Type;
use super::fountain::Fountain;
use super::frame;
use super::part::Part;
use super::sequence::part_number;
use crate::qr::fault::Fault;
use crate::qr::payload::Kind;
use crate::qr::symbol::Version;
use crate::qr::{MAX_MESSAGE_LEN, MAX_PARTS};

/// Bytes of a part besides its data: the array, its four numbers and the head of the data, all at their longest.
const PART_HEAD: usize = 1 + 3 + 3 + 5 + 5 + 3;

/// The frames of one message, without end.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    ty: Type,
    message: Vec<u8>,
    fragment_len: usize,
    checksum: u32,
    fountain: Fountain,
    parts: usize,
}

impl Encoder {
    /// Of content that fits, in equal parts, into codes of a version.
    pub(crate) fn new(kind: Kind, bytes: &[u8], version: Version) -> Result<Self, Fault> {
        let (ty, message) = Type::wrap(kind, bytes);
        let fragment_len = fragment_len(ty, message.len(), version).ok_or(Fault::TooLarge {
            len: bytes.len(),
            parts: MAX_PARTS,
            version: version.number(),
        })?;
        Self::with_fragments(ty, message, fragment_len)
    }

    /// Of a message in fragments of a length.
    pub(super) fn with_fragments(ty: Type, message: Vec<u8>, fragment_len: usize) -> Result<Self, Fault> {
        let too_large = Fault::Fragments { parts: 0, fragment_len, message_len: message.len() };
        if message.is_empty() || message.len() > MAX_MESSAGE_LEN || fragment_len == 0 {
            return Err(too_large);
        }
        let parts = message.len().div_ceil(fragment_len);
        if parts > MAX_PARTS {
            return Err(too_large);
        }
        let checksum = crc32fast::hash(&message);
        Ok(Self { ty, message, fragment_len, checksum, fountain: Fountain::new(parts, checksum), parts })
    }

    /// How many frames the message takes at least.
    pub(crate) fn parts(&self) -> usize {
        self.parts
    }

    /// The frame of a number, from 0, without end.
    pub(crate) fn frame(&self, number: u64) -> String {
        if self.parts == 1 {
            return frame::write_whole(self.ty, &self.message);
        }
        frame::write(self.ty, &self.part(part_number(number, self.parts, &self.fountain)))
    }

    /// The part of a number, from 1.
    pub(super) fn part(&self, number: u32) -> Part {
        let mut data = vec![0; self.fragment_len];
        for fragment in self.fountain.fragments(number) {
            let bytes = self.message.chunks(self.fragment_len).nth(fragment).unwrap_or_default();
            data.iter_mut().zip(bytes).for_each(|(sum, byte)| *sum ^= byte);
        }
        let (parts, message_len) = (self.parts, self.message.len());
        Part { number, parts, message_len, checksum: self.checksum, data }
    }
}

/// The shortest fragments of the fewest parts that fit into codes of a version; `None` when none do.
fn fragment_len(ty: Type, message_len: usize, version: Version) -> Option<usize> {
    let scheme = "UR:/".len().saturating_add(ty.name().len());
    if scheme.saturating_add(encoded_len(message_len)) <= version.alphanumeric() {
        return Some(message_len);
    }
    let head = scheme.saturating_add("65535-4096/".len());
    let most = version.alphanumeric().checked_sub(head)?.checked_sub(encoded_len(PART_HEAD))? / 2;
    let parts = message_len.checked_div(most)?.saturating_add(1);
    // At least two: a single part would have another form.
    let parts = if message_len.checked_rem(most) == Some(0) { parts.saturating_sub(1) } else { parts }.max(2);
    (parts <= MAX_PARTS).then(|| message_len.div_ceil(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::ur::frame::{Frame, parse};

    #[test]
    fn every_frame_fits_its_version_and_fills_it() {
        for (len, version) in [(3_000, 10), (20_000, 20), (100_000, 27), (500_000, 40), (5_000, 6)] {
            let version = Version::new(version).unwrap();
            let encoder = Encoder::new(Kind::Bytes, &vec![0xa5; len], version).unwrap();
            let longest = (0..70_000).step_by(997).map(|number| encoder.frame(number).len()).max().unwrap();
            let spare = version.alphanumeric() - longest;
            assert!(longest <= version.alphanumeric(), "{len} {version:?}: {longest}");
            // Equal parts leave room; so do numbers that are kept for.
            let shared = 2 * encoder.fragment_len / encoder.parts;
            assert!(spare <= shared + 24, "{len} {version:?}: {spare} spare, {} parts", encoder.parts);
        }
    }

    #[test]
    fn a_small_message_is_one_frame() {
        let encoder = Encoder::new(Kind::Bytes, &[7; 40], Version::new(10).unwrap()).unwrap();
        assert_eq!(encoder.parts(), 1);
        assert!(matches!(parse(&encoder.frame(0)), Some(Ok(Frame::Whole(Type::Bytes, _)))));
        assert_eq!(encoder.frame(0), encoder.frame(9));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let version = |number| Version::new(number).unwrap();
        assert!(matches!(Encoder::new(Kind::Bytes, &[7; 40], version(1)), Err(Fault::TooLarge { .. })));
        assert!(matches!(
            Encoder::new(Kind::Bytes, &vec![7; 900_000], version(5)),
            Err(Fault::TooLarge { .. })
        ));
        assert!(matches!(Encoder::with_fragments(Type::Bytes, vec![], 5), Err(Fault::Fragments { .. })));
    }
}
