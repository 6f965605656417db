//! What a file holds, as it goes into frames.

use crate::Error;
use crate::document::Document;
use crate::qr::Kind;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;

/// The bytes that are carried, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Content {
    /// Of a file's bytes. A PSBT or a transaction that is written as text is carried in its binary form; everything else
    /// as it is.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an empty file.
    pub fn of(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::malformed("the file is empty", "name the file to show"));
        }
        let kind = Kind::of(&bytes);
        let from_hex = || -> Option<Vec<u8>> {
            let text = std::str::from_utf8(&bytes).ok()?;
            Vec::from_hex(text.trim()).ok().filter(|bytes| Kind::of(bytes) == Kind::Transaction)
        };
        match kind {
            Kind::Text => match Document::parse(bytes.clone()) {
                Ok(document) => Ok(Self { kind: Kind::Psbt, bytes: document.psbt_bytes().to_vec() }),
                Err(_) => match from_hex() {
                    Some(bytes) => Ok(Self { kind: Kind::Transaction, bytes }),
                    None => Ok(Self { kind, bytes }),
                },
            },
            Kind::Psbt | Kind::Transaction | Kind::Descriptor | Kind::Json | Kind::Bytes => {
                Ok(Self { kind, bytes })
            }
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is carried.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its SHA-256: what the side that reads must find as well.
    pub fn sha256(&self) -> [u8; 32] {
        sha256::Hash::hash(&self.bytes).to_byte_array()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psbts_and_transactions_are_carried_in_binary() {
        let psbt = b"cHNidP8BAAoCAAAAAAAAAAAAAA==\n".to_vec();
        let content = Content::of(psbt).unwrap();
        assert_eq!((content.kind(), &content.bytes()[..5]), (Kind::Psbt, &b"psbt\xff"[..]));
        let transaction = "0200000001000000000000000000000000000000000000000000000000000000000000000000000000\
                           00ffffffff0100000000000000000000000000\n";
        let content = Content::of(transaction.as_bytes().to_vec()).unwrap();
        assert_eq!((content.kind(), content.bytes()[0]), (Kind::Transaction, 2));
    }

    #[test]
    fn everything_else_is_carried_as_it_is() {
        for bytes in [b"{\"a\":1}\n".to_vec(), b"hello\n".to_vec(), vec![0, 255, 7], b"abcd".to_vec()] {
            assert_eq!(Content::of(bytes.clone()).unwrap().bytes(), bytes);
        }
        assert_eq!(Content::of(Vec::new()).unwrap_err().code(), "malformed");
    }
}
