//! `List`: the keys of the store.

use cold_wire::{Fault, ReplyBody};
use policies::id::VaultId;

use super::{Vault, key_info};

pub(super) fn handle(vault: &Vault) -> Result<ReplyBody, Fault> {
    let open = vault.open()?;
    let keys = open.journal.keys().iter().map(|key| key_info(open, key)).collect::<Result<_, _>>()?;
    Ok(ReplyBody::Keys {
        vault: VaultId::from_bytes(vault.store.vault_id()),
        audit_key: open.audit.public().clone(),
        keys,
    })
}
