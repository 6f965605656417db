//! What was carried, and how it came.

use super::descriptor::looks_like_descriptor;
use super::fault::Fault;
use bitcoin::Transaction;
use bitcoin::consensus::deserialize;
use serde::{Deserialize, Serialize};
use std::fmt;

/// First bytes of every PSBT (BIP174).
const PSBT_MAGIC: &[u8] = b"psbt\xff";

/// How a payload is written in frames. An answer goes out in the format that its question came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Uniform resources (BCR-2020-005, BCR-2024-001).
    Ur,
    /// Coinkite's BBQr.
    Bbqr,
    /// Specter's `pMofN`; read only.
    Specter,
    /// One code in Electrum's base43; read only.
    Base43,
    /// One code in base64; read only.
    Base64,
    /// One code in hexadecimal; read only.
    Hex,
    /// One code with a descriptor as it is; read only.
    Text,
}

impl Format {
    /// The format of the answer to a payload that came in this one: the same where it is written, else UR.
    pub fn answer(self) -> Format {
        match self {
            Format::Bbqr => Format::Bbqr,
            Format::Ur | Format::Specter | Format::Base43 | Format::Base64 | Format::Hex | Format::Text => {
                Format::Ur
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Ur => "UR",
            Format::Bbqr => "BBQr",
            Format::Specter => "Specter",
            Format::Base43 => "base43",
            Format::Base64 => "base64",
            Format::Hex => "hex",
            Format::Text => "text",
        })
    }
}

/// What a payload is: what its frames say, and for plain bytes what the bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A PSBT, by its first bytes; nothing else of it is checked.
    Psbt,
    /// A transaction, in its network form.
    Transaction,
    /// Descriptors as text, one a line.
    Descriptor,
    /// JSON text, not parsed.
    Json,
    /// Other text in UTF-8.
    Text,
    /// Anything else.
    Bytes,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Psbt => "psbt",
            Kind::Transaction => "transaction",
            Kind::Descriptor => "descriptor",
            Kind::Json => "json",
            Kind::Text => "text",
            Kind::Bytes => "bytes",
        })
    }
}

impl Kind {
    /// What bytes that say nothing about themselves are.
    pub fn of(bytes: &[u8]) -> Kind {
        if bytes.starts_with(PSBT_MAGIC) {
            return Kind::Psbt;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if looks_like_descriptor(text) => Kind::Descriptor,
            Ok(text) if text.trim_start().starts_with('{') => Kind::Json,
            Ok(text) if is_printable(text) => Kind::Text,
            Ok(_) | Err(_) if deserialize::<Transaction>(bytes).is_ok() => Kind::Transaction,
            Ok(_) | Err(_) => Kind::Bytes,
        }
    }

    /// The bytes, if they are of this kind.
    pub(super) fn checked(self, bytes: Vec<u8>) -> Result<(Kind, Vec<u8>), Fault> {
        let refused = |expected, what| Err(Fault::Content { expected, what });
        match self {
            Kind::Psbt if !bytes.starts_with(PSBT_MAGIC) => refused("a PSBT", "its first bytes are others"),
            Kind::Transaction if deserialize::<Transaction>(&bytes).is_err() => {
                refused("a transaction", "it cannot be read as one")
            }
            Kind::Descriptor | Kind::Json | Kind::Text if std::str::from_utf8(&bytes).is_err() => {
                refused("text", "it is not UTF-8")
            }
            Kind::Text => Ok((Kind::of(&bytes), bytes)),
            Kind::Bytes => Ok((Kind::of(&bytes), bytes)),
            Kind::Psbt | Kind::Transaction | Kind::Descriptor | Kind::Json => Ok((self, bytes)),
        }
    }
}

/// Whether a text has nothing but printable characters, blanks and line breaks, and at least one.
fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

/// How sure it is that all parts are of one payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Integrity {
    /// One code: there was nothing to join.
    Single,
    /// The CRC-32 that every frame states is right.
    Crc32,
    /// The format has no check sum. Several parts were seen again after all were there, and no two frames contradicted
    /// each other. That is evidence, no proof: the hash of the payload is to be compared on both sides.
    Repeated,
    /// The format has no check sum, and its parts were not seen again: see [`super::Scan::unconfirmed`].
    Unchecked,
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Integrity::Single => "one code",
            Integrity::Crc32 => "check sum right",
            Integrity::Repeated => "no check sum; parts were seen again: compare the words",
            Integrity::Unchecked => "no check sum; parts were seen once: compare the words",
        })
    }
}

/// A whole payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// How it came.
    pub format: Format,
    /// What it is.
    pub kind: Kind,
    /// How sure it is that it came whole.
    pub integrity: Integrity,
    /// The PSBT, the transaction, the text or the bytes themselves, without any wrapping.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_recognised_by_what_they_are() {
        assert_eq!(Kind::of(b"psbt\xff\x01"), Kind::Psbt);
        assert_eq!(Kind::of(b"wpkh(xpub/<0;1>/*)"), Kind::Descriptor);
        assert_eq!(Kind::of(b" {\"a\":1}"), Kind::Json);
        assert_eq!(Kind::of(b"hello"), Kind::Text);
        assert_eq!(Kind::of(&[0, 255, 3]), Kind::Bytes);
        assert_eq!(Kind::of(&[]), Kind::Bytes);
    }

    #[test]
    fn content_that_is_not_what_its_frames_say_is_refused() {
        for kind in [Kind::Psbt, Kind::Transaction, Kind::Descriptor, Kind::Json, Kind::Text] {
            assert!(kind.checked(vec![0xff, 0xfe]).is_err(), "{kind:?}");
        }
    }
}
