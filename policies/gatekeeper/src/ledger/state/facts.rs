//! What a document of facts tells a ledger that it did not know.

use super::State;
use super::seen::{SeenTransaction, SpentCoin, unsigned_txid};
use crate::chain::{ChainError, Extended, ProofError};
use bitcoin::{BlockHash, Network, Txid};
use policies::evidence::{Evidence, Previous, without_witnesses};
use psbt_tools::facts::{Facts, ProvenTransaction};
use std::collections::{BTreeMap, BTreeSet};

/// Why facts are not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// They are of another chain.
    #[error("they are of {found}, the ledger is of {expected}")]
    Network {
        /// Theirs.
        found: Network,
        /// The ledger's.
        expected: Network,
    },
    /// The headers are not taken.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A merkle proof does not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It is not shown whose coin a transaction spends.
    #[error("input {input} of transaction {txid} is said to spend a coin of wallet `{wallet}`: {reason}")]
    Claim {
        /// The transaction.
        txid: Txid,
        /// The input.
        input: u32,
        /// The wallet's name in the policy.
        wallet: String,
        /// What does not hold.
        reason: &'static str,
    },
}

/// A transaction of the facts, verified.
struct Sighting {
    txid: Txid,
    block: BlockHash,
    seen: SeenTransaction,
}

impl State {
    /// Verifies facts and reduces them to what is new: headers, and transactions that spend coins of bound wallets. None
    /// when all is known.
    ///
    /// # Errors
    /// [`FactsError`] at the first thing that is not proven.
    pub fn news(&self, facts: &Facts, now: u64) -> Result<Option<Facts>, FactsError> {
        let mut after = self.clone();
        let fresh = after.extend(facts, now)?.fresh;
        let mut transactions = Vec::new();
        let mut needed = BTreeSet::new();
        for proven in &facts.transactions {
            let sighting = after.sighting(proven, &facts.previous)?;
            if !after.is_new(&sighting) {
                continue;
            }
            let mut proven = proven.clone();
            proven.own.retain(|own| self.wallets.contains_key(&own.wallet));
            needed.extend(proven.own.iter().filter_map(|own| {
                let input =
                    usize::try_from(own.input).ok().and_then(|at| proven.transaction.input.get(at))?;
                Some(input.previous_output.txid)
            }));
            transactions.push(proven);
        }
        if fresh.is_empty() && transactions.is_empty() {
            return Ok(None);
        }
        let skipped = u32::try_from(fresh.start).unwrap_or(u32::MAX);
        let previous = needed.iter().filter_map(|txid| facts.previous.transaction(txid)).cloned();
        Ok(Some(Facts {
            network: facts.network,
            from: facts.from.saturating_add(skipped),
            headers: facts.headers.get(fresh).unwrap_or_default().to_vec(),
            previous: Evidence::new(previous),
            transactions,
        }))
    }

    /// Takes facts in.
    pub(super) fn take_facts(&mut self, facts: &Facts, now: u64) -> Result<(), FactsError> {
        if self.extend(facts, now)?.replaced > 0 {
            self.raise_after_reorganisation();
        }
        for proven in &facts.transactions {
            let Sighting { txid, block, seen } = self.sighting(proven, &facts.previous)?;
            let seen_as = seen.unsigned_txid;
            self.seen.add_transaction(txid, block, seen, self.txids.contains_key(&seen_as));
        }
        self.is_unsettled = true;
        Ok(())
    }

    /// Blocks that were on another branch may be in the best chain now.
    fn raise_after_reorganisation(&mut self) {
        let all = self.seen.transactions();
        let unexplained = all.filter(|(_, seen)| !self.txids.contains_key(&seen.unsigned_txid));
        let unexplained: Vec<Txid> = unexplained.map(|(txid, _)| *txid).collect();
        for txid in unexplained {
            self.seen.raise_for(txid);
        }
    }

    fn extend(&mut self, facts: &Facts, now: u64) -> Result<Extended, FactsError> {
        if facts.network != self.network {
            return Err(FactsError::Network { found: facts.network, expected: self.network });
        }
        Ok(self.seen.extend(facts, now)?)
    }

    fn sighting(&self, proven: &ProvenTransaction, previous: &Evidence) -> Result<Sighting, FactsError> {
        let txid = self.seen.chain.prove(proven)?;
        let spent = self.spent(txid, proven, previous)?;
        let transaction = without_witnesses(proven.transaction.clone());
        let unsigned_txid = unsigned_txid(&transaction);
        let seen =
            SeenTransaction { transaction, unsigned_txid, blocks: BTreeSet::from([proven.block]), spent };
        Ok(Sighting { txid, block: proven.block, seen })
    }

    /// Coins of bound wallets: those that are claimed, which must be proven, and those that permits reserve, which were
    /// proven before.
    fn spent(
        &self,
        txid: Txid,
        proven: &ProvenTransaction,
        previous: &Evidence,
    ) -> Result<BTreeMap<u32, SpentCoin>, FactsError> {
        let inputs = || (0u32..).zip(&proven.transaction.input);
        let mut spent = BTreeMap::new();
        for own in &proven.own {
            let Some(bound) = self.wallets.get(&own.wallet) else { continue };
            let refuse = |reason| {
                let wallet = bound.name.clone();
                Err(FactsError::Claim { txid, input: own.input, wallet, reason })
            };
            let Some((_, input)) = inputs().find(|(at, _)| *at == own.input) else {
                return refuse("there is no such input");
            };
            let outpoint = input.previous_output;
            match previous.output(&outpoint) {
                Previous::Output(output) if bound.wallet.owns(&output.script_pubkey, own.keypath) => {
                    spent.insert(own.input, SpentCoin { wallet: own.wallet, outpoint, value: output.value });
                }
                Previous::Output(_) => return refuse("the coin's script is another"),
                Previous::NoSuchOutput(_) => return refuse("the previous transaction has no such output"),
                Previous::Absent => return refuse("the previous transaction is missing"),
            }
        }
        for (at, input) in inputs() {
            let outpoint = input.previous_output;
            let reservation = self.reservation_of(&outpoint);
            let Some(spend) = reservation.map(|reservation| &reservation.reserved.spend) else { continue };
            if let Some(coin) = spend.inputs().iter().find(|input| input.outpoint == outpoint) {
                let reserved = SpentCoin { wallet: spend.wallet(), outpoint, value: coin.value };
                spent.entry(at).or_insert(reserved);
            }
        }
        Ok(spent)
    }

    /// A known transaction is new again in another block, or when it is shown to spend more.
    fn is_new(&self, sighting: &Sighting) -> bool {
        let spent = &sighting.seen.spent;
        match self.seen.transaction(&sighting.txid) {
            None => !spent.is_empty(),
            Some(known) => {
                !known.blocks.contains(&sighting.block)
                    || !spent.keys().all(|input| known.spent.contains_key(input))
            }
        }
    }
}
