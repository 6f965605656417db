//! Public parts of a key, signed by the audit key.

use cold_wire::{Fault, KeyInfo};
use policies::identity::Namespace;
use policies::wallet::{Branch, export_text};

use super::Open;
use crate::journal::Key;

/// What may be known of a key.
///
/// # Errors
/// A fault when the audit key cannot sign.
pub fn key_info(open: &Open, key: &Key) -> Result<KeyInfo, Fault> {
    let (external, internal) =
        (key.wallet.descriptor(Branch::External), key.wallet.descriptor(Branch::Internal));
    // The words of a restored key may be older than this store.
    let birthday = (!key.terms.restored).then_some(key.terms.created);
    let text = export_text(
        key.terms.network,
        &key.terms.wallet,
        (&external, &internal),
        birthday,
        key.terms.authority,
    );
    let authority = key.terms.authority.map(|id| {
        let company = open.journal.authority(&id).map_or("unknown", |authority| &authority.company);
        (id, company.to_owned())
    });
    Ok(KeyInfo {
        wallet: key.terms.wallet.clone(),
        network: key.terms.network,
        kind: key.terms.kind,
        fingerprint: key.fingerprint,
        external,
        internal,
        created: key.terms.created,
        restored: key.terms.restored,
        backed_up: key.terms.backed_up,
        authority,
        limit: key.terms.limit,
        signature: open.audit.sign(Namespace::Export, text.as_bytes())?,
    })
}
