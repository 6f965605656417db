//! What can be signed. A value is made from a cleared spend or from a message, and from nothing else: no function takes a
//! transaction or a digest that came from outside (check C32).

use std::sync::Arc;

use bitcoin::{Amount, Transaction, TxOut};
use policies::clear::Cleared;
use policies::message::bip322::ToSign;
use policies::wallet::{Derived, Keypath, Wallet};

use crate::Error;

/// A transaction whose every input is the wallet's, by scripts that the wallet derived.
pub(super) struct Signable {
    transaction: Transaction,
    coins: Vec<Coin>,
    prevouts: Vec<TxOut>,
}

/// What an input spends.
pub(super) struct Coin {
    /// Where in the wallet it is.
    pub(super) keypath: Keypath,
    /// What it is worth.
    pub(super) value: Amount,
    /// What is behind its script.
    pub(super) derived: Arc<Derived>,
}

impl Signable {
    /// A payment that was cleared.
    pub(super) fn payment(cleared: &Cleared, wallet: &Wallet) -> Result<Self, Error> {
        let spend = cleared.spend();
        let inputs = spend.inputs().iter().map(|input| (input.keypath, input.value));
        Self::of(spend.unsigned_transaction(), inputs, wallet)
    }

    /// A message's virtual transaction, whose first input no chain ever has.
    pub(super) fn message(to_sign: &ToSign, keypaths: Vec<Keypath>, wallet: &Wallet) -> Result<Self, Error> {
        let values = to_sign.prevouts().iter().map(|output| output.value);
        let signable = Self::of(to_sign.transaction().clone(), keypaths.into_iter().zip(values), wallet)?;
        if signable.prevouts != to_sign.prevouts() {
            return Err(Error::Signature("an input is not the wallet's"));
        }
        Ok(signable)
    }

    fn of(
        transaction: Transaction,
        inputs: impl Iterator<Item = (Keypath, Amount)>,
        wallet: &Wallet,
    ) -> Result<Self, Error> {
        let mut coins = Vec::with_capacity(transaction.input.len());
        for (keypath, value) in inputs {
            let derived = wallet.derived(keypath).ok_or(Error::Signature("an input has no script"))?;
            coins.push(Coin { keypath, value, derived });
        }
        if coins.len() != transaction.input.len() {
            return Err(Error::Signature("not every input has a place in the wallet"));
        }
        let output = |coin: &Coin| TxOut { value: coin.value, script_pubkey: coin.derived.script.clone() };
        let prevouts = coins.iter().map(output).collect();
        Ok(Self { transaction, coins, prevouts })
    }

    /// The unsigned transaction.
    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What its inputs spend, in their order.
    pub(super) fn coins(&self) -> &[Coin] {
        &self.coins
    }

    /// The same as outputs.
    pub(super) fn prevouts(&self) -> &[TxOut] {
        &self.prevouts
    }
}
