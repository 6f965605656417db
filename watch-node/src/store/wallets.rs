//! The watched wallets and how far their addresses are handed out.

use policies::id::AuthorityId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Store;
use crate::error::{Error, Result};

/// Which descriptor of a wallet's pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Branch {
    /// Addresses handed out to others.
    External,
    /// Change.
    Internal,
}

impl Branch {
    /// Both, external first.
    pub const BOTH: [Branch; 2] = [Branch::External, Branch::Internal];

    /// `external` or `internal`.
    pub fn name(self) -> &'static str {
        match self {
            Branch::External => "external",
            Branch::Internal => "internal",
        }
    }

    pub(super) fn number(self) -> i64 {
        match self {
            Branch::External => 0,
            Branch::Internal => 1,
        }
    }

    pub(super) fn from_number(number: i64) -> Result<Self> {
        match number {
            0 => Ok(Branch::External),
            1 => Ok(Branch::Internal),
            _ => Err(Error::CorruptStore("branch")),
        }
    }
}

/// Where a script of ours comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// [`WatchedWallet::id`].
    pub wallet: i64,
    /// Which descriptor.
    pub branch: Branch,
    /// Child number.
    pub index: u32,
}

/// What an import brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWallet {
    /// Chosen by the person.
    pub name: String,
    /// `WalletId`: identifies the descriptor pair.
    pub wallet_id: [u8; 32],
    /// Descriptor with checksum.
    pub external: String,
    /// Descriptor with checksum.
    pub internal: String,
    /// Height from which it may have been paid.
    pub birthday: u32,
    /// The vaults that exported it: several where several of its keys are ours.
    pub vaults: Vec<WatchedVault>,
}

impl NewWallet {
    /// Whom its vaults obey: all that obey somebody obey the same.
    pub fn authority(&self) -> Option<AuthorityId> {
        self.vaults.iter().find_map(|vault| vault.authority).map(AuthorityId::from_bytes)
    }
}

/// A vault that has a key of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedVault {
    /// `VaultId`.
    pub id: [u8; 32],
    /// Its audit key, as OpenSSH writes it.
    pub audit_key: Vec<u8>,
    /// `AuthorityId`: whom its key obeys, as the vault says; without one it asks for no permit.
    pub authority: Option<[u8; 32]>,
}

/// A wallet in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedWallet {
    /// Row number.
    pub id: i64,
    /// What was imported.
    pub imported: NewWallet,
    /// External addresses handed out so far: 0 up to this, exclusive.
    pub external_issued: u32,
    /// Change addresses used in payments so far.
    pub internal_issued: u32,
}

impl WatchedWallet {
    /// The descriptor of a branch.
    pub fn descriptor(&self, branch: Branch) -> &str {
        match branch {
            Branch::External => &self.imported.external,
            Branch::Internal => &self.imported.internal,
        }
    }

    /// How many addresses of a branch are handed out.
    pub fn issued(&self, branch: Branch) -> u32 {
        match branch {
            Branch::External => self.external_issued,
            Branch::Internal => self.internal_issued,
        }
    }
}

const COLUMNS: &str = "id, name, wallet_id, external, internal, birthday, external_issued, internal_issued";

impl Store {
    /// All wallets, in the order of import.
    pub fn wallets(&self) -> Result<Vec<WatchedWallet>> {
        let mut statement = self.db.prepare(&format!("SELECT {COLUMNS} FROM wallets ORDER BY id"))?;
        let mut wallets = statement.query_map([], wallet)?.collect::<Result<Vec<_>, _>>()?;
        for wallet in &mut wallets {
            wallet.imported.vaults = self.vaults(wallet.id)?;
        }
        Ok(wallets)
    }

    /// The wallet of that name. Errors: [`Error::UnknownWallet`].
    pub fn wallet(&self, name: &str) -> Result<WatchedWallet> {
        let mut found = self
            .db
            .query_row(&format!("SELECT {COLUMNS} FROM wallets WHERE name = ?1"), [name], wallet)
            .optional()?
            .ok_or_else(|| Error::UnknownWallet(name.to_owned()))?;
        found.imported.vaults = self.vaults(found.id)?;
        Ok(found)
    }

