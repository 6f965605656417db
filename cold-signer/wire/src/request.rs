//! What the console may ask of the vault.

use crate::message::{SignMessage, decode_evidence, encode_evidence};
use bitcoin::Network;
use policies::approval::{Approval, MAX_APPROVALS};
use policies::check::Check;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::evidence::Evidence;
use policies::id::{SpendId, WalletId};
use policies::permit::Permit;
use policies::policy::{MAX_NAME_LEN, Window};
use policies::request::SignedRequest;
use policies::spend::Spend;
use policies::wallet::{MAX_DESCRIPTOR_LEN, ScriptKind};

/// Most permits of one bundle.
const MAX_PERMITS: usize = 64;

/// Longest permit with its trails, in bytes: as long as a file may carry one.
pub const MAX_PERMIT_LEN: usize = 1 << 20;

/// Longest approval, in bytes.
const MAX_APPROVAL_LEN: usize = 16 << 10;

/// Longest record of dice throws, in bytes.
const MAX_DICE_LEN: usize = 4_096;

/// A request with its id and deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Repeated by the reply.
    pub id: u64,
    /// Unix time in seconds after which the vault signs nothing; 0 for none.
    pub deadline: u64,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// First on every connection.
    Hello {
        /// [`crate::PROTOCOL`].
        protocol: u32,
    },
    /// Make a key.
    NewKey(NewKey),
    /// List keys.
    List,
    /// What holds the vault, and what protects it.
    Status,
    /// Pin an authority, irrevocably: the bytes of a `policies::authority::SignedAuthority`.
    PinAuthority(Vec<u8>),
    /// What would signing come to?
    Review(Bundle),
    /// Sign.
    Sign {
        /// What to sign.
        bundle: Bundle,
        /// The whole id of the spend that was consented to.
        consent: SpendId,
        /// Checks whose question was answered with yes.
        accepted: Vec<Check>,
    },
    /// Every receipt so far.
    Receipts,
    /// Bind a wallet to a name, for ever.
    RegisterWallet(RegisterWallet),
    /// Sign a message.
    SignMessage(SignMessage),
}

/// A wallet to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterWallet {
    /// Its name: that of a cosigner's key without a wallet, or a new one.
    pub name: String,
    /// One multipath descriptor (BIP389) or a pair.
    pub descriptors: Vec<String>,
    /// The whole id of the wallet that was consented to; without it the vault only says what it would register.
    pub consent: Option<WalletId>,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its name: the wallet's name in the policy.
    pub wallet: String,
    /// Its network, for ever.
    pub network: Network,
    /// What its account is for.
    pub kind: ScriptKind,
    /// 12 or 24 backup words (BIP39).
    pub words: u8,
    /// Account level of the path (BIP44).
    pub account: u32,
    /// Own limit of a key without an authority.
    pub limit: Option<Window>,
    /// Dice or coin throws as ASCII, mixed into the machine's entropy; empty for none.
    pub dice: Vec<u8>,
}

/// A spend with everything that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The spend as the reader understood it.
    pub spend: Spend,
    /// Previous transactions.
    pub evidence: Evidence,
    /// The request, when there is one.
    pub request: Option<SignedRequest>,
    /// Approvals of the request.
    pub approvals: Vec<Approval>,
    /// Permits.
    pub permits: Vec<Permit>,
}

impl Bundle {
    /// Appends every part.
    pub fn encode(&self, to: &mut Encoder) {
        to.string(&self.spend.to_bytes());
        encode_evidence(to, &self.evidence);
        to.option(self.request.as_ref(), |to, request| to.string(&request.to_bytes()));
        to.list(&self.approvals, |to, approval| to.string(&approval.to_bytes()));
        to.list(&self.permits, |to, permit| to.string(&permit.to_bytes()));
    }

