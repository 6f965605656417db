//! C14 for a whole PSBT, and who has signed what.

use super::{Judged, Signer, Verifier, count, judge_each};
use crate::checks::coins::Coin;
use crate::checks::inside::Inside;
use crate::checks::ownership::Ownership;
use crate::checks::taproot;
use bitcoin::Psbt;
use policies::check::{Check, Finding};
use policies::wallet::{Derived, Lock};
use std::collections::BTreeSet;

/// Who of a wallet has signed an input; only signatures that verify count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The wallet's places.
    pub places: BTreeSet<usize>,
    /// Whether the input is final, and satisfies its script.
    pub is_final: bool,
}

/// Verifies every signature; what is wrong is added to the findings. Own inputs are judged by what the wallet derives, and
/// there nothing stays unjudged.
pub(crate) fn signed(
    psbt: &Psbt,
    coins: &[Coin],
    ownership: &Ownership<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Signed> {
    let mut verifier = Verifier::new(&psbt.unsigned_tx, coins);
    let all_known = coins.iter().all(|coin| coin.output.is_some());
    let (mut good, mut unknown) = (0usize, 0usize);
    let before = findings.len();
    let mut signed = Vec::with_capacity(psbt.inputs.len());
    for (at, (input, keypath)) in psbt.inputs.iter().zip(&ownership.inputs).enumerate() {
        let mut who = Signed::default();
        if count(input) == 0 {
            signed.push(who);
            continue;
        }
        let derived = ownership.wallet.zip(*keypath).and_then(|(wallet, keypath)| wallet.derived(keypath));
        // Signatures for another tree than the wallet's are C29's business.
        if derived.as_deref().is_some_and(|derived| taproot::contradicts(input, derived)) {
            unknown = unknown.saturating_add(count(input));
            signed.push(who);
            continue;
        }
        let inside = derived.as_deref().map_or_else(|| Inside::told(input), Inside::own);
        for (signer, judged) in judge_each(&mut verifier, at, input, &inside) {
            match judged {
                Judged::Good => {
                    good = good.saturating_add(1);
                    note(&mut who, &signer, derived.as_deref());
                }
                Judged::Unknown if derived.is_none() || !all_known => {
                    unknown = unknown.saturating_add(1);
                }
                Judged::Unknown => findings.push(wrong(at, "it cannot be verified")),
                Judged::Bad(reason) => findings.push(wrong(at, reason)),
            }
        }
        signed.push(who);
    }
    if findings.len() == before {
        findings.push(match (good, unknown) {
            (0, 0) => Finding::not_applicable(Check::PRESENT_SIGNATURES, "there is no signature yet"),
            (good, 0) => Finding::pass(Check::PRESENT_SIGNATURES, format!("{good} signatures verify")),
            (good, unknown) => Finding::not_applicable(
                Check::PRESENT_SIGNATURES,
                format!("{good} signatures verify, {unknown} of other scripts were not verified here"),
            ),
        });
    }
    signed
}

fn wrong(at: usize, reason: &str) -> Finding {
    Finding::refuse(Check::PRESENT_SIGNATURES, format!("input {at} has a wrong signature: {reason}"))
        .hint("remove the signature, or start again from the unsigned PSBT")
}

/// Notes whose place a signature fills.
fn note(who: &mut Signed, signer: &Signer, derived: Option<&Derived>) {
    let Some(derived) = derived else { return };
    let place_of = |wanted: &dyn Fn(&bitcoin::PublicKey) -> bool| derived.keys.iter().position(wanted);
    let place = match (signer, &derived.lock) {
        (Signer::All, _) => {
            who.is_final = true;
            None
        }
        (Signer::Ecdsa(key), _) => place_of(&|own| own == key),
        // The internal key's place is the last.
        (Signer::KeyPath, _) => derived.keys.len().checked_sub(1),
        (Signer::Leaf(key, hash), Lock::Taproot(taproot)) => {
            taproot.leaves.iter().find(|leaf| leaf.hash == *hash).and_then(|leaf| {
                let mut places = leaf.places.clone();
                places.find(|place| {
                    derived.keys.get(*place).is_some_and(|own| own.inner.x_only_public_key().0 == *key)
                })
            })
        }
        (Signer::Leaf(..), Lock::Key { .. } | Lock::Redeem { .. } | Lock::Witness { .. }) => None,
    };
    who.places.extend(place);
}
