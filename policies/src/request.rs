//! What a terminal asks for: recipients, amounts, purpose, until when.

use crate::check::{Check, Finding};
use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::evidence::script_text;
use crate::id::{RequestId, VaultId, WalletId};
use crate::identity::{IdentityError, MAX_SIGNATURE_LEN, Namespace, PublicKey, SshSig};
use crate::spend::{MAX_ITEMS, Spend};
use crate::text::{amount_text, utc_text};
use bitcoin::{Amount, Network, OutPoint, ScriptBuf};
use std::collections::BTreeMap;

/// Longest purpose, in bytes of UTF-8.
pub const MAX_PURPOSE_LEN: usize = 200;

/// Most vault heads that a request carries back.
pub const MAX_HEADS: usize = 64;

/// Most requests that one replaces.
pub const MAX_REPLACED: usize = 64;

/// Most differences that are spelt out.
const MAX_CHANGES: usize = 20;

/// Who gets how much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// Destination.
    pub script: ScriptBuf,
    /// Amount.
    pub amount: Amount,
}

impl Recipient {
    /// Those of a spend, in the order of its outputs.
    pub fn of(spend: &Spend) -> Vec<Recipient> {
        spend
            .external_outputs()
            .map(|output| Recipient { script: output.script.clone(), amount: output.value })
            .collect()
    }

    /// Appends script and amount.
    pub fn encode(&self, to: &mut Encoder) {
        to.string(self.script.as_bytes());
        to.amount(self.amount);
    }

    /// Reads script and amount.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self { script: from.script("recipient")?, amount: from.amount("amount")? })
    }
}

/// The latest receipt of a vault that the requester has seen: a vault that does not have this record was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Which vault.
    pub vault: VaultId,
    /// Sequence number of the record in its store.
    pub sequence: u64,
    /// SHA-256 of that record.
    pub hash: [u8; 32],
}

impl Head {
    /// Appends vault, sequence and hash.
    pub fn encode(&self, to: &mut Encoder) {
        to.fixed(self.vault.as_bytes());
        to.u64(self.sequence);
        to.fixed(&self.hash);
    }

    /// Reads vault, sequence and hash.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            vault: VaultId::from_bytes(from.fixed("vault")?),
            sequence: from.u64("sequence")?,
            hash: from.fixed("hash")?,
        })
    }
}

/// A payment that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Network of the wallet.
    pub network: Network,
    /// The wallet that pays.
    pub wallet: WalletId,
    /// The payment's number, given by the watch-node: 42 is shown as `P-0042`.
    pub payment: u32,
    /// Recipients in the order in which they were asked for; empty for a payment back to self.
    pub recipients: Vec<Recipient>,
    /// What it is for, at most [`MAX_PURPOSE_LEN`] bytes.
    pub purpose: String,
    /// Highest fee the requester accepts.
    pub max_fee: Amount,
    /// A coin that every spend of this request must spend, so that it is paid once.
    pub anchor: OutPoint,
    /// Unix time of asking, in seconds.
    pub created: u64,
    /// Unix time after which it is void, in seconds.
    pub expires: u64,
    /// Latest receipts seen, at most [`MAX_HEADS`].
    pub heads: Vec<Head>,
    /// Earlier requests with the same anchor in whose place this one comes, at most [`MAX_REPLACED`].
    pub replaces: Vec<RequestId>,
}

impl Request {
    /// Its identifier.
    pub fn id(&self) -> RequestId {
        RequestId::of(&self.to_bytes())
    }

    /// `P-0042`.
    pub fn number(&self) -> String {
        payment_number(self.payment)
    }

    /// Holds a spend against what was asked for: network, wallet, anchor, recipients with amounts, fee, expiry.
    /// Change is for [`crate::examine`] to prove. Findings are all C34, empty when the spend is what was asked for.
    pub fn differences(&self, spend: &Spend, now: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut refuse = |message: String, hint: &str| {
            findings.push(Finding::refuse(Check::AUTHORISATION, message).hint(hint));
        };
        const FOREIGN: &str = "use the file that was made for this request";
        if self.network != spend.network() {
            refuse(
                format!("the request is for {}, the spend for {}", self.network, spend.network()),
                FOREIGN,
            );
        }
        if self.wallet != spend.wallet() {
            refuse(
                format!("the request is for wallet {}, the spend of {}", self.wallet, spend.wallet()),
                FOREIGN,
            );
        }
        if !spend.inputs().iter().any(|input| input.outpoint == self.anchor) {
            refuse(format!("the spend does not spend the request's anchor {}", self.anchor), FOREIGN);
        }
        if let Some(changed) = self.changed_recipients(spend) {
            refuse(format!("not what was asked for: {changed}"), FOREIGN);
        }
        if spend.fee() > self.max_fee {
            refuse(
                format!(
                    "the fee of {} sat is above the requested ceiling of {} sat",
                    spend.fee().to_sat(),
                    self.max_fee.to_sat()
                ),
                FOREIGN,
            );
        }
        if now > self.expires {
            refuse(
                format!("the request expired at {}, it is {}", utc_text(self.expires), utc_text(now)),
                "ask again: `watch-node bump` for a payment that was permitted, else `watch-node pay`",
            );
        }
        findings
    }

