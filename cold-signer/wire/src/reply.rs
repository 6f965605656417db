//! What the vault answers.

use crate::fault::{Fault, decode_findings, encode_findings};
use crate::request::{decode_kind, decode_window, encode_window};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, Txid};
use policies::check::Finding;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::id::{AuthorityId, PermitId, SpendId, VaultId};
use policies::identity::{MAX_SIGNATURE_LEN, PublicKey, SshSig};
use policies::permit::Receipt;
use policies::policy::{MAX_NAME_LEN, Window};
use policies::request::{MAX_PURPOSE_LEN, Recipient};
use policies::spend::MAX_ITEMS;
use policies::wallet::{Keypath, ScriptKind};

/// Longest line of text about the vault, in bytes.
const MAX_LINE_LEN: usize = 1_024;

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
    /// To `NewKey`.
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
    /// The answer is no.
    Fault(Fault),
}

/// Public parts of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// Script of its addresses.
    pub kind: ScriptKind,
    /// Fingerprint of the master key (BIP32).
    pub fingerprint: [u8; 4],
    /// External descriptor with checksum.
    pub external: String,
    /// Internal descriptor with checksum.
    pub internal: String,
    /// Unix time of creation, in seconds.
    pub created: u64,
    /// Whether it was restored from words.
    pub restored: bool,
    /// Whether its words were shown and asked back.
    pub backed_up: bool,
    /// The authority under which it was made, with its company; `None` for a standalone key.
    pub authority: Option<(AuthorityId, String)>,
    /// Own limit.
    pub limit: Option<Window>,
    /// The audit key's signature over [`policies::wallet::export_text`], namespace `airlock-export`.
    pub signature: SshSig,
}

/// Whether a protection is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlState {
    /// Its name: `seccomp`, `landlock`, …
    pub name: String,
    /// `on`, `off` or `unavailable`.
    pub state: String,
    /// What that means here.
    pub detail: String,
}

/// What holds the vault, and what protects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStatus {
    /// The store's vault.
    pub vault: VaultId,
    /// Records in the store.
    pub records: u64,
    /// SHA-256 of the last record.
    pub head: [u8; 32],
    /// Authority that new keys obey, with its company.
    pub authority: Option<(AuthorityId, String)>,
    /// Parameters of the passphrase derivation, in words.
    pub kdf: String,
    /// Protections.
    pub controls: Vec<ControlState>,
    /// Network interfaces that are up, when the vault was told to run all the same.
    pub live_network: Vec<String>,
}

/// An own output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewChange {
    /// Its script and amount.
    pub recipient: Recipient,
    /// Where in the wallet it is.
    pub keypath: Keypath,
}

/// Who vouches for a spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// The authority's company.
    pub company: String,
    /// Fingerprint of the terminal's key.
    pub requester: String,
    /// Names of the groups in the policy that hold the terminal's key.
    pub groups: Vec<String>,
    /// The payment's number.
    pub payment: u32,
    /// What it is for.
    pub purpose: String,
    /// The permit.
    pub permit: PermitId,
    /// Its place in this vault's chain.
    pub sequence: u64,
    /// Unix time after which it is void.
    pub expires: u64,
    /// Version of the policy under which it was issued.
    pub policy_version: u64,
}

/// What signing would come to, as the vault itself derived it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The spend.
    pub spend: SpendId,
    /// Txid of its unsigned transaction.
    pub unsigned_txid: Txid,
    /// The key's name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// Number of inputs.
    pub inputs: u32,
    /// What they bring.
    pub input_sum: Amount,
    /// Outputs that leave the wallet, in order.
    pub recipients: Vec<Recipient>,
    /// Own outputs, in order, each derived by the vault.
    pub change: Vec<ReviewChange>,
    /// The fee.
    pub fee: Amount,
    /// Upper bound of the signed size, in virtual bytes.
    pub vsize: u64,
    /// Every check and rule.
    pub findings: Vec<Finding>,
    /// Who vouches for it, where an authority does.
    pub voucher: Option<Voucher>,
    /// Company of the key's authority; `None` for a standalone key.
    pub authority: Option<String>,
    /// Limits that the vault judged by, in words.
    pub limits: Vec<String>,
    /// Whether it was signed before: signing again returns the same signatures.
    pub signed_before: bool,
}

