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
    let terms = &key.terms;
    // The words of a restored key may be older than this store.
    let birthday = (!terms.restored).then_some(terms.created);
    let descriptors = key.wallet.as_ref().map(|wallet| Branch::ALL.map(|branch| wallet.descriptor(branch)));
    let text = descriptors.as_ref().map(|[external, internal]| {
        export_text(terms.network, &terms.wallet, (external, internal), birthday, terms.authority)
    });
    let authority = terms.authority.map(|id| {
        let company = open.journal.authority(&id).map_or("unknown", |authority| &authority.company);
        (id, company.to_owned())
    });
    Ok(KeyInfo {
        wallet: terms.wallet.clone(),
        network: terms.network,
        kind: terms.kind,
        fingerprint: key.own.fingerprint.to_bytes(),
        key: key.own.to_string(),
        descriptors,
        created: terms.created,
        restored: terms.restored,
        backed_up: terms.backed_up,
        authority,
        limit: terms.limit,
        signature: text.map(|text| open.audit.sign(Namespace::Export, text.as_bytes())).transpose()?,
        bsms: key.bsms,
    })
}
