//! `gatekeeper request FILE --key F -o OUT`: a terminal reads what a watch-node built, and signs what it asks for.

use crate::Error;
use crate::report::Report;
use crate::signer::Signer;
use crate::submission::requests;
use bitcoin::TxOut;
use policies::check::{Check, Outcome};
use policies::codec::Canonical;
use policies::evidence::script_text;
use policies::identity::Namespace;
use policies::request::{Recipient, Request, SignedRequest};
use policies::text::utc_text;
use psbt_tools::display::{address_text, escape};
use psbt_tools::document::Document;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::files::{DEFAULT_LIMIT, read, write_new};
use psbt_tools::import::{Context, Imported, import_document};
use psbt_tools::money::amount_text;
use psbt_tools::strict;
use serde_json::{Value, json};
use std::path::Path;

/// Checks that need no wallet and would make the figures that are shown untrue.
const CHECKS: [Check; 6] = [
    Check::PREVIOUS_TRANSACTION,
    Check::WITNESS_UTXO,
    Check::OUTPUT_INDEX,
    Check::DUPLICATE_INPUT,
    Check::SUMS,
    Check::DUST,
];

/// A request that agrees with its PSBT as far as that can be known without the wallet's descriptors.
pub struct Draft {
    imported: Imported,
    request: Request,
    /// Outputs that nobody asked for: change, if the node is honest. The gatekeeper and the vault prove it.
    rest: Vec<TxOut>,
}

impl Draft {
    /// Reads a file and holds the request in it against its PSBT.
    ///
    /// # Errors
    /// [`Error::Request`] when they do not agree, [`Error::Psbt`] when the file is no PSBT.
    pub fn read(bytes: Vec<u8>, now: u64) -> Result<Self, Error> {
        let document = Document::parse(bytes)?;
        let envelope = Envelope::read(&strict::parse(document.psbt_bytes())?)?;
        let mut found: Vec<Request> = requests(&envelope)?.into_iter().map(|signed| signed.request).collect();
        found.dedup();
        let request = found.pop().ok_or_else(|| Error::Request("the file holds no request".to_owned()))?;
        if !found.is_empty() {
            return Err(Error::Request("the file holds several requests".to_owned()));
        }
        let context = Context { network: Some(request.network), now: Some(now), ..Context::default() };
        let imported = import_document(document, &[], &context)?;
        let rest = disagreement(&imported, &request, now)?;
        Ok(Self { imported, request, rest })
    }

    /// What is asked, for the person who signs it.
    pub fn lines(&self) -> Vec<String> {
        let request = &self.request;
        let mut lines =
            vec![format!("{} from wallet {} on {}", request.number(), request.wallet, request.network)];
        for Recipient { script, amount } in &request.recipients {
            lines.push(format!("  pay {} to", amount_text(*amount)));
            lines.push(format!("      {}", address_text(&script_text(script, request.network))));
        }
        if request.recipients.is_empty() {
            lines.push("  pay nobody: everything goes back to the wallet".to_owned());
        }
        for output in &self.rest {
            lines.push(format!("  back to the wallet, says the node: {}", amount_text(output.value)));
            lines.push(format!(
                "      {}",
                address_text(&script_text(&output.script_pubkey, request.network))
            ));
        }
        lines.push(format!("  purpose   {}", escape(&request.purpose)));
        let fee = self.imported.inspection().fee.map_or_else(|| "unknown".to_owned(), amount_text);
        lines.push(format!("  fee       {fee}, at most {}", amount_text(request.max_fee)));
        lines.push(format!("  good till {}", utc_text(request.expires)));
        lines
    }

    /// Signs it and gives the whole file with the signed request in the place of the unsigned one.
    ///
    /// # Errors
    /// [`Error::Signer`].
    pub fn sign(&self, signer: &Signer) -> Result<Vec<u8>, Error> {
        let signature = signer.sign(Namespace::Request, &self.request.to_bytes())?;
        let signed = SignedRequest { request: self.request.clone(), signature: Some(signature) };
        let mut envelope = self.imported.envelope().clone();
        envelope.replace(Kind::Request, vec![signed.to_bytes()])?;
        Ok(self.imported.with_envelope(&envelope))
    }
}

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
    write_new(out, &draft.sign(&signer)?, 0o600)?;
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
        "out": out.display().to_string(),
    }))
    .line(format!("signed by {}", signer.public().fingerprint()))
    .line(format!("written to {}", escape(&out.to_string_lossy()))))
}

/// The outputs that were not asked for.
fn disagreement(imported: &Imported, request: &Request, now: u64) -> Result<Vec<TxOut>, Error> {
    let refuse = |message: String| Err(Error::Request(message));
    let is_wrong = |code| CHECKS.iter().any(|check| policies::check::Code::Check(*check) == code);
    if let Some(finding) =
        imported.findings().iter().find(|f| f.outcome == Outcome::Refuse && is_wrong(f.code))
    {
        return Err(psbt_tools::Error::from(finding).into());
    }
    let transaction = &imported.psbt().unsigned_tx;
    if !transaction.input.iter().any(|input| input.previous_output == request.anchor) {
        return refuse(format!("the PSBT does not spend the request's anchor {}", request.anchor));
    }
    let mut rest = transaction.output.clone();
    for Recipient { script, amount } in &request.recipients {
        let paid = rest.iter().position(|output| output.script_pubkey == *script && output.value == *amount);
        let Some(at) = paid else {
            return refuse(format!(
                "the PSBT does not pay {} to {}, which the request asks for",
                amount_text(*amount),
                script_text(script, request.network)
            ));
        };
        rest.swap_remove(at);
    }
    if let Some(fee) = imported.inspection().fee.filter(|fee| *fee > request.max_fee) {
        return refuse(format!(
            "the PSBT's fee is {}, above the request's ceiling of {}",
            amount_text(fee),
            amount_text(request.max_fee)
        ));
    }
    if now > request.expires {
        return refuse(format!("the request expired at {}", utc_text(request.expires)));
    }
    Ok(rest)
}
