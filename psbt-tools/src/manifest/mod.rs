//! What a file says of itself: from whom, what for, of which wallet, how long it is and what it hashes to. Nobody signs it:
//! it finds accidents and files of somebody else early, it is shown as a claim, and it never makes a check pass.
//!
//! Whoever writes a file writes its manifest anew, so there is one at most, about this very file.

mod digest;
mod says;

pub use says::{Says, gatekeeper, terminal, vault};

use crate::document::Document;
use crate::envelope::{Envelope, Kind};
use crate::error::Transport;
use crate::form::Form;
use crate::reply::Reply;
use crate::{Error, reply, strict};
use bitcoin::{Network, Psbt};
use digest::Digest;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::id::WalletId;
use policies::request::{Request, SignedRequest};
use policies::spend::Spend;
use serde_json::{Value, json};

/// Longest name of a sender, in bytes.
pub const MAX_SENDER_LEN: usize = 160;

/// Columns of a piece of a stranger's text: with what stands before it a line of the narrowest terminal.
const MAX_COLUMNS: usize = 60;

/// A claim about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Who wrote it and for whom.
    pub says: Says,
    /// How many signatures were in the inputs when it was written.
    pub signatures: u32,
    /// How many inputs were final.
    pub finals: u32,
    /// Length of the document without its manifest, in bytes.
    pub length: u64,
    /// SHA-256 of the document without its manifest; `docs/formats.md` says of which bytes exactly.
    pub sha256: [u8; 32],
}

/// What any bytes claim of themselves: a PSBT in any encoding, or a reply. Whether it is true is not asked; `None` where there
/// is no manifest, or none that can be read.
pub fn of(bytes: &[u8]) -> Option<Manifest> {
    if let Some(reply) = reply::binary(bytes) {
        return Reply::manifest_in(&reply);
    }
    let document = Document::parse(bytes.to_vec()).ok()?;
    let psbt = strict::parse(document.psbt_bytes()).ok()?;
    only(&Envelope::read(&psbt).ok()?).ok().flatten()
}

/// The manifest of a PSBT, held against the PSBT and the requests in it. One of a file that was signed since by a program that
/// writes none says nothing of this file any more, and counts as none.
///
/// # Errors
/// [`Error::Transport`]: `damaged` for another length or hash, `manifest` for several, a malformed one, or one for another
/// request than that in the file. Check C21 for an envelope that was damaged.
pub fn checked(bytes: &[u8], psbt: &Psbt) -> Result<Option<Manifest>, Error> {
    let envelope = Envelope::read(psbt)?;
    let Some(manifest) = only(&envelope)? else { return Ok(None) };
    let found = digest::of_psbt(bytes)?;
    if !manifest.is_of(&found) {
        if (manifest.signatures, manifest.finals) != digest::signatures(psbt) {
            return Ok(None);
        }
        return Err(manifest.damaged(&found));
    }
    let requests: Vec<Request> = envelope
        .get(Kind::Request)
        .filter_map(|bytes| SignedRequest::from_bytes(bytes).ok())
        .map(|signed| signed.request)
        .collect();
    let Some(claimed) = manifest.says.request else { return Ok(Some(manifest)) };
    let Some(request) = requests.iter().find(|request| request.id() == claimed) else {
        let inside = requests.first().map_or_else(|| "there is none".to_owned(), |r| r.id().to_string());
        return Err(contradicts(format!("it is for request {claimed}, and in the file: {inside}")));
    };
    if !manifest.says.fits(request) {
        return Err(contradicts("its purpose is not the request's".to_owned()));
    }
    Ok(Some(manifest))
}

/// Takes the manifest out of a PSBT: whoever changes a file and says nothing about it leaves none.
pub fn remove(psbt: &mut Psbt) {
    psbt.proprietary.retain(|key, _| crate::envelope::kind_of(key) != Some(Kind::Manifest));
}

/// The binary PSBT with a manifest in the place of the one that it had.
///
/// # Errors
/// Check C27 when the envelope is full.
pub fn stamp(psbt: &mut Psbt, form: &Form, says: &Says) -> Result<Vec<u8>, Error> {
    remove(psbt);
    let Digest { length, sha256 } = digest::of_psbt(&form.serialize(psbt))?;
    let (signatures, finals) = digest::signatures(psbt);
    let manifest = Manifest { says: says.clone(), signatures, finals, length, sha256 };
    let mut envelope = Envelope::read(psbt)?;
    envelope.insert(Kind::Manifest, manifest.to_bytes())?;
    envelope.write(psbt);
    Ok(form.serialize(psbt))
}

impl Manifest {
    /// The manifest of a document that is no PSBT.
    pub(crate) fn about(says: Says, signatures: usize, document: &[u8]) -> Self {
        let Digest { length, sha256 } = digest::of_bytes(document);
        let signatures = u32::try_from(signatures).unwrap_or(u32::MAX);
        Self { says, signatures, finals: 0, length, sha256 }
    }

    /// Holds it against a document that is no PSBT, without its manifest.
    pub(crate) fn fits(&self, document: &[u8]) -> Result<(), Error> {
        let found = digest::of_bytes(document);
        if self.is_of(&found) { Ok(()) } else { Err(self.damaged(&found)) }
    }

