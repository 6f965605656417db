//! `PinAuthority`: from now on new keys obey it. Irrevocable.

use cold_wire::{Fault, FaultKind, ReplyBody};
use policies::authority::SignedAuthority;
use policies::codec::Canonical;

use super::Vault;
use crate::clock;
use crate::record::Kind;
use crate::store::Content;

pub(super) fn handle(vault: &mut Vault, bytes: &[u8]) -> Result<ReplyBody, Fault> {
    let signed = SignedAuthority::from_bytes(bytes).map_err(|error| {
        refused(format!("no authority: {error}"), "take the `authority.pub` that `gatekeeper init` wrote")
    })?;
    let authority = signed.verified().map_err(|error| {
        refused(
            format!("the authority cannot permit: {error}"),
            "its file must be signed by each of its permit keys; ask the gatekeeper for it again",
        )
    })?;
    let (id, company) = (authority.id(), authority.company.clone());
    let (store, open) = vault.open_mut()?;
    match open.journal.pinned() {
        Some((pinned, _)) if pinned == id => {}
        Some((_, other)) => {
            return Err(refused(
                format!("this vault obeys {} already", other.company),
                "an authority is pinned for ever; use another store for another authority",
            ));
        }
        None => {
            let now = clock::checked(store)?;
            let content = Content { kind: Kind::Authority, clear: &[], sealed: Some(bytes) };
            store.append(&open.data_key, now, &content)?;
            open.journal.pin(bytes)?;
        }
    }
    Ok(ReplyBody::Pinned { authority: id, company })
}

fn refused(message: String, hint: &str) -> Fault {
    Fault::new(FaultKind::Refused, "authority", message, hint)
}
