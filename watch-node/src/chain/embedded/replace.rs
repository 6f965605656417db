//! Which waiting transactions a new one would take the place of, and whether it may (BIP125).
//!
//! Source: `policy/rbf.cpp` and `validation.cpp` (`MemPoolAccept::ReplacementChecks`) of Bitcoin Core 30; every waiting
//! transaction can be replaced, as there. Reasons are its reject reasons.

use std::collections::HashSet;

use bitcoin::{Amount, Transaction, Txid};

use super::ledger::{Ledger, Waiting};
use super::standard;
use crate::error::{Error, Result};

/// Most transactions that one replaces (`MAX_REPLACEMENT_CANDIDATES`).
const MAX_REPLACED: usize = 100;

/// The waiting transactions that exclude a new one, and those that spend outputs of them, parents first.
pub(super) fn conflicts(ledger: &Ledger, transaction: &Transaction) -> Result<Vec<Waiting>> {
    let mut gone: HashSet<Txid> = HashSet::new();
    for input in &transaction.input {
        gone.extend(ledger.spender_in_mempool(input.previous_output)?);
    }
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    // Parents come before children, so one pass finds all descendants.
    let mut found = Vec::new();
    for waiting in ledger.mempool()? {
        let spends_gone =
            waiting.transaction.input.iter().any(|input| gone.contains(&input.previous_output.txid));
        let txid = waiting.transaction.compute_txid();
        if spends_gone || gone.contains(&txid) {
            gone.insert(txid);
            found.push(waiting);
        }
    }
    Ok(found)
}

/// Why a transaction with this fee and size may not take the place of its conflicts, if there is a reason.
pub(super) fn objection(
    transaction: &Transaction,
    fee: Amount,
    vsize_vb: u64,
    conflicts: &[Waiting],
) -> Result<Option<&'static str>> {
    if conflicts.is_empty() {
        return Ok(None);
    }
    if conflicts.len() > MAX_REPLACED {
        return Ok(Some("too many potential replacements"));
    }
    let gone: HashSet<Txid> = conflicts.iter().map(|waiting| waiting.transaction.compute_txid()).collect();
    if transaction.input.iter().any(|input| gone.contains(&input.previous_output.txid)) {
        return Ok(Some("bad-txns-spends-conflicting-tx"));
    }
    let mut replaced = Amount::ZERO;
    for waiting in conflicts {
        replaced = replaced.checked_add(waiting.fee).ok_or(Error::Overflow)?;
        let is_direct = waiting.transaction.input.iter().any(|theirs| {
            transaction.input.iter().any(|input| input.previous_output == theirs.previous_output)
        });
        if is_direct && !has_higher_rate(fee, vsize_vb, waiting)? {
            return Ok(Some("insufficient fee"));
        }
    }
    // The incremental relay feerate is by default that of relaying at all.
    let needed = replaced.checked_add(standard::min_fee(vsize_vb)).ok_or(Error::Overflow)?;
    Ok((fee < needed).then_some("insufficient fee"))
}

fn has_higher_rate(fee: Amount, vsize_vb: u64, waiting: &Waiting) -> Result<bool> {
    let size = u128::try_from(waiting.transaction.vsize()).map_err(|_| Error::Overflow)?;
    let ours = u128::from(fee.to_sat()).checked_mul(size);
    let theirs = u128::from(waiting.fee.to_sat()).checked_mul(u128::from(vsize_vb));
    ours.zip(theirs).map(|(ours, theirs)| ours > theirs).ok_or(Error::Overflow)
}
