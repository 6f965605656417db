//! What the events come to. A state is only ever made by folding a ledger from its beginning.

mod coins;
mod facts;
mod receipts;
mod reserve;
pub mod seen;
mod waiting;

pub use coins::Spent;
pub use facts::FactsError;

pub use reserve::TrailTooLong;
pub use waiting::Waiting;

use super::alarm::Frozen;
use super::event::{Event, EventKind, Founded, Reserved, VaultAdded};
use crate::chain::Confirmed;
use bitcoin::{Network, OutPoint, Txid};
use policies::examine::Marks;
use policies::history::History;
use policies::id::{PermitId, RequestId, SpendId, VaultId, WalletId};
use policies::identity::{PublicKey, SshSig};
use policies::permit::Permit;
use policies::policy::Policy;
use policies::wallet::Wallet;
use reserve::PermitChain;
use seen::Seen;
use std::collections::{BTreeMap, BTreeSet};

/// Confirmations from which a payment is settled: no reorganisation that deep is expected.
pub const SETTLED_DEPTH: u32 = 6;

/// A wallet that pays: its name in the policy, its descriptors, its vaults.
#[derive(Debug, Clone)]
pub struct BoundWallet {
    /// Name in the policy.
    pub name: String,
    /// Descriptors.
    pub wallet: Wallet,
    /// Audit keys of its vaults, in the order in which they were added.
    pub vaults: Vec<PublicKey>,
    /// High-water marks over all reserved spends.
    pub marks: Marks,
}

/// A reservation and, once it was signed, its signature.
#[derive(Debug, Clone)]
pub struct Reservation {
    /// What was reserved.
    pub reserved: Reserved,
    /// The permit's signature.
    pub signature: Option<SshSig>,
}

impl Reservation {
    /// The permit, once it was signed.
    pub fn permit(&self) -> Option<Permit> {
        let signature = self.signature.clone()?;
        let Reserved { statement, trails, .. } = self.reserved.clone();
        Some(Permit { statement, signature, trails })
    }
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Budget is reserved; the permit was not signed yet.
    Reserved,
    /// The permit was signed.
    Permitted,
    /// A vault said that it signed.
    Signed,
    /// Another transaction that is settled spends one of its coins: it can never be mined.
    Replaced,
    /// A block of the best chain holds the transaction, fewer than [`SETTLED_DEPTH`] deep.
    Confirmed(Confirmed),
    /// At least that deep.
    Settled(Confirmed),
}

impl Progress {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Progress::Reserved => "reserved",
            Progress::Permitted => "permitted",
            Progress::Signed => "signed",
            Progress::Replaced => "replaced",
            Progress::Confirmed(_) => "confirmed",
            Progress::Settled(_) => "settled",
        }
    }

    /// How many blocks confirm it.
    pub const fn confirmations(self) -> u32 {
        match self {
            Progress::Reserved | Progress::Permitted | Progress::Signed | Progress::Replaced => 0,
            Progress::Confirmed(confirmed) | Progress::Settled(confirmed) => confirmed.depth,
        }
    }
}

/// Everything that the ledger says.
#[derive(Debug, Clone)]
pub struct State {
    network: Network,
    policy: Policy,
    permit_key: PublicKey,
    wallets: BTreeMap<WalletId, BoundWallet>,
    chains: BTreeMap<VaultId, PermitChain>,
    history: History,
    reservations: BTreeMap<SpendId, Reservation>,
    coins: BTreeMap<OutPoint, Vec<SpendId>>,
    dead: BTreeSet<SpendId>,
    /// Whether `dead` and what the history knows as settled lag behind the events.
    is_unsettled: bool,
    waiting: BTreeMap<RequestId, Waiting>,
    permits: BTreeMap<PermitId, SpendId>,
    /// Permitted spends by the txids of their unsigned transactions.
    txids: BTreeMap<Txid, SpendId>,
    seen: Seen,
    latest: u64,
}

