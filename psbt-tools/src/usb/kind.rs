//! What a file is by its bytes, for a person who looks through a stick. Nothing is believed because of it.

use crate::document::{Document, Encoding, MAGIC};
use crate::envelope::{self, Envelope};
use crate::{qr, reply, strict};
use bitcoin::Transaction;
use bitcoin::consensus::deserialize;
use bitcoin::hex::FromHex;

/// Longest text that is looked through for keys.
const MAX_WALLET_LEN: usize = 1 << 20;

/// How extended public keys begin (BIP32, SLIP132).
const KEYS: [&str; 10] =
    ["xpub6", "tpub", "ypub6", "zpub6", "upub5", "vpub5", "Ypub6", "Zpub7", "Upub5", "Vpub5"];

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A PSBT that can be read, and the documents that it carries.
    Psbt(Encoding, Vec<&'static str>),
    /// It begins as a PSBT.
    BrokenPsbt(String),
    /// A signed answer without its PSBT.
    Reply,
    /// A transaction, in binary or as hexadecimal text.
    Transaction,
    /// Text that names extended public keys or is a descriptor.
    Wallet,
    /// Other JSON.
    Json,
    /// Other text.
    Text,
    /// Nothing at all.
    Empty,
    /// Anything else.
    Other,
}

impl Kind {
    /// Of a file's bytes.
    pub fn of(bytes: &[u8]) -> Kind {
        if bytes.is_empty() {
            return Kind::Empty;
        }
        if reply::binary(bytes).is_some() {
            return Kind::Reply;
        }
        if begins_as_psbt(bytes)
            && let Ok(document) = Document::parse(bytes.to_vec())
        {
            return match strict::read(document.psbt_bytes()).and_then(|(psbt, _)| Envelope::read(&psbt)) {
                Ok(envelope) => Kind::Psbt(document.encoding(), documents(&envelope)),
                Err(error) => Kind::BrokenPsbt(error.to_string()),
            };
        }
        let text = std::str::from_utf8(bytes).ok();
        let from_hex = text.and_then(|text| Vec::from_hex(text.trim()).ok());
        if from_hex.is_some_and(|bytes| deserialize::<Transaction>(&bytes).is_ok()) {
            return Kind::Transaction;
        }
        let names_keys = |text: &str| KEYS.iter().any(|key| text.contains(key));
        if text.is_some_and(|text| text.len() <= MAX_WALLET_LEN && names_keys(text)) {
            return Kind::Wallet;
        }
        match qr::Kind::of(bytes) {
            qr::Kind::Transaction => Kind::Transaction,
            qr::Kind::Descriptor => Kind::Wallet,
            qr::Kind::Json => Kind::Json,
            qr::Kind::Text => Kind::Text,
            qr::Kind::Psbt | qr::Kind::Bytes => Kind::Other,
        }
    }

    /// Whether it is what `usb read` looks for.
    pub fn is_payment(&self) -> bool {
        matches!(self, Kind::Psbt(..) | Kind::Reply)
    }

    /// The word in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Psbt(..) => "psbt",
            Kind::BrokenPsbt(_) => "broken-psbt",
            Kind::Reply => "reply",
            Kind::Transaction => "transaction",
            Kind::Wallet => "wallet",
            Kind::Json => "json",
            Kind::Text => "text",
            Kind::Empty => "empty",
            Kind::Other => "other",
        }
    }

    /// How a PSBT is written.
    pub fn encoding(&self) -> Option<&'static str> {
        match self {
            Kind::Psbt(encoding, _) => Some(encoding_word(*encoding)),
            Kind::BrokenPsbt(_)
            | Kind::Reply
            | Kind::Transaction
            | Kind::Wallet
            | Kind::Json
            | Kind::Text
            | Kind::Empty
            | Kind::Other => None,
        }
    }

    /// What it is in a person's words.
    pub fn title(&self) -> String {
        match self {
            Kind::Psbt(encoding, documents) => {
                let encoding = encoding_word(*encoding);
                match documents.is_empty() {
                    true => format!("PSBT, {encoding}"),
                    false => format!("PSBT, {encoding}, with {}", documents.join(", ")),
                }
            }
            Kind::BrokenPsbt(_) => "broken PSBT".to_owned(),
            Kind::Wallet => "wallet file".to_owned(),
            Kind::Json => "JSON".to_owned(),
            Kind::Reply | Kind::Transaction | Kind::Text | Kind::Empty | Kind::Other => {
                self.as_str().to_owned()
            }
        }
    }
}

/// In any of its three forms; what is large and begins otherwise is not decoded in vain.
fn begins_as_psbt(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    bytes.starts_with(MAGIC) || text.starts_with(b"cHNidP") || text.starts_with(b"7073")
}

/// The word for how a PSBT is written.
fn encoding_word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Binary => "binary",
        Encoding::Base64 => "base64",
        Encoding::Hex => "hex",
    }
}

fn documents(envelope: &Envelope) -> Vec<&'static str> {
    use envelope::Kind::{Approval, Facts, Manifest, Permit, Receipt, Request};
    let all = [Manifest, Request, Approval, Permit, Receipt, Facts];
    all.into_iter().filter(|kind| envelope.get(*kind).next().is_some()).map(|kind| kind.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_bytes() {
        let hex = "70736274ff01000a0200000000000000000000";
        let binary = Vec::<u8>::from_hex(hex).unwrap();
        assert_eq!(Kind::of(&binary), Kind::Psbt(Encoding::Binary, vec![]));
        assert_eq!(Kind::of(b"cHNidP8BAAoCAAAAAAAAAAAAAA==\n"), Kind::Psbt(Encoding::Base64, vec![]));
        assert_eq!(Kind::of(hex.as_bytes()), Kind::Psbt(Encoding::Hex, vec![]));
        assert!(matches!(Kind::of(&binary[..12]), Kind::BrokenPsbt(_)));
        let transaction = "0200000001000000000000000000000000000000000000000000000000000000000000000000000000\
                           00ffffffff0100000000000000000000000000\n";
        assert_eq!(Kind::of(transaction.as_bytes()), Kind::Transaction);
        assert_eq!(Kind::of(&Vec::<u8>::from_hex(transaction.trim()).unwrap()), Kind::Transaction);
        assert_eq!(Kind::of(b"{\"descriptor\": \"wpkh(xpub6DJ/0/*)\"}"), Kind::Wallet);
        for (bytes, word) in
            [(&b""[..], "empty"), (b"{\"a\": 1}", "json"), (b"hello\n", "text"), (&[0, 255, 7], "other")]
        {
            assert_eq!(Kind::of(bytes).as_str(), word);
        }
    }
}
