//! What a terminal asks for: recipients, amounts, purpose, until when.

use crate::check::{Check, Finding};
use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::id::{RequestId, VaultId, WalletId};
use crate::identity::{IdentityError, MAX_SIGNATURE_LEN, Namespace, PublicKey, SshSig};
use crate::spend::{MAX_ITEMS, Spend};
use crate::text::utc_text;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf};

/// Longest purpose, in bytes of UTF-8.
pub const MAX_PURPOSE_LEN: usize = 200;

/// Most vault heads that a request carries back.
pub const MAX_HEADS: usize = 64;

/// Who gets how much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// Destination.
    pub script: ScriptBuf,
    /// Amount.
    pub amount: Amount,
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
        let mut asked = self.recipients.clone();
        let mut paid: Vec<_> = spend
            .external_outputs()
            .map(|output| Recipient { script: output.script.clone(), amount: output.value })
            .collect();
        asked.sort();
        paid.sort();
        if asked != paid {
            refuse(
                "the outputs that leave the wallet are not the recipients and amounts that were asked for"
                    .to_owned(),
                FOREIGN,
            );
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
                "ask again: `watch-node pay` makes a new request",
            );
        }
        findings
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
        to.list(&self.recipients, |to, recipient| {
            to.string(recipient.script.as_bytes());
            to.amount(recipient.amount);
        });
        to.string(self.purpose.as_bytes());
        to.amount(self.max_fee);
        to.outpoint(&self.anchor);
        to.u64(self.created);
        to.u64(self.expires);
        to.list(&self.heads, |to, head| head.encode(to));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            payment: from.u32("payment")?,
            recipients: from.list("recipients", MAX_ITEMS, |from| {
                Ok(Recipient { script: from.script("recipient")?, amount: from.amount("amount")? })
            })?,
            purpose: from.text("purpose", MAX_PURPOSE_LEN)?,
            max_fee: from.amount("max fee")?,
            anchor: from.outpoint("anchor")?,
            created: from.u64("created")?,
            expires: from.u64("expires")?,
            heads: from.list("heads", MAX_HEADS, Head::decode)?,
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
    fn request_id_is_pinned_by_a_vector() {
        assert_eq!(
            request().id().to_string(),
            "23140dd05ec7a439f340367e3227b3c3979bf3a9a21b79e3d3fe7273b8897942"
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
