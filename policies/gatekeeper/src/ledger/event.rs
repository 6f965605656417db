//! What happened, in canonical bytes: the ledger is nothing but these in order.

use super::alarm::{Frozen, Unfrozen};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Network};
use policies::approval::{Approval, MAX_APPROVALS};
use policies::check::Check;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::history::Charge;
use policies::id::PermitId;
use policies::identity::{PublicKey, SshSig};
use policies::permit::{MAX_NAMED, PermitStatement, Receipt, Trail};
use policies::policy::{MAX_NAME_LEN, Policy};
use policies::request::SignedRequest;
use policies::spend::Spend;
use psbt_tools::facts::Facts;

/// Longest descriptor that is read, in bytes.
const MAX_DESCRIPTOR_LEN: usize = 4_096;

/// Longest document inside an event, in bytes: a request or a spend of 100,000 outputs fits.
const MAX_DOCUMENT_LEN: usize = 64 << 20;

/// An event and the wall clock at which it was written, unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The ledger began: always the first event, and only that.
    Founded(Box<Founded>),
    /// A vault was added to a wallet.
    VaultAdded(VaultAdded),
    /// Budget was reserved, and exactly this permit will be signed.
    Reserved(Box<Reserved>),
    /// The permit was signed.
    Permitted(Permitted),
    /// Headers and confirmed transactions that were not known before.
    Facts(Box<Facts>),
    /// A vault said what it signed.
    Receipted(Box<Receipt>),
    /// Something happened that no permit explains: nothing is permitted from here on.
    Frozen(Frozen),
    /// An incident was looked into and ended.
    Unfrozen(Unfrozen),
    /// A payment lacks approvals: the first time that its request was met.
    Waiting(Box<Waiting>),
    /// More people agreed to it.
    Approved(Vec<Approval>),
}

/// The beginning of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// Network of the policy's wallets.
    pub network: Network,
    /// The policy in force.
    pub policy: Policy,
    /// The key that signs permits.
    pub permit_key: PublicKey,
    /// Height and hash of the block at which the chain of headers begins; the network's genesis block when there is none.
    pub checkpoint: Option<(u32, BlockHash)>,
}

/// A vault and the wallet that it holds a key of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultAdded {
    /// The wallet's name in the policy.
    pub wallet: String,
    /// Descriptor of addresses.
    pub external: String,
    /// Descriptor of change.
    pub internal: String,
    /// The vault's audit key.
    pub audit_key: PublicKey,
}

/// A reservation: everything that judged it, and the statement that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// What is paid.
    pub spend: Spend,
    /// Who asked, with the signature.
    pub request: SignedRequest,
    /// What is charged.
    pub charge: Charge,
    /// What will be signed.
    pub statement: PermitStatement,
    /// How the chain of each vault leads to it.
    pub trails: Vec<Trail>,
    /// The approvals that were counted.
    pub approvals: Vec<Approval>,
    /// Checks that asked and were accepted by number.
    pub accepted: Vec<Check>,
}

/// A payment that nothing refuses and that lacks approvals. Nothing is charged for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What would be paid.
    pub spend: Spend,
    /// Who asked, with the signature.
    pub request: SignedRequest,
    /// Who agreed.
    pub approvals: Vec<Approval>,
}

/// A signature under a reserved statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permitted {
    /// Which statement.
    pub permit: PermitId,
    /// Its signature.
    pub signature: SshSig,
}

