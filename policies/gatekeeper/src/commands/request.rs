//! `gatekeeper request FILE --key F -o OUT`: a terminal reads what a watch-node built, and signs what it asks for.

use crate::Error;
use crate::draft::Draft;
use crate::report::Report;
use crate::signer::Signer;
use policies::evidence::script_text;
use psbt_tools::display::hash_words;
use psbt_tools::files::{DEFAULT_LIMIT, read, write_new};
use serde_json::{Value, json};
use std::path::Path;

/// Shows, signs, writes.
///
/// # Errors
/// [`Error`] when the request and its PSBT disagree, or the key does not sign.
pub fn run(
    file: &Path,
    key: &Path,
    out: &Path,
    now: u64,
    show: impl FnOnce(&[String]),
) -> Result<Report, Error> {
    let draft = Draft::read(read(file, DEFAULT_LIMIT)?, now)?;
    let signer = Signer::find(key)?;
    // Shown before the key is used: a passphrase or a touch is the consent.
    show(&draft.lines());
    let signed = draft.sign(&signer)?;
    write_new(out, &signed, 0o600)?;
    let request = &draft.request;
    let recipients: Vec<Value> = request
        .recipients
        .iter()
        .map(|recipient| {
            json!({
                "address": script_text(&recipient.script, request.network),
                "amount_sat": recipient.amount.to_sat(),
            })
        })
        .collect();
    Ok(Report::new(json!({
        "payment": request.number(),
        "request": request.id().to_string(),
        "network": request.network.to_string(),
        "wallet": request.wallet.to_string(),
        "recipients": recipients,
        "purpose": request.purpose,
        "fee_sat": draft.imported.inspection().fee.map(bitcoin::Amount::to_sat),
        "max_fee_sat": request.max_fee.to_sat(),
        "expires": request.expires,
        "requester": signer.public().fingerprint(),
        "words": hash_words(&draft.imported.sha256()),
    }))
    .line(format!("signed by {}", signer.public().fingerprint()))
    .written(out, &signed))
}
