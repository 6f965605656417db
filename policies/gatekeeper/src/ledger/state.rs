//! What the events come to. A state is only ever made by folding a ledger from its beginning.

use super::event::{Event, EventKind, Founded, Permitted, Reserved, VaultAdded};
use bitcoin::{Network, OutPoint};
use policies::codec::Canonical;
use policies::examine::Marks;
use policies::history::History;
use policies::id::{PermitId, SpendId, VaultId, WalletId};
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Permit, PermitVault, vault_id};
use policies::policy::Policy;
use policies::wallet::Wallet;
use std::collections::BTreeMap;

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
        Some(Permit { statement: self.reserved.statement.clone(), signature })
    }
}

/// Everything that the ledger says.
#[derive(Debug, Clone)]
pub struct State {
    network: Network,
    policy: Policy,
    permit_key: PublicKey,
    wallets: BTreeMap<WalletId, BoundWallet>,
    chains: BTreeMap<VaultId, (u64, [u8; 32])>,
    history: History,
    reservations: BTreeMap<SpendId, Reservation>,
    coins: BTreeMap<OutPoint, SpendId>,
    permits: BTreeMap<PermitId, SpendId>,
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
        let Founded { network, policy, permit_key } = *founded;
        Ok(Self {
            network,
            policy,
            permit_key,
            wallets: BTreeMap::new(),
            chains: BTreeMap::new(),
            history: History::default(),
            reservations: BTreeMap::new(),
            coins: BTreeMap::new(),
            permits: BTreeMap::new(),
            latest: event.at,
        })
    }

    /// Applies the next event.
    ///
    /// # Errors
    /// A sentence when it cannot follow from this state: the ledger was written by something else.
    pub fn apply(&mut self, event: Event) -> Result<(), String> {
        self.latest = self.latest.max(event.at);
        match event.kind {
            EventKind::Founded(_) => Err("the ledger is founded twice".to_owned()),
            EventKind::VaultAdded(added) => self.add_vault(added),
            EventKind::Reserved(reserved) => self.reserve(*reserved),
            EventKind::Permitted(permitted) => self.permit(permitted),
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

    /// The reservation of a spend.
    pub fn reservation(&self, spend: &SpendId) -> Option<&Reservation> {
        self.reservations.get(spend)
    }

    /// All reservations, in the order of their charges.
    pub fn reservations(&self) -> impl Iterator<Item = &Reservation> {
        self.history.charges().iter().filter_map(|charge| self.reservations.get(&charge.spend))
    }

    /// The permitted spend that reserves a coin.
    pub fn reserved_by(&self, coin: &OutPoint) -> Option<SpendId> {
        self.coins.get(coin).copied()
    }

    /// The latest wall clock in the ledger, unix seconds.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// The places of the next permit in the chains of a wallet's vaults.
    pub fn next_places(&self, bound: &BoundWallet) -> Vec<PermitVault> {
        bound
            .vaults
            .iter()
            .map(|key| {
                let vault = vault_id(key);
                let (last, previous) = self.chains.get(&vault).copied().unwrap_or((0, [0; 32]));
                PermitVault { vault, sequence: last.saturating_add(1), previous }
            })
            .collect()
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

    fn reserve(&mut self, reserved: Reserved) -> Result<(), String> {
        let spend = reserved.spend.id();
        let bound = self.wallets.get(&reserved.spend.wallet()).ok_or("a reservation of an unknown wallet")?;
        let statement = &reserved.statement;
        let agrees = reserved.charge.spend == spend
            && statement.spend == spend
            && statement.request == reserved.request.request.id()
            && statement.vaults == self.next_places(bound)
            && reserved.charge.outflow == reserved.spend.outflow();
        if !agrees {
            return Err(format!(
                "the reservation of spend {spend} contradicts itself or the permits before it"
            ));
        }
        let coins: Vec<_> = reserved.spend.inputs().iter().map(|input| input.outpoint).collect();
        if coins.iter().any(|coin| self.coins.contains_key(coin)) {
            return Err(format!("spend {spend} reserves a coin that another spend reserves"));
        }
        for place in &statement.vaults {
            let after = statement.chain_after(place.vault).ok_or("a vault without a place")?;
            self.chains.insert(place.vault, (place.sequence, after));
        }
        if let Some(bound) = self.wallets.get_mut(&reserved.spend.wallet()) {
            bound.marks = bound.marks.after(&reserved.spend);
        }
        self.coins.extend(coins.into_iter().map(|coin| (coin, spend)));
        self.permits.insert(statement.id(), spend);
        self.history.push(reserved.charge.clone());
        self.reservations.insert(spend, Reservation { reserved, signature: None });
        Ok(())
    }

    fn permit(&mut self, permitted: Permitted) -> Result<(), String> {
        let reservation = self
            .permits
            .get(&permitted.permit)
            .and_then(|spend| self.reservations.get_mut(spend))
            .ok_or_else(|| format!("permit {} was signed without a reservation", permitted.permit))?;
        if reservation.signature.is_some() {
            return Err(format!("permit {} was signed twice", permitted.permit));
        }
        let signer =
            permitted.signature.verify(Namespace::Permit, &reservation.reserved.statement.to_bytes());
        if signer.as_ref() != Ok(&self.permit_key) {
            return Err(format!("permit {} is not signed by the permit key", permitted.permit));
        }
        reservation.signature = Some(permitted.signature);
        Ok(())
    }
}
