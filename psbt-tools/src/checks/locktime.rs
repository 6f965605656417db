//! C20: when the transaction can be mined, and whether it can be replaced.

use crate::import::Context;
use bitcoin::absolute::LockTime;
use bitcoin::{Network, Transaction, relative};
use policies::check::{Check, Finding};

/// A day in blocks: a lock further ahead asks.
const DAY_BLOCKS: u32 = 144;

/// A day in seconds.
const DAY_SECONDS: u64 = 86_400;

/// Seconds of the genesis block of mainnet (Bitcoin Core, kernel/chainparams.cpp).
const GENESIS_SECONDS: u64 = 1_231_006_505;

/// What locktime, relative locks and replaceability mean now.
pub(crate) fn check(transaction: &Transaction, network: Network, context: &Context) -> Vec<Finding> {
    let mut far = Vec::new();
    let mut notes = Vec::new();
    absolute(transaction, network, context, &mut far, &mut notes);
    relative_locks(transaction, &mut far, &mut notes);
    if transaction.is_explicitly_rbf() {
        notes.push("it can be replaced (BIP125)".to_owned());
    }
    let hint = "accept it only when the payment is meant to wait";
    let mut findings: Vec<_> =
        far.into_iter().map(|text| Finding::ask(Check::LOCKTIME, text).hint(hint)).collect();
    if findings.is_empty() {
        findings.push(Finding::pass(Check::LOCKTIME, notes.join("; ")));
    }
    findings
}

fn absolute(
    transaction: &Transaction,
    network: Network,
    context: &Context,
    far: &mut Vec<String>,
    notes: &mut Vec<String>,
) {
    if transaction.lock_time == LockTime::ZERO {
        notes.push("no locktime".to_owned());
        return;
    }
    if !transaction.is_lock_time_enabled() {
        notes.push("a locktime that every final input disables".to_owned());
        return;
    }
    match transaction.lock_time {
        LockTime::Blocks(height) => {
            let height = height.to_consensus_u32();
            let text = format!("it cannot be mined before block {height}");
            match context.tip_height.or_else(|| highest_plausible(network, context.now)) {
                Some(tip) if height > tip.saturating_add(DAY_BLOCKS) => far.push(match context.tip_height {
                    Some(tip) => format!("{text}, {} blocks from now", height.saturating_sub(tip)),
                    None => format!("{text}, far in the future by this machine's clock"),
                }),
                _ => notes.push(text),
            }
        }
        LockTime::Seconds(time) => {
            let time = u64::from(time.to_consensus_u32());
            let text = format!("it cannot be mined before the Unix time {time}");
            match context.now {
                Some(now) if time > now.saturating_add(DAY_SECONDS) => {
                    far.push(format!("{text}, {} seconds from now", time.saturating_sub(now)));
                }
                _ => notes.push(text),
            }
        }
    }
}

/// Without a known tip: no mainnet chain is higher than a block every nine and a half minutes makes it.
fn highest_plausible(network: Network, now: Option<u64>) -> Option<u32> {
    if network != Network::Bitcoin {
        return None;
    }
    u32::try_from(now?.checked_sub(GENESIS_SECONDS)? / 570).ok()
}

fn relative_locks(transaction: &Transaction, far: &mut Vec<String>, notes: &mut Vec<String>) {
    // BIP68: relative locks exist from transaction version 2 on.
    if transaction.version.0 < 2 {
        return;
    }
    for (at, input) in transaction.input.iter().enumerate() {
        let (text, long) = match input.sequence.to_relative_lock_time() {
            None => continue,
            Some(relative::LockTime::Blocks(blocks)) if blocks.value() == 0 => continue,
            Some(relative::LockTime::Time(time)) if time.value() == 0 => continue,
            Some(relative::LockTime::Blocks(blocks)) => {
                (format!("{} blocks", blocks.value()), u32::from(blocks.value()) > DAY_BLOCKS)
            }
            Some(relative::LockTime::Time(time)) => {
                // BIP68 counts in units of 512 seconds.
                let seconds = u64::from(time.value()).saturating_mul(512);
                (format!("{seconds} seconds"), seconds > DAY_SECONDS)
            }
        };
        let text = format!("input {at} must be {text} old");
        if long { far.push(text) } else { notes.push(text) }
    }
}
