//! `Receipts`: everything that was ever signed.

use cold_wire::{Fault, ReplyBody};

use super::Vault;

pub(super) fn handle(vault: &Vault) -> Result<ReplyBody, Fault> {
    let open = vault.open()?;
    let receipts =
        open.journal.intents().iter().map(|intent| open.audit.receipt(intent)).collect::<Result<_, _>>()?;
    Ok(ReplyBody::Receipts(receipts))
}
