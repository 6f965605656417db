//! The audit key: receipts and exports are signed with it. It is Ed25519 and useless for Bitcoin.

use ed25519_dalek::{Signer, SigningKey};
use policies::codec::Canonical;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::{Receipt, ReceiptStatement, vault_id};
use policies::request::Head;

use crate::Error;
use crate::journal::Journalled;
use crate::secret::Secret;

/// The vault's own voice.
pub struct AuditKey {
    public: PublicKey,
    seed: Secret,
}

impl AuditKey {
    /// From the seed that [`crate::store::Store::audit_secret`] has compared with the public half.
    #[must_use]
    pub fn new(public: [u8; 32], seed: Secret) -> Self {
        Self { public: PublicKey::ed25519(public), seed }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a text in a namespace.
    ///
    /// # Errors
    /// [`Error::Signature`] when the fresh signature does not verify.
    pub fn sign(&self, namespace: Namespace, message: &[u8]) -> Result<SshSig, Error> {
        let seed = self
            .seed
            .expose()
            .try_into()
            .map_err(|_| Error::Signature("the audit key has a wrong length"))?;
        let key = SigningKey::from_bytes(seed);
        let signature = SshSig::create(&self.public, namespace, message, |data| key.sign(data).to_bytes());
        match signature.verify(namespace, message) {
            Ok(by) if by == self.public => Ok(signature),
            _ => Err(Error::Signature("a fresh audit signature does not verify")),
        }
    }

    /// The receipt for a journalled spend: the same one, however often it is asked for.
    ///
    /// # Errors
    /// As [`AuditKey::sign`].
    pub fn receipt(&self, journalled: &Journalled) -> Result<Receipt, Error> {
        let statement = ReceiptStatement {
            network: journalled.network,
            wallet: journalled.wallet,
            head: Head {
                vault: vault_id(&self.public),
                sequence: journalled.head.sequence,
                hash: journalled.head.hash,
            },
            spend: journalled.spend,
            unsigned_txid: journalled.unsigned_txid,
            permit: journalled.permit.as_ref().map(|permit| permit.statement.id()),
        };
        let signature = self.sign(Namespace::Receipt, &statement.to_bytes())?;
        Ok(Receipt { statement, signature })
    }
}
