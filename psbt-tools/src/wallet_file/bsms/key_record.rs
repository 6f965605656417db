//! Round 1: a signer's key, signed by that key.

use super::{Token, VERSION};
use crate::Error;
use crate::message::signature::Signature;
use crate::message::{Verdict, verify};
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::bip32::Xpub;
use bitcoin::{PublicKey, ScriptBuf};
use miniscript::DescriptorPublicKey;
use miniscript::descriptor::{SinglePubKey, Wildcard};
use policies::message::Message;
use policies::message::bip137::SIGNATURE_LEN;
use policies::wallet::require_strict;

/// Longest description, in characters (BIP129).
pub const MAX_DESCRIPTION_LEN: usize = 80;

/// A key record whose signature is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    token: Token,
    key: String,
    xpub: Option<Xpub>,
    description: String,
    signature: [u8; SIGNATURE_LEN],
}

impl KeyRecord {
    /// What the key signs: the record's first four lines. The signature is of BIP137's kind, by the key itself, as the
    /// address `p2pkh` of it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a key without origin, or a description of more than one line or 80 characters.
    pub fn text_to_sign(token: &Token, key: &str, description: &str) -> Result<String, Error> {
        public_key(key)?;
        if description.chars().count() > MAX_DESCRIPTION_LEN || description.contains(['\n', '\r']) {
            return Err(wrong("the description is longer than one line of 80 characters"));
        }
        Ok(format!("{VERSION}\n{}\n{key}\n{description}", token.text()))
    }

    /// The record of a key with its signature over [`KeyRecord::text_to_sign`].
    ///
    /// # Errors
    /// The same, and for a signature that is not the key's.
    pub fn new(
        token: Token,
        key: &str,
        description: &str,
        signature: [u8; SIGNATURE_LEN],
    ) -> Result<Self, Error> {
        let text = Self::text_to_sign(&token, key, description)?;
        let (public, xpub) = public_key(key)?;
        let message = Message::new(text).map_err(|error| wrong(error.to_string()))?;
        let address = ScriptBuf::new_p2pkh(&public.pubkey_hash());
        match verify(&message, &address, &Signature::Bip137(signature)) {
            Verdict::Valid(_) => {
                Ok(Self { token, key: key.to_owned(), xpub, description: description.to_owned(), signature })
            }
            Verdict::Invalid(_) | Verdict::Inconclusive(_) => {
                Err(wrong("its signature is not by its key: it was changed, or mistyped"))
            }
        }
    }

    /// Reads a record and verifies its signature.
    ///
    /// # Errors
    /// [`Error::Malformed`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > super::super::MAX_LEN {
            return Err(wrong("it is too long"));
        }
        super::super::refuse_private(text)?;
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let [VERSION, token, key, description, signature] = lines.as_slice() else {
            return Err(wrong(format!("it is not of five lines of which the first is `{VERSION}`")));
        };
        let token = Token::parse(token)?;
        let signature = BASE64_STANDARD.decode(signature.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        let signature = signature.ok_or_else(|| wrong("its last line is no signature"))?;
        Self::new(token, key, description, signature)
    }

    /// The same for a record that may be encrypted. Once a token was given out, a plain record may name it or none: BIP129's
    /// signers without encryption have no token, and whose key it is only its owner can say.
    ///
    /// # Errors
    /// [`Error::Malformed`] also for a record that was made for another token, or that needs one.
    pub fn parse_with_token(text: &str, token: &Token) -> Result<Self, Error> {
        if text.len() > super::super::MAX_LEN {
            return Err(wrong("it is too long"));
        }
        let decrypted = super::decrypted(text.trim(), Some(token))?;
        let record = Self::parse(decrypted.as_deref().unwrap_or(text))?;
        let named = record.token();
        if named == token || named.is_none() && decrypted.is_none() {
            return Ok(record);
        }
        Err(wrong("it was made for another token"))
    }

    /// The record as text, without a line end after the signature.
    pub fn text(&self) -> String {
        format!(
            "{VERSION}\n{}\n{}\n{}\n{}",
            self.token.text(),
            self.key,
            self.description,
            BASE64_STANDARD.encode(self.signature)
        )
    }

    /// The token it was made for.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The key expression: `[73c5da0a/48'/0'/0'/2']xpub…`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The extended key; `None` when the record has a single public key.
    pub fn xpub(&self) -> Option<Xpub> {
        self.xpub
    }

    /// What the signer calls its key: foreign text.
    pub fn description(&self) -> &str {
        &self.description
    }
}

/// The public key that a record's key signs with: an extended key, or a compressed one, with its origin.
fn public_key(text: &str) -> Result<(PublicKey, Option<Xpub>), Error> {
    require_strict(text).map_err(|error| wrong(error.to_string()))?;
    let key = text.parse().map_err(|_| wrong("its key is none, such as [73c5da0a/48'/0'/0'/2']xpub…"))?;
    match key {
        DescriptorPublicKey::XPub(key)
            if key.origin.is_some()
                && key.wildcard == Wildcard::None
                && key.derivation_path.as_ref().is_empty() =>
        {
            Ok((key.xkey.public_key.into(), Some(key.xkey)))
        }
        DescriptorPublicKey::Single(single) if single.origin.is_some() => match single.key {
            SinglePubKey::FullKey(key) if key.compressed => Ok((key, None)),
            SinglePubKey::FullKey(_) | SinglePubKey::XOnly(_) => Err(wrong("its key is not compressed")),
        },
        DescriptorPublicKey::XPub(_) | DescriptorPublicKey::Single(_) | DescriptorPublicKey::MultiXPub(_) => {
            Err(wrong("its key has no origin, or a path after the key"))
        }
    }
}

fn wrong(reason: impl std::fmt::Display) -> Error {
    Error::malformed(format!("BSMS key record: {reason}"), "let the signer write its key record again")
}