/// A signature for one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSignature {
    /// Index of the input.
    pub input: u32,
    /// The key: 33 bytes for ECDSA, 32 for taproot.
    pub public_key: Vec<u8>,
    /// DER with sighash byte (ECDSA), or 64 bytes (BIP340, sighash DEFAULT).
    pub signature: Vec<u8>,
}

/// Signatures and the receipt for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// One for each input, in order.
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
                to.list(&signed.signatures, |to, signature| {
                    to.u32(signature.input);
                    to.string(&signature.public_key);
                    to.string(&signature.signature);
                });
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
                signatures: from.list("signatures", MAX_ITEMS, |from| {
                    Ok(InputSignature {
                        input: from.u32("input")?,
                        public_key: from.string("public key", 33)?.to_vec(),
                        signature: from.string("signature", 80)?.to_vec(),
                    })
                })?,
                receipt: receipt(from)?,
            }),
            7 => ReplyBody::Receipts(from.list("receipts", MAX_RECEIPTS, receipt)?),
            8 => ReplyBody::Fault(Fault::decode(from)?),
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

fn boolean(from: &mut Decoder<'_>, what: &'static str) -> Result<bool, CodecError> {
    Ok(from.option(what, |_| Ok(()))?.is_some())
}

fn encode_authority(to: &mut Encoder, authority: Option<&(AuthorityId, String)>) {
    to.option(authority, |to, (id, company)| {
        to.fixed(id.as_bytes());
        to.string(company.as_bytes());
    });
}

fn decode_authority(from: &mut Decoder<'_>) -> Result<Option<(AuthorityId, String)>, CodecError> {
    from.option("authority", |from| {
        Ok((AuthorityId::from_bytes(from.fixed("authority")?), from.text("company", MAX_NAME_LEN)?))
    })
}

fn encode_key(to: &mut Encoder, key: &KeyInfo) {
    to.string(key.wallet.as_bytes());
    to.network(key.network);
    to.string(key.kind.as_str().as_bytes());
    to.fixed(&key.fingerprint);
    to.string(key.external.as_bytes());
    to.string(key.internal.as_bytes());
    to.u64(key.created);
    to.u8(u8::from(key.restored));
    to.u8(u8::from(key.backed_up));
    encode_authority(to, key.authority.as_ref());
    to.option(key.limit.as_ref(), encode_window);
    to.string(key.signature.as_blob());
}

fn decode_key(from: &mut Decoder<'_>) -> Result<KeyInfo, CodecError> {
    Ok(KeyInfo {
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        kind: decode_kind(from)?,
        fingerprint: from.fixed("fingerprint")?,
        external: from.text("external", MAX_LINE_LEN)?,
        internal: from.text("internal", MAX_LINE_LEN)?,
        created: from.u64("created")?,
        restored: boolean(from, "restored")?,
        backed_up: boolean(from, "backed up")?,
        authority: decode_authority(from)?,
        limit: from.option("limit", decode_window)?,
        signature: SshSig::from_blob(from.string("signature", MAX_SIGNATURE_LEN)?)
            .map_err(|error| CodecError::invalid("signature", error))?,
    })
}

fn encode_status(to: &mut Encoder, status: &VaultStatus) {
    to.fixed(status.vault.as_bytes());
    to.u64(status.records);
    to.fixed(&status.head);
    encode_authority(to, status.authority.as_ref());
    to.string(status.kdf.as_bytes());
    to.list(&status.controls, |to, control| {
        to.string(control.name.as_bytes());
        to.string(control.state.as_bytes());
        to.string(control.detail.as_bytes());
    });
    to.list(&status.live_network, |to, name| to.string(name.as_bytes()));
}