    /// That the wallet which it names is one of those known here.
    ///
    /// # Errors
    /// [`Error::Transport`] with `other-wallet` for somebody else's file.
    pub fn addressed(&self, mut known: impl Iterator<Item = (Network, WalletId)>) -> Result<(), Error> {
        let Says { network, wallet, sender, .. } = &self.says;
        if known.any(|own| own == (*network, *wallet)) {
            return Ok(());
        }
        Err(Error::Transport {
            kind: Transport::OtherWallet,
            what: format!(
                "this is somebody else's file: it says that it is of the wallet {wallet} on {network}, from {}, and no \
                 such wallet is known here",
                quoted(sender).concat()
            ),
        })
    }

    /// That it names the wallet and the network which the payment is really of.
    ///
    /// # Errors
    /// [`Error::Transport`] with `manifest` where it does not.
    pub fn agrees(&self, spend: &Spend) -> Result<(), Error> {
        let Says { network, wallet, .. } = &self.says;
        if (*network, *wallet) == (spend.network(), spend.wallet()) {
            return Ok(());
        }
        let (is_on, is_of) = (spend.network(), spend.wallet());
        Err(contradicts(format!(
            "it names the wallet {wallet} on {network}, the payment is of {is_of} on {is_on}"
        )))
    }

    /// What it claims, for people: who, what for, whose, which. Text of strangers is quoted, and no line of it is so long that
    /// its rest could begin a line of the screen like a word of ours.
    pub fn lines(&self) -> Vec<String> {
        let Says { sender, purpose, network, wallet, request } = &self.says;
        let mut lines = Vec::new();
        let texts = [("from", sender), ("for", purpose)];
        for (word, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let pieces = quoted(text).into_iter().enumerate();
            lines.extend(pieces.map(|(at, piece)| match at {
                0 => format!("says: {word} {piece}"),
                _ => format!("says:   {piece}"),
            }));
        }
        lines.push(format!("says: of wallet {wallet} on {network}"));
        lines.extend(request.map(|request| format!("says: for request {request}")));
        lines
    }

    /// `{"sender", "purpose", "network", "wallet_id", "request_id", "signatures", "length", "sha256"}`.
    pub fn to_json(&self) -> Value {
        let Says { sender, purpose, network, wallet, request } = &self.says;
        json!({
            "sender": sender,
            "purpose": purpose,
            "network": network.to_string(),
            "wallet_id": wallet.to_string(),
            "request_id": request.map(|request| request.to_string()),
            "signatures": self.signatures,
            "length": self.length,
            "sha256": crate::display::hex(&self.sha256),
        })
    }

    fn is_of(&self, found: &Digest) -> bool {
        (self.length, self.sha256) == (found.length, found.sha256)
    }

    fn damaged(&self, found: &Digest) -> Error {
        let short = |hash: &[u8; 32]| crate::display::hash_words(hash);
        let what = if self.length == found.length {
            format!(
                "the file was damaged on its way: it says that its hash is `{}`, and it is `{}`",
                short(&self.sha256),
                short(&found.sha256)
            )
        } else {
            format!(
                "the file was damaged on its way: it says that it has {} bytes, and it has {}",
                self.length, found.length
            )
        };
        Error::Transport { kind: Transport::Damaged, what }
    }
}

impl Canonical for Manifest {
    const TAG: &'static str = "airlock/manifest/1";

    fn encode_fields(&self, to: &mut Encoder) {
        self.says.encode(to);
        to.u32(self.signatures);
        to.u32(self.finals);
        to.u64(self.length);
        to.fixed(&self.sha256);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            says: Says::decode(from)?,
            signatures: from.u32("signatures")?,
            finals: from.u32("final inputs")?,
            length: from.u64("length")?,
            sha256: from.fixed("sha256")?,
        })
    }
}

/// The one manifest of an envelope.
fn only(envelope: &Envelope) -> Result<Option<Manifest>, Error> {
    let mut all = envelope.get(Kind::Manifest);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(bytes), None) => Manifest::from_bytes(bytes)
            .map(Some)
            .map_err(|error| contradicts(format!("it is malformed: {error}"))),
        (Some(_), Some(_)) => Err(contradicts("there are several".to_owned())),
    }
}

/// Text of strangers in quotes and pieces, its blanks one at a time. A piece ends at a blank where it has one; a character
/// beyond ASCII counts as two columns.
fn quoted(text: &str) -> Vec<String> {
    let columns = |text: &str| text.chars().map(|c| if c.is_ascii() { 1 } else { 2_usize }).sum::<usize>();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    for c in format!("\"{}\"", crate::display::escape(&text)).chars() {
        piece.push(c);
        if columns(&piece) > MAX_COLUMNS {
            let at = piece
                .rfind(' ')
                .map_or_else(|| piece.len().saturating_sub(c.len_utf8()), |at| at.saturating_add(1));
            let rest = piece.split_off(at);
            pieces.push(std::mem::replace(&mut piece, rest));
        }
    }
    pieces.push(piece);
    pieces
}

fn contradicts(reason: String) -> Error {
    Error::Transport {
        kind: Transport::Manifest,
        what: format!("what the file says of itself cannot be true: {reason}"),
    }
}

#[cfg(test)]
mod tests;
