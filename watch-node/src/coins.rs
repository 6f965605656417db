//! Coins as a person sees them, and the sums over them.

use bitcoin::{Amount, OutPoint, ScriptBuf};

use crate::error::{Error, Result};
use crate::store::{CoinRow, Place, Store};

/// Confirmations that a block's reward needs before it can be spent (`COINBASE_MATURITY`).
const COINBASE_MATURITY: u32 = 100;

/// What can be done with a coin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoinState {
    /// Confirmed and free.
    Confirmed,
    /// Confirmed, a block reward younger than 100 blocks.
    Immature,
    /// Set aside for a payment.
    Reserved,
    /// Unconfirmed.
    Pending,
}

impl CoinState {
    /// The word in listings.
    pub fn name(self) -> &'static str {
        match self {
            CoinState::Confirmed => "confirmed",
            CoinState::Immature => "immature",
            CoinState::Reserved => "reserved",
            CoinState::Pending => "pending",
        }
    }
}

/// An unspent coin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Which output.
    pub outpoint: OutPoint,
    /// Whose, and from where its script is derived.
    pub place: Place,
    /// Its value.
    pub value: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// The height of its block, when confirmed.
    pub height: Option<u32>,
    /// Blocks from its own to the tip, both counted.
    pub confirmations: u32,
    /// Whether it is a block reward.
    pub coinbase: bool,
    /// What can be done with it.
    pub state: CoinState,
}

impl Coin {
    /// A coin that a payment has set aside, whatever spends it meanwhile.
    pub fn bound(row: &CoinRow) -> Self {
        Self {
            outpoint: row.outpoint,
            place: row.place,
            value: row.value,
            script: row.script.clone(),
            height: row.height,
            confirmations: 0,
            coinbase: row.coinbase,
            state: CoinState::Reserved,
        }
    }
}

/// Sums over unspent coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Confirmed and not being spent by a transaction in the mempool; reserved and immature coins included.
    pub confirmed: Amount,
    /// In the mempool: payments to us, and our own change.
    pub pending: Amount,
    /// The part set aside for payments that are not broadcast yet.
    pub reserved: Amount,
    /// The part of `confirmed` in block rewards that cannot be spent yet.
    pub immature: Amount,
    /// The part of `confirmed` that a new payment can use.
    pub spendable: Amount,
}

impl Balance {
    /// Adds up coins. Errors: [`Error::Overflow`].
    pub fn of(coins: &[Coin]) -> Result<Self> {
        let mut balance = Self::default();
        for coin in coins {
            let part = match coin.state {
                CoinState::Confirmed => &mut balance.spendable,
                CoinState::Immature => &mut balance.immature,
                CoinState::Reserved => &mut balance.reserved,
                CoinState::Pending => &mut balance.pending,
            };
            *part = part.checked_add(coin.value).ok_or(Error::Overflow)?;
            if coin.height.is_some() {
                balance.confirmed = balance.confirmed.checked_add(coin.value).ok_or(Error::Overflow)?;
            } else if coin.state == CoinState::Reserved {
                balance.pending = balance.pending.checked_add(coin.value).ok_or(Error::Overflow)?;
            }
        }
        Ok(balance)
    }

    /// Everything: confirmed and pending.
    pub fn total(&self) -> Result<Amount> {
        self.confirmed.checked_add(self.pending).ok_or(Error::Overflow)
    }
}

/// The unspent coins of a wallet, or of all: neither spent in a block nor by a transaction in the mempool.
///
/// A coin whose own transaction is neither in a block nor in the mempool is not listed.
pub fn unspent(store: &Store, wallet: Option<i64>) -> Result<Vec<Coin>> {
    let tip = store.tip()?.map_or(0, |tip| tip.height);
    let rows = store.coins(wallet)?;
    Ok(rows.into_iter().filter_map(|row| coin(row, tip)).collect())
}

/// Those of a wallet's unspent coins that a new payment can use.
pub fn free(store: &Store, wallet: i64) -> Result<Vec<Coin>> {
    let mut coins = unspent(store, Some(wallet))?;
    coins.retain(|coin| coin.state == CoinState::Confirmed);
    Ok(coins)
}

fn coin(row: CoinRow, tip: u32) -> Option<Coin> {
    if row.spent.is_some() || row.pending_spend.is_some() || (row.height.is_none() && !row.in_mempool) {
        return None;
    }
    let confirmations = row.height.map_or(0, |height| tip.saturating_sub(height).saturating_add(1));
    let state = if row.reserved_for.is_some() {
        CoinState::Reserved
    } else if row.height.is_none() {
        CoinState::Pending
    } else if row.coinbase && confirmations < COINBASE_MATURITY {
        CoinState::Immature
    } else {
        CoinState::Confirmed
    };
    Some(Coin {
        outpoint: row.outpoint,
        place: row.place,
        value: row.value,
        script: row.script,
        height: row.height,
        confirmations,
        coinbase: row.coinbase,
        state,
    })
}
