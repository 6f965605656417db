//! What a gatekeeper permits, and what a vault says it signed.

use crate::check::{Check, Finding};
use crate::codec::{Canonical, CodecError, Decoder, Encoder};
use crate::id::{PermitId, PolicyId, RequestId, SpendId, VaultId, WalletId, tagged_hash};
use crate::identity::{IdentityError, Namespace, PublicKey, SshSig};
use crate::request::{Head, decode_signature};
use crate::spend::Spend;
use crate::text::{amount_text, utc_text};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, OutPoint, Txid};

/// Most vaults, approvals and predecessors that a permit names.
pub const MAX_NAMED: usize = 64;

/// Most permits in a trail: 32 KB of hashes.
pub const MAX_TRAIL: usize = 1_024;

/// A vault for which a permit is good, and the permit's place in that vault's chain of permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PermitVault {
    /// The vault.
    pub vault: VaultId,
    /// 1 for the first permit of this vault.
    pub sequence: u64,
    /// `c(n−1)`: the chain up to the permit before; zeroes before the first.
    pub previous: [u8; 32],
}

/// What the gatekeeper permits: exactly this spend, for these vaults, until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitStatement {
    /// Network of the wallet.
    pub network: Network,
    /// The wallet that pays.
    pub wallet: WalletId,
    /// Vaults that may sign, each with the permit's place in its chain.
    pub vaults: Vec<PermitVault>,
    /// The spend.
    pub spend: SpendId,
    /// Txid of its unsigned transaction.
    pub unsigned_txid: Txid,
    /// What it takes from the wallet, the fee included.
    pub outflow: Amount,
    /// Its fee.
    pub fee: Amount,
    /// The request that it fulfils.
    pub request: RequestId,
    /// SHA-256 of each approval that was counted.
    pub approvals: Vec<[u8; 32]>,
    /// Version of the policy under which it was judged.
    pub policy_version: u64,
    /// That policy.
    pub policy: PolicyId,
    /// Version of the revocation list; 0 when there is none.
    pub revocation_version: u64,
    /// The coin by which replacements are told to be one group.
    pub anchor: OutPoint,
    /// Permits that this one replaces.
    pub replaces: Vec<PermitId>,
    /// Earlier permitted spends of its coins that can never be mined, because a settled transaction took a coin of theirs:
    /// their signatures are not in its way.
    pub dead: Vec<SpendId>,
    /// The latest record of each vault that the gatekeeper has seen: a vault without it was rolled back or forked.
    pub heads: Vec<Head>,
    /// Bitcoin time (median time past) at issuance, unix seconds; 0 when the gatekeeper has seen no headers.
    pub issued_mtp: u64,
    /// Wall clock at issuance, unix seconds.
    pub issued: u64,
    /// Unix time after which it is void, in seconds.
    pub expires: u64,
}

impl PermitStatement {
    /// Its identifier.
    pub fn id(&self) -> PermitId {
        PermitId::of(&self.to_bytes())
    }

    /// `c(n) = H(c(n−1) ‖ permit id)`: the chain of a vault after this permit.
    pub fn chain_after(&self, vault: VaultId) -> Option<[u8; 32]> {
        let place = self.vaults.iter().find(|place| place.vault == vault)?;
        Some(chain_link(&place.previous, &self.id()))
    }

