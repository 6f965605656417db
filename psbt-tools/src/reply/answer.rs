//! What a signer answers with: made from the PSBT as it would be written whole.

use super::key::Place;
use super::signature::{Signature, ordered};
use super::{Reply, merge};
use crate::Error;
use crate::checks::signatures::is_final;
use crate::envelope::{Envelope, Kind};
use crate::import::Imported;
use crate::manifest::{Manifest, vault};
use bitcoin::Psbt;
use policies::codec::Canonical;
use policies::permit::Receipt;
use policies::signature::InputSignature;
use policies::spend::Spend;

impl Reply {
    /// The answer to a PSBT: these signatures and this receipt, and what the file held of either before. It is merged into
    /// the PSBT again and must give what the signer would have written, byte for byte.
    ///
    /// # Errors
    /// Check C28 for a signature that does not verify; [`Error::NotWritten`] for what a reply cannot carry: inputs that are final,
    /// signatures of another kind than ours that were in the file before.
    pub fn to(asked: &Imported, signatures: &[InputSignature], receipt: &Receipt) -> Result<Self, Error> {
        let spend = asked.spend().ok_or_else(|| not_written("a PSBT of no registered wallet"))?;
        let own = [receipt.to_bytes()];
        let psbt = asked.attached(signatures, &own)?;
        if psbt.inputs.iter().any(is_final) {
            return Err(not_written("inputs that were final before"));
        }
        let receipts = receipts(&Envelope::read(&psbt)?, spend, receipt);
        let signatures = signatures_in(asked, &psbt)?;
        let whole = asked.vouched(psbt, &own)?;
        let document = Reply::document(spend.id(), &receipts, &signatures);
        let says = asked.says(&vault(receipt.statement.head.vault), spend);
        let manifest = Manifest::about(says, signatures.len(), &document);
        let reply = Reply { manifest, spend: spend.id(), receipts, signatures };
        // What cannot be read, or does not come to the same, must not be carried.
        if Reply::read(&reply.to_bytes())? != reply || merge(asked, &reply)? != whole {
            return Err(not_written("what this file holds beside signatures and receipts"));
        }
        Ok(reply)
    }
}

/// The receipt of the vault that answers, and the authentic ones of this spend that were there before.
fn receipts(envelope: &Envelope, spend: &Spend, own: &Receipt) -> Vec<Receipt> {
    let of = &own.statement;
    let is_meant = |receipt: &Receipt| {
        let told = &receipt.statement;
        let same =
            (told.network, told.wallet, told.unsigned_txid) == (of.network, of.wallet, of.unsigned_txid);
        receipt != own && same && told.spend == spend.id() && receipt.audit_key().is_ok()
    };
    let mut others: Vec<Receipt> = envelope
        .get(Kind::Receipt)
        .filter_map(|bytes| Receipt::from_bytes(bytes).ok())
        .filter(is_meant)
        .collect();
    others.sort_by_cached_key(Canonical::to_bytes);
    std::iter::once(own.clone()).chain(others).collect()
}

/// Every signature of a PSBT.
fn signatures_in(asked: &Imported, psbt: &Psbt) -> Result<Vec<Signature>, Error> {
    let mut found = Vec::new();
    for ((number, input), coin) in (0u32..).zip(&psbt.inputs).zip(asked.coins()) {
        let Some(output) = &coin.output else { continue };
        let script = &output.script_pubkey;
        let mut given = Vec::new();
        let mut push = |public_key: Vec<u8>, leaf, signature: Vec<u8>| {
            given.push(InputSignature { input: number, public_key, leaf, signature });
        };
        for (key, signature) in &input.partial_sigs {
            push(key.to_bytes(), None, signature.to_vec());
        }
        if let Some(signature) = &input.tap_key_sig {
            push(script.as_bytes().get(2..).unwrap_or_default().to_vec(), None, signature.to_vec());
        }
        for ((key, leaf), signature) in &input.tap_script_sigs {
            push(key.serialize().to_vec(), Some(*leaf), signature.to_vec());
        }
        let place = Place::new(input, script);
        for given in &given {
            let signature = Signature::of(given, &place);
            found.push(signature.ok_or_else(|| not_written(&format!("a signature at input {number}")))?);
        }
    }
    ordered(found)
}

pub(super) fn not_written(what: &str) -> Error {
    Error::NotWritten {
        what: format!("a reply cannot carry {what}"),
        hint: "carry the whole PSBT: leave --reply out",
    }
}
