//! How signatures of messages are written: base64 behind a prefix for the form (BIP322, "Types of Signatures").

use super::proof;
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::consensus::encode::Error;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Psbt, Transaction, Witness};
use policies::evidence::Evidence;
use policies::message::bip137::{KeyAddress, SIGNATURE_LEN};
use policies::message::bip322::{Satisfaction, ToSign};
use policies::message::{MessageError, MessageForm};

/// Longest signature that is read, in characters: a proof of funds carries previous transactions.
pub const MAX_TEXT_LEN: usize = 64 * 1024 * 1024;

/// Longest witness or signed transaction, in bytes: verifying takes time that grows with its length and its number of inputs.
pub const MAX_SIGNED_LEN: usize = 1_000_000;

const SIMPLE: &str = "smp";
const FULL: &str = "ful";
const PROOF_OF_FUNDS: &str = "pof";

/// Why a text is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing there.
    #[error("signature too short: it is empty")]
    Empty,
    /// More than is read.
    #[error("the signature has {0} {1}, more than are read")]
    TooLong(usize, &'static str),
    /// No base64.
    #[error("error decoding the signature as base64: {0}")]
    Base64(String),
    /// The bytes are not of the form that the prefix says.
    #[error("error parsing the signature as {}: {reason}", form.as_str())]
    Malformed {
        /// The form.
        form: MessageForm,
        /// What is wrong.
        reason: String,
    },
    /// A message whose inputs are not all satisfied.
    #[error(transparent)]
    Unsigned(#[from] MessageError),
    /// A proof of funds of a coin whose previous transaction is not there.
    #[error("coin {0} is of a legacy script: the transaction that made it is needed")]
    PreviousTransaction(usize),
}

/// A signature of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// BIP322 "simple": the witness.
    Simple(Witness),
    /// BIP322 "full": the signed virtual transaction.
    Full(Transaction),
    /// BIP322 "full (proof of funds)": the same as a finalised PSBT, with what its inputs spend.
    ProofOfFunds(Box<Psbt>),
    /// BIP137.
    Bip137([u8; SIGNATURE_LEN]),
}

impl Signature {
    /// Puts satisfactions together to a signature, one for each input of `to_sign`, in the shortest form that BIP322
    /// allows. Coins of legacy scripts need their previous transactions in `evidence`.
    ///
    /// # Errors
    /// [`SignatureError::Unsigned`] for another number of satisfactions, [`SignatureError::PreviousTransaction`].
    pub fn new(
        to_sign: &ToSign,
        satisfactions: Vec<Satisfaction>,
        evidence: &Evidence,
    ) -> Result<Self, SignatureError> {
        let signed = to_sign.satisfied(satisfactions)?;
        match signed.input.as_slice() {
            [only] if to_sign.is_simple() => Ok(Signature::Simple(only.witness.clone())),
            [_] => Ok(Signature::Full(signed)),
            _ => Ok(Signature::ProofOfFunds(Box::new(proof::finalised(to_sign, &signed, evidence)?))),
        }
    }

    /// Its form.
    pub fn form(&self) -> MessageForm {
        match self {
            Signature::Simple(_) => MessageForm::Bip322Simple,
            Signature::Full(_) => MessageForm::Bip322Full,
            Signature::ProofOfFunds(_) => MessageForm::Bip322ProofOfFunds,
            Signature::Bip137(_) => MessageForm::Bip137,
        }
    }

    /// As it is written.
    pub fn encode(&self) -> String {
        let (prefix, bytes) = match self {
            Signature::Simple(witness) => (SIMPLE, serialize(witness)),
            Signature::Full(transaction) => (FULL, serialize(transaction)),
            Signature::ProofOfFunds(psbt) => (PROOF_OF_FUNDS, psbt.serialize()),
            Signature::Bip137(bytes) => ("", bytes.to_vec()),
        };
        format!("{prefix}{}", BASE64_STANDARD.encode(bytes))
    }

    /// Reads a signature, strictly: canonical base64, no space, no byte too many. Without a prefix it is BIP137 when it
    /// has 65 bytes and such a header, else BIP322's simple form as it was written before 2026.
    ///
    /// # Errors
    /// [`SignatureError`] says what it is not.
    pub fn decode(text: &str) -> Result<Self, SignatureError> {
        if text.is_empty() {
            return Err(SignatureError::Empty);
        }
        if text.len() > MAX_TEXT_LEN {
            return Err(SignatureError::TooLong(text.len(), "characters"));
        }
        if let Some(rest) = text.strip_prefix(PROOF_OF_FUNDS) {
            return proof_of_funds(&base64(rest)?);
        }
        if text.len() > MAX_SIGNED_LEN.saturating_mul(2) {
            return Err(SignatureError::TooLong(text.len(), "characters"));
        }
        if let Some(rest) = text.strip_prefix(FULL) {
            let transaction = parsed(&base64(rest)?, MessageForm::Bip322Full)?;
            return Ok(Signature::Full(transaction));
        }
        if let Some(rest) = text.strip_prefix(SIMPLE) {
            return Ok(Signature::Simple(parsed(&base64(rest)?, MessageForm::Bip322Simple)?));
        }
        let bytes = base64(text)?;
        match <[u8; SIGNATURE_LEN]>::try_from(bytes.as_slice()) {
            Ok(bytes) if KeyAddress::from_header(bytes.first().copied().unwrap_or_default()).is_some() => {
                Ok(Signature::Bip137(bytes))
            }
            _ => Ok(Signature::Simple(parsed(&bytes, MessageForm::Bip322Simple)?)),
        }
    }
}

fn base64(text: &str) -> Result<Vec<u8>, SignatureError> {
    BASE64_STANDARD.decode(text).map_err(|error| SignatureError::Base64(error.to_string()))
}

fn parsed<T: bitcoin::consensus::Decodable>(bytes: &[u8], form: MessageForm) -> Result<T, SignatureError> {
    if bytes.len() > MAX_SIGNED_LEN {
        return Err(SignatureError::TooLong(bytes.len(), "bytes"));
    }
    deserialize(bytes).map_err(|error| {
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "every other error of a foreign enum says what it is"
        )]
        let reason = match error {
            Error::Io(_) => "it ends too early".to_owned(),
            error => error.to_string(),
        };
        SignatureError::Malformed { form, reason }
    })
}

fn proof_of_funds(bytes: &[u8]) -> Result<Signature, SignatureError> {
    let psbt = crate::strict::parse(bytes).map_err(|error| SignatureError::Malformed {
        form: MessageForm::Bip322ProofOfFunds,
        reason: error.to_string(),
    })?;
    let len = proof::signed(&psbt).total_size();
    if len > MAX_SIGNED_LEN {
        return Err(SignatureError::TooLong(len, "bytes"));
    }
    Ok(Signature::ProofOfFunds(Box::new(psbt)))
}
