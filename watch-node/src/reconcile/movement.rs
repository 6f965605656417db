//! Which coins a spend took, and where they went.

use std::collections::HashMap;

use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction};

use crate::error::Result;
use crate::store::{Place, Store};

/// Watched coins that a spend took, and its outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Movement {
    /// Watched coins that it spends.
    pub inputs: Vec<Moved>,
    /// All of its outputs, in order.
    pub outputs: Vec<Paid>,
}

/// A watched coin that was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Which.
    pub coin: OutPoint,
    /// Its value.
    pub amount: Amount,
    /// [`crate::store::WatchedWallet::id`].
    pub wallet: i64,
}

/// An output of a spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// To where.
    pub script: ScriptBuf,
    /// How much.
    pub amount: Amount,
    /// The watched wallet that it went to, [`crate::store::WatchedWallet::id`].
    pub wallet: Option<i64>,
}

/// Every watched coin by its outpoint, and every watched script that was ever paid.
pub(super) struct Coins {
    coins: HashMap<OutPoint, (Amount, i64)>,
    scripts: HashMap<ScriptBuf, i64>,
}

impl Coins {
    /// Reads them once.
    pub(super) fn load(store: &Store) -> Result<Self> {
        let rows = store.coins(None)?;
        let of = |place: Place| place.wallet;
        let scripts = rows.iter().map(|row| (row.script.clone(), of(row.place))).collect();
        let coins = rows.into_iter().map(|row| (row.outpoint, (row.value, of(row.place)))).collect();
        Ok(Self { coins, scripts })
    }

    /// What a transaction moves. `own` says whose an output is whose script nobody has paid yet.
    pub(super) fn moved(
        &self,
        transaction: &Transaction,
        own: impl Fn(&ScriptBuf) -> Option<i64>,
    ) -> Movement {
        let inputs = transaction.input.iter().filter_map(|input| {
            let (amount, wallet) = *self.coins.get(&input.previous_output)?;
            Some(Moved { coin: input.previous_output, amount, wallet })
        });
        let outputs = transaction.output.iter().map(|output| Paid {
            script: output.script_pubkey.clone(),
            amount: output.value,
            wallet: self.scripts.get(&output.script_pubkey).copied().or_else(|| own(&output.script_pubkey)),
        });
        Movement { inputs: inputs.collect(), outputs: outputs.collect() }
    }
}
