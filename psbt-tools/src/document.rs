//! What a file is: a PSBT in binary, base64 or hexadecimal, or something else that gets a helpful name.

mod kind;

pub use kind::{DocumentKind, recognise};

use crate::display::hex;
use crate::{Error, files};
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::FromHex;
use bitcoin::{Psbt, Transaction};
use policies::check::Check;

/// The first bytes of every PSBT (BIP174): `psbt` and 0xff.
pub const MAGIC: &[u8] = b"psbt\xff";

/// How a PSBT is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes themselves.
    Binary,
    /// BIP174's text form.
    Base64,
    /// Hexadecimal, as Bitcoin Core's tools print.
    Hex,
}

impl Encoding {
    /// The file's bytes for a PSBT of version 0 in this encoding; text ends in a newline.
    pub fn encode(self, psbt: &Psbt) -> Vec<u8> {
        self.encode_bytes(psbt.serialize())
    }

    /// The same for a PSBT's bytes as they are.
    pub fn encode_bytes(self, bytes: Vec<u8>) -> Vec<u8> {
        let text = match self {
            Encoding::Binary => return bytes,
            Encoding::Base64 => BASE64_STANDARD.encode(bytes),
            Encoding::Hex => hex(&bytes),
        };
        format!("{text}\n").into_bytes()
    }
}

/// A file that holds a PSBT: one immutable buffer and its hash (check C24). Whether the PSBT is well formed is the
/// business of [`crate::strict`].
#[derive(Debug, Clone)]
pub struct Document {
    psbt: Vec<u8>,
    encoding: Encoding,
    sha256: [u8; 32],
}

impl Document {
    /// Recognises the bytes by their content; spaces and line breaks around and within text are tolerated.
    ///
    /// # Errors
    /// [`Error::Malformed`] says what the bytes are instead; check C27 above 64 MiB.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::parse_within(bytes, files::DEFAULT_LIMIT)
    }

    /// The same with another limit, in bytes.
    ///
    /// # Errors
    /// Those of [`Document::parse`].
    pub fn parse_within(bytes: Vec<u8>, limit: u64) -> Result<Self, Error> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Error::refused(
                Check::BOUNDS,
                format!("{} bytes are more than the {limit} that are read", bytes.len()),
            ));
        }
        let sha256 = sha256::Hash::hash(&bytes).to_byte_array();
        if bytes.starts_with(MAGIC) {
            return Ok(Self { psbt: bytes, encoding: Encoding::Binary, sha256 });
        }
        if let Some((decoded, encoding)) = decode_text(&bytes)
            && decoded.starts_with(MAGIC)
        {
            return Ok(Self { psbt: decoded, encoding, sha256 });
        }
        Err(name_it(&bytes))
    }

    /// The PSBT's bytes.
    pub fn psbt_bytes(&self) -> &[u8] {
        &self.psbt
    }

    /// How it came.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// SHA-256 of the file as it came: what `sha256sum` prints.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }
}

/// Text that is hexadecimal or else base64.
pub(crate) fn decode_text(bytes: &[u8]) -> Option<(Vec<u8>, Encoding)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let dense: String = text.split_ascii_whitespace().collect();
    if dense.is_empty() {
        return None;
    }
    if let Ok(decoded) = Vec::<u8>::from_hex(&dense) {
        return Some((decoded, Encoding::Hex));
    }
    BASE64_STANDARD.decode(&dense).ok().map(|decoded| (decoded, Encoding::Base64))
}

