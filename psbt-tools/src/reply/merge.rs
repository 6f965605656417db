//! A reply put into the PSBT that it answers.

use super::key::Place;
use super::signature::Signature;
use super::{Reply, other};
use crate::Error;
use crate::import::Imported;
use policies::check::Check;
use policies::codec::Canonical;
use policies::signature::InputSignature;

/// The file with a reply's signatures and receipts, in the version and encoding it came in: byte for byte what the signer
/// writes whole for the same file. Each signature is verified against this PSBT, whatever the reply or its manifest says.
///
/// # Errors
/// [`Error::Transport`] with `other-spend` for the reply to another payment or attempt; check C28 for a signature that does not
/// verify, is for no input or by a key that the PSBT does not have there; C12 for one of an input that is not the wallet's.
pub fn merge(base: &Imported, reply: &Reply) -> Result<Vec<u8>, Error> {
    belongs(base, reply)?;
    let completed = base.completed();
    let mut signatures: Vec<InputSignature> = Vec::with_capacity(reply.signatures.len());
    // They stand in the order of the inputs.
    for of_one in reply.signatures.chunk_by(|one, other| one.input == other.input) {
        let Some(Signature { input: number, .. }) = of_one.first() else { continue };
        let at = usize::try_from(*number).unwrap_or(usize::MAX);
        let Some((input, coin)) = completed.inputs.get(at).zip(base.coins().get(at)) else {
            return Err(no_key(*number, "there is no such input"));
        };
        let Some(output) = &coin.output else { return Err(no_key(*number, "its coin is not known")) };
        let place = Place::new(input, &output.script_pubkey);
        for signature in of_one {
            let released = signature.released(&place);
            signatures
                .push(released.ok_or_else(|| no_key(*number, "the PSBT has no such key or leaf there"))?);
        }
    }
    let receipts: Vec<Vec<u8>> = reply.receipts.iter().map(Canonical::to_bytes).collect();
    base.answered(&signatures, &receipts)
}

/// That the reply is to this very transaction, and where the wallet is known, to this very spend.
fn belongs(base: &Imported, reply: &Reply) -> Result<(), Error> {
    let txid = base.psbt().unsigned_tx.compute_txid();
    let answered = reply.unsigned_txid().map_or_else(|| "no transaction".to_owned(), |txid| txid.to_string());
    if reply.unsigned_txid() != Some(txid) {
        return Err(other(format!(
            "the reply is to transaction {answered} (spend {}), this PSBT is of transaction {txid}",
            reply.spend
        )));
    }
    match base.spend() {
        Some(spend) if spend.id() != reply.spend => {
            Err(other(format!("the reply is for spend {}, this PSBT is spend {}", reply.spend, spend.id())))
        }
        _ => Ok(()),
    }
}

fn no_key(input: u32, reason: &str) -> Error {
    Error::Refused {
        check: Check::SIGNATURE,
        message: format!("the reply's signature for input {input} is not accepted: {reason}"),
        hint: Some("merge it into the file that was signed, or carry the whole PSBT".to_owned()),
    }
}