    /// What of the recipients was added, left out or changed; `None` when they are those that were asked for.
    fn changed_recipients(&self, spend: &Spend) -> Option<String> {
        let mut balance: BTreeMap<Recipient, i64> = BTreeMap::new();
        for output in Recipient::of(spend) {
            let count = balance.entry(output).or_default();
            *count = count.saturating_add(1);
        }
        for asked in &self.recipients {
            let count = balance.entry(asked.clone()).or_default();
            *count = count.saturating_sub(1);
        }
        balance.retain(|_, count| *count != 0);
        let text = |(to, count): (&Recipient, &i64)| {
            let says = if *count > 0 { "the file pays" } else { "the request says" };
            let to = format!("{} to {}", amount_text(to.amount), script_text(&to.script, self.network));
            let times = if count.unsigned_abs() > 1 {
                format!(" ({} times)", count.unsigned_abs())
            } else {
                String::new()
            };
            format!("{says} {to}{times}")
        };
        let mut changes: Vec<_> = balance.iter().take(MAX_CHANGES).map(text).collect();
        if balance.len() > MAX_CHANGES {
            changes.push(format!("and {} more", balance.len().saturating_sub(MAX_CHANGES)));
        }
        (!changes.is_empty()).then(|| changes.join("; "))
    }

    /// What an approver reads and signs (namespace `airlock-approve`): everything that the request commits to, a line for
    /// each thing, so that a plain `ssh-keygen -Y sign` over this text is an approval.
    pub fn approval_text(&self) -> String {
        let mut lines = vec![
            "I approve this payment. (airlock approval, version 1)".to_owned(),
            format!("payment: {}", self.number()),
            format!("network: {}", self.network),
            format!("wallet:  {}", self.wallet),
        ];
        if self.recipients.is_empty() {
            lines.push("pays:    nobody: everything goes back to the wallet itself".to_owned());
        }
        lines.extend(self.recipients.iter().map(|to| {
            format!("pays:    {} to {}", amount_text(to.amount), script_text(&to.script, self.network))
        }));
        // No run of blanks can push a line of its own making to where a terminal wraps.
        let purpose = self.purpose.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.extend([
            format!("fee:     at most {}", amount_text(self.max_fee)),
            format!("purpose: \"{purpose}\""),
            format!("anchor:  {}", self.anchor),
            format!("until:   {}", utc_text(self.expires)),
        ]);
        lines.extend(self.replaces.iter().map(|id| format!("instead of request: {id}")));
        lines.push(format!("request: {}", self.id()));
        lines.join("\n") + "\n"
    }
}

/// `P-0042` for 42.
pub fn payment_number(payment: u32) -> String {
    format!("P-{payment:04}")
}

/// The number in `P-0042` or `42`; `None` for anything else.
pub fn parse_payment_number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("P-").or_else(|| text.strip_prefix("p-")).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Canonical for Request {
    const TAG: &'static str = RequestId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        to.network(self.network);
        to.fixed(self.wallet.as_bytes());
        to.u32(self.payment);
        to.list(&self.recipients, |to, recipient| recipient.encode(to));
        to.string(self.purpose.as_bytes());
        to.amount(self.max_fee);
        to.outpoint(&self.anchor);
        to.u64(self.created);
        to.u64(self.expires);
        to.list(&self.heads, |to, head| head.encode(to));
        to.list(&self.replaces, |to, id| to.fixed(id.as_bytes()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            payment: from.u32("payment")?,
            recipients: from.list("recipients", MAX_ITEMS, Recipient::decode)?,
            purpose: from.text("purpose", MAX_PURPOSE_LEN)?,
            max_fee: from.amount("max fee")?,
            anchor: from.outpoint("anchor")?,
            created: from.u64("created")?,
            expires: from.u64("expires")?,
            heads: from.list("heads", MAX_HEADS, Head::decode)?,
            replaces: from
                .list("replaces", MAX_REPLACED, |from| from.fixed("request").map(RequestId::from_bytes))?,
        })
    }
}

/// A request as it travels in a file: signed by a terminal, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// What is asked for.
    pub request: Request,
    /// The terminal's signature over the request's canonical bytes.
    pub signature: Option<SshSig>,
}

