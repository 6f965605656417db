//! A scan before a person's eyes.

use super::from::From;
use super::receive::{Received, receive};
use super::status::Status;
use crate::Error;
use crate::display::hash_words;
use bitcoin::hashes::{Hash, sha256};
use std::io::Write;

/// Receives, says on standard error how far it is, and in the end what came and the six words of it: before anything else
/// is made of it.
///
/// # Errors
/// Those of [`receive`].
pub fn watched(from: &From) -> Result<Received, Error> {
    let received = followed(from)?;
    // Nobody is left to be told that standard error is gone.
    let _ = writeln!(std::io::stderr(), "{}", received.text());
    received.done();
    Ok(received)
}

/// Receives, and says on standard error how far it is.
///
/// # Errors
/// Those of [`receive`].
pub fn followed(from: &From) -> Result<Received, Error> {
    // Its line ends with it, before anything else is said.
    let mut status = Status::default();
    receive(from, &mut |notice| status.show(notice))
}

impl Received {
    /// SHA-256 of the payload.
    pub fn sha256(&self) -> [u8; 32] {
        sha256::Hash::hash(&self.payload.bytes).to_byte_array()
    }

    /// Two lines for a person: what came, and its six words.
    pub fn text(&self) -> String {
        let payload = &self.payload;
        format!(
            "received  {}, {} bytes, by {}: {}\nwords     {}",
            payload.kind,
            payload.bytes.len(),
            payload.format,
            payload.integrity,
            hash_words(&self.sha256())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qr::{Format, Integrity, Kind, Payload};

    #[test]
    fn what_came_is_said_with_its_words() {
        let payload = Payload {
            format: Format::Bbqr,
            kind: Kind::Psbt,
            integrity: Integrity::Unchecked,
            bytes: b"psbt\xff".to_vec(),
        };
        let text = Received { payload, pictures: 1, frames: 1, codes: 1, lost: 0, resume: None }.text();
        let (first, words) = text.split_once("\nwords     ").unwrap();
        assert_eq!(
            first.to_lowercase(),
            "received  psbt, 5 bytes, by bbqr: no check sum; parts were seen once: compare the words"
        );
        assert_eq!(words.split(' ').count(), 6);
    }
}
