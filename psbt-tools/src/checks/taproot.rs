//! C29: the wallet spends by key path only, so nothing in the file may say otherwise (BIP341, BIP371).

use super::ownership::Ownership;
use bitcoin::psbt::Input;
use bitcoin::{Psbt, XOnlyPublicKey};
use policies::check::{Check, Finding};
use policies::wallet::{Keypath, Wallet};

/// The taproot fields of own inputs and outputs agree with the descriptor.
pub(crate) fn check(psbt: &Psbt, ownership: &Ownership<'_>) -> Vec<Finding> {
    let Some(wallet) = ownership.wallet else { return Vec::new() };
    let mut findings = Vec::new();
    let mut refuse = |what: String| {
        findings.push(
            Finding::refuse(Check::TAPROOT, what)
                .hint("this wallet spends by key path only; let the watch-node build the PSBT"),
        );
    };
    for (at, (input, keypath)) in psbt.inputs.iter().zip(&ownership.inputs).enumerate() {
        let Some(keypath) = keypath else { continue };
        if let Some(what) = contradiction(input, wallet, *keypath) {
            refuse(format!("input {at} {what}"));
        }
    }
    for (at, (output, keypath)) in psbt.outputs.iter().zip(&ownership.outputs).enumerate() {
        let Some(keypath) = keypath else { continue };
        if output.tap_internal_key.is_some_and(|key| !is_internal(wallet, *keypath, &key)) {
            refuse(format!("output {at} names another internal key than {keypath}"));
        } else if output.tap_tree.is_some() {
            refuse(format!("output {at} names a script tree, and {keypath} has none"));
        }
    }
    if findings.is_empty() {
        findings.push(if wallet.is_taproot() {
            Finding::pass(Check::TAPROOT, "key path only, by the descriptor's internal keys")
        } else {
            Finding::not_applicable(Check::TAPROOT, "no taproot input")
        });
    }
    findings
}

fn contradiction(input: &Input, wallet: &Wallet, keypath: Keypath) -> Option<String> {
    let script_path = input.tap_merkle_root.is_some()
        || !input.tap_scripts.is_empty()
        || !input.tap_script_sigs.is_empty()
        || input.tap_key_origins.values().any(|(leaves, _)| !leaves.is_empty());
    if input.tap_internal_key.is_some_and(|key| !is_internal(wallet, keypath, &key)) {
        return Some(format!("names another internal key than {keypath}"));
    }
    if script_path {
        return Some(format!("names a script path, and {keypath} has none"));
    }
    let witness = input.final_script_witness.as_ref().map_or(0, bitcoin::Witness::len);
    if wallet.is_taproot() && witness > 1 {
        return Some("is finalised with an annex or a script path".to_owned());
    }
    None
}

fn is_internal(wallet: &Wallet, keypath: Keypath, key: &XOnlyPublicKey) -> bool {
    wallet.is_taproot()
        && wallet.public_key(keypath).is_some_and(|own| own.inner.x_only_public_key().0 == *key)
}
