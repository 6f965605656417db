//! Requests as they came back signed, and the approvals beside them: what a higher fee within the ceiling needs again.

use policies::approval::Approval;
use policies::codec::Canonical;
use policies::id::RequestId;
use policies::request::SignedRequest;
use rusqlite::{OptionalExtension, params};

use super::Store;
use crate::error::{Error, Result};

impl Store {
    /// Keeps a request whose signature was verified. Anybody can sign a request, so one that came with a verified permit
    /// takes the place of one that did not; else the first one stays.
    pub fn keep_signed_request(&mut self, signed: &SignedRequest, is_permitted: bool) -> Result<()> {
        self.db.execute(
            "INSERT INTO signed_requests (request_id, bytes, permitted) VALUES (?1, ?2, ?3)
             ON CONFLICT (request_id) DO UPDATE SET bytes = excluded.bytes, permitted = 1
              WHERE excluded.permitted = 1 AND permitted = 0",
            params![signed.request.id().as_bytes(), signed.to_bytes(), is_permitted],
        )?;
        Ok(())
    }

    /// Keeps an approval whose signature was verified. Anybody can sign one, so those that a verified permit names come
    /// first.
    pub fn keep_approval(&mut self, approval: &Approval, is_permitted: bool) -> Result<()> {
        self.db.execute(
            "INSERT INTO approvals (sha256, request_id, bytes, permitted) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (sha256) DO UPDATE SET permitted = max(permitted, excluded.permitted)",
            params![approval.digest(), approval.request.as_bytes(), approval.to_bytes(), is_permitted],
        )?;
        Ok(())
    }

    /// A request as a terminal signed it.
    pub fn signed_request(&self, id: RequestId) -> Result<Option<SignedRequest>> {
        let query = "SELECT bytes FROM signed_requests WHERE request_id = ?1";
        let bytes: Option<Vec<u8>> =
            self.db.query_row(query, [id.as_bytes()], |row| row.get(0)).optional()?;
        bytes
            .map(|bytes| SignedRequest::from_bytes(&bytes).map_err(|_| Error::CorruptStore("signed request")))
            .transpose()
    }

    /// The approvals of a request, at most as many as anybody looks at.
    pub fn approvals(&self, id: RequestId) -> Result<Vec<Approval>> {
        let mut statement = self
            .db
            .prepare("SELECT bytes FROM approvals WHERE request_id = ?1 ORDER BY permitted DESC, sha256")?;
        let rows = statement
            .query_map([id.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?
            .take(policies::approval::MAX_APPROVALS)
            .collect::<Result<Vec<_>, _>>()?;
        rows.iter()
            .map(|bytes| Approval::from_bytes(bytes).map_err(|_| Error::CorruptStore("approval")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use policies::approval::MAX_APPROVALS;
    use policies::identity::{Namespace, PublicKey, SshSig};

    use super::*;
    use crate::config::{ChainConfig, Config};

    fn approval(n: u8) -> Approval {
        let signature =
            SshSig::create(&PublicKey::ed25519([n; 32]), Namespace::Approve, b"text", |_| [n; 64]);
        Approval { request: RequestId::of(b"request"), signature }
    }

    #[test]
    fn no_crowd_of_strangers_hides_the_approvals_that_a_permit_names() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { network: bitcoin::Network::Regtest, chain: ChainConfig::Embedded };
        let mut store = Store::create(dir.path(), &config).unwrap();
        let honest = [approval(1), approval(2)];
        // The first is seen before its permit, and seen again without one afterwards.
        store.keep_approval(&honest[0], false).unwrap();
        for n in 3..=250 {
            store.keep_approval(&approval(n), false).unwrap();
        }
        for approval in &honest {
            store.keep_approval(approval, true).unwrap();
            store.keep_approval(approval, false).unwrap();
        }
        let listed = store.approvals(RequestId::of(b"request")).unwrap();
        assert_eq!(listed.len(), MAX_APPROVALS);
        assert!(honest.iter().all(|approval| listed[..2].contains(approval)));
        assert_eq!(store.approvals(RequestId::of(b"another")).unwrap(), []);
    }
}
