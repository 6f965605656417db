//! Whether a transaction may wait for the next block.

use bitcoin::relative::LockTime as Relative;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Sequence, Transaction, TxOut, Txid};

use super::ledger::Ledger;
use super::{replace, standard};
use crate::chain::{Acceptance, script};
use crate::error::{Error, Result};

/// Confirmations that a block's reward needs before it can be spent (`COINBASE_MATURITY`).
pub(super) const COINBASE_MATURITY: u32 = 100;
/// Most signature operations in a standard transaction (`MAX_STANDARD_TX_SIGOPS_COST`).
const MAX_SIGOPS_COST: usize = 16_000;
/// Locktimes below this are heights, from it on seconds (BIP65, `LOCKTIME_THRESHOLD`).
const LOCKTIME_THRESHOLD: u32 = 500_000_000;

/// What would happen to `transaction`.
pub(super) fn test(ledger: &Ledger, transaction: &Transaction) -> Result<Acceptance> {
    let txid = transaction.compute_txid();
    if ledger.mempool_transaction(txid)?.is_some_and(|waiting| waiting == *transaction)
        || ledger.is_confirmed(txid)?
    {
        return Ok(Acceptance::Known);
    }
    match examine(ledger, transaction) {
        Ok(fee) => Ok(Acceptance::Accepted { fee_sat: fee.to_sat(), vsize_vb: vsize(transaction)? }),
        Err(Error::TransactionRefused { reason, .. }) => Ok(Acceptance::Refused(reason)),
        Err(error @ Error::Script { .. }) => Ok(Acceptance::Refused(error.to_string())),
        Err(other) => Err(other),
    }
}

/// Examines `transaction` and puts it into the mempool; idempotent for identical bytes.
pub(super) fn accept(ledger: &Ledger, transaction: &Transaction) -> Result<Txid> {
    let txid = transaction.compute_txid();
    if test(ledger, transaction)? != Acceptance::Known {
        let fee = examine(ledger, transaction)?;
        for replaced in replace::conflicts(ledger, transaction)? {
            ledger.remove_from_mempool(replaced.transaction.compute_txid())?;
        }
        ledger.add_to_mempool(transaction, fee)?;
    }
    Ok(txid)
}

/// All rules in Bitcoin Core's order (`validation.cpp`, `MemPoolAccept::PreChecks`); returns the fee.
fn examine(ledger: &Ledger, transaction: &Transaction) -> Result<Amount> {
    let refuse = |reason: &str| Error::TransactionRefused {
        txid: transaction.compute_txid(),
        reason: reason.to_owned(),
    };
    if let Some(reason) = standard::objection(transaction) {
        return Err(refuse(reason));
    }
    if ledger.mempool_transaction(transaction.compute_txid())?.is_some() {
        return Err(refuse("txn-same-nonwitness-data-in-mempool"));
    }
    let tip = ledger.tip()?;
    let height = tip.height.checked_add(1).ok_or(Error::Overflow)?;
    let median_time = ledger.median_time_past(tip.height)?;
    if !is_final(transaction, height, median_time) {
        return Err(refuse("non-final"));
    }

    let mut spent = Vec::with_capacity(transaction.input.len());
    for input in &transaction.input {
        let outpoint = input.previous_output;
        let (output, confirmed_at) = match ledger.output(outpoint)? {
            Some(output) if output.spent_height.is_some() => {
                return Err(refuse("bad-txns-inputs-missingorspent"));
            }
            Some(output) => {
                if output.coinbase && height.saturating_sub(output.height) < COINBASE_MATURITY {
                    return Err(refuse("bad-txns-premature-spend-of-coinbase"));
                }
                (output.txout, output.height)
            }
            None => {
                let parent = ledger.mempool_transaction(outpoint.txid)?;
                let output = usize::try_from(outpoint.vout)
                    .ok()
                    .and_then(|vout| parent?.output.into_iter().nth(vout))
                    .ok_or_else(|| refuse("bad-txns-inputs-missingorspent"))?;
                (output, height)
            }
        };
        if transaction.version >= Version::TWO
            && !sequence_passed(ledger, input.sequence, confirmed_at, height, median_time)?
        {
            return Err(refuse("non-BIP68-final"));
        }
        spent.push(output);
    }

    let fee = fee(transaction, &spent).ok_or_else(|| refuse("bad-txns-in-belowout"))?;
    let sigops_cost = transaction.total_sigop_cost(|wanted| {
        let mut inputs = transaction.input.iter().zip(&spent);
        inputs.find(|(input, _)| input.previous_output == *wanted).map(|(_, output)| output.clone())
    });
    if sigops_cost > MAX_SIGOPS_COST {
        return Err(refuse("bad-txns-too-many-sigops"));
    }
    if fee < standard::min_fee(vsize(transaction)?) {
        return Err(refuse("min relay fee not met"));
    }
    let conflicts = replace::conflicts(ledger, transaction)?;
    if let Some(reason) = replace::objection(transaction, fee, vsize(transaction)?, &conflicts)? {
        return Err(refuse(reason));
    }
    script::verify(transaction, &spent)?;
    Ok(fee)
}

fn fee(transaction: &Transaction, spent: &[TxOut]) -> Option<Amount> {
    let total = |outputs: &[TxOut]| {
        outputs.iter().try_fold(Amount::ZERO, |sum, output| sum.checked_add(output.value))
    };
    total(spent)?.checked_sub(total(&transaction.output)?)
}

/// BIP113: locktime against the next block's height and the median time past of the tip.
fn is_final(transaction: &Transaction, height: u32, median_time: u32) -> bool {
    let lock = transaction.lock_time.to_consensus_u32();
    let passed = if lock < LOCKTIME_THRESHOLD { lock < height } else { lock < median_time };
    lock == 0 || passed || transaction.input.iter().all(|input| input.sequence == Sequence::MAX)
}

/// BIP68: whether an output confirmed at `confirmed_at` is old enough for the block at `height`.
fn sequence_passed(
    ledger: &Ledger,
    sequence: Sequence,
    confirmed_at: u32,
    height: u32,
    median_time: u32,
) -> Result<bool> {
    Ok(match sequence.to_relative_lock_time() {
        None => true,
        Some(Relative::Blocks(blocks)) => height.saturating_sub(confirmed_at) >= u32::from(blocks.value()),
        Some(Relative::Time(intervals)) => {
            let since = ledger.median_time_past(confirmed_at.saturating_sub(1))?;
            u64::from(median_time) >= u64::from(since) + u64::from(intervals.value()) * 512
        }
    })
}

fn vsize(transaction: &Transaction) -> Result<u64> {
    u64::try_from(transaction.vsize()).map_err(|_| Error::Overflow)
}
