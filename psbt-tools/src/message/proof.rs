//! BIP322's proof of funds: a finalised PSBT, whose inputs after the first spend the coins that are claimed.

use super::script::{Fault, broken};
use super::signature::SignatureError;
use crate::checks::coins::pushed_redeem_script;
use bitcoin::psbt::Input;
use bitcoin::psbt::raw::Key;
use bitcoin::{Psbt, Script, Transaction};
use policies::evidence::{Evidence, Previous};
use policies::message::Message;
use policies::message::bip322::{ClaimedCoin, ToSign, to_spend};
use std::collections::BTreeSet;

/// BIP322's `PSBT_GLOBAL_GENERIC_SIGNED_MESSAGE`: the message, for signers.
const GLOBAL_MESSAGE: Key = Key { type_value: 0x09, key: Vec::new() };

/// The unsigned PSBT of a message, for signers that speak PSBT (BIP322, "PSBT creator"): the message in its global
/// field, and what each input spends.
///
/// # Errors
/// [`SignatureError::PreviousTransaction`] for a legacy coin that `evidence` does not prove.
pub fn unsigned(message: &Message, to_sign: &ToSign, evidence: &Evidence) -> Result<Psbt, SignatureError> {
    unsigned_nested(message, to_sign, evidence, false)
}

/// The same where it is known whether `p2sh` scripts are nested segwit, which then need no previous transaction.
pub(super) fn unsigned_nested(
    message: &Message,
    to_sign: &ToSign,
    evidence: &Evidence,
    nested: bool,
) -> Result<Psbt, SignatureError> {
    let mut psbt = with_coins(to_sign, |_| nested, evidence)?;
    psbt.unknown.insert(GLOBAL_MESSAGE, message.as_bytes().to_vec());
    Ok(psbt)
}

/// The signed PSBT, from a `to_sign` and the same with satisfactions.
pub(super) fn finalised(
    to_sign: &ToSign,
    signed: &Transaction,
    evidence: &Evidence,
) -> Result<Psbt, SignatureError> {
    // A p2sh script may be nested segwit, which only its satisfaction shows.
    let nested = |at: usize| signed.input.get(at).is_some_and(|txin| !txin.witness.is_empty());
    let mut psbt = with_coins(to_sign, nested, evidence)?;
    let mut given = BTreeSet::new();
    for (input, txin) in psbt.inputs.iter_mut().zip(&signed.input) {
        input.final_script_sig = (!txin.script_sig.is_empty()).then(|| txin.script_sig.clone());
        input.final_script_witness = (!txin.witness.is_empty()).then(|| txin.witness.clone());
        // Segwit needs the output only, and one transaction stands for all its outputs (BIP322, "Proof of Funds").
        if input.witness_utxo.is_some() || !given.insert(txin.previous_output.txid) {
            input.non_witness_utxo = None;
        }
    }
    Ok(psbt)
}

/// The signed transaction that a finalised PSBT stands for.
pub(super) fn signed(psbt: &Psbt) -> Transaction {
    let mut transaction = psbt.unsigned_tx.clone();
    for (txin, input) in transaction.input.iter_mut().zip(&psbt.inputs) {
        txin.script_sig = input.final_script_sig.clone().unwrap_or_default();
        txin.witness = input.final_script_witness.clone().unwrap_or_default();
    }
    transaction
}

/// The coins that it claims, as far as the PSBT can tell; amounts of legacy scripts are proven by their transactions,
/// because no signature commits to them.
pub(super) fn coins(psbt: &Psbt, message: &Message, address: &Script) -> Result<Vec<ClaimedCoin>, Fault> {
    if psbt.unknown.get(&GLOBAL_MESSAGE).is_some_and(|named| named != message.as_bytes()) {
        return broken("the PSBT is of another message");
    }
    let to_spend = to_spend(message, address);
    if let (Some(first), [challenge]) = (psbt.inputs.first(), to_spend.output.as_slice()) {
        let other_transaction = first.non_witness_utxo.as_ref().is_some_and(|given| *given != to_spend);
        if other_transaction || first.witness_utxo.as_ref().is_some_and(|given| given != challenge) {
            return broken("it is a signature of another message or by another address");
        }
    }
    let previous = Evidence::new(psbt.inputs.iter().filter_map(|input| input.non_witness_utxo.clone()));
    let inputs = psbt.unsigned_tx.input.iter().zip(&psbt.inputs).skip(1).enumerate();
    inputs
        .map(|(at, (txin, input))| {
            let outpoint = txin.previous_output;
            if let Some(given) = &input.non_witness_utxo
                && given.compute_txid() != outpoint.txid
            {
                return broken(format!("coin {at}: the transaction given for it is another"));
            }
            let output = match (previous.output(&outpoint), &input.witness_utxo) {
                (Previous::NoSuchOutput(_), _) => {
                    return broken(format!("coin {at}: its transaction has no such output"));
                }
                (Previous::Output(proven), Some(claimed)) if proven != claimed => {
                    return broken(format!("coin {at}: its transaction says another amount or script"));
                }
                (Previous::Output(proven), _) => proven.clone(),
                (Previous::Absent, Some(claimed)) if is_segwit(input, &claimed.script_pubkey) => {
                    claimed.clone()
                }
                (Previous::Absent, Some(_)) => {
                    return broken(format!(
                        "coin {at} is of a legacy script: the transaction that made it is missing"
                    ));
                }
                (Previous::Absent, None) => return broken(format!("coin {at}: nothing says what it is")),
            };
            Ok(ClaimedCoin { outpoint, output, sequence: txin.sequence })
        })
        .collect()
}

/// The unsigned PSBT with what every input spends.
fn with_coins(
    to_sign: &ToSign,
    nested: impl Fn(usize) -> bool,
    evidence: &Evidence,
) -> Result<Psbt, SignatureError> {
    let mut psbt = Psbt {
        unsigned_tx: to_sign.transaction().clone(),
        version: 0,
        xpub: Default::default(),
        proprietary: Default::default(),
        unknown: Default::default(),
        inputs: vec![Input::default(); to_sign.transaction().input.len()],
        outputs: vec![Default::default(); to_sign.transaction().output.len()],
    };
    for (at, ((input, txin), output)) in
        psbt.inputs.iter_mut().zip(&to_sign.transaction().input).zip(to_sign.prevouts()).enumerate()
    {
        let previous = match at {
            0 => Some(to_sign.to_spend()),
            _ => evidence.transaction(&txin.previous_output.txid),
        };
        input.non_witness_utxo = previous.cloned();
        let script = &output.script_pubkey;
        if script.is_witness_program() || (script.is_p2sh() && nested(at)) {
            input.witness_utxo = Some(output.clone());
        } else if previous.is_none() {
            return Err(SignatureError::PreviousTransaction(at.saturating_sub(1)));
        }
        if script.is_p2tr() {
            // BIP371: what a taproot signature commits to needs no transaction.
            input.non_witness_utxo = None;
        }
    }
    Ok(psbt)
}

/// Whether a finalised input's signatures commit to the amount (BIP143, BIP341): native segwit, or nested.
fn is_segwit(input: &Input, script: &Script) -> bool {
    script.is_witness_program()
        || pushed_redeem_script(input, script).is_some_and(|redeem| redeem.is_witness_program())
}
