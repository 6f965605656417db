//! `Status`: what holds the vault, and what protects it.

use cold_wire::{ControlState, Fault, ReplyBody, VaultStatus};
use policies::id::VaultId;

use super::Vault;
use crate::harden::{Control, Outcome};
use crate::seal::KdfCost;

pub(super) fn handle(vault: &Vault) -> Result<ReplyBody, Fault> {
    let open = vault.open()?;
    let head = vault.store.head();
    let kdf: Vec<String> = vault.store.keyslots()?.iter().map(|(_, cost)| kdf_text(*cost)).collect();
    Ok(ReplyBody::Status(VaultStatus {
        vault: VaultId::from_bytes(vault.store.vault_id()),
        records: u64::try_from(vault.store.entries().len()).unwrap_or(u64::MAX),
        head: head.hash,
        authority: open.journal.pinned().map(|(id, authority)| (id, authority.company.clone())),
        kdf: kdf.join("; "),
        controls: vault.controls.iter().map(control_state).collect(),
        live_network: vault.live_network.clone(),
    }))
}

fn kdf_text(cost: KdfCost) -> String {
    let floor = if cost == KdfCost::FLOOR { ", at its floor: for tests and demos" } else { "" };
    let mib = cost.memory_kib.checked_div(1024).unwrap_or(0);
    format!("Argon2id, {mib} MiB, t={}, p={}{floor}", cost.passes, cost.lanes)
}

fn control_state(control: &Control) -> ControlState {
    let (state, detail) = match &control.outcome {
        Outcome::On => ("on", String::new()),
        Outcome::Off => ("off", String::new()),
        Outcome::Unavailable(why) => ("unavailable", why.clone()),
    };
    ControlState { name: control.name.to_owned(), state: state.to_owned(), detail }
}