    /// Holds the statement against a spend at a vault. Findings are all C34, empty when it permits exactly that.
    pub fn differences(&self, spend: &Spend, vault: VaultId, now: u64) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut refuse = |message: String| {
            findings.push(
                Finding::refuse(Check::AUTHORISATION, message)
                    .hint("ask the gatekeeper for a permit for this file: `gatekeeper submit FILE -o OUT`"),
            );
        };
        if self.network != spend.network() {
            refuse(format!("the permit is for {}, the spend for {}", self.network, spend.network()));
        }
        if self.wallet != spend.wallet() {
            refuse(format!("the permit is for wallet {}, the spend of {}", self.wallet, spend.wallet()));
        }
        if !self.vaults.iter().any(|place| place.vault == vault) {
            refuse(format!("the permit is for another vault, this one is {vault}"));
        }
        if self.spend != spend.id() {
            refuse(format!("the permit is for spend {}, this one is {}", self.spend, spend.id()));
        }
        let mut changed = Vec::new();
        for (what, permitted, found) in
            [("outflow", self.outflow, spend.outflow()), ("fee", self.fee, spend.fee())]
        {
            if permitted != found {
                changed.push(format!(
                    "the {what} was {}, it is {}",
                    amount_text(permitted),
                    amount_text(found)
                ));
            }
        }
        if !spend.inputs().iter().any(|input| input.outpoint == self.anchor) {
            changed.push(format!("the coin {} is not spent any more", self.anchor));
        }
        if self.unsigned_txid != spend.unsigned_txid() {
            let (was, is) = (self.unsigned_txid, spend.unsigned_txid());
            changed
                .push(format!("inputs, outputs, locktime or sequences differ (txid was {was}, it is {is})"));
        }
        if now > self.expires {
            refuse(format!("the permit expired at {}, it is {}", utc_text(self.expires), utc_text(now)));
        }
        if !changed.is_empty() {
            findings.push(
                Finding::refuse(
                    Check::AUTHORISATION,
                    format!("changed since the permit: {}", changed.join("; ")),
                )
                .hint(
                    "take the permitted file again, and find out who changed this one: `psbt-tools diff A B`",
                ),
            );
        }
        findings
    }
}

/// One step of a vault's chain of permits.
pub fn chain_link(previous: &[u8; 32], permit: &PermitId) -> [u8; 32] {
    let mut to = Encoder::default();
    to.fixed(previous);
    to.fixed(permit.as_bytes());
    tagged_hash("airlock/permit-chain/1", &to.finish())
}

impl Canonical for PermitStatement {
    const TAG: &'static str = PermitId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        to.network(self.network);
        to.fixed(self.wallet.as_bytes());
        to.list(&self.vaults, |to, place| {
            to.fixed(place.vault.as_bytes());
            to.u64(place.sequence);
            to.fixed(&place.previous);
        });
        to.fixed(self.spend.as_bytes());
        to.fixed(self.unsigned_txid.as_byte_array());
        to.amount(self.outflow);
        to.amount(self.fee);
        to.fixed(self.request.as_bytes());
        to.list(&self.approvals, |to, approval| to.fixed(approval));
        to.u64(self.policy_version);
        to.fixed(self.policy.as_bytes());
        to.u64(self.revocation_version);
        to.outpoint(&self.anchor);
        to.list(&self.replaces, |to, permit| to.fixed(permit.as_bytes()));
        to.list(&self.dead, |to, spend| to.fixed(spend.as_bytes()));
        to.list(&self.heads, |to, head| head.encode(to));
        to.u64(self.issued_mtp);
        to.u64(self.issued);
        to.u64(self.expires);
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            vaults: from.list("vaults", MAX_NAMED, |from| {
                Ok(PermitVault {
                    vault: VaultId::from_bytes(from.fixed("vault")?),
                    sequence: from.u64("sequence")?,
                    previous: from.fixed("previous")?,
                })
            })?,
            spend: SpendId::from_bytes(from.fixed("spend")?),
            unsigned_txid: Txid::from_byte_array(from.fixed("txid")?),
            outflow: from.amount("outflow")?,
            fee: from.amount("fee")?,
            request: RequestId::from_bytes(from.fixed("request")?),
            approvals: from.list("approvals", MAX_NAMED, |from| from.fixed("approval"))?,
            policy_version: from.u64("policy version")?,
            policy: PolicyId::from_bytes(from.fixed("policy")?),
            revocation_version: from.u64("revocation version")?,
            anchor: from.outpoint("anchor")?,
            replaces: from
                .list("replaces", MAX_NAMED, |from| from.fixed("permit").map(PermitId::from_bytes))?,
            dead: from.list("dead", MAX_NAMED, |from| from.fixed("spend").map(SpendId::from_bytes))?,
            heads: from.list("heads", MAX_NAMED, Head::decode)?,
            issued_mtp: from.u64("issued mtp")?,
            issued: from.u64("issued")?,
            expires: from.u64("expires")?,
        })
    }
}

