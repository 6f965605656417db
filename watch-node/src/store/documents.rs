//! The pinned authority, and the permits and receipts that were verified before they came here.

use bitcoin::hashes::{Hash, sha256};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::id::SpendId;
use policies::permit::{Permit, Receipt};
use rusqlite::{OptionalExtension, params};

use super::Store;
use crate::error::{Error, Result};

impl Store {
    /// The authority that was pinned.
    pub fn authority(&self) -> Result<Option<Authority>> {
        let bytes: Option<Vec<u8>> =
            self.db.query_row("SELECT bytes FROM authorities", [], |row| row.get(0)).optional()?;
        let Some(bytes) = bytes else { return Ok(None) };
        let signed = SignedAuthority::from_bytes(&bytes).map_err(|_| Error::CorruptStore("authority"))?;
        let authority = signed.verified().map_err(|_| Error::CorruptStore("authority"))?;
        Ok(Some(authority.clone()))
    }

    /// Pins an authority for ever; false when it was pinned before. `now` is Unix time.
    ///
    /// Errors: [`Error::NotAuthentic`] when its own keys did not sign it, [`Error::AuthorityPinned`] when there is
    /// another one, [`Error::OtherAuthority`] when a watched wallet obeys another one.
    pub fn pin_authority(&mut self, signed: &SignedAuthority, now: i64) -> Result<bool> {
        let authority = signed.verified().map_err(|error| Error::NotAuthentic {
            what: "the authority".to_owned(),
            reason: error.to_string(),
        })?;
        match self.authority()? {
            Some(pinned) if pinned.id() == authority.id() => return Ok(false),
            Some(pinned) => return Err(Error::AuthorityPinned(pinned.company)),
            None => {}
        }
        for wallet in self.wallets()?.into_iter().map(|wallet| wallet.imported) {
            if let Some(obeyed) = wallet.authority().filter(|id| *id != authority.id()) {
                let (wallet, pinned) = (wallet.name, authority.id());
                return Err(Error::OtherAuthority { wallet, obeyed, pinned });
            }
        }
        let bytes = signed.to_bytes();
        self.db.execute(
            "INSERT INTO authorities (sha256, bytes, pinned) VALUES (?1, ?2, ?3)",
            params![sha256::Hash::hash(&bytes).as_byte_array(), bytes, now],
        )?;
        Ok(true)
    }

    /// Keeps a verified permit; one that is there already stays.
    pub fn add_permit(&mut self, permit: &Permit) -> Result<()> {
        self.add("permits", &permit.statement.spend, &permit.to_bytes())
    }

    /// Keeps a verified receipt; one that is there already stays.
    pub fn add_receipt(&mut self, receipt: &Receipt) -> Result<()> {
        self.add("receipts", &receipt.statement.spend, &receipt.to_bytes())
    }

    /// All permits.
    pub fn permits(&self) -> Result<Vec<Permit>> {
        self.documents("permits", "permit")
    }

    /// All receipts.
    pub fn receipts(&self) -> Result<Vec<Receipt>> {
        self.documents("receipts", "receipt")
    }

    fn add(&mut self, table: &'static str, spend: &SpendId, bytes: &[u8]) -> Result<()> {
        self.db.execute(
            &format!(
                "INSERT INTO {table} (sha256, spend_id, bytes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"
            ),
            params![sha256::Hash::hash(bytes).as_byte_array(), spend.as_bytes(), bytes],
        )?;
        Ok(())
    }

    fn documents<T: Canonical>(&self, table: &'static str, what: &'static str) -> Result<Vec<T>> {
        let mut statement = self.db.prepare(&format!("SELECT bytes FROM {table} ORDER BY sha256"))?;
        let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?.collect::<Result<Vec<_>, _>>()?;
        rows.iter().map(|bytes| T::from_bytes(bytes).map_err(|_| Error::CorruptStore(what))).collect()
    }
}
