//! C13: sighash types. C14: signatures that are already there are verified before anything is added to them.

mod finalised;
mod signed;
mod verifier;

pub(crate) use signed::{Signed, signed};
pub(crate) use verifier::{Claim, Judged, Verifier, output_key};

use super::coins::Coin;
use super::inside::Inside;
use bitcoin::psbt::Input;
use bitcoin::sighash::EcdsaSighashType;
use bitcoin::taproot::TapLeafHash;
use bitcoin::{Psbt, PublicKey, XOnlyPublicKey};
use policies::check::{Check, Finding};

/// Whose a signature is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signer {
    /// A key of a script before taproot.
    Ecdsa(PublicKey),
    /// The taproot output key.
    KeyPath,
    /// A key of a leaf.
    Leaf(XOnlyPublicKey, TapLeafHash),
    /// Whoever was needed: the input is final.
    All,
}

/// C13: what each input asks its signers for.
pub(crate) fn sighash_types(psbt: &Psbt, coins: &[Coin], findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (at, (input, coin)) in psbt.inputs.iter().zip(coins).enumerate() {
        let Some(kind) = input.sighash_type else { continue };
        let taproot = coin.output.as_ref().is_some_and(|output| output.script_pubkey.is_p2tr());
        let all = EcdsaSighashType::All.to_u32();
        if kind.to_u32() != all && !(taproot && kind.to_u32() == 0) {
            findings.push(
                Finding::refuse(
                    Check::SIGHASH,
                    format!(
                        "input {at} asks for the sighash type {kind}: it would not sign the whole transaction"
                    ),
                )
                .hint("only ALL, and DEFAULT for taproot, are signed"),
            );
        }
    }
    if findings.len() == before {
        findings.push(Finding::pass(Check::SIGHASH, "every signature would commit to the whole transaction"));
    }
}

/// Whether an input needs no more signatures.
pub(crate) fn is_final(input: &Input) -> bool {
    input.final_script_sig.is_some() || input.final_script_witness.is_some()
}

/// How many signatures an input has; a final one counts as one.
pub(crate) fn count(input: &Input) -> usize {
    [input.partial_sigs.len(), usize::from(input.tap_key_sig.is_some()), input.tap_script_sigs.len()]
        .into_iter()
        .fold(usize::from(is_final(input)), usize::saturating_add)
}

/// Every signature of an input, as far as the file tells what it is for.
pub(crate) fn judge(verifier: &mut Verifier<'_>, at: usize, input: &Input) -> Vec<Judged> {
    judge_each(verifier, at, input, &Inside::told(input)).into_iter().map(|(_, judged)| judged).collect()
}

/// Every signature of an input with its signer, a final input's as one.
pub(crate) fn judge_each(
    verifier: &mut Verifier<'_>,
    at: usize,
    input: &Input,
    inside: &Inside<'_>,
) -> Vec<(Signer, Judged)> {
    let mut judged = Vec::with_capacity(count(input));
    for (key, signature) in &input.partial_sigs {
        judged.push((Signer::Ecdsa(*key), verifier.ecdsa(at, inside, key, signature)));
    }
    if let Some(signature) = &input.tap_key_sig {
        judged.push((Signer::KeyPath, verifier.key_path(at, signature)));
    }
    for ((key, hash), signature) in &input.tap_script_sigs {
        let leaf = verifier.output_key(at).and_then(|output_key| inside.leaf(output_key, hash));
        let came_to = leaf.map_or(Judged::Unknown, |leaf| verifier.leaf(at, leaf, *key, signature));
        judged.push((Signer::Leaf(*key, *hash), came_to));
    }
    if is_final(input) {
        judged.push((Signer::All, verifier.finalised(at, input)));
    }
    judged
}
