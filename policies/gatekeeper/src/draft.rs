//! A payment as it can be read without any wallet's descriptors: the request in a PSBT, held against what the PSBT pays.

use crate::Error;
use crate::signer::Signer;
use crate::submission::{claims, one_signed, requests};
use bitcoin::TxOut;
use policies::check::{Check, Outcome};
use policies::codec::Canonical;
use policies::evidence::script_text;
use policies::identity::{Namespace, PublicKey};
use policies::request::{Recipient, Request, SignedRequest};
use policies::text::utc_text;
use psbt_tools::display::{address_text, escape};
use psbt_tools::document::Document;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::import::{Context, Imported, import_document};
use psbt_tools::manifest::{Says, terminal};
use psbt_tools::money::amount_text;
use psbt_tools::strict;

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
    /// The PSBT.
    pub imported: Imported,
    /// What it asks for.
    pub request: Request,
    /// The same with its signature, where a terminal signed it and the signature verifies.
    signed: Result<(SignedRequest, PublicKey), String>,
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
        let requests = requests(&envelope)?;
        let mut found: Vec<Request> = requests.iter().map(|signed| signed.request.clone()).collect();
        found.dedup();
        let request = found.pop().ok_or_else(|| Error::Request("the file holds no request".to_owned()))?;
        if !found.is_empty() {
            return Err(Error::Request("the file holds several requests".to_owned()));
        }
        let context = Context { network: Some(request.network), now: Some(now), ..Context::default() };
        let imported = import_document(document, &[], &context)?;
        let rest = disagreement(&imported, &request, now)?;
        Ok(Self { imported, request, signed: one_signed(requests), rest })
    }

    /// The request as a terminal signed it, and with which key.
    ///
    /// # Errors
    /// [`Error::Approval`] when none did.
    pub fn signed(&self) -> Result<(&SignedRequest, &PublicKey), Error> {
        let signed = self.signed.as_ref().map_err(|reason| Error::Approval {
            message: reason.clone(),
            hint: "let a terminal sign the request first: `gatekeeper request FILE --key F -o OUT`"
                .to_owned(),
        })?;
        Ok((&signed.0, &signed.1))
    }

    /// What the holder of a key who adds something says of the file.
    pub fn says(&self, key: &PublicKey) -> Says {
        Says::about(&terminal(&key.fingerprint()), &self.request)
    }

    /// What is asked, for the person who signs it; before it the [`claims`].
    pub fn lines(&self) -> Vec<String> {
        let request = &self.request;
        let mut lines = claims(&self.imported);
        lines.push(format!("{} from wallet {} on {}", request.number(), request.wallet, request.network));
        for Recipient { script, amount } in &request.recipients {
            lines.push(format!("  pay {} to", amount_text(*amount)));
            lines.push(format!("      {}", address_text(&script_text(script, request.network))));
        }
        if request.recipients.is_empty() {
            lines.push("  pay nobody: everything goes back to the wallet".to_owned());
        }
        lines.extend(self.rest_lines());
        lines.push(format!("  purpose   {}", escape(&request.purpose)));
        lines.push(self.fee_line());
        lines.push(format!("  good till {}", utc_text(request.expires)));
        lines
    }

    /// What the file pays besides what is asked for.
    pub fn rest_lines(&self) -> Vec<String> {
        let lines = self.rest.iter().map(|output| {
            let to = address_text(&script_text(&output.script_pubkey, self.request.network));
            let amount = amount_text(output.value);
            [format!("  back to the wallet, says the node: {amount}"), format!("      {to}")]
        });
        lines.flatten().collect()
    }

    /// The file's fee, and the highest that is asked for.
    pub fn fee_line(&self) -> String {
        let fee = self.imported.inspection().fee.map_or_else(|| "unknown".to_owned(), amount_text);
        format!("  fee       {fee}, at most {}", amount_text(self.request.max_fee))
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
        Ok(self.imported.sent(&envelope, &self.says(signer.public()))?)
    }
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
    let mut rest: Vec<_> = transaction.output.iter().zip(&imported.psbt().outputs).collect();
    let text =
        |amount, script| format!("{} to {}", amount_text(amount), script_text(script, request.network));
    let mut changed = Vec::new();
    for Recipient { script, amount } in &request.recipients {
        let is_it = |output: &TxOut| output.script_pubkey == *script && output.value == *amount;
        match rest.iter().position(|(output, _)| is_it(output)) {
            Some(at) => drop(rest.swap_remove(at)),
            None => changed.push(format!("the request says {}", text(*amount, script))),
        }
    }
    // Whoever is paid besides must at least be claimed as the wallet itself.
    let is_claimed = |fields: &bitcoin::psbt::Output| {
        !fields.bip32_derivation.is_empty() || !fields.tap_key_origins.is_empty()
    };
    let surplus = rest.iter().filter(|(_, fields)| !is_claimed(fields));
    changed.extend(
        surplus.map(|(output, _)| format!("the file pays {}", text(output.value, &output.script_pubkey))),
    );
    if !changed.is_empty() {
        return refuse(format!("not what was asked for: {}", changed.join("; ")));
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
    Ok(rest.into_iter().map(|(output, _)| output.clone()).collect())
}