/// The permits between one that a vault has seen and this one: how their chain leads here. Hashing proves it, so nobody
/// signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Whose chain.
    pub vault: VaultId,
    /// The chain before the first of [`Self::permits`].
    pub start: [u8; 32],
    /// The permits before this one, oldest first, at most [`MAX_TRAIL`].
    pub permits: Vec<PermitId>,
}

impl Trail {
    /// Appends vault, beginning and permits.
    pub fn encode(&self, to: &mut Encoder) {
        to.fixed(self.vault.as_bytes());
        to.fixed(&self.start);
        to.list(&self.permits, |to, permit| to.fixed(permit.as_bytes()));
    }

    /// Reads vault, beginning and permits.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            vault: VaultId::from_bytes(from.fixed("vault")?),
            start: from.fixed("chain")?,
            permits: from
                .list("permits", MAX_TRAIL, |from| from.fixed("permit").map(PermitId::from_bytes))?,
        })
    }
}

/// A statement and the gatekeeper's signature over its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// What is permitted.
    pub statement: PermitStatement,
    /// Namespace `airlock-permit`.
    pub signature: SshSig,
    /// How the chain of each vault leads to this permit; a vault without one is at the permit before.
    pub trails: Vec<Trail>,
}

impl Permit {
    /// Verifies the signature, and only then says which key permits.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn signer(&self) -> Result<PublicKey, IdentityError> {
        self.signature.verify(Namespace::Permit, &self.statement.to_bytes())
    }

    /// The chain of a vault as this permit shows it: after which sequence number it has which hash, this permit's own
    /// included. `None` when the permit is not for that vault or its trail leads elsewhere.
    pub fn links(&self, vault: VaultId) -> Option<Vec<(u64, [u8; 32])>> {
        let place = self.statement.vaults.iter().find(|place| place.vault == vault)?;
        let trail = self.trails.iter().find(|trail| trail.vault == vault);
        let (mut hash, permits) = match trail {
            Some(trail) => (trail.start, trail.permits.as_slice()),
            None => (place.previous, [].as_slice()),
        };
        let before = place.sequence.checked_sub(1)?;
        let mut sequence = before.checked_sub(u64::try_from(permits.len()).ok()?)?;
        let mut links = vec![(sequence, hash)];
        for permit in permits {
            hash = chain_link(&hash, permit);
            sequence = sequence.checked_add(1)?;
            links.push((sequence, hash));
        }
        if hash != place.previous || (links.first()?.0 == 0 && links.first()?.1 != [0; 32]) {
            return None;
        }
        links.push((place.sequence, chain_link(&hash, &self.statement.id())));
        Some(links)
    }
}

impl Canonical for Permit {
    const TAG: &'static str = "airlock/signed-permit/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.statement.to_bytes());
        to.string(self.signature.as_blob());
        to.list(&self.trails, |to, trail| trail.encode(to));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            statement: PermitStatement::from_bytes(from.string("statement", 64 << 10)?)?,
            signature: decode_signature(from)?,
            trails: from.list("trails", MAX_NAMED, Trail::decode)?,
        })
    }
}

/// What a vault signed: its place in the store, and for which spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptStatement {
    /// Network of the wallet.
    pub network: Network,
    /// The wallet that pays.
    pub wallet: WalletId,
    /// The intent's record in the vault's store.
    pub head: Head,
    /// The spend that was signed.
    pub spend: SpendId,
    /// Txid of its unsigned transaction.
    pub unsigned_txid: Txid,
    /// The permit under which it was signed; `None` where the key has no authority.
    pub permit: Option<PermitId>,
}

