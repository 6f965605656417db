//! `Sign`: judge → intent → fdatasync → sign → verify → reply.

use cold_wire::{Bundle, Fault, FaultKind, ReplyBody, Signed};
use policies::check::{Check, Finding};
use policies::clear::{Cleared, clear, repeat};
use policies::codec::Canonical;
use policies::id::{SpendId, VaultId};

use super::{Open, SayOf, Vault, dossier, in_time};
use crate::derive::Account;
use crate::intent::Intent;
use crate::key_record::open_content;
use crate::record::Kind;
use crate::store::{Content, Store};
use crate::{Error, clock, sign};

pub(super) fn handle(
    vault: &mut Vault,
    bundle: &Bundle,
    consent: SpendId,
    accepted: &[Check],
    deadline: u64,
) -> Result<ReplyBody, Fault> {
    let spend = bundle.spend.id();
    if consent != spend {
        let message = format!("the consent is for spend {consent}, the file holds spend {spend}");
        return Err(Fault::from_findings(vec![
            Finding::refuse(Check::SAME_BYTES, message)
                .hint("review the file and consent to what it really holds"),
        ]));
    }
    let vault_id = VaultId::from_bytes(vault.store.vault_id());
    let (store, open) = vault.open_mut()?;
    let now = clock::checked(store)?;
    in_time(now, deadline)?;
    let (key, dossier) = dossier(open, vault_id, bundle, now)?;
    let cleared = match open.journal.signed(&spend) {
        Some(journalled) => repeat(&dossier, journalled.spend, journalled.permit.clone()),
        None => {
            let say = SayOf::of(open, key)?;
            clear(&dossier, say.as_say(), &open.journal.view(store, key, dossier.wallet.id()), accepted)
        }
    }
    .map_err(Fault::from_findings)?;
    write_intent(store, open, &cleared, now)?;
    signed(store, open, &cleared)
}

/// The intent is durable before anything is signed. A repeat has its intent already.
fn write_intent(store: &mut Store, open: &mut Open, cleared: &Cleared, now: u64) -> Result<(), Fault> {
    let Some(charge) = cleared.charge() else { return Ok(()) };
    let intent =
        Intent { spend: cleared.spend().clone(), charge: charge.clone(), permit: cleared.permit().cloned() };
    let content = intent.to_bytes();
    // What is durable must be readable: a record that a later unlock refuses would lock the whole store.
    Intent::from_bytes(&content).map_err(Error::Record)?;
    let record = Content { kind: Kind::Intent, clear: &[], sealed: Some(&content) };
    let head = store.append(&open.data_key, now, &record)?;
    open.journal.add_intent(head, &intent);
    Ok(())
}

fn signed(store: &Store, open: &Open, cleared: &Cleared) -> Result<ReplyBody, Fault> {
    let spend = cleared.spend();
    let lost =
        || Fault::new(FaultKind::Internal, "journal", "the intent is not in the journal", "start again");
    let journalled = open.journal.signed(&spend.id()).ok_or_else(lost)?;
    let key = open.journal.key_of(spend.wallet()).ok_or_else(lost)?;
    let wallet = key.wallet.as_ref().ok_or_else(lost)?;
    let (seed, terms) = open_content(&store.unseal(&open.data_key, &store.record(key.sequence)?)?)?;
    let account = Account::at(&seed, terms.network.into(), key.own.origin.as_ref())?;
    let signatures = sign::sign(cleared, wallet, &account)?;
    Ok(ReplyBody::Signed(Signed { signatures, receipt: open.audit.receipt(journalled)? }))
}
