//! What a file holds, as it goes into frames.

use crate::Error;
use crate::document::{Document, MAGIC};
use crate::qr::Kind;
use crate::reply;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;
use data_encoding::{BASE64, HEXLOWER};

/// The bytes that are carried, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Content {
    /// Of a file's bytes. A PSBT or a transaction that is written as text is carried in its binary form, descriptors without
    /// the blanks around them, everything else as it is: what is hashed is what the other side receives.
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
            // Every format drops what is around a descriptor, and so must its hash.
            Kind::Descriptor => {
                let text = std::str::from_utf8(&bytes).map(|text| text.trim().as_bytes().to_vec());
                Ok(Self { kind, bytes: text.unwrap_or(bytes) })
            }
            Kind::Psbt | Kind::Transaction | Kind::Json | Kind::Bytes => Ok(Self { kind, bytes }),
        }
    }

    /// Of a signed PSBT, in any encoding, or of a reply, as a confined reader made it: told by its first bytes. Nothing of
    /// it is parsed, so that the process that shows it need not be confined.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn made(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.starts_with(MAGIC) {
            return Ok(Self { kind: Kind::Psbt, bytes });
        }
        if bytes.starts_with(reply::MAGIC) {
            return Ok(Self { kind: Kind::Bytes, bytes });
        }
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let decoded = [BASE64, HEXLOWER].into_iter().filter_map(|encoding| encoding.decode(text).ok());
        match decoded.into_iter().find(|bytes| bytes.starts_with(MAGIC)) {
            Some(bytes) => Ok(Self { kind: Kind::Psbt, bytes }),
            None => Err(Error::malformed(
                "what was made is neither a PSBT nor a reply",
                "carry it as a file, and report this",
            )),
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

    #[test]
    fn descriptors_are_carried_without_what_is_around_them() {
        for (file, carried) in [("wpkh(a)\r\n", "wpkh(a)"), ("\n wpkh(a)\nwpkh(b)\n\n", "wpkh(a)\nwpkh(b)")] {
            let content = Content::of(file.into()).unwrap();
            assert_eq!((content.kind(), content.bytes()), (Kind::Descriptor, carried.as_bytes()));
            assert_eq!(content.sha256(), sha256::Hash::hash(carried.as_bytes()).to_byte_array());
        }
    }

    #[test]
    fn what_was_made_is_told_by_its_first_bytes_only() {
        // None of it could be parsed.
        let psbt = b"psbt\xff\x07".to_vec();
        let base64 = format!("{}\n", BASE64.encode(&psbt)).into_bytes();
        let hex = format!("{}\n", HEXLOWER.encode(&psbt)).into_bytes();
        for bytes in [psbt.clone(), base64, hex] {
            let content = Content::made(bytes).unwrap();
            assert_eq!((content.kind(), content.bytes()), (Kind::Psbt, psbt.as_slice()));
        }
        let reply = [reply::MAGIC, &[7]].concat();
        let content = Content::made(reply.clone()).unwrap();
        assert_eq!((content.kind(), content.bytes()), (Kind::Bytes, reply.as_slice()));
        for other in [&b""[..], b"wpkh(a)", b"{}", b"AAAA", b"00", b"cHNidP8H==", b" cHNidP8H\n", b"\xff"] {
            assert_eq!(Content::made(other.to_vec()).unwrap_err().code(), "malformed");
        }
    }
}
