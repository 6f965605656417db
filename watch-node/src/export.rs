//! What `cold-signer export` writes: a wallet's public parts, vouched for by the vault's audit key.

use bitcoin::Network;
use policies::id::AuthorityId;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::vault_id;
use policies::wallet::export_text;
use serde::Deserialize;

use crate::error::{Error, Result};

/// An export whose signature was verified.
#[derive(Clone, Debug)]
pub struct Export {
    /// The wallet's name at the vault.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// Descriptor for `/0/*`.
    pub external: String,
    /// Descriptor for `/1/*`.
    pub internal: String,
    /// Unix time at which its key was made, in seconds; unknown for a restored one.
    pub birthday: Option<u64>,
    /// The authority that its key obeys; none for a standalone key, which asks for no permit.
    pub authority: Option<AuthorityId>,
    /// Whose wallet it is; to be compared by eye.
    pub audit_key: PublicKey,
}

#[derive(Deserialize)]
struct File {
    wallet: String,
    network: String,
    external: String,
    internal: String,
    birthday: Option<u64>,
    authority: Option<String>,
    vault_id: String,
    audit_key: String,
    signature: String,
}

impl Export {
    /// Reads an export and verifies that its audit key signed it and is the named vault's.
    ///
    /// Errors: [`Error::Malformed`], [`Error::NotAuthentic`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let malformed = |reason: String| Error::Malformed { what: "the export".to_owned(), reason };
        let forged = |reason: String| Error::NotAuthentic { what: "the export".to_owned(), reason };
        let file: File = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        let network = psbt_tools::display::network_from_word(&file.network)?;
        let audit_key: PublicKey =
            file.audit_key.parse().map_err(|error| malformed(format!("audit_key: {error}")))?;
        let signature =
            SshSig::from_armor(&file.signature).map_err(|error| malformed(format!("signature: {error}")))?;
        let authority = file.authority.as_deref().map(str::parse::<AuthorityId>).transpose();
        let authority = authority.map_err(|error| malformed(format!("authority: {error}")))?;
        let descriptors = (file.external.as_str(), file.internal.as_str());
        let text = export_text(network, &file.wallet, descriptors, file.birthday, authority);
        let signer = signature
            .verify(Namespace::Export, text.as_bytes())
            .map_err(|error| forged(error.to_string()))?;
        if signer != audit_key {
            return Err(forged("it is signed by another key than its audit key".to_owned()));
        }
        if vault_id(&audit_key).to_string() != file.vault_id {
            return Err(forged("its vault id is not that of its audit key".to_owned()));
        }
        Ok(Self {
            wallet: file.wallet,
            network,
            external: file.external,
            internal: file.internal,
            birthday: file.birthday,
            authority,
            audit_key,
        })
    }
}
