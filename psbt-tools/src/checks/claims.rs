//! C06 and C07: a derivation that names a wallet's key for a script that is not the wallet's there.

use super::ownership::{Hint, Seeker};
use bitcoin::bip32::{ChildNumber, Fingerprint};
use bitcoin::{Script, XOnlyPublicKey};
use policies::check::{Check, Finding};
use policies::wallet::{Keypath, Wallet};
use std::collections::BTreeSet;

const FRAUD: &str = "a false claim of change is fraud; do not use files of whoever made this one";

/// What an output's derivations claim falsely, when it is ours at `own` or nowhere. A key that the wallet truly derives in
/// a script that is not the wallet's stands beside another cosigner than the registered one.
pub(super) fn false_claim(
    at: usize,
    hints: &[Hint<'_>],
    script: &Script,
    own: Option<Keypath>,
    seeker: &Seeker<'_>,
) -> Option<Finding> {
    let wallet = seeker.wallet;
    let ours = derived_elsewhere(hints, own, seeker);
    let swapped = hints.iter().find(|hint| ours.contains(&hint.key));
    if let Some(hint) = swapped.filter(|_| !wallet.kind().is_single()) {
        let message = format!(
            "output {at} has our key at m/{}, but {} is not the registered wallet's: a cosigner is another one",
            hint.source.1,
            policies::evidence::script_text(&script.to_owned(), wallet.network())
        );
        return Some(Finding::refuse(Check::COSIGNERS, message).hint(FRAUD));
    }
    let hint = swapped.or_else(|| {
        hints.iter().find(|hint| {
            let keypath = wallet.keypath_of(hint.source.0, &hint.source.1);
            names_origin(hint, wallet) && (own.is_none() || keypath != own)
        })
    })?;
    let message = format!(
        "output {at} is claimed to be ours at m/{}, but {} is not",
        hint.source.1,
        policies::evidence::script_text(&script.to_owned(), wallet.network())
    );
    Some(Finding::refuse(Check::CHANGE, message).hint(FRAUD))
}

/// The keys that the wallet derives where the hints point, but for the place where the output is its own.
fn derived_elsewhere(
    hints: &[Hint<'_>],
    own: Option<Keypath>,
    seeker: &Seeker<'_>,
) -> BTreeSet<XOnlyPublicKey> {
    let keypaths = seeker.keypaths(hints, false).into_iter().filter(|keypath| Some(*keypath) != own);
    let derived = keypaths.filter_map(|keypath| seeker.wallet.derived(keypath));
    derived
        .flat_map(|derived| {
            derived.keys.iter().map(|key| key.inner.x_only_public_key().0).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a derivation begins like a key of the wallet. A zero fingerprint names nobody.
fn names_origin(hint: &Hint<'_>, wallet: &Wallet) -> bool {
    let path: &[ChildNumber] = hint.source.1.as_ref();
    hint.source.0 != Fingerprint::default()
        && wallet
            .keys()
            .iter()
            .any(|key| key.fingerprint == hint.source.0 && path.starts_with(key.origin.as_ref()))
}
