//! BIP174's Finalizer and Extractor for every script that is a miniscript: one key, multisig, timelocks, taproot leaves.

mod satisfaction;

use crate::Error;
use crate::checks::coins::Coin;
use crate::checks::signatures::{Judged, Verifier, count, is_final, judge};
use crate::error::Missing;
use crate::export::established;
use bitcoin::psbt::Input;
use bitcoin::{Amount, Psbt, Transaction};
use policies::check::Check;
use policies::examine::FeeBounds;
use satisfaction::{Way, name, scripts_are_told, way};
use std::collections::BTreeSet;

/// Makes every input final: each signature verified, what satisfies the script put into scriptSig and witness and held
/// against the script, and what BIP174 says removed. Inputs that are final stay as they are. After an error the PSBT is as
/// it was.
///
/// # Errors
/// [`Error::SignaturesMissing`] names every input and key without one; check C14 for one that does not verify; C21 for a
/// script that is not finalised here; C01 to C04 when the PSBT does not prove what its inputs are.
pub fn finalize(psbt: &mut Psbt) -> Result<(), Error> {
    let coins = established(psbt)?;
    let mut verifier = Verifier::new(&psbt.unsigned_tx, &coins);
    let mut inputs = Vec::with_capacity(psbt.inputs.len());
    let mut missing = Vec::new();
    for (at, (input, coin)) in psbt.inputs.iter().zip(&coins).enumerate() {
        match finalised(&mut verifier, psbt, at, input, coin)? {
            Ok(input) => inputs.push(input),
            Err(keys) => missing.push(Missing { input: at, keys }),
        }
    }
    if !missing.is_empty() {
        return Err(Error::SignaturesMissing(missing));
    }
    psbt.inputs = inputs;
    Ok(())
}

/// The other way: the signatures by which inputs are final stand in their fields again, beside what is final, so that they can
/// go with those of other files. Each has verified; where what is final does not satisfy the script, nothing is added.
///
/// # Errors
/// C01 to C04 when the PSBT does not prove what its inputs are.
pub fn reopen(psbt: &mut Psbt) -> Result<(), Error> {
    let coins = established(psbt)?;
    let mut verifier = Verifier::new(&psbt.unsigned_tx, &coins);
    for (at, input) in psbt.inputs.iter_mut().enumerate().filter(|(_, input)| is_final(input)) {
        verifier.reopen(at, input);
    }
    Ok(())
}

/// The signed transaction of a PSBT whose inputs are all final, each held against its script. For a script that is no
/// miniscript the chain's own rules decide.
///
/// # Errors
/// [`Error::SignaturesMissing`] names every input that is not final; check C14 for a witness that does not verify; C16
/// for an absurd fee, C17 for a negative one; C01 to C04 when amounts are not known.
pub fn extract(psbt: &Psbt, fees: &FeeBounds) -> Result<Transaction, Error> {
    let without = psbt.inputs.iter().enumerate().filter(|(_, input)| !is_final(input));
    let missing: Vec<_> = without.map(|(input, _)| Missing { input, keys: Vec::new() }).collect();
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

/// BIP174's role that comes next. Whether an own input has all its signatures is known already; of others it is found out.
pub(crate) fn next_role(psbt: &Psbt, coins: &[Coin], own: impl Fn(usize) -> Option<bool>) -> &'static str {
    let mut role = "extractor";
    for (at, (input, coin)) in
        psbt.inputs.iter().zip(coins).enumerate().filter(|(_, (input, _))| !is_final(input))
    {
        let Some(output) = &coin.output else { return "updater" };
        let script = &output.script_pubkey;
        if !scripts_are_told(input, script) {
            return "updater";
        }
        let complete = own(at).unwrap_or_else(|| {
            role != "signer" && count(input) > 0 && matches!(way(psbt, at, input, script), Way::Found(..))
        });
        role = match (complete, role) {
            (false, _) => "signer",
            (true, "extractor") => "finalizer",
            (true, before) => before,
        };
    }
    role
}

