//! C20: when the transaction can be mined, and whether it can be replaced.

use crate::check::{Check, Finding};
use crate::text::utc_text;
use bitcoin::absolute::LockTime;
use bitcoin::{Network, Transaction, relative};

/// A day in blocks: a lock further ahead asks.
const DAY_BLOCKS: u32 = 144;

/// A day in seconds.
const DAY_SECONDS: u64 = 86_400;

/// Seconds of the genesis block of mainnet (Bitcoin Core, kernel/chainparams.cpp).
const GENESIS_SECONDS: u64 = 1_231_006_505;

/// No test network is higher than this for years to come.
const HIGHEST_ON_TEST_NETWORKS: u32 = 20_000_000;

/// What is known of the present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// Height of the chain's tip.
    pub tip_height: Option<u32>,
    /// Unix time, in seconds.
    pub now: Option<u64>,
}

/// What locktime, relative locks and replaceability mean now: what is far away asks.
pub fn locktime(transaction: &Transaction, network: Network, present: Present) -> Vec<Finding> {
    let locks = Locks::of(transaction, network, present);
    let hint = "accept it only when the payment is meant to wait";
    let mut findings: Vec<_> =
        locks.far.into_iter().map(|text| Finding::ask(Check::LOCKTIME, text).hint(hint)).collect();
    if findings.is_empty() {
        let mut notes = locks.near;
        if notes.is_empty() {
            notes.push("no locktime".to_owned());
        }
        if transaction.is_explicitly_rbf() {
            notes.push("it can be replaced (BIP125)".to_owned());
        }
        findings.push(Finding::pass(Check::LOCKTIME, notes.join("; ")));
    }
    findings
}

/// Every lock of a transaction in words, near or far; empty when it can be mined at once.
pub fn timing(transaction: &Transaction, network: Network, present: Present) -> Vec<String> {
    let locks = Locks::of(transaction, network, present);
    locks.far.into_iter().chain(locks.near).collect()
}

#[derive(Default)]
struct Locks {
    far: Vec<String>,
    near: Vec<String>,
}

impl Locks {
    fn of(transaction: &Transaction, network: Network, present: Present) -> Self {
        let mut locks = Self::default();
        absolute(transaction, network, present, &mut locks);
        relative_locks(transaction, &mut locks);
        locks
    }
}

fn absolute(transaction: &Transaction, network: Network, present: Present, locks: &mut Locks) {
    // Without an input that is not final, the locktime is not enforced.
    if transaction.lock_time == LockTime::ZERO || !transaction.is_lock_time_enabled() {
        return;
    }
    match transaction.lock_time {
        LockTime::Blocks(height) => {
            let height = height.to_consensus_u32();
            let text = format!("it cannot be mined before block {height}");
            match present.tip_height.or_else(|| highest_plausible(network, present.now)) {
                Some(tip) if height > tip.saturating_add(DAY_BLOCKS) => {
                    locks.far.push(match present.tip_height {
                        Some(tip) => format!("{text}, {} blocks from now", height.saturating_sub(tip)),
                        None => format!("{text}, far in the future by this machine's clock"),
                    })
                }
                _ => locks.near.push(text),
            }
        }
        LockTime::Seconds(time) => {
            let time = u64::from(time.to_consensus_u32());
            let text = format!("it cannot be mined before {}", utc_text(time));
            match present.now {
                Some(now) if time > now.saturating_add(DAY_SECONDS) => {
                    locks.far.push(format!("{text}, {} seconds from now", time.saturating_sub(now)));
                }
                _ => locks.near.push(text),
            }
        }
    }
}

/// Without a known tip: no mainnet chain is higher than a block every nine and a half minutes makes it.
fn highest_plausible(network: Network, now: Option<u64>) -> Option<u32> {
    if network != Network::Bitcoin {
        return Some(HIGHEST_ON_TEST_NETWORKS);
    }
    u32::try_from(now?.checked_sub(GENESIS_SECONDS)?.checked_div(570)?).ok()
}

fn relative_locks(transaction: &Transaction, locks: &mut Locks) {
    // BIP68: relative locks exist from transaction version 2 on, and the version counts as unsigned.
    if transaction.version.0.cast_unsigned() < 2 {
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
        if long { locks.far.push(text) } else { locks.near.push(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;
    use crate::spend::Spend;
    use crate::spend::tests::parts;
    use bitcoin::Sequence;

    fn gravest(lock: u32, sequence: u32, network: Network) -> Outcome {
        let mut parts = parts();
        parts.lock_time = LockTime::from_consensus(lock);
        parts.inputs[0].sequence = Sequence(sequence);
        let transaction = Spend::new(parts).unwrap().unsigned_transaction();
        let present = Present { tip_height: None, now: Some(1_795_000_000) };
        let findings = locktime(&transaction, network, present);
        assert_eq!(timing(&transaction, network, present).is_empty(), lock == 0 || sequence == u32::MAX);
        crate::check::verdict(&findings)
    }

    #[test]
    fn a_lock_far_ahead_asks_without_a_known_tip() {
        let rbf = 0xffff_fffd;
        assert_eq!(gravest(0, rbf, Network::Bitcoin), Outcome::Pass);
        assert_eq!(gravest(975_000, rbf, Network::Bitcoin), Outcome::Pass);
        assert_eq!(gravest(1_200_000, rbf, Network::Bitcoin), Outcome::Ask);
        assert_eq!(gravest(499_999_999, rbf, Network::Regtest), Outcome::Ask);
        assert_eq!(gravest(1_795_000_000 + 86_400, rbf, Network::Regtest), Outcome::Pass);
        assert_eq!(gravest(1_795_000_000 + 86_401, rbf, Network::Regtest), Outcome::Ask);
        assert_eq!(gravest(499_999_999, u32::MAX, Network::Regtest), Outcome::Pass, "final inputs");
    }
}