impl Canonical for ReceiptStatement {
    const TAG: &'static str = "airlock/receipt/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.network(self.network);
        to.fixed(self.wallet.as_bytes());
        self.head.encode(to);
        to.fixed(self.spend.as_bytes());
        to.fixed(self.unsigned_txid.as_byte_array());
        to.option(self.permit.as_ref(), |to, permit| to.fixed(permit.as_bytes()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: from.network("network")?,
            wallet: WalletId::from_bytes(from.fixed("wallet")?),
            head: Head::decode(from)?,
            spend: SpendId::from_bytes(from.fixed("spend")?),
            unsigned_txid: Txid::from_byte_array(from.fixed("txid")?),
            permit: from.option("permit", |from| from.fixed("permit").map(PermitId::from_bytes))?,
        })
    }
}

/// A statement and the signature of the vault's audit key over its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What was signed.
    pub statement: ReceiptStatement,
    /// Namespace `airlock-receipt`.
    pub signature: SshSig,
}

impl Receipt {
    /// Verifies that the named vault signed: its id is the hash of the audit key.
    ///
    /// # Errors
    /// [`IdentityError`] when the signature does not verify, or is by another key than the vault's.
    pub fn audit_key(&self) -> Result<PublicKey, IdentityError> {
        let key = self.signature.verify(Namespace::Receipt, &self.statement.to_bytes())?;
        if vault_id(&key) == self.statement.head.vault { Ok(key) } else { Err(IdentityError::Wrong(key)) }
    }
}

impl Canonical for Receipt {
    const TAG: &'static str = "airlock/signed-receipt/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.statement.to_bytes());
        to.string(self.signature.as_blob());
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            statement: ReceiptStatement::from_bytes(from.string("statement", 4_096)?)?,
            signature: decode_signature(from)?,
        })
    }
}

