//! Signatures back into the PSBT, and the comparison of what came back with what was asked for.

use crate::Error;
use crate::checks::coins::{self, Coin};
use crate::checks::signatures::{Judged, Verifier, output_key};
use bitcoin::psbt::{Input, PsbtSighashType};
use bitcoin::{Psbt, PublicKey, Transaction, XOnlyPublicKey, ecdsa, taproot};
use policies::check::{Check, Finding, Outcome};

/// A signature as the vault releases it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSignature {
    /// Index of the input, from zero.
    pub input: u32,
    /// The key: 33 bytes compressed for `wpkh`; 32 bytes, internal or output key, for taproot.
    pub public_key: Vec<u8>,
    /// The signature as it is pushed to the stack: DER and sighash byte, or 64 or 65 bytes of BIP340.
    pub signature: Vec<u8>,
}

/// Adds signatures, each verified before it is accepted; after an error the PSBT is as it was.
///
/// # Errors
/// Check C28 for a signature that does not verify, is for no input, or for another key than the input's; C01 to C04 when
/// the PSBT does not prove what its inputs are.
pub fn attach_signatures(psbt: &mut Psbt, signatures: &[InputSignature]) -> Result<(), Error> {
    let coins = established(psbt)?;
    let mut inputs = psbt.inputs.clone();
    let mut verifier = Verifier::new(&psbt.unsigned_tx, &coins);
    for signature in signatures {
        let at = usize::try_from(signature.input).unwrap_or(usize::MAX);
        let (Some(input), Some(coin)) = (inputs.get_mut(at), coins.get(at)) else {
            return Err(wrong(signature.input, "there is no such input"));
        };
        attach(&mut verifier, at, input, coin, signature).map_err(|reason| wrong(signature.input, reason))?;
    }
    psbt.inputs = inputs;
    Ok(())
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

/// The coins of a PSBT whose inputs are all beyond doubt.
pub(crate) fn established(psbt: &Psbt) -> Result<Vec<Coin>, Error> {
    let mut findings = Vec::new();
    let coins = coins::establish(psbt, &mut findings);
    let refusal: Option<&Finding> = findings.iter().find(|finding| finding.outcome == Outcome::Refuse);
    refusal.map_or(Ok(coins), |finding| Err(finding.into()))
}

fn attach(
    verifier: &mut Verifier<'_>,
    at: usize,
    input: &mut Input,
    coin: &Coin,
    signature: &InputSignature,
) -> Result<(), &'static str> {
    let script = coin.output.as_ref().map(|output| &output.script_pubkey).ok_or("its coin is not known")?;
    let judged = if let Some(key) = output_key(script) {
        let named =
            XOnlyPublicKey::from_slice(&signature.public_key).map_err(|_| "its key is not 32 bytes")?;
        if named != key && input.tap_internal_key != Some(named) {
            return Err("its key is not the one of the output it spends");
        }
        let parsed =
            taproot::Signature::from_slice(&signature.signature).map_err(|_| "it is no BIP340 signature")?;
        let judged = verifier.key_path(at, &parsed);
        // BIP174: a finaliser refuses signatures of another type than the field says.
        input.sighash_type = input.sighash_type.map(|_| PsbtSighashType::from(parsed.sighash_type));
        input.tap_key_sig = Some(parsed);
        judged
    } else {
        let key = PublicKey::from_slice(&signature.public_key).map_err(|_| "its key is no public key")?;
        let parsed =
            ecdsa::Signature::from_slice(&signature.signature).map_err(|_| "it is no ECDSA signature")?;
        let judged = verifier.ecdsa(at, input, &key, &parsed);
        input.partial_sigs.insert(key, parsed);
        judged
    };
    match judged {
        Judged::Good => Ok(()),
        Judged::Bad(reason) => Err(reason),
        Judged::Unknown => Err("it cannot be verified here"),
    }
}

fn wrong(input: u32, reason: &str) -> Error {
    Error::Refused {
        check: Check::SIGNATURE,
        message: format!("the signature for input {input} is not accepted: {reason}"),
        hint: Some("sign again; a signature that does not verify never leaves".to_owned()),
    }
}
