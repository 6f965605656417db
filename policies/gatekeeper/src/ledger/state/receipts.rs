//! What a vault's receipts tell a ledger that it did not know.

use super::State;
use super::seen::receipt_hash;
use policies::id::VaultId;
use policies::permit::{Receipt, ReceiptStatement, vault_id};
use std::collections::BTreeSet;

impl State {
    /// Whether a vault was added to any wallet.
    pub fn knows_vault(&self, vault: VaultId) -> bool {
        self.wallets.values().any(|bound| bound.vaults.iter().any(|key| vault_id(key) == vault))
    }

    /// Receipts of bound wallets that the ledger lacks, each once. Those of other wallets say nothing about these.
    pub fn new_receipts<'a>(&self, receipts: &'a [Receipt]) -> Vec<&'a Receipt> {
        let mut met = BTreeSet::new();
        let is_new = |receipt: &&Receipt| {
            let hash = receipt_hash(&receipt.statement);
            self.wallets.contains_key(&receipt.statement.wallet)
                && self.seen.receipt(&hash).is_none()
                && met.insert(hash)
        };
        receipts.iter().filter(is_new).collect()
    }

    pub(super) fn take_receipt(&mut self, receipt: Receipt) -> Result<(), String> {
        let key = receipt.audit_key().map_err(|error| format!("a receipt: {error}"))?;
        if !self.knows_vault(vault_id(&key)) || !self.wallets.contains_key(&receipt.statement.wallet) {
            return Err("a receipt of a vault or a wallet that is not known here".to_owned());
        }
        if self.seen.receipt(&receipt_hash(&receipt.statement)).is_some() {
            return Err("a receipt is recorded twice".to_owned());
        }
        let is_permitted = self.is_permitted(&receipt.statement);
        let vault = receipt.statement.head.vault;
        let used = self.reservations.get(&receipt.statement.spend).filter(|_| is_permitted);
        let places = used.into_iter().flat_map(|held| &held.reserved.statement.vaults);
        let place = places.filter(|place| place.vault == vault).map(|place| place.sequence).next();
        if let Some(sequence) = place {
            self.used(vault, sequence);
        }
        self.seen.add_receipt(receipt.statement, is_permitted);
        Ok(())
    }

    /// Whether the permit that a vault says it signed under is the one of this ledger, for that vault.
    fn is_permitted(&self, receipt: &ReceiptStatement) -> bool {
        let reservation = self.reservations.get(&receipt.spend).filter(|held| held.signature.is_some());
        let Some(statement) = reservation.map(|held| &held.reserved.statement) else { return false };
        receipt.permit == Some(statement.id())
            && receipt.network == statement.network
            && receipt.wallet == statement.wallet
            && receipt.unsigned_txid == statement.unsigned_txid
            && statement.vaults.iter().any(|place| place.vault == receipt.head.vault)
    }
}
