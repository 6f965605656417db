//! People who agree to a payment: signatures over the readable text of its request.

use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::id::RequestId;
use crate::identity::{IdentityError, Namespace, PublicKey, SshSig};
use crate::request::{Request, decode_signature};
use bitcoin::hashes::{Hash, sha256};

/// Most approvals that are looked at.
pub const MAX_APPROVALS: usize = 64;

/// One person's signature over [`Request::approval_text`], namespace `airlock-approve`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The request that is approved.
    pub request: RequestId,
    /// The signature.
    pub signature: SshSig,
}

impl Approval {
    /// Verifies the signature over this request's text, and only then says who approves.
    ///
    /// # Errors
    /// [`IdentityError`] when it is for another request or does not verify.
    pub fn approver(&self, request: &Request) -> Result<PublicKey, IdentityError> {
        if self.request != request.id() {
            return Err(IdentityError::Text("the approval is for another request"));
        }
        self.signature.verify(Namespace::Approve, request.approval_text().as_bytes())
    }

    /// SHA-256 of its bytes: how a permit names it.
    pub fn digest(&self) -> [u8; 32] {
        sha256::Hash::hash(&self.to_bytes()).to_byte_array()
    }
}

/// The keys whose approvals of this request verify, each once. Others count for nothing.
pub fn approvers(request: &Request, approvals: &[Approval]) -> Vec<PublicKey> {
    let mut keys: Vec<PublicKey> =
        approvals.iter().take(MAX_APPROVALS).filter_map(|approval| approval.approver(request).ok()).collect();
    keys.sort();
    keys.dedup();
    keys
}

impl Canonical for Approval {
    const TAG: &'static str = "airlock/approval/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.fixed(self.request.as_bytes());
        to.string(self.signature.as_blob());
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            request: RequestId::from_bytes(from.fixed("request")?),
            signature: decode_signature(from)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::{public, sign};
    use crate::request::tests::request;
    use bitcoin::Amount;

    pub fn approval(n: u8, request: &Request) -> Approval {
        Approval {
            request: request.id(),
            signature: sign(n, Namespace::Approve, request.approval_text().as_bytes()),
        }
    }

    #[test]
    fn an_approval_is_for_one_request_and_survives_its_bytes() {
        let approval = approval(6, &request());
        assert_eq!(Approval::from_bytes(&approval.to_bytes()).unwrap(), approval);
        assert_eq!(approval.approver(&request()), Ok(public(6)));
        let mut other = request();
        other.max_fee += Amount::from_sat(1);
        assert!(approval.approver(&other).is_err());
        let relabelled = Approval { request: other.id(), ..approval.clone() };
        assert!(relabelled.approver(&other).is_err(), "the text commits to the request");
        let requested = Approval {
            request: request().id(),
            signature: sign(6, Namespace::Request, request().approval_text().as_bytes()),
        };
        assert!(requested.approver(&request()).is_err(), "another namespace");
    }

    #[test]
    fn a_key_counts_once_and_what_does_not_verify_not_at_all() {
        let mut other = request();
        other.payment += 1;
        let approvals =
            [approval(7, &request()), approval(6, &request()), approval(7, &request()), approval(5, &other)];
        let mut expected = vec![public(6), public(7)];
        expected.sort();
        assert_eq!(approvers(&request(), &approvals), expected);
    }

    #[test]
    fn the_text_says_everything_in_plain_lines() {
        let text = request().approval_text();
        assert_eq!(
            text,
            "I approve this payment. (airlock approval, version 1)\n\
             payment: P-0042\n\
             network: regtest\n"
                .to_owned()
                + &format!("wallet:  {}\n", request().wallet)
                + "pays:    0.400 000 00 BTC (40 000 000 sat) to bcrt1qpyysjzgfpyysjzgfpyysjzgfpyysjzgfrwg6xw\n\
                   fee:     at most 0.000 200 00 BTC (20 000 sat)\n\
                   purpose: \"invoice 2026-117\"\n"
                + &format!("anchor:  {}\n", request().anchor)
                + "until:   1970-01-01 00:33:20 UTC\n"
                + &format!("request: {}\n", request().id())
        );
    }
}
