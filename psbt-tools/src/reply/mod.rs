//! A signed answer without the PSBT: signatures, receipts, and the spend that they belong to. Whoever has the PSBT merges them
//! into it, and has then what the signer would have written whole.
//!
//! It holds nothing that the PSBT says already: a public key is named by its place in the script that it signs for, and a
//! signature is its 64 bytes. `docs/formats.md` gives the bytes.

mod answer;
mod key;
mod merge;
mod shown;
mod signature;

pub use merge::merge;
pub use signature::MAX_SIGNATURES;

use crate::document::Encoding;
use crate::envelope::MAX_PER_KIND;
use crate::error::Transport;
use crate::manifest::Manifest;
use crate::{Error, document};
use bitcoin::{Network, Txid};
use policies::check::Check;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::id::{SpendId, VaultId, WalletId};
use policies::permit::{Receipt, ReceiptStatement};
use signature::Signature;
use std::collections::BTreeSet;

/// What every reply begins with, of whatever version: the length of its tag, and the tag without its version.
pub const MAGIC: &[u8] = b"\x00\x00\x00\x0fairlock/reply/";

/// Largest reply that is read, in bytes (check C27).
pub const MAX_LEN: usize = 32 << 20;

/// Longest receipt, in bytes.
const MAX_RECEIPT_LEN: usize = 16 << 10;

/// Longest manifest, in bytes.
const MAX_MANIFEST_LEN: usize = 4_096;

/// Signatures of one spend. Its receipts are authentic and about this spend; the signatures are verified by [`merge`] only,
/// because only the PSBT says what they sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    manifest: Manifest,
    spend: SpendId,
    /// The first is that of the vault that answers, the others stand in the order of their bytes.
    receipts: Vec<Receipt>,
    signatures: Vec<Signature>,
}

/// The bytes of a reply, if they begin as one: as they are, or behind base64 or hexadecimal text.
pub fn binary(bytes: &[u8]) -> Option<Vec<u8>> {
    recognise(bytes).map(|(binary, _)| binary)
}

/// The same with how it is written down.
pub(crate) fn recognise(bytes: &[u8]) -> Option<(Vec<u8>, Encoding)> {
    if bytes.starts_with(MAGIC) {
        return Some((bytes.to_vec(), Encoding::Binary));
    }
    let start: Vec<u8> = bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).take(8).copied().collect();
    // What the four zero-led bytes of the length begin with, in either text.
    if !start.starts_with(b"AAAAD2Fp") && !start.starts_with(b"0000000f") && !start.starts_with(b"0000000F") {
        return None;
    }
    document::decode_text(bytes).filter(|(decoded, _)| decoded.starts_with(MAGIC))
}

impl Reply {
    /// Reads a reply from its bytes, base64 or hexadecimal text.
    ///
    /// # Errors
    /// [`Error::Transport`] with `damaged` when it is not as long as it says, or hashes to something else;
    /// [`Error::Malformed`] when it is none, of another version, or its receipts are not authentic or of another spend;
    /// check C27 above 32 MiB.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        // Twice that and line breaks as hexadecimal text.
        if bytes.len() > MAX_LEN.saturating_mul(3) {
            return Err(too_large(bytes.len()));
        }
        let bytes = binary(bytes).ok_or_else(|| {
            Error::malformed("this is no reply", "give what `cold-signer sign FILE --reply` wrote")
        })?;
        if bytes.len() > MAX_LEN {
            return Err(too_large(bytes.len()));
        }
        let (manifest, document) = parts(&bytes).map_err(malformed)?;
        manifest.fits(&document)?;
        Self::from_bytes(&bytes).map_err(malformed)
    }

    /// What the bytes of a reply claim of themselves.
    pub(crate) fn manifest_in(bytes: &[u8]) -> Option<Manifest> {
        parts(bytes).ok().map(|(manifest, _)| manifest)
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The spend that was signed.
    pub fn spend(&self) -> SpendId {
        self.spend
    }

    /// Txid of its unsigned transaction, as the vault that answers states it.
    pub fn unsigned_txid(&self) -> Option<Txid> {
        self.statement().map(|statement| statement.unsigned_txid)
    }

    /// Network and wallet, as the vault that answers states them.
    pub fn wallet(&self) -> Option<(Network, WalletId)> {
        self.statement().map(|statement| (statement.network, statement.wallet))
    }

    /// The vault that answers.
    pub fn vault(&self) -> Option<VaultId> {
        self.statement().map(|statement| statement.head.vault)
    }

    /// The receipts, that of the vault that answers first.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// How many signatures there are.
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// How many inputs they are for.
    pub fn inputs(&self) -> usize {
        self.signatures.iter().map(|signature| signature.input).collect::<BTreeSet<_>>().len()
    }

    fn statement(&self) -> Option<&ReceiptStatement> {
        self.receipts.first().map(|receipt| &receipt.statement)
    }

    /// The bytes that its manifest is about: the reply without it.
    fn document(spend: SpendId, receipts: &[Receipt], signatures: &[Signature]) -> Vec<u8> {
        let mut to = Encoder::default();
        to.string(Self::TAG.as_bytes());
        encode(&mut to, spend, receipts, signatures);
        to.finish()
    }
}

