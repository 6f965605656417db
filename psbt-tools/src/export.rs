//! Signatures back into the PSBT, and the comparison of what came back with what was asked for.

use crate::Error;
use crate::checks::coins::{self, Coin};
use crate::checks::inside::Inside;
use crate::checks::signatures::{Claim, Judged, Verifier, output_key};
use bitcoin::psbt::{Input, PsbtSighashType};
use bitcoin::taproot::TapLeafHash;
use bitcoin::{Psbt, PublicKey, Transaction, XOnlyPublicKey, ecdsa, taproot};
use policies::check::{Check, Finding, Outcome};
use policies::evidence::Evidence;
use policies::helper;
use policies::signature::InputSignature;
use policies::wallet::Derived;
use std::sync::Arc;

/// Adds signatures, each verified before it is accepted; after an error the PSBT is as it was.
///
/// # Errors
/// Check C28 for a signature that does not verify, is for no input, or for a key that is not in the input's script; C01
/// to C04 when the PSBT does not prove what its inputs are.
pub fn attach_signatures(psbt: &mut Psbt, signatures: &[InputSignature]) -> Result<(), Error> {
    let coins = established(psbt)?;
    attach(psbt, &coins, |_| Own::Unknown, signatures)
}

/// C33: the signed transaction is the one that was requested: version, locktime, outpoints, sequences, outputs. Only
/// scriptSigs and witnesses may differ.
///
/// # Errors
/// Check C33 names what differs.
pub fn same_transaction(requested: &Transaction, signed: &Transaction) -> Result<(), Error> {
    let outpoints = |transaction: &Transaction| -> Vec<_> {
        transaction.input.iter().map(|input| input.previous_output).collect()
    };
    let sequences = |transaction: &Transaction| -> Vec<_> {
        transaction.input.iter().map(|input| input.sequence).collect()
    };
    let differences: Vec<_> = [
        ("version", requested.version != signed.version),
        ("locktime", requested.lock_time != signed.lock_time),
        ("outpoints", outpoints(requested) != outpoints(signed)),
        ("sequences", sequences(requested) != sequences(signed)),
        ("outputs", requested.output != signed.output),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::Refused {
        check: Check::AS_REQUESTED,
        message: format!("the signed transaction is not the one requested: other {}", differences.join(", ")),
        hint: Some(
            "do not broadcast it; find out who changed the file between request and return".to_owned(),
        ),
    })
}

/// What a wallet says of an input.
pub(crate) enum Own {
    /// There is no wallet: the file's own scripts count.
    Unknown,
    /// It is not the wallet's.
    Foreign,
    /// It is the wallet's, and this is what is behind its script.
    Ours(Arc<Derived>),
}

/// The same with established coins, and for a wallet's inputs with what the wallet derives.
pub(crate) fn attach(
    psbt: &mut Psbt,
    coins: &[Coin],
    own: impl Fn(usize) -> Own,
    signatures: &[InputSignature],
) -> Result<(), Error> {
    let mut parsed = Vec::with_capacity(signatures.len());
    let mut claims = Vec::with_capacity(signatures.len());
    let mut verifier = Verifier::new(&psbt.unsigned_tx, coins);
    for signature in signatures {
        let at = usize::try_from(signature.input).unwrap_or(usize::MAX);
        let (Some(input), Some(coin)) = (psbt.inputs.get(at), coins.get(at)) else {
            return Err(wrong(signature.input, "there is no such input"));
        };
        let derived = match own(at) {
            Own::Foreign => return Err(foreign(at)),
            Own::Unknown => None,
            Own::Ours(derived) => Some(derived),
        };
        let of = Signed { at, coin, input, derived: derived.as_deref() };
        let (field, claim) =
            of.parsed(&mut verifier, signature).map_err(|reason| wrong(signature.input, reason))?;
        parsed.push((at, field));
        claims.push(claim);
    }
    let verified = |claim: &Result<Claim, Judged>| claim.as_ref().map_or_else(Judged::clone, Claim::verify);
    for (signature, judged) in signatures.iter().zip(helper::map(claims, verified)) {
        accepted(judged).map_err(|reason| wrong(signature.input, reason))?;
    }
    for (at, field) in parsed {
        let Some(input) = psbt.inputs.get_mut(at) else { continue };
        let sighash_type = match field {
            Parsed::Ecdsa(key, signature) => {
                input.partial_sigs.insert(key, signature);
                continue;
            }
            Parsed::KeyPath(signature) => {
                input.tap_key_sig = Some(signature);
                signature.sighash_type
            }
            Parsed::Leaf(key, leaf, signature) => {
                input.tap_script_sigs.insert((key, leaf), signature);
                signature.sighash_type
            }
        };
        // BIP174: a finaliser refuses signatures of another type than the field says.
        input.sighash_type = input.sighash_type.map(|_| PsbtSighashType::from(sighash_type));
    }
    Ok(())
}