/// What bytes that are no PSBT probably are.
fn name_it(bytes: &[u8]) -> Error {
    let hint = "give a .psbt file, or a PSBT as base64 or hexadecimal text";
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Error::malformed("the file is empty", hint);
    }
    let decoded = decode_text(bytes).map(|(decoded, _)| decoded);
    let inner = decoded.as_deref().unwrap_or(bytes);
    if deserialize::<Transaction>(inner).is_ok() {
        return Error::malformed(
            "this is a raw transaction, not a PSBT",
            "ask the program that made it for a PSBT; a raw transaction does not say what its inputs are worth",
        );
    }
    if inner.starts_with(b"psbt") {
        return Error::malformed("the PSBT's separator 0xff is missing after its magic", hint);
    }
    if crate::reply::recognise(bytes).is_some() {
        return Error::malformed(
            "this is a reply: signatures without the PSBT that they belong to",
            "`watch-node submit` takes it as it is; `psbt-tools combine BASE REPLY -o OUT` puts it into its PSBT",
        );
    }
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"cHNidP") {
        return Error::malformed("this begins like a base64 PSBT but is not valid base64", "copy it whole");
    }
    if start.starts_with(b"70736274ff") {
        return Error::malformed(
            "this begins like a hexadecimal PSBT but is cut or mistyped",
            "copy it whole",
        );
    }
    let lower = start.get(..8).unwrap_or_default().to_ascii_lowercase();
    if lower.starts_with(b"ur:") || lower.starts_with(b"b$") {
        return Error::malformed("this is text of animated QR codes, not a PSBT", "join its frames first");
    }
    if lower.starts_with(b"{") {
        return Error::malformed("this is JSON, not a PSBT", hint);
    }
    Error::malformed("this is no PSBT: it does not begin with the bytes `psbt` 0xff", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest valid PSBT of BIP174's vectors: no inputs, no outputs.
    const EMPTY: &str = "70736274ff01000a0200000000000000000000";

    fn message(bytes: &[u8]) -> String {
        let error = Document::parse(bytes.to_vec()).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("malformed", 3));
        error.to_string()
    }

    #[test]
    fn the_three_encodings_are_recognised_by_content_and_mirrored() {
        let binary = Vec::<u8>::from_hex(EMPTY).unwrap();
        let base64 = BASE64_STANDARD.encode(&binary);
        let psbt = crate::strict::parse(&binary).unwrap();
        for (bytes, encoding) in [
            (binary.clone(), Encoding::Binary),
            (format!("  {base64}\r\n").into_bytes(), Encoding::Base64),
            (base64.replace("Ag", "\nAg").into_bytes(), Encoding::Base64),
            (EMPTY.to_uppercase().into_bytes(), Encoding::Hex),
        ] {
            let document = Document::parse(bytes).unwrap();
            assert_eq!((document.encoding(), document.psbt_bytes()), (encoding, binary.as_slice()));
            let again = Document::parse(encoding.encode(&psbt)).unwrap();
            assert_eq!((again.encoding(), again.psbt_bytes()), (encoding, binary.as_slice()));
        }
    }

    #[test]
    fn what_is_no_psbt_is_named() {
        let transaction = "0200000001268171371edff285e937adeea4b37b78000c0566cbb3ad64641713ca42171bf60000000000feffffff01d3dff505000000001976a914d0c59903c5bac2868760e90fd521a4665aa7652088ac00000000";
        assert!(message(transaction.as_bytes()).contains("raw transaction"));
        assert!(message(&Vec::<u8>::from_hex(transaction).unwrap()).contains("raw transaction"));
        assert!(message(b"").contains("empty"));
        assert!(message(b" \n").contains("empty"));
        assert!(message(b"cHNidP8BA*").contains("base64"));
        assert!(message(b"70736274ff010").contains("hexadecimal"));
        assert!(message(b"UR:CRYPTO-PSBT/").contains("QR"));
        assert!(message(b"{\"a\": 1}").contains("JSON"));
        assert!(message(b"psbt\x00").contains("separator"));
        assert!(message(b"\xff\xfe").contains("no PSBT"));
    }

    #[test]
    fn the_size_is_capped_before_anything_else() {
        let error = Document::parse_within(EMPTY.as_bytes().to_vec(), 10).unwrap_err();
        assert_eq!(error.code(), "C27");
    }
}
