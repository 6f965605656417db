//! C15 to C19 for a PSBT of no registered wallet: what can be said without knowing which outputs are change.

use super::coins::Coin;
use super::inside::Inside;
use super::signatures::is_final;
use bitcoin::psbt::Input;
use bitcoin::{Address, Network, Psbt, PublicKey, Script, ScriptBuf, Weight};
use miniscript::descriptor::{Sh, Wsh};
use miniscript::{Descriptor, ExtParams, Legacy, Miniscript, Segwitv0};
use policies::check::{Check, Finding};
use policies::examine::{FeeBounds, FeeCeiling};
use policies::id::WalletId;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath};

/// Checks the numbers; the outcome never becomes a payment.
pub(crate) fn check(
    psbt: &Psbt,
    coins: &[Coin],
    network: Network,
    fees: &FeeBounds,
    findings: &mut Vec<Finding>,
) {
    unusual_outputs(psbt, network, findings);
    let Some(parts) = parts(psbt, coins, network) else { return };
    match Spend::new(parts) {
        Err(mut wrong) => findings.append(&mut wrong),
        Ok(spend) => {
            findings.push(Finding::pass(Check::SUMS, "the sums add up"));
            findings.push(Finding::pass(Check::DUST, "no output is dust"));
            findings.push(Finding::pass(Check::DUPLICATE_INPUT, "no input twice"));
            findings.extend(signed_weight(psbt, coins).map(|weight| fee(&spend, weight, fees)));
        }
    }
}

/// Upper bound of the signed transaction's weight; `None` where an input's script does not say.
pub(crate) fn signed_weight(psbt: &Psbt, coins: &[Coin]) -> Option<Weight> {
    let mut weight = psbt.unsigned_tx.weight().checked_add(Weight::from_wu(2))?;
    for (input, coin) in psbt.inputs.iter().zip(coins) {
        let script = &coin.output.as_ref()?.script_pubkey;
        let more = if is_final(input) {
            let script_sig = input.final_script_sig.as_ref().map_or(0, |sig| sig.len());
            let witness = input.final_script_witness.as_ref().map_or(0, bitcoin::Witness::size);
            u64::try_from(script_sig.saturating_mul(4).saturating_add(witness)).ok()?
        } else {
            satisfaction_weight(input, script)?
        };
        weight = weight.checked_add(Weight::from_wu(more))?;
    }
    Some(weight)
}

/// What satisfying an input adds at most, by the scripts that the file tells.
fn satisfaction_weight(input: &Input, script: &Script) -> Option<u64> {
    // Count, 72-byte signature and 33-byte key, each behind its length.
    const ONE_KEY: u64 = 108;
    let inside = Inside::told(input);
    let inner = inside.inner(script);
    // The scriptSig of a nested output is one push, at 4 weight units a byte.
    let nested =
        if script.is_p2sh() { u64::try_from(inner.len()).ok()?.checked_add(1)?.checked_mul(4)? } else { 0 };
    if inner.is_p2wpkh() {
        ONE_KEY.checked_add(nested)
    } else if inner.is_p2tr() {
        // Count, and a 64-byte signature behind its length; leaves may need more.
        input.tap_scripts.is_empty().then_some(66)
    } else if inner.is_p2pkh() {
        Some(ONE_KEY.saturating_sub(1).saturating_mul(4))
    } else if inner.is_p2wsh() {
        let parsed =
            Miniscript::<PublicKey, Segwitv0>::parse_with_ext(inside.witness_script?, &allowed()).ok()?;
        let weight = Descriptor::Wsh(Wsh::new(parsed).ok()?).max_weight_to_satisfy().ok()?;
        weight.to_wu().checked_add(nested)
    } else if script.is_p2sh() {
        let parsed =
            Miniscript::<PublicKey, Legacy>::parse_with_ext(inside.redeem_script?, &allowed()).ok()?;
        Some(Descriptor::Sh(Sh::new(parsed).ok()?).max_weight_to_satisfy().ok()?.to_wu())
    } else {
        None
    }
}

fn allowed() -> ExtParams {
    ExtParams::sane().raw_pkh()
}

/// The numbers of the transaction in the shape whose invariants are checked, under no wallet's name.
fn parts(psbt: &Psbt, coins: &[Coin], network: Network) -> Option<SpendParts> {
    let nowhere = Keypath { branch: Branch::External, index: 0 };
    let transaction = &psbt.unsigned_tx;
    let inputs = transaction.input.iter().zip(coins).map(|(txin, coin)| {
        let value = coin.output.as_ref()?.value;
        Some(SpendInput { outpoint: txin.previous_output, sequence: txin.sequence, value, keypath: nowhere })
    });
    Some(SpendParts {
        network,
        wallet: WalletId::of(b"no registered wallet"),
        version: transaction.version,
        lock_time: transaction.lock_time,
        inputs: inputs.collect::<Option<_>>()?,
        outputs: transaction
            .output
            .iter()
            .map(|output| SpendOutput {
                value: output.value,
                script: output.script_pubkey.clone(),
                own: None,
            })
            .collect(),
    })
}

/// C16 without percent: change is not known and never belongs in the denominator.
fn fee(spend: &Spend, weight: Weight, fees: &FeeBounds) -> Finding {
    let vsize = weight.to_vbytes_ceil();
    let two_bases = |ceiling: FeeCeiling| FeeCeiling { percent: u64::MAX, ..ceiling };
    let refused = two_bases(fees.refuse).exceeded(spend, vsize);
    if !refused.is_empty() {
        return Finding::refuse(Check::FEE, format!("the fee is absurd: {}", refused.join("; ")))
            .hint("build the payment again with a lower feerate");
    }
    let asked = two_bases(fees.ask).exceeded(spend, vsize);
    if asked.is_empty() {
        Finding::pass(Check::FEE, format!("the fee of {} sat is usual", spend.fee().to_sat()))
    } else {
        Finding::ask(Check::FEE, format!("the fee is high: {}", asked.join("; ")))
    }
}

/// C19: whatever is not an address, whole.
fn unusual_outputs(psbt: &Psbt, network: Network, findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (at, output) in psbt.unsigned_tx.output.iter().enumerate() {
        let script: &ScriptBuf = &output.script_pubkey;
        if Address::from_script(script, network).is_ok() {
            continue;
        }
        let what = if script.is_op_return() { "an OP_RETURN" } else { "an unknown script" };
        let text = crate::display::escape_bytes(script.as_bytes());
        findings.push(Finding::ask(
            Check::UNUSUAL_OUTPUT,
            format!("output {at} is {what}: {} (\"{text}\")", script.to_hex_string()),
        ));
    }
    if findings.len() == before {
        findings.push(Finding::pass(Check::UNUSUAL_OUTPUT, "every output is an address"));
    }
}
