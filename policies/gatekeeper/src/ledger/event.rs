//! What happened, in canonical bytes: the ledger is nothing but these in order.

use bitcoin::Network;
use policies::check::Check;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::history::Charge;
use policies::id::PermitId;
use policies::identity::{PublicKey, SshSig};
use policies::permit::PermitStatement;
use policies::policy::{MAX_NAME_LEN, Policy};
use policies::request::SignedRequest;
use policies::spend::Spend;

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
    /// Checks that asked and were accepted by number.
    pub accepted: Vec<Check>,
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
                to.list(&reserved.accepted, |to, check| to.u8(check.number()));
            }
            EventKind::Permitted(permitted) => {
                to.u8(3);
                to.fixed(permitted.permit.as_bytes());
                to.string(permitted.signature.as_blob());
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
            })),
            1 => EventKind::VaultAdded(VaultAdded {
                wallet: from.text("wallet", MAX_NAME_LEN)?,
                external: from.text("external descriptor", MAX_DESCRIPTOR_LEN)?,
                internal: from.text("internal descriptor", MAX_DESCRIPTOR_LEN)?,
                audit_key: PublicKey::decode(from)?,
            }),
            2 => EventKind::Reserved(Box::new(Reserved {
                spend: document(from)?,
                request: document(from)?,
                charge: Charge::decode(from)?,
                statement: document(from)?,
                accepted: from.list("accepted checks", 34, |from| {
                    let number = from.u8("check")?;
                    Check::from_number(number).ok_or_else(|| {
                        CodecError::invalid("check", format!("no check has the number {number}"))
                    })
                })?,
            })),
            3 => EventKind::Permitted(Permitted {
                permit: PermitId::from_bytes(from.fixed("permit")?),
                signature: SshSig::from_blob(from.string("signature", 4_096)?)
                    .map_err(|error| CodecError::invalid("signature", error))?,
            }),
            other => return Err(CodecError::invalid("event kind", format!("{other} is unknown"))),
        };
        Ok(Self { at, kind })
    }
}

fn document<T: Canonical>(from: &mut Decoder<'_>) -> Result<T, CodecError> {
    T::from_bytes(from.string("document", MAX_DOCUMENT_LEN)?)
}