    /// Reads every part.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let spend = Spend::from_bytes(from.string("spend", crate::MAX_FRAME_LEN)?)?;
        Ok(Self {
            spend,
            evidence: decode_evidence(from)?,
            request: from
                .option("request", |from| SignedRequest::from_bytes(from.string("request", 16 << 20)?))?,
            approvals: from.list("approvals", MAX_APPROVALS, |from| {
                Approval::from_bytes(from.string("approval", MAX_APPROVAL_LEN)?)
            })?,
            permits: from.list("permits", MAX_PERMITS, |from| {
                Permit::from_bytes(from.string("permit", MAX_PERMIT_LEN)?)
            })?,
        })
    }
}

impl Canonical for Request {
    const TAG: &'static str = "airlock/vault-request/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.u64(self.id);
        to.u64(self.deadline);
        match &self.body {
            RequestBody::Hello { protocol } => {
                to.u8(0);
                to.u32(*protocol);
            }
            RequestBody::NewKey(key) => {
                to.u8(1);
                encode_new_key(to, key);
            }
            RequestBody::List => to.u8(2),
            RequestBody::Status => to.u8(3),
            RequestBody::PinAuthority(authority) => {
                to.u8(4);
                to.string(authority);
            }
            RequestBody::Review(bundle) => {
                to.u8(5);
                bundle.encode(to);
            }
            RequestBody::Sign { bundle, consent, accepted } => {
                to.u8(6);
                bundle.encode(to);
                to.fixed(consent.as_bytes());
                to.list(accepted, |to, check| to.u8(check.number()));
            }
            RequestBody::Receipts => to.u8(7),
            RequestBody::RegisterWallet(wallet) => {
                to.u8(8);
                to.string(wallet.name.as_bytes());
                to.list(&wallet.descriptors, |to, text| to.string(text.as_bytes()));
                to.option(wallet.consent.as_ref(), |to, id| to.fixed(id.as_bytes()));
            }
            RequestBody::SignMessage(message) => {
                to.u8(9);
                message.encode(to);
            }
        }
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let (id, deadline) = (from.u64("id")?, from.u64("deadline")?);
        let body = match from.u8("request kind")? {
            0 => RequestBody::Hello { protocol: from.u32("protocol")? },
            1 => RequestBody::NewKey(decode_new_key(from)?),
            2 => RequestBody::List,
            3 => RequestBody::Status,
            4 => RequestBody::PinAuthority(from.string("authority", 8 << 20)?.to_vec()),
            5 => RequestBody::Review(Bundle::decode(from)?),
            6 => RequestBody::Sign {
                bundle: Bundle::decode(from)?,
                consent: SpendId::from_bytes(from.fixed("consent")?),
                accepted: from.list("accepted", 64, |from| {
                    let number = from.u8("check")?;
                    Check::from_number(number).ok_or_else(|| {
                        CodecError::invalid("check", format!("no check has the number {number}"))
                    })
                })?,
            },
            7 => RequestBody::Receipts,
            8 => RequestBody::RegisterWallet(RegisterWallet {
                name: from.text("wallet", MAX_NAME_LEN)?,
                descriptors: from
                    .list("descriptors", 2, |from| from.text("descriptor", MAX_DESCRIPTOR_LEN))?,
                consent: from.option("consent", |from| from.fixed("consent").map(WalletId::from_bytes))?,
            }),
            9 => RequestBody::SignMessage(SignMessage::decode(from)?),
            other => return Err(CodecError::invalid("request kind", format!("{other} is not known"))),
        };
        Ok(Self { id, deadline, body })
    }
}

fn encode_new_key(to: &mut Encoder, key: &NewKey) {
    to.string(key.wallet.as_bytes());
    to.network(key.network);
    key.kind.encode(to);
    to.u8(key.words);
    to.u32(key.account);
    to.option(key.limit.as_ref(), |to, limit| limit.encode(to));
    to.string(&key.dice);
}

fn decode_new_key(from: &mut Decoder<'_>) -> Result<NewKey, CodecError> {
    Ok(NewKey {
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        kind: ScriptKind::decode(from)?,
        words: from.u8("words")?,
        account: from.u32("account")?,
        limit: from.option("limit", Window::decode)?,
        dice: from.string("dice", MAX_DICE_LEN)?.to_vec(),
    })
}