/// A vault's id: the tagged hash of the 32 bytes of its audit key.
pub fn vault_id(audit_key: &PublicKey) -> VaultId {
    VaultId::of(audit_key.point())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::{public, sign};
    use crate::request::tests::request;
    use crate::spend::tests::{outpoint, parts};

    pub fn statement(spend: &Spend, request: RequestId, vault: VaultId) -> PermitStatement {
        PermitStatement {
            network: spend.network(),
            wallet: spend.wallet(),
            vaults: vec![PermitVault { vault, sequence: 1, previous: [0; 32] }],
            spend: spend.id(),
            unsigned_txid: spend.unsigned_txid(),
            outflow: spend.outflow(),
            fee: spend.fee(),
            request,
            approvals: vec![],
            policy_version: 1,
            policy: PolicyId::from_bytes([5; 32]),
            revocation_version: 0,
            anchor: spend.anchor(),
            replaces: vec![],
            dead: vec![],
            heads: vec![],
            issued_mtp: 0,
            issued: 1_000,
            expires: 2_000,
        }
    }

    pub fn permit(n: u8, statement: PermitStatement) -> Permit {
        let signature = sign(n, Namespace::Permit, &statement.to_bytes());
        Permit { statement, signature, trails: vec![] }
    }

    fn vault() -> VaultId {
        vault_id(&public(8))
    }

    fn differs(change: impl FnOnce(&mut PermitStatement)) -> usize {
        let spend = Spend::new(parts()).unwrap();
        let mut statement = statement(&spend, request().id(), vault());
        change(&mut statement);
        statement.differences(&spend, vault(), 2_000).len()
    }

    #[test]
    fn the_permitted_spend_has_no_differences_and_each_difference_is_found_alone() {
        assert_eq!(differs(|_| ()), 0);
        assert_eq!(differs(|s| s.network = Network::Bitcoin), 1);
        assert_eq!(differs(|s| s.wallet = WalletId::of(b"x")), 1);
        assert_eq!(differs(|s| s.vaults[0].vault = vault_id(&public(7))), 1);
        assert_eq!(differs(|s| s.vaults.clear()), 1);
        assert_eq!(differs(|s| s.spend = SpendId::of(b"x")), 1);
        assert_eq!(differs(|s| s.outflow += Amount::from_sat(1)), 1);
        assert_eq!(differs(|s| s.fee += Amount::from_sat(1)), 1);
        assert_eq!(differs(|s| s.anchor = outpoint(3)), 1);
        assert_eq!(differs(|s| s.expires = 1_999), 1);
    }

    #[test]
    fn permit_and_receipt_survive_their_bytes_and_name_their_signers() {
        let spend = Spend::new(parts()).unwrap();
        let permit = permit(5, statement(&spend, request().id(), vault()));
        assert_eq!(Permit::from_bytes(&permit.to_bytes()).unwrap().signer(), Ok(public(5)));
        assert_eq!(
            permit.statement.id().to_string(),
            "ffda790331902a8665c7ff46ec5fffeaa408e391f3d8543f9f73fa72e4f37bf2"
        );

        let statement = ReceiptStatement {
            network: spend.network(),
            wallet: spend.wallet(),
            head: Head { vault: vault(), sequence: 7, hash: [9; 32] },
            spend: spend.id(),
            unsigned_txid: spend.unsigned_txid(),
            permit: Some(permit.statement.id()),
        };
        let bytes = statement.to_bytes();
        let receipt =
            |n| Receipt { statement: statement.clone(), signature: sign(n, Namespace::Receipt, &bytes) };
        assert_eq!(Receipt::from_bytes(&receipt(8).to_bytes()).unwrap().audit_key(), Ok(public(8)));
        assert!(receipt(7).audit_key().is_err(), "another key than the named vault's");
    }

    #[test]
    fn the_chain_depends_on_every_permit_before() {
        let spend = Spend::new(parts()).unwrap();
        let first = statement(&spend, request().id(), vault());
        let mut second = first.clone();
        second.vaults[0].sequence = 2;
        second.vaults[0].previous = first.chain_after(vault()).unwrap();
        assert_ne!(second.chain_after(vault()), first.chain_after(vault()));
        assert_eq!(first.chain_after(vault_id(&public(1))), None);
    }

    /// The statement of permit `sequence`, whose chain stands at `previous`.
    fn nth(sequence: u64, previous: [u8; 32]) -> PermitStatement {
        let spend = Spend::new(parts()).unwrap();
        let mut statement = statement(&spend, request().id(), vault());
        statement.issued = sequence;
        statement.vaults[0].sequence = sequence;
        statement.vaults[0].previous = previous;
        statement
    }

    #[test]
    fn a_trail_shows_the_chain_or_nothing() {
        let first = nth(1, [0; 32]);
        let second = nth(2, first.chain_after(vault()).unwrap());
        let third = nth(3, second.chain_after(vault()).unwrap());
        let link = |s: &PermitStatement| (s.vaults[0].sequence, s.chain_after(vault()).unwrap());
        let bare = permit(5, third.clone());
        assert_eq!(bare.links(vault()), Some(vec![link(&second), link(&third)]));
        let trailed = |start, permits: &[&PermitStatement]| {
            let permits = permits.iter().map(|permit| permit.id()).collect();
            Permit { trails: vec![Trail { vault: vault(), start, permits }], ..bare.clone() }
        };
        let whole = trailed([0; 32], &[&first, &second]);
        assert_eq!(whole.links(vault()), Some(vec![(0, [0; 32]), link(&first), link(&second), link(&third)]));
        assert_eq!(Permit::from_bytes(&whole.to_bytes()).unwrap(), whole);
        assert_eq!(trailed([0; 32], &[&second, &first]).links(vault()), None, "another order");
        assert_eq!(trailed([1; 32], &[&first, &second]).links(vault()), None, "another beginning");
        assert_eq!(
            trailed([0; 32], &[&first, &first, &second]).links(vault()),
            None,
            "longer than its place"
        );
        assert_eq!(permit(5, nth(0, [0; 32])).links(vault()), None, "sequences begin at 1");
        assert_eq!(permit(5, nth(1, [9; 32])).links(vault()), None, "the first permit follows nothing");
        assert_eq!(bare.links(vault_id(&public(1))), None);
    }
}