impl SignedRequest {
    /// Verifies the signature, and only then says who asks.
    ///
    /// # Errors
    /// [`IdentityError`] when the signature is missing or does not verify.
    pub fn requester(&self) -> Result<PublicKey, IdentityError> {
        let signature =
            self.signature.as_ref().ok_or(IdentityError::Text("the request is not signed by a terminal"))?;
        signature.verify(Namespace::Request, &self.request.to_bytes())
    }
}

impl Canonical for SignedRequest {
    const TAG: &'static str = "airlock/signed-request/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.request.to_bytes());
        to.option(self.signature.as_ref(), |to, signature| to.string(signature.as_blob()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let request = Request::from_bytes(from.string("request", 16 << 20)?)?;
        let signature = from.option("signature", |from| decode_signature(from))?;
        Ok(Self { request, signature })
    }
}

/// Reads an SSHSIG blob.
pub(crate) fn decode_signature(from: &mut Decoder<'_>) -> Result<SshSig, CodecError> {
    SshSig::from_blob(from.string("signature", MAX_SIGNATURE_LEN)?)
        .map_err(|error| CodecError::invalid("signature", error))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::{public, sign};
    use crate::spend::tests::{foreign_script, outpoint, parts};

    pub fn request() -> Request {
        let spend = Spend::new(parts()).unwrap();
        Request {
            network: spend.network(),
            wallet: spend.wallet(),
            payment: 42,
            recipients: vec![Recipient { script: foreign_script(9), amount: Amount::from_sat(40_000_000) }],
            purpose: "invoice 2026-117".to_owned(),
            max_fee: Amount::from_sat(20_000),
            anchor: outpoint(1),
            created: 1_000,
            expires: 2_000,
            heads: vec![],
            replaces: vec![],
        }
    }

    pub fn signed(n: u8, request: Request) -> SignedRequest {
        let signature = sign(n, Namespace::Request, &request.to_bytes());
        SignedRequest { request, signature: Some(signature) }
    }

    fn differs(change: impl FnOnce(&mut Request)) -> usize {
        let mut request = request();
        change(&mut request);
        request.differences(&Spend::new(parts()).unwrap(), 2_000).len()
    }

    #[test]
    fn the_spend_that_was_asked_for_has_no_differences() {
        assert_eq!(differs(|_| ()), 0);
    }

    #[test]
    fn each_difference_is_found_alone() {
        assert_eq!(differs(|r| r.network = Network::Signet), 1);
        assert_eq!(differs(|r| r.wallet = WalletId::of(b"other")), 1);
        assert_eq!(differs(|r| r.anchor = outpoint(2)), 1);
        assert_eq!(differs(|r| r.recipients[0].amount += Amount::from_sat(1)), 1);
        assert_eq!(differs(|r| r.recipients[0].script = foreign_script(8)), 1);
        assert_eq!(differs(|r| r.recipients.clear()), 1);
        assert_eq!(differs(|r| r.recipients.push(r.recipients[0].clone())), 1);
        assert_eq!(differs(|r| r.max_fee = Amount::from_sat(9_999)), 1);
        assert_eq!(differs(|r| r.expires = 1_999), 1);
    }

    #[test]
    fn a_difference_names_what_changed() {
        let mut request = request();
        request.recipients[0].amount += Amount::from_sat(1);
        let findings = request.differences(&Spend::new(parts()).unwrap(), 2_000);
        let message = &findings[0].message;
        assert!(message.contains("the file pays 0.400 000 00 BTC (40 000 000 sat) to bcrt1q"), "{message}");
        assert!(
            message.contains("the request says 0.400 000 01 BTC (40 000 001 sat) to bcrt1q"),
            "{message}"
        );
    }

    #[test]
    fn request_id_is_pinned_by_a_vector() {
        assert_eq!(
            request().id().to_string(),
            "74a0e6cc4d48dfd4dc3f678ec861d0581693691858b654c05c7d54d1a20670e2"
        );
    }

    #[test]
    fn a_signed_request_survives_its_bytes_and_names_its_requester() {
        let signed = signed(3, request());
        let again = SignedRequest::from_bytes(&signed.to_bytes()).unwrap();
        assert_eq!(again, signed);
        assert_eq!(again.requester(), Ok(public(3)));
        let mut changed = signed;
        changed.request.payment = 43;
        assert!(changed.requester().is_err());
        changed.signature = None;
        assert!(changed.requester().is_err());
    }

    #[test]
    fn payment_numbers_survive_their_text() {
        assert_eq!(payment_number(42), "P-0042");
        for (text, number) in
            [("P-0042", Some(42)), ("42", Some(42)), ("P-", None), ("P-4x", None), ("", None), ("-4", None)]
        {
            assert_eq!(parse_payment_number(text), number, "{text}");
        }
    }
}
