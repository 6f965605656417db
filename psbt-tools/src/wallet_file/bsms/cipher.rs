//! Encryption of records (BIP129, "Encryption"): AES-256 in counter mode under a key from the token, and a MAC over token
//! and record, which is also the counter's start.

use crate::Error;
use crate::display::hex;
use aes::Aes256;
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256, sha512};
use bitcoin::hex::FromHex;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

/// Password, rounds and block number of PBKDF2 (BIP129; RFC 8018, section 5.2).
const PASSWORD: &[u8] = b"No SPOF";
const ROUNDS: u32 = 2_048;
const FIRST_BLOCK: [u8; 4] = [0, 0, 0, 1];

/// Length of the MAC before the ciphertext.
const MAC_LEN: usize = 32;

/// What the coordinator gives the signers by another way than the files.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

impl Token {
    /// No encryption: `00`.
    pub const NONE: Token = Token(Vec::new());

    /// Reads `00`, or 64 or 128 bits as hexadecimal.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix("0x").unwrap_or(text);
        if text == "00" {
            return Ok(Self::NONE);
        }
        match Vec::<u8>::from_hex(text) {
            Ok(bytes) if matches!(bytes.len(), 8 | 16) => Ok(Self(bytes)),
            _ => Err(Error::malformed(
                "this is no BSMS token: expected 00, or 16 or 32 hexadecimal digits",
                "copy the token from the coordinator",
            )),
        }
    }

    /// Whether records are not encrypted.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// As records name it: hexadecimal.
    pub fn text(&self) -> String {
        if self.is_none() { "00".to_owned() } else { hex(&self.0) }
    }
}

/// Only that there is one: the token decrypts the records.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_none() { "Token(00)" } else { "Token(…)" })
    }
}

/// Whether a text may be an encrypted record: hexadecimal, longer than its MAC.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.len() > 2 * MAC_LEN
        && text.len().is_multiple_of(2)
        && text.bytes().all(|b| b.is_ascii_hexdigit())
        && !text.starts_with("70736274ff")
}

/// Decrypts a record and verifies that it is whole.
pub(super) fn decrypt(text: &str, token: &Token) -> Result<String, Error> {
    let wrong = || {
        Error::malformed(
            "encrypted BSMS record: the token does not fit, or the file was changed",
            "check the token with the coordinator, and copy the file again",
        )
    };
    let bytes = Vec::<u8>::from_hex(text).map_err(|_| wrong())?;
    let (given, cipher) = bytes.split_first_chunk::<MAC_LEN>().ok_or_else(wrong)?;
    let key = key(token);
    let mut record = cipher.to_vec();
    apply(&key, given, &mut record);
    if mac(&key, token, &record) != *given {
        return Err(wrong());
    }
    String::from_utf8(record).map_err(|_| wrong())
}

pub(super) fn encrypt(record: &str, token: &Token) -> String {
    let key = key(token);
    let mac = mac(&key, token, record.as_bytes());
    let mut cipher = record.as_bytes().to_vec();
    apply(&key, &mac, &mut cipher);
    format!("{}{}", hex(&mac), hex(&cipher))
}

/// The stream under the MAC's first half, the same for both directions.
fn apply(key: &[u8; 32], mac: &[u8; MAC_LEN], bytes: &mut [u8]) {
    let mut start = [0; 16];
    start.iter_mut().zip(mac).for_each(|(to, from)| *to = *from);
    Ctr128BE::<Aes256>::new(key.into(), &start.into()).apply_keystream(bytes);
}

/// HMAC-SHA256 of the token's text and the record.
fn mac(key: &[u8; 32], token: &Token, record: &[u8]) -> [u8; MAC_LEN] {
    let key = sha256::Hash::hash(key).to_byte_array();
    let mut engine = HmacEngine::<sha256::Hash>::new(&key);
    engine.input(token.text().as_bytes());
    engine.input(record);
    Hmac::from_engine(engine).to_byte_array()
}

/// The first 32 bytes of PBKDF2-HMAC-SHA512 of the token.
fn key(token: &Token) -> [u8; 32] {
    let keyed = HmacEngine::<sha512::Hash>::new(PASSWORD);
    let hash = |parts: &[&[u8]]| {
        let mut engine = keyed.clone();
        parts.iter().for_each(|part| engine.input(part));
        Hmac::from_engine(engine).to_byte_array()
    };
    let mut last = hash(&[&token.0, &FIRST_BLOCK]);
    let mut sum = last;
    for _ in 1..ROUNDS {
        last = hash(&[&last]);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    let mut key = [0; 32];
    key.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
    key
}
