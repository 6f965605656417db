//! C29: internal key, script tree, leaves and control blocks in the file are those of the wallet's descriptor, and nothing
//! is finalised with an annex (BIP341, BIP371).

use super::ownership::Ownership;
use bitcoin::psbt::{Input, Output};
use bitcoin::taproot::{LeafVersion, TAPROOT_ANNEX_PREFIX, TapLeafHash};
use bitcoin::{Psbt, Witness, XOnlyPublicKey};
use policies::check::{Check, Finding};
use policies::wallet::{Derived, Lock, Taproot};

/// The taproot fields of own inputs and outputs agree with the descriptor.
pub(crate) fn check(psbt: &Psbt, ownership: &Ownership<'_>) -> Vec<Finding> {
    let Some(wallet) = ownership.wallet else { return Vec::new() };
    let mut findings = Vec::new();
    let mut refuse = |what: String| {
        findings.push(Finding::refuse(Check::TAPROOT, what).hint(
            "it would be spent in another way than the descriptor says; let the watch-node build the PSBT",
        ));
    };
    for (at, (input, keypath)) in psbt.inputs.iter().zip(&ownership.inputs).enumerate() {
        let Some((keypath, derived)) = keypath.and_then(|at| Some((at, wallet.derived(at)?))) else {
            continue;
        };
        if let Some(what) = of_input(input, &derived) {
            refuse(format!("input {at} {what} than {keypath} has"));
        } else if is_annexed(input, &derived) {
            refuse(format!("input {at} is finalised with an annex"));
        }
    }
    for (at, (output, keypath)) in psbt.outputs.iter().zip(&ownership.outputs).enumerate() {
        let Some((keypath, derived)) = keypath.and_then(|at| Some((at, wallet.derived(at)?))) else {
            continue;
        };
        if let Some(what) = of_output(output, &derived) {
            refuse(format!("output {at} {what} than {keypath} has"));
        }
    }
    if findings.is_empty() {
        let has_tree = |paths: usize| paths > 1;
        findings.push(match (wallet.is_taproot(), has_tree(wallet.paths().len())) {
            (true, true) => {
                Finding::pass(Check::TAPROOT, "internal keys and script trees are the descriptor's")
            }
            (true, false) => {
                Finding::pass(Check::TAPROOT, "key path only, by the descriptor's internal keys")
            }
            (false, _) => Finding::not_applicable(Check::TAPROOT, "no taproot input"),
        });
    }
    findings
}

/// Whether an input's fields contradict the wallet, so that its signatures are for something else.
pub(crate) fn contradicts(input: &Input, derived: &Derived) -> bool {
    of_input(input, derived).is_some() || is_annexed(input, derived)
}

fn is_annexed(input: &Input, derived: &Derived) -> bool {
    own(derived).is_some() && input.final_script_witness.as_ref().is_some_and(has_annex)
}

/// How an input's fields contradict the wallet.
fn of_input(input: &Input, derived: &Derived) -> Option<&'static str> {
    let own = own(derived);
    let hashes = input.tap_key_origins.values().flat_map(|(leaves, _)| leaves);
    let mut hashes = hashes.chain(input.tap_script_sigs.keys().map(|(_, leaf)| leaf));
    if another_key(input.tap_internal_key, own) {
        Some("names another internal key")
    } else if input.tap_merkle_root.is_some_and(|root| own.and_then(|own| own.merkle_root) != Some(root)) {
        Some("names another script tree")
    } else if input.tap_scripts.iter().any(|(proof, (script, version))| {
        *version != LeafVersion::TapScript
            || !leaves(own).any(|leaf| leaf.script == *script && leaf.control_block == *proof)
    }) {
        Some("names another leaf")
    } else if hashes.any(|hash| !is_leaf(own, hash)) {
        Some("has a key or a signature for another leaf")
    } else if input.final_script_witness.as_ref().is_some_and(|witness| other_leaf(witness, own)) {
        Some("is finalised with another leaf")
    } else {
        None
    }
}

fn of_output(output: &Output, derived: &Derived) -> Option<&'static str> {
    let own = own(derived);
    let mut hashes = output.tap_key_origins.values().flat_map(|(leaves, _)| leaves);
    if another_key(output.tap_internal_key, own) {
        Some("names another internal key")
    } else if let Some(tree) = &output.tap_tree
        && own.and_then(|own| own.merkle_root) != Some(tree.root_hash())
    {
        Some("names another script tree")
    } else if hashes.any(|hash| !is_leaf(own, hash)) {
        Some("has a key for another leaf")
    } else {
        None
    }
}

fn own(derived: &Derived) -> Option<&Taproot> {
    match &derived.lock {
        Lock::Taproot(taproot) => Some(taproot),
        Lock::Key { .. } | Lock::Redeem { .. } | Lock::Witness { .. } => None,
    }
}

fn leaves(own: Option<&Taproot>) -> impl Iterator<Item = &policies::wallet::Leaf> {
    own.into_iter().flat_map(|own| &own.leaves)
}

fn is_leaf(own: Option<&Taproot>, hash: &TapLeafHash) -> bool {
    leaves(own).any(|leaf| leaf.hash == *hash)
}

fn another_key(named: Option<XOnlyPublicKey>, own: Option<&Taproot>) -> bool {
    named.is_some_and(|key| own.is_none_or(|own| own.internal_key != key))
}

/// BIP341: a last element that begins with 0x50, behind at least one other.
fn has_annex(witness: &Witness) -> bool {
    witness.len() > 1 && witness.last().is_some_and(|last| last.first() == Some(&TAPROOT_ANNEX_PREFIX))
}

/// Whether a final witness takes a script path that the wallet does not have. One element is a key path signature.
fn other_leaf(witness: &Witness, own: Option<&Taproot>) -> bool {
    let Some(own) = own.filter(|_| witness.len() > 1 && !has_annex(witness)) else { return false };
    let (proof, script) = (witness.last(), witness.second_to_last());
    !own.leaves.iter().any(|leaf| {
        Some(leaf.control_block.serialize().as_slice()) == proof && Some(leaf.script.as_bytes()) == script
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annex_is_the_last_of_several_elements() {
        let annexed = |elements: &[&[u8]]| has_annex(&Witness::from_slice(elements));
        let signature = [0x50; 64];
        assert!(annexed(&[&signature, &[0x50]]) && annexed(&[&signature, &signature, &[0x50, 1]]));
        assert!(!annexed(&[&signature]), "a signature may begin with the annex's byte");
        assert!(!annexed(&[&[0x50], &signature[1..], &[0xc0]]) && !annexed(&[&signature, &[]]));
        assert!(!annexed(&[]));
    }
}
