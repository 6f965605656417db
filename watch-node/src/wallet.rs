//! A watched wallet as the rules know it: a [`policies::wallet::Wallet`] beside its row in the store.

use bitcoin::Network;
use policies::examine::Marks;
use policies::id::AuthorityId;
use policies::identity::PublicKey;
use policies::wallet::{Branch as RuleBranch, Keypath, Wallet};

use crate::error::{Error, Result};
use crate::store::{Branch, Payment, Place, Store, WatchedVault, WatchedWallet};

/// A row and what it derives.
#[derive(Clone, Debug)]
pub struct OpenWallet {
    /// What the store knows.
    pub row: WatchedWallet,
    /// What derives scripts and identifies the wallet in spends, permits and receipts.
    pub rules: Wallet,
}

impl OpenWallet {
    /// Opens a row. Errors: [`Error::CorruptStore`] when its descriptors are not those that were imported.
    pub fn new(network: Network, row: WatchedWallet) -> Result<Self> {
        let rules = Wallet::new(network, &[&row.imported.external, &row.imported.internal])?;
        if *rules.id().as_bytes() != row.imported.wallet_id {
            return Err(Error::CorruptStore("wallet"));
        }
        Ok(Self { row, rules })
    }

    /// All wallets of a store.
    pub fn all(store: &Store) -> Result<Vec<Self>> {
        let network = store.network()?;
        store.wallets()?.into_iter().map(|row| Self::new(network, row)).collect()
    }

    /// The wallet of a payment. Errors: [`Error::CorruptStore`] when it is not there.
    pub fn of(store: &Store, payment: &Payment) -> Result<Self> {
        let row = store.wallets()?.into_iter().find(|wallet| wallet.id == payment.wallet);
        Self::new(store.network()?, row.ok_or(Error::CorruptStore("payment's wallet"))?)
    }

    /// The wallet's name.
    pub fn name(&self) -> &str {
        &self.row.imported.name
    }

    /// Whom the keys of its vaults obey: then, and only then, the wallet is governed and each of its spends needs a permit.
    pub fn authority(&self) -> Option<AuthorityId> {
        self.row.imported.authority()
    }

    /// High-water marks for check C08: what was handed out, and what the chain has paid.
    pub fn marks(&self, store: &Store) -> Result<Marks> {
        let mark = |branch| -> Result<u32> {
            let used = store.last_used(self.row.id, branch)?.unwrap_or_default();
            Ok(self.row.issued(branch).max(used))
        };
        Ok(Marks { external: mark(Branch::External)?, internal: mark(Branch::Internal)?, ..Marks::default() })
    }
}

/// The audit key of a vault. Errors: [`Error::CorruptStore`].
pub fn audit_key(vault: &WatchedVault) -> Result<PublicKey> {
    PublicKey::from_blob(&vault.audit_key).map_err(|_| Error::CorruptStore("audit key"))
}

impl From<Branch> for RuleBranch {
    fn from(branch: Branch) -> Self {
        match branch {
            Branch::External => RuleBranch::External,
            Branch::Internal => RuleBranch::Internal,
        }
    }
}

impl From<Place> for Keypath {
    fn from(place: Place) -> Self {
        Keypath { branch: place.branch.into(), index: place.index }
    }
}
