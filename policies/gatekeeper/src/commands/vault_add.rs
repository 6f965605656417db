//! `gatekeeper vault add EXPORT.json`: binds a vault and its wallet to a name of the policy.

use crate::Error;
use crate::export::{MAX_EXPORT_LEN, VaultExport};
use crate::folder::authority;
use crate::ledger::Ledger;
use crate::ledger::event::{Event, EventKind, VaultAdded};
use crate::ledger::state::State;
use crate::report::Report;
use policies::id::AuthorityId;
use policies::permit::vault_id;
use serde_json::json;
use std::path::Path;

/// Adds a vault. One that was added before is left as it is.
///
/// # Errors
/// [`Error::Document`] for an export that is not genuine, [`Error::Vault`] for one that does not fit,
/// [`Error::Authority`] when its key would not ask this gatekeeper for permits.
pub fn run(data: &Path, path: &Path, name: Option<&str>, now: u64) -> Result<Report, Error> {
    let export = VaultExport::read(&psbt_tools::files::read(path, MAX_EXPORT_LEN)?)?;
    let name = name.unwrap_or(&export.name).to_owned();
    let mut ledger = Ledger::open(data)?;
    let own = authority(data, &ledger.state()?)?.id();
    let is_new = ledger.append(|state| {
        fits(state, &name, &export)?;
        obeys(&export, own)?;
        let known = state.wallet(&export.wallet.id()).is_some_and(|b| b.vaults.contains(&export.audit_key));
        let event = Event {
            at: now,
            kind: EventKind::VaultAdded(VaultAdded {
                wallet: name.clone(),
                external: export.external.clone(),
                internal: export.internal.clone(),
                audit_key: export.audit_key.clone(),
            }),
        };
        Ok::<_, Error>(((!known).then_some(event), !known))
    })?;
    let fingerprint = export.audit_key.fingerprint();
    let done = if is_new { "added" } else { "was added before" };
    Ok(Report::new(json!({
        "wallet": name,
        "wallet_id": export.wallet.id().to_string(),
        "vault_id": vault_id(&export.audit_key).to_string(),
        "authority": own.to_string(),
        "audit_key": fingerprint,
        "added": is_new,
    }))
    .line(format!("vault {} of wallet `{name}` {done}", vault_id(&export.audit_key)))
    .line(format!("wallet     {}", export.wallet.id()))
    .line(format!("obeys      authority {own}"))
    .line(format!("audit key  {fingerprint}"))
    .line("compare this fingerprint with the one on the vault's own screen"))
}

/// A vault whose key obeys nobody, or somebody else, signs whatever this gatekeeper refuses.
fn obeys(export: &VaultExport, own: AuthorityId) -> Result<(), Error> {
    match export.authority {
        Some(authority) if authority == own => Ok(()),
        Some(other) => Err(Error::Authority {
            message: format!("the vault's key obeys authority {other}, this gatekeeper's is {own}"),
            hint: "add it at the gatekeeper that it obeys, or make a key under this authority: `cold-signer trust \
                   --authority authority.pub` in a new vault, then a new key",
        }),
        None => Err(Error::Authority {
            message: format!(
                "the vault's key is standalone: it signs without any permit, and not only what authority {own} permits"
            ),
            hint: "an authority binds a key when it is made: `cold-signer trust --authority authority.pub`, then make \
                   a new key and export that",
        }),
    }
}

fn fits(state: &State, name: &str, export: &VaultExport) -> Result<(), Error> {
    let refuse = |message: String, hint: &str| Err(Error::Vault { message, hint: hint.to_owned() });
    let wallet = &export.wallet;
    if wallet.network() != state.network() {
        return refuse(
            format!("the vault's wallet is on {}, the policy on {}", wallet.network(), state.network()),
            "make the key on the policy's network",
        );
    }
    let Some(terms) = state.policy().terms().wallets.get(name) else {
        return refuse(
            format!("the policy has no wallet `{}`", name.escape_debug()),
            "name the policy's wallet: --wallet NAME",
        );
    };
    if terms.id.is_some_and(|id| id != wallet.id()) {
        return refuse(
            format!("the policy names another descriptor for wallet `{name}`"),
            "compare the descriptors; do not add a vault that you did not expect",
        );
    }
    if !terms.vaults.is_empty() && !terms.vaults.contains(&export.audit_key) {
        return refuse(
            format!("the policy does not list {} as a vault of `{name}`", export.audit_key.fingerprint()),
            "do not add a vault that you did not expect",
        );
    }
    if state.wallet_named(name).is_some_and(|bound| bound.wallet != *wallet) {
        return refuse(
            format!("wallet `{name}` is bound to another descriptor"),
            "a name is bound once; make the key under another name of the policy",
        );
    }
    if let Some(other) = state.wallet(&wallet.id()).filter(|bound| bound.name != name) {
        return refuse(
            format!("this wallet is already bound to the name `{}`", other.name),
            "add the vault under that name: --wallet NAME",
        );
    }
    Ok(())
}