/// The coins of a PSBT whose inputs are all beyond doubt.
pub(crate) fn established(psbt: &Psbt) -> Result<Vec<Coin>, Error> {
    let mut findings = Vec::new();
    let coins = coins::establish(psbt, &Evidence::default(), &mut findings);
    let refusal: Option<&Finding> = findings.iter().find(|finding| finding.outcome == Outcome::Refuse);
    refusal.map_or(Ok(coins), |finding| Err(finding.into()))
}

/// A signature as its PSBT field holds it.
enum Parsed {
    Ecdsa(PublicKey, ecdsa::Signature),
    KeyPath(taproot::Signature),
    Leaf(XOnlyPublicKey, TapLeafHash, taproot::Signature),
}

/// What a signature is for.
struct Signed<'a> {
    at: usize,
    coin: &'a Coin,
    input: &'a Input,
    derived: Option<&'a Derived>,
}

impl Signed<'_> {
    /// The signature as a field, and what is to be verified of it.
    fn parsed(
        &self,
        verifier: &mut Verifier<'_>,
        signature: &InputSignature,
    ) -> Result<(Parsed, Result<Claim, Judged>), &'static str> {
        let inside = self.derived.map_or_else(|| Inside::told(self.input), Inside::own);
        let output = self.coin.output.as_ref().ok_or("its coin is not known")?;
        let bytes = signature.public_key.as_slice();
        Ok(if let Some(output_key) = output_key(&output.script_pubkey) {
            let parsed = taproot::Signature::from_slice(&signature.signature)
                .map_err(|_| "it is no BIP340 signature")?;
            match signature.leaf {
                None => {
                    let internal = inside.internal_key.map(|key| key.serialize());
                    if bytes != output_key.serialize() && internal.is_none_or(|key| bytes != key) {
                        return Err("its key is not the one of the output it spends");
                    }
                    (Parsed::KeyPath(parsed), verifier.schnorr_claim(self.at, None, output_key, &parsed))
                }
                Some(hash) => {
                    let key = XOnlyPublicKey::from_slice(bytes).map_err(|_| "its key is not 32 bytes")?;
                    let leaf = inside
                        .leaf(output_key, &hash)
                        .ok_or("its leaf is not one of the output it spends")?;
                    (Parsed::Leaf(key, hash, parsed), verifier.leaf_claim(self.at, leaf, key, &parsed))
                }
            }
        } else if signature.leaf.is_some() {
            return Err("only taproot outputs have leaves");
        } else {
            let key = self.public_key(bytes).ok_or("its key is no public key")?;
            let parsed =
                ecdsa::Signature::from_slice(&signature.signature).map_err(|_| "it is no ECDSA signature")?;
            (Parsed::Ecdsa(key, parsed), verifier.ecdsa_claim(self.at, &inside, &key, &parsed))
        })
    }

    /// The key of these bytes; the wallet's own keys need not be decompressed again.
    fn public_key(&self, bytes: &[u8]) -> Option<PublicKey> {
        let mut own = self.derived.into_iter().flat_map(|derived| &derived.keys);
        let known = own.find(|key| key.compressed && key.inner.serialize() == bytes).copied();
        known.or_else(|| PublicKey::from_slice(bytes).ok())
    }
}

/// Only what verifies is accepted.
fn accepted(judged: Judged) -> Result<(), &'static str> {
    match judged {
        Judged::Good => Ok(()),
        Judged::Bad(reason) => Err(reason),
        Judged::Unknown => Err("it cannot be verified here"),
    }
}

/// C12: what is not proven ours is not signed.
fn foreign(at: usize) -> Error {
    Error::Refused {
        check: Check::SIGNED_INPUTS,
        message: format!("a signature for input {at} is not accepted: that input is not the wallet's"),
        hint: Some("let its owner sign it, and combine the files".to_owned()),
    }
}

fn wrong(input: u32, reason: &str) -> Error {
    Error::Refused {
        check: Check::SIGNATURE,
        message: format!("the signature for input {input} is not accepted: {reason}"),
        hint: Some("sign again; a signature that does not verify never leaves".to_owned()),
    }
}