fn decode_status(from: &mut Decoder<'_>) -> Result<VaultStatus, CodecError> {
    Ok(VaultStatus {
        vault: vault(from)?,
        records: from.u64("records")?,
        head: from.fixed("head")?,
        authority: decode_authority(from)?,
        kdf: from.text("kdf", MAX_LINE_LEN)?,
        controls: from.list("controls", 64, |from| {
            Ok(ControlState {
                name: from.text("name", MAX_LINE_LEN)?,
                state: from.text("state", MAX_LINE_LEN)?,
                detail: from.text("detail", MAX_LINE_LEN)?,
            })
        })?,
        live_network: from.list("interfaces", 256, |from| from.text("interface", MAX_LINE_LEN))?,
    })
}

fn encode_recipient(to: &mut Encoder, recipient: &Recipient) {
    to.string(recipient.script.as_bytes());
    to.amount(recipient.amount);
}

fn decode_recipient(from: &mut Decoder<'_>) -> Result<Recipient, CodecError> {
    Ok(Recipient { script: from.script("script")?, amount: from.amount("amount")? })
}

fn encode_review(to: &mut Encoder, review: &Review) {
    to.fixed(review.spend.as_bytes());
    to.fixed(review.unsigned_txid.as_byte_array());
    to.string(review.wallet.as_bytes());
    to.network(review.network);
    to.u32(review.inputs);
    to.amount(review.input_sum);
    to.list(&review.recipients, encode_recipient);
    to.list(&review.change, |to, change| {
        encode_recipient(to, &change.recipient);
        change.keypath.encode(to);
    });
    to.amount(review.fee);
    to.u64(review.vsize);
    encode_findings(to, &review.findings);
    to.option(review.voucher.as_ref(), encode_voucher);
    to.option(review.authority.as_ref(), |to, company| to.string(company.as_bytes()));
    to.list(&review.limits, |to, line| to.string(line.as_bytes()));
    to.u8(u8::from(review.signed_before));
}

fn decode_review(from: &mut Decoder<'_>) -> Result<Review, CodecError> {
    Ok(Review {
        spend: SpendId::from_bytes(from.fixed("spend")?),
        unsigned_txid: Txid::from_byte_array(from.fixed("txid")?),
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        inputs: from.u32("inputs")?,
        input_sum: from.amount("input sum")?,
        recipients: from.list("recipients", MAX_ITEMS, decode_recipient)?,
        change: from.list("change", MAX_ITEMS, |from| {
            Ok(ReviewChange { recipient: decode_recipient(from)?, keypath: Keypath::decode(from)? })
        })?,
        fee: from.amount("fee")?,
        vsize: from.u64("vsize")?,
        findings: decode_findings(from)?,
        voucher: from.option("voucher", decode_voucher)?,
        authority: from.option("authority", |from| from.text("company", MAX_NAME_LEN))?,
        limits: from.list("limits", 1_000, |from| from.text("limit", MAX_LINE_LEN))?,
        signed_before: boolean(from, "signed before")?,
    })
}

fn encode_voucher(to: &mut Encoder, voucher: &Voucher) {
    to.string(voucher.company.as_bytes());
    to.string(voucher.requester.as_bytes());
    to.list(&voucher.groups, |to, group| to.string(group.as_bytes()));
    to.u32(voucher.payment);
    to.string(voucher.purpose.as_bytes());
    to.fixed(voucher.permit.as_bytes());
    to.u64(voucher.sequence);
    to.u64(voucher.expires);
    to.u64(voucher.policy_version);
}

fn decode_voucher(from: &mut Decoder<'_>) -> Result<Voucher, CodecError> {
    Ok(Voucher {
        company: from.text("company", MAX_NAME_LEN)?,
        requester: from.text("requester", MAX_LINE_LEN)?,
        groups: from.list("groups", 1_000, |from| from.text("group", MAX_NAME_LEN))?,
        payment: from.u32("payment")?,
        purpose: from.text("purpose", MAX_PURPOSE_LEN)?,
        permit: PermitId::from_bytes(from.fixed("permit")?),
        sequence: from.u64("sequence")?,
        expires: from.u64("expires")?,
        policy_version: from.u64("policy version")?,
    })
}
