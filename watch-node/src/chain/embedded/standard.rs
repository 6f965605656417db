//! Which transactions Bitcoin Core relays by default, as far as one can tell without their inputs.
//!
//! Source: `policy/policy.cpp` and `consensus/tx_check.cpp` of Bitcoin Core 30. Reasons are its reject reasons.

use std::collections::HashSet;

use bitcoin::{Amount, ScriptBuf, Transaction};

/// Largest standard transaction, in weight units (`MAX_STANDARD_TX_WEIGHT`).
pub const MAX_STANDARD_WEIGHT_WU: u64 = 400_000;
/// Least relayed feerate, in satoshi per 1000 vbytes: 0.1 sat/vB, Bitcoin Core's default since 29.1.
pub const MIN_RELAY_SAT_PER_KVB: u64 = 100;
/// Smallest serialized size without witnesses (`MIN_STANDARD_TX_NONWITNESS_SIZE`; CVE-2017-12842).
const MIN_BASE_SIZE_B: usize = 65;
/// `MAX_STANDARD_SCRIPTSIG_SIZE`.
const MAX_SCRIPT_SIG_B: usize = 1_650;
/// Total bytes in data carrier outputs (`MAX_OP_RETURN_RELAY` since 30).
const MAX_DATA_CARRIER_B: usize = 100_000;

/// The first rule that `transaction` breaks, if any.
pub(super) fn objection(transaction: &Transaction) -> Option<&'static str> {
    shape(transaction).or_else(|| relay(transaction))
}

/// The least fee for a transaction of so many vbytes, rounded up.
pub(super) fn min_fee(vsize_vb: u64) -> Amount {
    Amount::from_sat(vsize_vb.saturating_mul(MIN_RELAY_SAT_PER_KVB).div_ceil(1_000))
}

/// Consensus rules that need no context.
fn shape(transaction: &Transaction) -> Option<&'static str> {
    if transaction.input.is_empty() {
        return Some("bad-txns-vin-empty");
    }
    if transaction.output.is_empty() {
        return Some("bad-txns-vout-empty");
    }
    let total = transaction.output.iter().try_fold(Amount::ZERO, |sum, output| {
        sum.checked_add(output.value).filter(|sum| *sum <= Amount::MAX_MONEY)
    });
    if total.is_none() {
        return Some("bad-txns-txouttotal-toolarge");
    }
    let mut seen = HashSet::new();
    if !transaction.input.iter().all(|input| seen.insert(input.previous_output)) {
        return Some("bad-txns-inputs-duplicate");
    }
    if transaction.is_coinbase() {
        return Some("coinbase");
    }
    if transaction.input.iter().any(|input| input.previous_output.is_null()) {
        return Some("bad-txns-prevout-null");
    }
    None
}

fn relay(transaction: &Transaction) -> Option<&'static str> {
    if !(1..=3).contains(&transaction.version.0) {
        return Some("version");
    }
    if transaction.weight().to_wu() > MAX_STANDARD_WEIGHT_WU {
        return Some("tx-size");
    }
    if transaction.base_size() < MIN_BASE_SIZE_B {
        return Some("tx-size-small");
    }
    for input in &transaction.input {
        if input.script_sig.len() > MAX_SCRIPT_SIG_B {
            return Some("scriptsig-size");
        }
        if !input.script_sig.is_push_only() {
            return Some("scriptsig-not-pushonly");
        }
    }
    if !transaction.output.iter().all(|output| is_standard(&output.script_pubkey)) {
        return Some("scriptpubkey");
    }
    let data: usize = transaction
        .output
        .iter()
        .filter(|output| output.script_pubkey.is_op_return())
        .map(|output| output.script_pubkey.len())
        .sum();
    if data > MAX_DATA_CARRIER_B {
        return Some("datacarrier");
    }
    // A data carrier's threshold is zero, so only spendable outputs can be dust.
    if transaction.output.iter().any(|output| output.value < output.script_pubkey.minimal_non_dust()) {
        return Some("dust");
    }
    None
}

fn is_standard(script: &ScriptBuf) -> bool {
    script.is_p2pkh()
        || script.is_p2sh()
        || script.is_witness_program()
        || script.is_p2pk()
        || script.is_op_return()
        || script.is_multisig()
}
