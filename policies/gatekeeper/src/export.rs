//! What a vault says about a wallet of its own: `cold-signer export --format json`, signed by its audit key.

use crate::Error;
use bitcoin::Network;
use policies::codec::clean_text;
use policies::id::AuthorityId;
use policies::identity::{Namespace, PublicKey, SshSig};
use policies::permit::vault_id;
use policies::wallet::{Branch, MAX_DESCRIPTOR_LEN, Wallet, export_text};
use psbt_tools::display::{escape, network_from_word};
use serde_json::Value;

/// Largest export, in bytes.
pub const MAX_EXPORT_LEN: u64 = 64 << 10;

/// An export whose signature and identities were verified.
#[derive(Debug, Clone)]
pub struct VaultExport {
    /// The wallet's name in the vault.
    pub name: String,
    /// Descriptors.
    pub wallet: Wallet,
    /// Canonical descriptor of addresses.
    pub external: String,
    /// Canonical descriptor of change.
    pub internal: String,
    /// The vault's audit key.
    pub audit_key: PublicKey,
    /// The authority that the key obeys; none for a standalone key, which is signed with without a permit.
    pub authority: Option<AuthorityId>,
}

impl VaultExport {
    /// Reads an export and verifies it.
    ///
    /// # Errors
    /// [`Error::Document`] for anything but a whole export signed by the audit key that it names.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let document: Value = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        let field = |name: &str| {
            document
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| refuse(format!("the text `{name}` is missing")))
        };
        let [name, network, external, internal, id, key, signature] =
            ["wallet", "network", "external", "internal", "vault_id", "audit_key", "signature"].map(field);
        let (name, word, external, internal) = (name?, network?, external?, internal?);
        let audit_key: PublicKey = key?.parse().map_err(|error| refuse(format!("the audit key: {error}")))?;
        if vault_id(&audit_key).to_string() != id? {
            return Err(refuse("the vault id is not that of the audit key"));
        }
        // The signed text is one field a line: a field with a line break would blur them.
        for (what, text) in [("wallet", &name), ("external", &external), ("internal", &internal)] {
            clean_text(what, text, MAX_DESCRIPTOR_LEN).map_err(|error| refuse(error.to_string()))?;
        }
        let network: Network = network_from_word(&word)?;
        let birthday = optional(&document, "birthday", Value::as_u64)?;
        let authority = optional(&document, "authority", Value::as_str)?
            .map(str::parse::<AuthorityId>)
            .transpose()
            .map_err(|error| refuse(format!("the authority: {error}")))?;
        let message = export_text(network, &name, (&external, &internal), birthday, authority);
        let signer = SshSig::from_armor(&signature?)
            .and_then(|signature| signature.verify(Namespace::Export, message.as_bytes()))
            .map_err(|error| refuse(format!("the signature: {error}")))?;
        if signer != audit_key {
            return Err(refuse(format!("it is signed by {}, not by its audit key", signer.fingerprint())));
        }
        let wallet =
            Wallet::new(network, &[&external, &internal]).map_err(|error| refuse(error.to_string()))?;
        let (external, internal) = (wallet.descriptor(Branch::External), wallet.descriptor(Branch::Internal));
        Ok(Self { name, wallet, external, internal, audit_key, authority })
    }
}

/// A value that may be left out or null, but not be of another kind.
fn optional<'a, T>(
    document: &'a Value,
    name: &str,
    read: impl Fn(&'a Value) -> Option<T>,
) -> Result<Option<T>, Error> {
    match document.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| refuse(format!("`{name}` makes no sense"))),
    }
}

fn refuse(reason: impl AsRef<str>) -> Error {
    Error::document("the vault's export", escape(reason.as_ref()))
}