impl Canonical for Event {
    const TAG: &'static str = "airlock/ledger-event/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.u64(self.at);
        match &self.kind {
            EventKind::Founded(founded) => {
                to.u8(0);
                to.network(founded.network);
                to.string(&founded.policy.to_bytes());
                founded.permit_key.encode(to);
                to.option(founded.checkpoint.as_ref(), |to, (height, hash)| {
                    to.u32(*height);
                    to.fixed(hash.as_byte_array());
                });
            }
            EventKind::VaultAdded(added) => {
                to.u8(1);
                to.string(added.wallet.as_bytes());
                to.string(added.external.as_bytes());
                to.string(added.internal.as_bytes());
                added.audit_key.encode(to);
            }
            EventKind::Reserved(reserved) => {
                to.u8(2);
                to.string(&reserved.spend.to_bytes());
                to.string(&reserved.request.to_bytes());
                reserved.charge.encode(to);
                to.string(&reserved.statement.to_bytes());
                to.list(&reserved.trails, |to, trail| trail.encode(to));
                to.list(&reserved.approvals, |to, approval| to.string(&approval.to_bytes()));
                to.list(&reserved.accepted, |to, check| to.u8(check.number()));
            }
            EventKind::Permitted(permitted) => {
                to.u8(3);
                to.fixed(permitted.permit.as_bytes());
                to.string(permitted.signature.as_blob());
            }
            EventKind::Facts(facts) => {
                to.u8(4);
                to.string(&facts.to_bytes());
            }
            EventKind::Receipted(receipt) => {
                to.u8(5);
                to.string(&receipt.to_bytes());
            }
            EventKind::Frozen(frozen) => {
                to.u8(6);
                frozen.encode(to);
            }
            EventKind::Unfrozen(unfrozen) => {
                to.u8(7);
                unfrozen.encode(to);
            }
            EventKind::Waiting(waiting) => {
                to.u8(8);
                to.string(&waiting.spend.to_bytes());
                to.string(&waiting.request.to_bytes());
                to.list(&waiting.approvals, |to, approval| to.string(&approval.to_bytes()));
            }
            EventKind::Approved(approvals) => {
                to.u8(9);
                to.list(approvals, |to, approval| to.string(&approval.to_bytes()));
            }
        }
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let at = from.u64("event time")?;
        let kind = match from.u8("event kind")? {
            0 => EventKind::Founded(Box::new(Founded {
                network: from.network("network")?,
                policy: document(from)?,
                permit_key: PublicKey::decode(from)?,
                checkpoint: from.option("checkpoint", |from| {
                    Ok((from.u32("height")?, BlockHash::from_byte_array(from.fixed("block")?)))
                })?,
            })),
            1 => EventKind::VaultAdded(VaultAdded {
                wallet: from.text("wallet", MAX_NAME_LEN)?,
                external: from.text("external descriptor", MAX_DESCRIPTOR_LEN)?,
                internal: from.text("internal descriptor", MAX_DESCRIPTOR_LEN)?,
                audit_key: PublicKey::decode(from)?,
            }),
            2 => EventKind::Reserved(Box::new({
                let spend = document(from)?;
                Reserved {
                    request: document(from)?,
                    charge: Charge::decode(from, &spend)?,
                    spend,
                    statement: document(from)?,
                    trails: from.list("trails", MAX_NAMED, Trail::decode)?,
                    approvals: from.list("approvals", MAX_APPROVALS, document)?,
                    accepted: from.list("accepted checks", 34, |from| {
                        let number = from.u8("check")?;
                        Check::from_number(number).ok_or_else(|| {
                            CodecError::invalid("check", format!("no check has the number {number}"))
                        })
                    })?,
                }
            })),
            3 => EventKind::Permitted(Permitted {
                permit: PermitId::from_bytes(from.fixed("permit")?),
                signature: SshSig::from_blob(from.string("signature", 4_096)?)
                    .map_err(|error| CodecError::invalid("signature", error))?,
            }),
            4 => EventKind::Facts(Box::new(document(from)?)),
            5 => EventKind::Receipted(Box::new(document(from)?)),
            6 => EventKind::Frozen(Frozen::decode(from)?),
            7 => EventKind::Unfrozen(Unfrozen::decode(from)?),
            8 => EventKind::Waiting(Box::new(Waiting {
                spend: document(from)?,
                request: document(from)?,
                approvals: from.list("approvals", MAX_APPROVALS, document)?,
            })),
            9 => EventKind::Approved(from.list("approvals", MAX_APPROVALS, document)?),
            other => return Err(CodecError::invalid("event kind", format!("{other} is unknown"))),
        };
        Ok(Self { at, kind })
    }
}

fn document<T: Canonical>(from: &mut Decoder<'_>) -> Result<T, CodecError> {
    T::from_bytes(from.string("document", MAX_DOCUMENT_LEN)?)
}
