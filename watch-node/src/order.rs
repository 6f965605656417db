//! A payment from recipients to a request file.

use bitcoin::{Amount, TxOut};
use policies::request::{Head, Request, SignedRequest};
use policies::spend::{Spend, SpendOutput};
use policies::wallet::{Branch, Keypath};
use psbt_tools::money::amount_text;

use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::frame::{Frame, total, within_ceiling};
use crate::select::{Rate, select};
use crate::store::Draft;

/// What a payment is made from.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// Wallet, recipients, and what rides in the file.
    pub frame: Frame<'a>,
    /// Coins that may be spent.
    pub coins: Vec<Coin>,
    /// Whether all of them must be.
    pub all_coins: bool,
    /// Fee for each virtual byte.
    pub rate: Rate,
    /// Highest fee; the fee itself when left out.
    pub max_fee: Option<Amount>,
    /// What it is for.
    pub purpose: String,
    /// Unix time.
    pub expires: u64,
    /// Latest receipts seen.
    pub heads: Vec<Head>,
}

impl Order<'_> {
    /// Selects coins, builds the request file, and reads it back before anything leaves.
    ///
    /// Errors: [`Error::InsufficientFunds`], [`Error::FeeAboveCeiling`], the first check that refuses, and
    /// [`Error::SelfCheck`] when the file is not what was meant.
    pub fn draft(&self, number: u32, change_index: u32) -> Result<Draft> {
        let change = Keypath { branch: Branch::Internal, index: change_index };
        let spend = self.spend(change)?;
        within_ceiling(spend.fee(), self.max_fee)?;
        let request = Request {
            network: self.frame.wallet.network(),
            wallet: self.frame.wallet.id(),
            payment: number,
            recipients: self.frame.recipients.clone(),
            purpose: self.purpose.clone(),
            max_fee: self.max_fee.unwrap_or(spend.fee()),
            anchor: spend.anchor(),
            created: self.frame.now,
            expires: self.expires,
            heads: self.heads.clone(),
            replaces: Vec::new(),
        };
        let asked = SignedRequest { request, signature: None };
        let file = self.frame.file(&spend, &asked, &[])?;
        let uses_change = spend.outputs().iter().any(|output| output.own == Some(change));
        Ok(Draft { spend, request: asked.request, file, uses_change })
    }

    fn spend(&self, change: Keypath) -> Result<Spend> {
        let frame = &self.frame;
        let change_script = frame.wallet.script(change).ok_or(Error::CorruptStore("change index"))?;
        let outputs: Vec<_> = frame
            .recipients
            .iter()
            .map(|to| TxOut { value: to.amount, script_pubkey: to.script.clone() })
            .collect();
        let paid = frame.paid()?;
        let coins: Vec<&Coin> = if self.all_coins {
            self.coins.iter().collect()
        } else {
            select(&self.coins, &outputs, &change_script, frame.wallet, self.rate)
                .ok_or_else(|| self.insufficient(paid))?
        };
        let brought = total(coins.iter().map(|coin| coin.value))?;
        let over = brought.checked_sub(paid).ok_or_else(|| self.insufficient(paid))?;
        let with_change = |value| SpendOutput { value, script: change_script.clone(), own: Some(change) };
        if over >= change_script.minimal_non_dust() {
            // The size does not depend on the amount, so the fee is known before the change is.
            let sizing = frame.assemble(&coins, Some(with_change(over)))?;
            let fee = self.fee(&sizing)?;
            if let Some(value) =
                over.checked_sub(fee).filter(|value| *value >= change_script.minimal_non_dust())
            {
                return frame.assemble(&coins, Some(with_change(value)));
            }
        }
        if frame.recipients.is_empty() {
            // Nothing would come back. So few coins may not even pay for being looked at.
            let least = change_script.minimal_non_dust();
            let sized = frame.assemble(&coins, Some(with_change(least))).and_then(|spend| self.fee(&spend));
            return Err(self.insufficient(total([least, sized.unwrap_or(Amount::ZERO)])?));
        }
        let spend = frame.assemble(&coins, None)?;
        let fee = self.fee(&spend)?;
        if over < fee { Err(self.insufficient(total([paid, fee])?)) } else { Ok(spend) }
    }

    fn fee(&self, spend: &Spend) -> Result<Amount> {
        self.rate.fee_sat(spend.signed_vsize(self.frame.wallet)).map(Amount::from_sat).ok_or(Error::Overflow)
    }

    fn insufficient(&self, needed: Amount) -> Error {
        let spendable = total(self.coins.iter().map(|coin| coin.value)).unwrap_or(Amount::MAX_MONEY);
        Error::InsufficientFunds {
            needed: amount_text(needed),
            spendable: amount_text(spendable),
            held: String::new(),
        }
    }
}