/// The input made final, or the keys whose signatures are missing.
fn finalised(
    verifier: &mut Verifier<'_>,
    psbt: &Psbt,
    at: usize,
    input: &Input,
    coin: &Coin,
) -> Result<Result<Input, Vec<String>>, Error> {
    if is_final(input) {
        return match verifier.finalised(at, input) {
            Judged::Bad(reason) => Err(bad(at, reason)),
            Judged::Good | Judged::Unknown => Ok(Ok(input.clone())),
        };
    }
    let Some(output) = &coin.output else { return Ok(Err(Vec::new())) };
    judge(verifier, at, input).into_iter().try_for_each(|judged| require(at, judged))?;
    let (script_sig, witness) = match way(psbt, at, input, &output.script_pubkey) {
        Way::Found(script_sig, witness) => (script_sig, witness),
        Way::Missing(keys) => {
            let names: BTreeSet<String> = keys.into_iter().map(|key| name(key, input)).collect();
            return Ok(Err(names.into_iter().collect()));
        }
        Way::Closed => {
            return Err(Error::Refused {
                check: Check::LOCKTIME,
                message: format!(
                    "input {at}: its keys have signed, but its sequence and locktime open no path, or a preimage is missing"
                ),
                hint: Some("add the preimage to the PSBT, or build the payment for another path".to_owned()),
            });
        }
        Way::Unknown(reason) => {
            return Err(Error::Refused {
                check: Check::STRICT_PSBT,
                message: format!("input {at} is not finalised here: {reason}"),
                hint: Some("finalise it with the wallet that knows its script".to_owned()),
            });
        }
    };
    // BIP174, "Input Finalizer": everything but the UTXOs and what is not understood is removed.
    let input = Input {
        non_witness_utxo: input.non_witness_utxo.clone(),
        witness_utxo: input.witness_utxo.clone(),
        final_script_sig: Some(script_sig).filter(|script_sig| !script_sig.is_empty()),
        final_script_witness: Some(witness).filter(|witness| !witness.is_empty()),
        proprietary: input.proprietary.clone(),
        unknown: input.unknown.clone(),
        ..Input::default()
    };
    require(at, verifier.finalised(at, &input))?;
    Ok(Ok(input))
}

fn require(at: usize, judged: Judged) -> Result<(), Error> {
    match judged {
        Judged::Good => Ok(()),
        Judged::Bad(reason) => Err(bad(at, reason)),
        Judged::Unknown => Err(bad(at, "the file does not tell all that it commits to")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{ScriptBuf, TxIn, TxOut};
    use policies::examine::FeeCeiling;

    #[test]
    fn a_fee_at_the_ceilings_is_extracted_and_one_satoshi_above_is_not() {
        let output = |sat| TxOut { value: Amount::from_sat(sat), script_pubkey: ScriptBuf::new() };
        let transaction = |fee: u64| Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn::default()],
            output: vec![output(1_000_000 - fee)],
        };
        let vsize = u64::try_from(transaction(0).vsize()).unwrap();
        let judged = |fee: u64, sat: u64, sat_per_vb: u64| {
            let refuse =
                FeeCeiling { amount: Amount::from_sat(sat), sat_per_vb, ..FeeBounds::default().refuse };
            let fees = FeeBounds { refuse, ..FeeBounds::default() };
            let coin = Coin { output: Some(output(1_000_000)), proven: true };
            within_bounds(&transaction(fee), &[coin], &fees).map_err(|error| error.code())
        };
        let high = 100_000;
        assert_eq!(judged(5_000, 5_000, high), Ok(()));
        assert_eq!(judged(5_001, 5_000, high), Err("C16".to_owned()));
        assert_eq!(judged(10 * vsize, high, 10), Ok(()));
        assert_eq!(judged(10 * vsize + 1, high, 10), Err("C16".to_owned()));
        let poor = Coin { output: Some(output(999_999)), proven: true };
        let negative = within_bounds(&transaction(0), &[poor], &FeeBounds::default());
        assert_eq!(negative.unwrap_err().code(), "C17");
    }
}
