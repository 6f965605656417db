//! BIP174's Finalizer and Extractor for inputs of one key: `wpkh`, nested or not, and taproot key path.

use crate::Error;
use crate::checks::coins::{Coin, inner_script};
use crate::checks::signatures::{Judged, Verifier};
use crate::export::established;
use bitcoin::psbt::Input;
use bitcoin::script::PushBytesBuf;
use bitcoin::{Amount, Psbt, ScriptBuf, Transaction, Witness};
use policies::check::Check;
use policies::examine::FeeBounds;

/// Makes every input final: its signature verified, put into the witness, and what BIP174 says removed. Inputs that are
/// final stay as they are. After an error the PSBT is as it was.
///
/// # Errors
/// [`Error::SignaturesMissing`] names every input without one; check C14 for one that does not verify; C21 for a
/// script that is not finalised here; C01 to C04 when the PSBT does not prove what its inputs are.
pub fn finalize(psbt: &mut Psbt) -> Result<(), Error> {
    let coins = established(psbt)?;
    let mut verifier = Verifier::new(&psbt.unsigned_tx, &coins);
    let mut inputs = Vec::with_capacity(psbt.inputs.len());
    let mut missing = Vec::new();
    for (at, (input, coin)) in psbt.inputs.iter().zip(&coins).enumerate() {
        match finalised(&mut verifier, at, input, coin)? {
            Some(input) => inputs.push(input),
            None => missing.push(at),
        }
    }
    if !missing.is_empty() {
        return Err(Error::SignaturesMissing(missing));
    }
    psbt.inputs = inputs;
    Ok(())
}

/// The signed transaction of a PSBT whose inputs are all final. Inputs of one key are verified; for other scripts the
/// chain's own rules decide.
///
/// # Errors
/// [`Error::SignaturesMissing`] names every input that is not final; check C14 for a witness that does not verify; C16
/// for an absurd fee, C17 for a negative one; C01 to C04 when amounts are not known.
pub fn extract(psbt: &Psbt, fees: &FeeBounds) -> Result<Transaction, Error> {
    let missing: Vec<_> =
        psbt.inputs.iter().enumerate().filter(|(_, input)| !is_final(input)).map(|(at, _)| at).collect();
    if !missing.is_empty() {
        return Err(Error::SignaturesMissing(missing));
    }
    let coins = established(psbt)?;
    let mut verifier = Verifier::new(&psbt.unsigned_tx, &coins);
    for (at, input) in psbt.inputs.iter().enumerate() {
        if let Judged::Bad(reason) = verifier.finalised(at, input) {
            return Err(bad(at, reason));
        }
    }
    let mut transaction = psbt.unsigned_tx.clone();
    for (txin, input) in transaction.input.iter_mut().zip(&psbt.inputs) {
        txin.script_sig = input.final_script_sig.clone().unwrap_or_default();
        txin.witness = input.final_script_witness.clone().unwrap_or_default();
    }
    within_bounds(&transaction, &coins, fees)?;
    Ok(transaction)
}

/// Whether an input needs no more signatures.
fn is_final(input: &Input) -> bool {
    input.final_script_sig.is_some() || input.final_script_witness.is_some()
}

/// The input made final; `None` when its signature is missing.
fn finalised(
    verifier: &mut Verifier<'_>,
    at: usize,
    input: &Input,
    coin: &Coin,
) -> Result<Option<Input>, Error> {
    if is_final(input) {
        return match verifier.finalised(at, input) {
            Judged::Bad(reason) => Err(bad(at, reason)),
            Judged::Good | Judged::Unknown => Ok(Some(input.clone())),
        };
    }
    let Some(output) = &coin.output else { return Ok(None) };
    let script = &output.script_pubkey;
    let inner = inner_script(input, script);
    let witness = if inner.is_p2tr() {
        let Some(signature) = &input.tap_key_sig else { return Ok(None) };
        require(at, verifier.key_path(at, signature))?;
        Witness::p2tr_key_spend(signature)
    } else if inner.is_p2wpkh() {
        let Some((key, signature)) = input.partial_sigs.first_key_value() else { return Ok(None) };
        require(at, verifier.ecdsa(at, input, key, signature))?;
        Witness::p2wpkh(signature, &key.inner)
    } else {
        return Err(Error::Refused {
            check: Check::STRICT_PSBT,
            message: format!("input {at} is neither wpkh nor taproot: its script is not finalised here"),
            hint: Some("finalise it with the wallet that knows its script".to_owned()),
        });
    };
    let script_sig = if script.is_p2sh() { pushed(inner) } else { None };
    // BIP174, "Input Finalizer": everything but the UTXOs and what is not understood is removed.
    Ok(Some(Input {
        non_witness_utxo: input.non_witness_utxo.clone(),
        witness_utxo: input.witness_utxo.clone(),
        final_script_sig: script_sig,
        final_script_witness: Some(witness),
        proprietary: input.proprietary.clone(),
        unknown: input.unknown.clone(),
        ..Input::default()
    }))
}

/// A scriptSig that pushes a nested output's redeem script (BIP141, "P2WPKH nested in BIP16 P2SH").
fn pushed(redeem: &bitcoin::Script) -> Option<ScriptBuf> {
    let bytes = PushBytesBuf::try_from(redeem.to_bytes()).ok()?;
    Some(ScriptBuf::builder().push_slice(bytes).into_script())
}

fn require(at: usize, judged: Judged) -> Result<(), Error> {
    match judged {
        Judged::Good => Ok(()),
        Judged::Bad(reason) => Err(bad(at, reason)),
        Judged::Unknown => Err(bad(at, "not every coin that it commits to is known")),
    }
}

fn bad(at: usize, reason: &str) -> Error {
    Error::Refused {
        check: Check::PRESENT_SIGNATURES,
        message: format!("input {at} has a wrong signature: {reason}"),
        hint: Some("start again from the unsigned PSBT".to_owned()),
    }
}

fn within_bounds(transaction: &Transaction, coins: &[Coin], fees: &FeeBounds) -> Result<(), Error> {
    let inputs =
        coins.iter().try_fold(Amount::ZERO, |total, coin| total.checked_add(coin.output.as_ref()?.value));
    let fee = inputs.and_then(|inputs| {
        transaction.output.iter().try_fold(inputs, |left, output| left.checked_sub(output.value))
    });
    let Some(fee) = fee else {
        return Err(Error::refused(Check::SUMS, "the outputs exceed the inputs"));
    };
    let vsize = u64::try_from(transaction.vsize()).unwrap_or(u64::MAX);
    let ceiling = fees.refuse;
    if fee > ceiling.amount || fee.to_sat() > ceiling.sat_per_vb.saturating_mul(vsize) {
        return Err(Error::Refused {
            check: Check::FEE,
            message: format!(
                "the fee of {} sat for {vsize} vB is absurd: above {} sat or {} sat/vB",
                fee.to_sat(),
                ceiling.amount.to_sat(),
                ceiling.sat_per_vb
            ),
            hint: Some("build the payment again with a lower feerate".to_owned()),
        });
    }
    Ok(())
}
