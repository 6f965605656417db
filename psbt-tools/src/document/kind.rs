//! What bytes are, by the bytes alone. Nothing is believed of them but how they begin, or for JSON which keys there are.

use super::{Encoding, MAGIC, decode_text};
use crate::qr::looks_like_descriptor;
use crate::reply;
use bitcoin::Transaction;
use bitcoin::consensus::deserialize;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest text that is looked through as JSON or a transaction, in bytes.
const MAX_LOOK: usize = 32 << 20;

/// What a file or a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// A PSBT.
    Psbt(Encoding),
    /// A reply: signatures without their PSBT.
    Reply(Encoding),
    /// A transaction in its network form.
    Transaction(Encoding),
    /// The JSON of `cold-signer export`.
    Export,
    /// The JSON of `cold-signer receipts`.
    Receipts,
    /// A message that waits for signatures.
    Message,
    /// A proof of reserves.
    Reserves,
    /// Other JSON.
    Json,
    /// The armored `authority.pub` of a gatekeeper.
    Authority,
    /// What the chain proves, for a gatekeeper.
    Facts,
    /// Descriptors as text.
    Descriptor,
    /// A BSMS record (BIP129).
    Bsms,
    /// Text of animated QR codes, not joined yet.
    Frames,
    /// Other text.
    Text,
    /// Nothing, or blanks.
    Empty,
    /// Anything else.
    Bytes,
}

impl DocumentKind {
    /// Its word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            DocumentKind::Psbt(_) => "psbt",
            DocumentKind::Reply(_) => "reply",
            DocumentKind::Transaction(_) => "transaction",
            DocumentKind::Export => "export",
            DocumentKind::Receipts => "receipts",
            DocumentKind::Message => "message",
            DocumentKind::Reserves => "reserves",
            DocumentKind::Json => "json",
            DocumentKind::Authority => "authority",
            DocumentKind::Facts => "facts",
            DocumentKind::Descriptor => "descriptor",
            DocumentKind::Bsms => "bsms",
            DocumentKind::Frames => "frames",
            DocumentKind::Text => "text",
            DocumentKind::Empty => "empty",
            DocumentKind::Bytes => "bytes",
        }
    }
}

/// Recognises bytes by their content. That they are well formed is not said: whoever uses them reads them strictly.
pub fn recognise(bytes: &[u8]) -> DocumentKind {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return DocumentKind::Empty;
    }
    if bytes.starts_with(MAGIC) {
        return DocumentKind::Psbt(Encoding::Binary);
    }
    if let Some((_, encoding)) = reply::recognise(bytes) {
        return DocumentKind::Reply(encoding);
    }
    if bytes.len() > MAX_LOOK {
        return DocumentKind::Bytes;
    }
    if bytes.starts_with(b"\x00\x00\x00\x0fairlock/facts/") {
        return DocumentKind::Facts;
    }
    if deserialize::<Transaction>(bytes).is_ok() {
        return DocumentKind::Transaction(Encoding::Binary);
    }
    std::str::from_utf8(bytes).map_or(DocumentKind::Bytes, text)
}

fn text(text: &str) -> DocumentKind {
    let start = text.trim_start();
    let begins = |word: &str| start.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if start.starts_with('{') {
        return json(start);
    }
    if begins("-----BEGIN AIRLOCK AUTHORITY-----") {
        return DocumentKind::Authority;
    }
    if begins("BSMS ") {
        return DocumentKind::Bsms;
    }
    if begins("ur:") || begins("b$") {
        return DocumentKind::Frames;
    }
    if looks_like_descriptor(text) {
        return DocumentKind::Descriptor;
    }
    match decode_text(text.as_bytes()) {
        Some((decoded, encoding)) if decoded.starts_with(MAGIC) => DocumentKind::Psbt(encoding),
        Some((decoded, encoding)) if deserialize::<Transaction>(&decoded).is_ok() => {
            DocumentKind::Transaction(encoding)
        }
        _ if text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')) => DocumentKind::Text,
        _ => DocumentKind::Bytes,
    }
}

/// The keys by which our own JSON is told; their values are not kept.
#[derive(Deserialize)]
struct Keys {
    format: Option<String>,
    vault_id: Option<IgnoredAny>,
    external: Option<IgnoredAny>,
    receipts: Option<IgnoredAny>,
}

fn json(text: &str) -> DocumentKind {
    match serde_json::from_str::<Keys>(text) {
        Err(_) => DocumentKind::Json,
        Ok(Keys { format: Some(format), .. }) if format.starts_with("airlock-message-") => {
            DocumentKind::Message
        }
        Ok(Keys { format: Some(format), .. }) if format.starts_with("airlock-reserves-") => {
            DocumentKind::Reserves
        }
        Ok(Keys { vault_id: Some(_), external: Some(_), .. }) => DocumentKind::Export,
        Ok(Keys { vault_id: Some(_), receipts: Some(_), .. }) => DocumentKind::Receipts,
        Ok(_) => DocumentKind::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_recognised_whatever_they_are_called() {
        let transaction = "0200000001268171371edff285e937adeea4b37b78000c0566cbb3ad64641713ca42171bf60000000000feffffff01d3dff505000000001976a914d0c59903c5bac2868760e90fd521a4665aa7652088ac00000000";
        for (bytes, kind) in [
            (&b"psbt\xff\x01"[..], DocumentKind::Psbt(Encoding::Binary)),
            (b"70736274ff01000a0200000000000000000000", DocumentKind::Psbt(Encoding::Hex)),
            (b"cHNidP8BAAoCAAAAAAAAAAAAAA==\n", DocumentKind::Psbt(Encoding::Base64)),
            (b"\x00\x00\x00\x0fairlock/reply/7", DocumentKind::Reply(Encoding::Binary)),
            (b"0000000F6169726c6f636b2f7265706c792f31", DocumentKind::Reply(Encoding::Hex)),
            (b" AAAAD2FpcmxvY2svcmVwbHkvMQ==", DocumentKind::Reply(Encoding::Base64)),
            (b"\x00\x00\x00\x0fairlock/facts/1", DocumentKind::Facts),
            (transaction.as_bytes(), DocumentKind::Transaction(Encoding::Hex)),
            (b"{\"vault_id\": 1, \"external\": [1, {}]}", DocumentKind::Export),
            (b"{\"vault_id\": 1, \"receipts\": []}", DocumentKind::Receipts),
            (b" {\"format\": \"airlock-message-1\"}", DocumentKind::Message),
            (b"{\"format\": \"airlock-reserves-1\"}", DocumentKind::Reserves),
            (b"{\"a\": ", DocumentKind::Json),
            (b"-----BEGIN AIRLOCK AUTHORITY-----\nAA", DocumentKind::Authority),
            (b"wpkh(xpub/<0;1>/*)", DocumentKind::Descriptor),
            (b"BSMS 1.0\n", DocumentKind::Bsms),
            (b"UR:BYTES/1-2/", DocumentKind::Frames),
            (b"B$2P0100", DocumentKind::Frames),
            (b"hello", DocumentKind::Text),
            (b" \n", DocumentKind::Empty),
            (b"\x00\xff", DocumentKind::Bytes),
        ] {
            assert_eq!(recognise(bytes), kind, "{}", bytes.escape_ascii());
        }
    }
}
