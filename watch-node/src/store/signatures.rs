//! Signatures of attempts that lack others: each was verified before it came here.

use std::collections::HashSet;

use bitcoin::hashes::Hash;
use bitcoin::taproot::TapLeafHash;
use policies::signature::InputSignature;
use rusqlite::{TransactionBehavior, params};

use super::{Attempt, Store};
use crate::error::{Error, Result};

impl Store {
    /// Keeps verified signatures in one change; a key's first one for an input stays.
    pub fn keep_signatures(&mut self, attempt: &Attempt, signatures: &[InputSignature]) -> Result<()> {
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = change.prepare(
                "INSERT INTO signatures (attempt, input, public_key, leaf, signature) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
            )?;
            for InputSignature { input, public_key, leaf, signature } in signatures {
                let leaf = leaf.as_ref().map_or([].as_slice(), |leaf| leaf.as_byte_array());
                insert.execute(params![attempt.id, input, public_key, leaf, signature])?;
            }
        }
        change.commit()?;
        Ok(())
    }

    /// Keeps a preimage for the hash locks of an attempt's coins.
    pub fn keep_preimage(&mut self, attempt: &Attempt, preimage: &[u8]) -> Result<()> {
        self.db.execute(
            "INSERT INTO preimages (attempt, preimage) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![attempt.id, preimage],
        )?;
        Ok(())
    }

    /// The preimages of an attempt.
    pub fn preimages(&self, attempt: &Attempt) -> Result<Vec<Vec<u8>>> {
        let query = "SELECT preimage FROM preimages WHERE attempt = ?1 ORDER BY preimage";
        let mut statement = self.db.prepare_cached(query)?;
        let preimages = statement.query_map([attempt.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(preimages)
    }

    /// Attempts of which some signature is kept.
    pub fn partly_signed(&self) -> Result<HashSet<i64>> {
        let mut statement = self.db.prepare("SELECT DISTINCT attempt FROM signatures")?;
        let attempts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(attempts)
    }

    /// The signatures of an attempt, in the order of its inputs.
    pub fn signatures(&self, attempt: &Attempt) -> Result<Vec<InputSignature>> {
        let mut statement = self.db.prepare_cached(
            "SELECT input, public_key, leaf, signature FROM signatures WHERE attempt = ?1
              ORDER BY input, public_key, leaf",
        )?;
        let mut rows = statement.query([attempt.id])?;
        let mut signatures = Vec::new();
        while let Some(row) = rows.next()? {
            let leaf: Vec<u8> = row.get(2)?;
            let leaf = match leaf.as_slice() {
                [] => None,
                bytes => Some(TapLeafHash::from_slice(bytes).map_err(|_| Error::CorruptStore("leaf"))?),
            };
            let (input, public_key, signature) = (row.get(0)?, row.get(1)?, row.get(3)?);
            signatures.push(InputSignature { input, public_key, leaf, signature });
        }
        Ok(signatures)
    }
}
