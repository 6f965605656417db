//! What verifying a proof of reserves came to.

use super::{Reserves, Utxos};
use crate::message::Verdict;
use bitcoin::{Amount, OutPoint, ScriptBuf};

/// One holding's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingReport {
    /// The wallet's name.
    pub name: String,
    /// The address that signs, as its script.
    pub address: ScriptBuf,
    /// What its coins are worth, as the document says.
    pub total: Amount,
    /// Its signature.
    pub verdict: Verdict,
}

/// Whether the coins were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// No list of unspent outputs was given.
    NotChecked,
    /// The list is of another block or network.
    OtherBlock,
    /// These coins are not in the list, or with another amount or script; none when all are.
    Checked(Vec<OutPoint>),
}

impl Chain {
    pub(super) fn of(reserves: &Reserves, utxos: Option<&Utxos>) -> Self {
        let Some(utxos) = utxos else { return Chain::NotChecked };
        let statement = reserves.statement();
        let named = (statement.network, statement.height, statement.block_hash);
        if named != (utxos.network, utxos.height, utxos.block_hash) {
            return Chain::OtherBlock;
        }
        let coins = reserves.holdings().iter().flat_map(|holding| &holding.coins);
        let absent = coins.filter(|(outpoint, output)| utxos.coins.get(outpoint) != Some(output));
        Chain::Checked(absent.map(|(outpoint, _)| *outpoint).collect())
    }
}

/// The whole document's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a report may say no"]
pub struct Report {
    /// Each holding, in the document's order.
    pub holdings: Vec<HoldingReport>,
    /// Whether the coins were there.
    pub chain: Chain,
    /// What all coins are worth, as the document says.
    pub total: Amount,
}

impl Report {
    /// The gravest of all: `invalid` when a signature is or a coin was not there, `valid` when every signature is and every
    /// coin was, else `inconclusive`.
    pub fn verdict(&self) -> &'static str {
        let any = |word: &str| self.holdings.iter().any(|holding| holding.verdict.as_str() == word);
        let (invalid, inconclusive) = (any("invalid"), any("inconclusive"));
        match &self.chain {
            Chain::OtherBlock => "invalid",
            Chain::Checked(absent) if !absent.is_empty() => "invalid",
            _ if invalid => "invalid",
            Chain::Checked(_) if !inconclusive => "valid",
            Chain::NotChecked | Chain::Checked(_) => "inconclusive",
        }
    }
}