impl State {
    /// The state after the first event.
    ///
    /// # Errors
    /// A sentence when the event is not that of a beginning.
    pub fn founded(event: Event) -> Result<Self, String> {
        let EventKind::Founded(founded) = event.kind else {
            return Err("the first event does not found a ledger".to_owned());
        };
        let Founded { network, policy, permit_key, checkpoint } = *founded;
        Ok(Self {
            network,
            policy,
            permit_key,
            wallets: BTreeMap::new(),
            chains: BTreeMap::new(),
            history: History::of_ledger(vec![], BTreeMap::new()),
            reservations: BTreeMap::new(),
            coins: BTreeMap::new(),
            dead: BTreeSet::new(),
            is_unsettled: false,
            waiting: BTreeMap::new(),
            permits: BTreeMap::new(),
            txids: BTreeMap::new(),
            seen: Seen::new(network, checkpoint),
            latest: event.at,
        })
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// A sentence when it cannot follow from this state: the ledger was written by something else.
    pub fn apply(&mut self, event: Event) -> Result<(), String> {
        self.fold(event)?;
        self.settle();
        Ok(())
    }

    /// Applies the next of many events. The state is whole again after [`Self::settle`].
    pub(super) fn fold(&mut self, event: Event) -> Result<(), String> {
        self.latest = self.latest.max(event.at);
        match event.kind {
            EventKind::Founded(_) => Err("the ledger is founded twice".to_owned()),
            EventKind::VaultAdded(added) => self.add_vault(added),
            EventKind::Reserved(reserved) => self.reserve(*reserved),
            EventKind::Permitted(permitted) => self.permit(permitted),
            EventKind::Facts(facts) => self.take_facts(&facts, event.at).map_err(|error| error.to_string()),
            EventKind::Receipted(receipt) => self.take_receipt(*receipt),
            EventKind::Frozen(frozen) => self.seen.freeze(frozen, event.at),
            EventKind::Unfrozen(unfrozen) => self.seen.unfreeze(unfrozen),
            EventKind::Waiting(waiting) => self.wait(*waiting, event.at),
            EventKind::Approved(approvals) => self.agree(approvals),
        }
    }

    /// Network of the wallets.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The key that signs permits.
    pub fn permit_key(&self) -> &PublicKey {
        &self.permit_key
    }

    /// Wallets that have a vault.
    pub fn wallets(&self) -> impl Iterator<Item = &BoundWallet> {
        self.wallets.values()
    }

    /// The wallet of this identity.
    pub fn wallet(&self, id: &WalletId) -> Option<&BoundWallet> {
        self.wallets.get(id)
    }

    /// The wallet of this name.
    pub fn wallet_named(&self, name: &str) -> Option<&BoundWallet> {
        self.wallets.values().find(|bound| bound.name == name)
    }

    /// What was charged.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Permitted spends that can never be mined: a settled transaction took a coin of theirs.
    pub fn dead(&self) -> &BTreeSet<SpendId> {
        &self.dead
    }

    /// The reservation of a spend.
    pub fn reservation(&self, spend: &SpendId) -> Option<&Reservation> {
        self.reservations.get(spend)
    }

    /// All reservations, in the order of their charges.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.history.charges().iter().filter_map(|charge| self.reservations.get(&charge.spend))
    }

    /// What blocks and vaults showed.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How far a reservation has come.
    pub fn progress(&self, reservation: &Reservation) -> Progress {
        let spend = &reservation.reserved.charge.spend;
        match self.seen.confirmed_as(&reservation.reserved.statement.unsigned_txid) {
            Some((_, confirmed)) if confirmed.depth >= SETTLED_DEPTH => Progress::Settled(confirmed),
            Some((_, confirmed)) => Progress::Confirmed(confirmed),
            None if self.dead.contains(spend) => Progress::Replaced,
            None if self.seen.is_signed(spend) => Progress::Signed,
            None if reservation.signature.is_some() => Progress::Permitted,
            None => Progress::Reserved,
        }
    }

    /// These events at this wall clock, and the freezing that follows from them.
    ///
    /// # Errors
    /// A sentence when one cannot follow.
    pub fn with_consequences(&self, kinds: Vec<EventKind>, now: u64) -> Result<Vec<Event>, String> {
        let mut after = self.clone();
        let mut events: Vec<Event> = kinds.into_iter().map(|kind| Event { at: now, kind }).collect();
        for event in &events {
            after.apply(event.clone())?;
        }
        if !after.seen.pending().is_empty() {
            let frozen = Frozen { alarms: after.seen.pending().to_vec() };
            events.push(Event { at: now, kind: EventKind::Frozen(frozen) });
        }
        Ok(events)
    }

    /// The latest wall clock in the ledger, unix seconds.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    fn add_vault(&mut self, added: VaultAdded) -> Result<(), String> {
        let wallet = Wallet::new(self.network, &[&added.external, &added.internal])
            .map_err(|error| format!("the wallet of a vault: {error}"))?;
        if self.wallets.values().any(|bound| bound.name == added.wallet && bound.wallet.id() != wallet.id()) {
            return Err(format!("two descriptors are bound to wallet `{}`", added.wallet));
        }
        let bound = self.wallets.entry(wallet.id()).or_insert_with(|| BoundWallet {
            name: added.wallet.clone(),
            wallet,
            vaults: Vec::new(),
            marks: Marks::default(),
        });
        if bound.name != added.wallet || bound.vaults.contains(&added.audit_key) {
            return Err(format!("a vault of `{}` is added twice or under two names", added.wallet));
        }
        bound.vaults.push(added.audit_key);
        Ok(())
    }
}