    /// Adds a wallet and rewinds the scan to its birthday, in one change: the next pass completes it.
    ///
    /// Errors: [`Error::WalletExists`] when the name or the descriptor pair is already there.
    pub fn add_wallet(&mut self, new: &NewWallet) -> Result<WatchedWallet> {
        let known = self.wallets()?.into_iter().map(|wallet| wallet.imported);
        if let Some(twin) = known.into_iter().find(|w| w.name == new.name || w.wallet_id == new.wallet_id) {
            return Err(Error::WalletExists(twin.name));
        }
        let change = self.db.transaction()?;
        change.execute(
            "INSERT INTO wallets (name, wallet_id, external, internal, birthday) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![new.name, new.wallet_id, new.external, new.internal, new.birthday],
        )?;
        let row = change.last_insert_rowid();
        new.vaults.iter().try_for_each(|vault| add_vault(&change, row, vault))?;
        change.execute(
            "UPDATE transactions SET height = NULL, block_hash = NULL, position = NULL, merkle_proof = NULL
             WHERE height >= ?1",
            [new.birthday],
        )?;
        change.execute("DELETE FROM blocks WHERE height >= ?1", [new.birthday])?;
        change.commit()?;
        self.wallet(&new.name)
    }

    /// Adds another vault of a wallet; one that is there stays as it is.
    pub fn add_vault(&mut self, wallet: &WatchedWallet, vault: &WatchedVault) -> Result<()> {
        add_vault(&self.db, wallet.id, vault)
    }

    /// The vaults of a wallet, in the order of their ids.
    fn vaults(&self, wallet: i64) -> Result<Vec<WatchedVault>> {
        let query = "SELECT vault_id, audit_key, authority FROM vaults WHERE wallet = ?1 ORDER BY vault_id";
        let mut statement = self.db.prepare_cached(query)?;
        let vault = |row: &Row<'_>| {
            Ok(WatchedVault { id: row.get(0)?, audit_key: row.get(1)?, authority: row.get(2)? })
        };
        let vaults = statement.query_map([wallet], vault)?.collect::<Result<_, _>>()?;
        Ok(vaults)
    }

    /// Hands out the next unused address of a branch: its index, never given before.
    pub fn issue(&mut self, wallet: &WatchedWallet, branch: Branch) -> Result<u32> {
        let change = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let index = next_index(&change, wallet.id, branch)?;
        mark_issued(&change, wallet, branch, index)?;
        change.commit()?;
        Ok(index)
    }

    /// The highest index of a branch that a confirmed transaction has paid.
    pub fn last_used(&self, wallet: i64, branch: Branch) -> Result<Option<u32>> {
        Ok(self.db.query_row(
            "SELECT max(idx) FROM coins JOIN transactions USING (txid)
             WHERE wallet = ?1 AND branch = ?2 AND height IS NOT NULL",
            params![wallet, branch.number()],
            |row| row.get(0),
        )?)
    }
}

fn add_vault(db: &Connection, wallet: i64, vault: &WatchedVault) -> Result<()> {
    db.execute(
        "INSERT INTO vaults (wallet, vault_id, audit_key, authority) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![wallet, vault.id, vault.audit_key, vault.authority],
    )?;
    Ok(())
}

/// The first index of a branch that was neither handed out nor paid.
pub(super) fn next_index(db: &Connection, wallet: i64, branch: Branch) -> Result<u32> {
    Ok(db.query_row(
        &format!(
            "SELECT max({}, coalesce((SELECT max(idx) + 1 FROM coins WHERE wallet = ?1 AND branch = ?2), 0))
             FROM wallets WHERE id = ?1",
            column(branch)
        ),
        params![wallet, branch.number()],
        |row| row.get(0),
    )?)
}

/// Everything up to `index` counts as handed out.
pub(super) fn mark_issued(db: &Connection, wallet: &WatchedWallet, branch: Branch, index: u32) -> Result<()> {
    // BIP32: indices from 2^31 are hardened and cannot be derived from public keys.
    let next = index
        .checked_add(1)
        .filter(|next| *next < 1 << 31)
        .ok_or_else(|| Error::Exhausted(wallet.imported.name.clone()))?;
    db.execute(
        &format!("UPDATE wallets SET {} = ?2 WHERE id = ?1", column(branch)),
        params![wallet.id, next],
    )?;
    Ok(())
}

fn column(branch: Branch) -> &'static str {
    match branch {
        Branch::External => "external_issued",
        Branch::Internal => "internal_issued",
    }
}

fn wallet(row: &Row<'_>) -> rusqlite::Result<WatchedWallet> {
    Ok(WatchedWallet {
        id: row.get(0)?,
        imported: NewWallet {
            name: row.get(1)?,
            wallet_id: row.get(2)?,
            external: row.get(3)?,
            internal: row.get(4)?,
            birthday: row.get(5)?,
            vaults: Vec::new(),
        },
        external_issued: row.get(6)?,
        internal_issued: row.get(7)?,
    })
}
