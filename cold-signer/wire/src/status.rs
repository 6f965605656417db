//! What holds the vault, and what protects it.

use crate::key::{decode_authority, encode_authority};
use policies::codec::{CodecError, Decoder, Encoder};
use policies::id::{AuthorityId, VaultId};

/// Longest line of text about the vault, in bytes.
const MAX_LINE_LEN: usize = 1_024;

/// Whether a protection is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlState {
    /// Its name: `seccomp`, `landlock`, …
    pub name: String,
    /// `on`, `off` or `unavailable`.
    pub state: String,
    /// What that means here.
    pub detail: String,
}

/// What holds the vault, and what protects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStatus {
    /// The store's vault.
    pub vault: VaultId,
    /// Records in the store.
    pub records: u64,
    /// SHA-256 of the last record.
    pub head: [u8; 32],
    /// Authority that new keys obey, with its company.
    pub authority: Option<(AuthorityId, String)>,
    /// Parameters of the passphrase derivation, in words.
    pub kdf: String,
    /// Protections.
    pub controls: Vec<ControlState>,
    /// Network interfaces that are up, when the vault was told to run all the same.
    pub live_network: Vec<String>,
}

pub(crate) fn encode_status(to: &mut Encoder, status: &VaultStatus) {
    to.fixed(status.vault.as_bytes());
    to.u64(status.records);
    to.fixed(&status.head);
    encode_authority(to, status.authority.as_ref());
    to.string(status.kdf.as_bytes());
    to.list(&status.controls, |to, control| {
        to.string(control.name.as_bytes());
        to.string(control.state.as_bytes());
        to.string(control.detail.as_bytes());
    });
    to.list(&status.live_network, |to, name| to.string(name.as_bytes()));
}

pub(crate) fn decode_status(from: &mut Decoder<'_>) -> Result<VaultStatus, CodecError> {
    Ok(VaultStatus {
        vault: VaultId::from_bytes(from.fixed("vault")?),
        records: from.u64("records")?,
        head: from.fixed("head")?,
        authority: decode_authority(from)?,
        kdf: from.text("kdf", MAX_LINE_LEN)?,
        controls: from.list("controls", 64, |from| {
            Ok(ControlState {
                name: from.text("name", MAX_LINE_LEN)?,
                state: from.text("state", MAX_LINE_LEN)?,
                detail: from.text("detail", MAX_LINE_LEN)?,
            })
        })?,
        live_network: from.list("interfaces", 256, |from| from.text("interface", MAX_LINE_LEN))?,
    })
}