impl Canonical for Reply {
    const TAG: &'static str = "airlock/reply/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.manifest.to_bytes());
        encode(to, self.spend, &self.receipts, &self.signatures);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let manifest = Manifest::from_bytes(from.string("manifest", MAX_MANIFEST_LEN)?)?;
        let spend = SpendId::from_bytes(from.fixed("spend")?);
        let receipts = from.list("receipts", MAX_PER_KIND, |from| {
            Receipt::from_bytes(from.string("receipt", MAX_RECEIPT_LEN)?)
        })?;
        one_story(spend, &receipts)?;
        let signatures = signature::decode(from)?;
        Ok(Self { manifest, spend, receipts, signatures })
    }
}

/// Everything but the manifest.
fn encode(to: &mut Encoder, spend: SpendId, receipts: &[Receipt], signatures: &[Signature]) {
    to.fixed(spend.as_bytes());
    to.list(receipts, |to, receipt| to.string(&receipt.to_bytes()));
    signature::encode(to, signatures);
}

/// The manifest, and the bytes that it is about.
fn parts(bytes: &[u8]) -> Result<(Manifest, Vec<u8>), CodecError> {
    let mut from = Decoder::new(bytes);
    let tag = from.string("tag", 64)?;
    if tag != Reply::TAG.as_bytes() {
        return Err(CodecError::WrongTag { expected: Reply::TAG, found: tag.escape_ascii().to_string() });
    }
    let manifest = Manifest::from_bytes(from.string("manifest", MAX_MANIFEST_LEN)?)?;
    let own = manifest.to_bytes().len().saturating_add(4);
    let tag = tag.len().saturating_add(4);
    let rest = bytes.get(tag.saturating_add(own)..).unwrap_or_default();
    Ok((manifest, [bytes.get(..tag).unwrap_or_default(), rest].concat()))
}

/// That there is a receipt, that every one is signed by its vault, and that all are of this spend.
fn one_story(spend: SpendId, receipts: &[Receipt]) -> Result<(), CodecError> {
    let no = |reason: String| Err(CodecError::invalid("receipt", reason));
    let Some((first, others)) = receipts.split_first() else { return no("there is none".to_owned()) };
    for receipt in receipts {
        let statement = &receipt.statement;
        if let Err(error) = receipt.audit_key() {
            return no(format!("that of vault {} is not authentic: {error}", statement.head.vault));
        }
        if statement.spend != spend {
            return no(format!("it is for spend {}, the reply for {spend}", statement.spend));
        }
        let told = |of: &ReceiptStatement| (of.network, of.wallet, of.unsigned_txid);
        if told(statement) != told(&first.statement) {
            return no("two of them tell of different payments".to_owned());
        }
    }
    let bytes: Vec<_> = others.iter().map(Canonical::to_bytes).collect();
    let is_ordered = bytes.iter().zip(bytes.iter().skip(1)).all(|(before, after)| before < after);
    if !is_ordered || others.contains(first) {
        return no("they are out of order, or one stands twice".to_owned());
    }
    Ok(())
}

fn malformed(error: CodecError) -> Error {
    if let CodecError::WrongTag { found, .. } = &error {
        return Error::malformed(
            format!("this is a reply of another version: `{found}`"),
            "install the same version on both sides, or carry the whole PSBT: `cold-signer sign FILE`",
        );
    }
    Error::malformed(
        format!("the reply cannot be read: {error}"),
        "take it again from the signer; if it stays so, carry the whole PSBT: `cold-signer sign FILE`",
    )
}

fn too_large(len: usize) -> Error {
    Error::refused(Check::BOUNDS, format!("a reply of {len} bytes, at most {MAX_LEN}"))
}

/// What a reply does not fit.
fn other(what: String) -> Error {
    Error::Transport { kind: Transport::OtherSpend, what }
}
