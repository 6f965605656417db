//! What the vault answers.

use crate::fault::Fault;
use crate::key::{KeyInfo, decode_key, encode_key};
use crate::message::MessageReview;
use crate::review::{Review, decode_review, encode_review};
use crate::status::{VaultStatus, decode_status, encode_status};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::id::{AuthorityId, VaultId};
use policies::identity::PublicKey;
use policies::permit::Receipt;
use policies::policy::MAX_NAME_LEN;
use policies::signature::{InputSignature, MAX_SIGNATURES};

/// Most keys of a store.
const MAX_KEYS: usize = 10_000;

/// Most receipts of one reply.
const MAX_RECEIPTS: usize = 100_000;

/// A reply to the request with the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The request's id.
    pub id: u64,
    /// What came of it.
    pub body: ReplyBody,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyBody {
    /// To `Hello`.
    Hello {
        /// [`crate::PROTOCOL`].
        protocol: u32,
        /// The store's vault.
        vault: VaultId,
    },
    /// To `NewKey` and `RegisterWallet`; there without a signature while consent is missing.
    Key(KeyInfo),
    /// To `List`.
    Keys {
        /// The store's vault.
        vault: VaultId,
        /// Its audit key.
        audit_key: PublicKey,
        /// Its keys.
        keys: Vec<KeyInfo>,
    },
    /// To `Status`.
    Status(VaultStatus),
    /// To `PinAuthority`.
    Pinned {
        /// The authority.
        authority: AuthorityId,
        /// Its company.
        company: String,
    },
    /// To `Review`.
    Review(Box<Review>),
    /// To `Sign`.
    Signed(Signed),
    /// To `Receipts`.
    Receipts(Vec<Receipt>),
    /// To `SignMessage`; without signatures while consent is missing.
    Message(Box<MessageReview>),
    /// The answer is no.
    Fault(Fault),
}

/// Signatures and the receipt for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// In the order of the inputs; several for an input where the key stands in several places.
    pub signatures: Vec<InputSignature>,
    /// What the vault says it signed.
    pub receipt: Receipt,
}

impl Canonical for Reply {
    const TAG: &'static str = "airlock/vault-reply/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.u64(self.id);
        match &self.body {
            ReplyBody::Hello { protocol, vault } => {
                to.u8(0);
                to.u32(*protocol);
                to.fixed(vault.as_bytes());
            }
            ReplyBody::Key(key) => {
                to.u8(1);
                encode_key(to, key);
            }
            ReplyBody::Keys { vault, audit_key, keys } => {
                to.u8(2);
                to.fixed(vault.as_bytes());
                audit_key.encode(to);
                to.list(keys, encode_key);
            }
            ReplyBody::Status(status) => {
                to.u8(3);
                encode_status(to, status);
            }
            ReplyBody::Pinned { authority, company } => {
                to.u8(4);
                to.fixed(authority.as_bytes());
                to.string(company.as_bytes());
            }
            ReplyBody::Review(review) => {
                to.u8(5);
                encode_review(to, review);
            }
            ReplyBody::Signed(signed) => {
                to.u8(6);
                to.list(&signed.signatures, |to, signature| signature.encode(to));
                to.string(&signed.receipt.to_bytes());
            }
            ReplyBody::Receipts(receipts) => {
                to.u8(7);
                to.list(receipts, |to, receipt| to.string(&receipt.to_bytes()));
            }
            ReplyBody::Fault(fault) => {
                to.u8(8);
                fault.encode(to);
            }
            ReplyBody::Message(review) => {
                to.u8(9);
                review.encode(to);
            }
        }
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let id = from.u64("id")?;
        let body = match from.u8("reply kind")? {
            0 => ReplyBody::Hello { protocol: from.u32("protocol")?, vault: vault(from)? },
            1 => ReplyBody::Key(decode_key(from)?),
            2 => ReplyBody::Keys {
                vault: vault(from)?,
                audit_key: PublicKey::decode(from)?,
                keys: from.list("keys", MAX_KEYS, decode_key)?,
            },
            3 => ReplyBody::Status(decode_status(from)?),
            4 => ReplyBody::Pinned {
                authority: AuthorityId::from_bytes(from.fixed("authority")?),
                company: from.text("company", MAX_NAME_LEN)?,
            },
            5 => ReplyBody::Review(Box::new(decode_review(from)?)),
            6 => ReplyBody::Signed(Signed {
                signatures: from.list("signatures", MAX_SIGNATURES, InputSignature::decode)?,
                receipt: receipt(from)?,
            }),
            7 => ReplyBody::Receipts(from.list("receipts", MAX_RECEIPTS, receipt)?),
            8 => ReplyBody::Fault(Fault::decode(from)?),
            9 => ReplyBody::Message(Box::new(MessageReview::decode(from)?)),
            other => return Err(CodecError::invalid("reply kind", format!("{other} is not known"))),
        };
        Ok(Self { id, body })
    }
}

fn vault(from: &mut Decoder<'_>) -> Result<VaultId, CodecError> {
    from.fixed("vault").map(VaultId::from_bytes)
}

fn receipt(from: &mut Decoder<'_>) -> Result<Receipt, CodecError> {
    Receipt::from_bytes(from.string("receipt", 16 << 10)?)
}
