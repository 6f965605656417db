//! Reservations and their permits: each vault's permits are one chain.

use super::{BoundWallet, Reservation, State};
use crate::ledger::event::{Permitted, Reserved};
use policies::codec::Canonical;
use policies::id::{PermitId, VaultId};
use policies::identity::Namespace;
use policies::permit::{MAX_TRAIL, PermitVault, Trail, vault_id};
use policies::request::Head;

/// The permits of one vault.
#[derive(Debug, Clone, Default)]
pub(super) struct PermitChain {
    /// Each permit, and the chain after it.
    links: Vec<(PermitId, [u8; 32])>,
    /// How many of them come up to the latest that the vault's receipts showed.
    pub(super) used: usize,
}

impl PermitChain {
    fn hash_after(&self, count: usize) -> [u8; 32] {
        let last = count.checked_sub(1).and_then(|last| self.links.get(last));
        last.map_or([0; 32], |(_, hash)| *hash)
    }
}

/// A vault has not shown for too long which permits it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrailTooLong {
    /// Which vault.
    pub vault: VaultId,
    /// Permits since the last one that its receipts showed.
    pub permits: usize,
}

impl State {
    /// The places of the next permit in the chains of a wallet's vaults.
    pub fn next_places(&self, bound: &BoundWallet) -> Vec<PermitVault> {
        let place = |vault: VaultId| {
            let chain = self.chains.get(&vault);
            let count = chain.map_or(0, |chain| chain.links.len());
            let previous = chain.map_or([0; 32], |chain| chain.hash_after(count));
            let sequence = u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1);
            PermitVault { vault, sequence, previous }
        };
        bound.vaults.iter().map(vault_id).map(place).collect()
    }

    /// How the chain of each vault of a wallet leads from the latest permit that it surely has seen to the next one.
    ///
    /// # Errors
    /// [`TrailTooLong`].
    pub fn trails(&self, bound: &BoundWallet) -> Result<Vec<Trail>, TrailTooLong> {
        let mut trails = Vec::new();
        for vault in bound.vaults.iter().map(vault_id) {
            let Some(chain) = self.chains.get(&vault) else { continue };
            let since = chain.links.get(chain.used..).unwrap_or_default();
            if since.len() > MAX_TRAIL {
                return Err(TrailTooLong { vault, permits: since.len() });
            }
            // A vault without a trail is at the permit before.
            if !since.is_empty() {
                let permits = since.iter().map(|(permit, _)| *permit).collect();
                trails.push(Trail { vault, start: chain.hash_after(chain.used), permits });
            }
        }
        Ok(trails)
    }

    /// The latest record of each of a wallet's vaults that receipts showed.
    pub fn heads(&self, bound: &BoundWallet) -> Vec<Head> {
        let vaults: Vec<VaultId> = bound.vaults.iter().map(vault_id).collect();
        self.seen.heads().filter(|head| vaults.contains(&head.vault)).collect()
    }

    pub(super) fn reserve(&mut self, reserved: Reserved) -> Result<(), String> {
        if self.seen.is_frozen() {
            return Err("a reservation while the gatekeeper is frozen".to_owned());
        }
        let spend = reserved.spend.id();
        let bound = self.wallets.get(&reserved.spend.wallet()).ok_or("a reservation of an unknown wallet")?;
        let statement = &reserved.statement;
        let agrees = reserved.charge.spend == spend
            && reserved.charge.wallet == bound.name
            && reserved.charge.anchor == statement.anchor
            && statement.spend == spend
            && statement.request == reserved.request.request.id()
            && statement.vaults == self.next_places(bound)
            && statement.unsigned_txid == reserved.spend.unsigned_txid()
            && reserved.charge.outflow == reserved.spend.outflow();
        if !agrees || self.reservations.contains_key(&spend) {
            return Err(format!(
                "the reservation of spend {spend} contradicts itself or the permits before it"
            ));
        }
        if self.reserved_elsewhere(&reserved.spend, &reserved.charge).next().is_some() {
            return Err(format!("spend {spend} reserves a coin that another spend reserves"));
        }
        for place in &statement.vaults {
            let after = statement.chain_after(place.vault).ok_or("a vault without a place")?;
            self.chains.entry(place.vault).or_default().links.push((statement.id(), after));
        }
        if let Some(bound) = self.wallets.get_mut(&reserved.spend.wallet()) {
            bound.marks = bound.marks.after(&reserved.spend);
        }
        for input in reserved.spend.inputs() {
            self.coins.entry(input.outpoint).or_default().push(spend);
        }
        self.permits.insert(statement.id(), spend);
        self.is_unsettled = true;
        self.txids.insert(statement.unsigned_txid, spend);
        self.history.push(reserved.charge.clone());
        self.reservations.insert(spend, Reservation { reserved, signature: None });
        Ok(())
    }

    pub(super) fn permit(&mut self, permitted: Permitted) -> Result<(), String> {
        if self.seen.is_frozen() {
            return Err(format!("permit {} was signed while the gatekeeper was frozen", permitted.permit));
        }
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

    /// A vault used a permit: it knows the chain up to there.
    pub(super) fn used(&mut self, vault: VaultId, sequence: u64) {
        let chain = self.chains.entry(vault).or_default();
        let up_to = usize::try_from(sequence).unwrap_or(usize::MAX).min(chain.links.len());
        chain.used = chain.used.max(up_to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{founding, vault};

    #[test]
    fn a_trail_is_never_longer_than_a_vault_reads() {
        let mut state = State::founded(founding(5)).unwrap();
        state.apply(vault(1)).unwrap();
        let bound = state.wallets().next().unwrap().clone();
        let id = vault_id(&bound.vaults[0]);
        let links = vec![(PermitId::of(b"x"), [7; 32]); MAX_TRAIL + 1];
        state.chains.insert(id, PermitChain { links, used: 0 });
        assert_eq!(state.trails(&bound), Err(TrailTooLong { vault: id, permits: MAX_TRAIL + 1 }));
        state.used(id, 1);
        let trails = state.trails(&bound).unwrap();
        assert_eq!((trails[0].permits.len(), trails[0].start), (MAX_TRAIL, [7; 32]));
        state.used(id, u64::MAX);
        assert_eq!(state.trails(&bound), Ok(vec![]), "the permit before is known");
    }
}
