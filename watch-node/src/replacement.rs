//! A payment tried again: with a higher fee, or back to the wallet (BIP125).

use bitcoin::Amount;
use policies::approval::Approval;
use policies::request::{Head, MAX_REPLACED, Request, SignedRequest};
use policies::spend::{Spend, SpendOutput};
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::money::amount_text;

use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::frame::{Frame, total, within_ceiling};
use crate::select::Rate;
use crate::store::{Attempt, Draft, Payment};

/// What a replacement pays beyond what it replaces, for each of its own virtual bytes: Bitcoin Core's incremental relay
/// feerate up to version 29, and more than later ones ask for (`DEFAULT_INCREMENTAL_RELAY_FEE`, policy.h).
const INCREMENT: Rate = Rate(1_000);

/// Most coins that are added for the fee: each makes the transaction larger, and one is nearly always enough.
const MAX_ADDED: usize = 100;

/// What the fee follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// This feerate, or a refusal when it replaces nothing.
    Exactly(Rate),
    /// This feerate, or the least that replaces when that is more.
    AtLeast(Rate),
}

/// What another attempt of a payment is made from.
#[derive(Clone, Debug)]
pub struct Replacement<'a> {
    /// Wallet, recipients (those of the last request, or none), and what rides in the file.
    pub frame: Frame<'a>,
    /// The payment.
    pub payment: &'a Payment,
    /// Its attempts that can still be mined.
    pub rivals: Vec<&'a Attempt>,
    /// All coins that those spend, the anchor first.
    pub bound: Vec<Coin>,
    /// Other coins that may pay for the fee, largest first.
    pub free: Vec<Coin>,
    /// What the fee follows from.
    pub pace: Pace,
    /// Highest fee.
    pub max_fee: Option<Amount>,
    /// The last request as it may be sent again without asking anybody: signed where the wallet needs that.
    pub asked: Option<SignedRequest>,
    /// Its approvals.
    pub approvals: Vec<Approval>,
    /// Expiry of a new request, in Unix time.
    pub expires: u64,
    /// Latest receipts seen, for a new request.
    pub heads: Vec<Head>,
}

impl Replacement<'_> {
    /// Sets the fee, adds coins for it where needed, and builds the file: with the same request when it covers the fee,
    /// else with a new one that names all earlier ones.
    ///
    /// Errors: [`Error::FeeTooLow`], [`Error::FeeAboveCeiling`], [`Error::InsufficientFunds`],
    /// [`Error::NotReplaceable`] after too many requests, and those of [`Frame::file`].
    pub fn draft(&self, fresh: u32) -> Result<Draft> {
        let fresh = Keypath { branch: Branch::Internal, index: fresh };
        // Only one attempt is ever mined, so they may share a change address, and nothing is told by a second one.
        let spend = self.spend(self.change().unwrap_or(fresh))?;
        within_ceiling(spend.fee(), self.max_fee)?;
        let serves = |asked: &&SignedRequest| asked.request.differences(&spend, self.frame.now).is_empty();
        let (asked, approvals) = match self.asked.as_ref().filter(serves) {
            Some(asked) => (asked.clone(), self.approvals.as_slice()),
            None => (SignedRequest { request: self.request(spend.fee())?, signature: None }, [].as_slice()),
        };
        let file = self.frame.file(&spend, &asked, approvals)?;
        let uses_change = spend.outputs().iter().any(|output| output.own == Some(fresh));
        Ok(Draft { spend, request: asked.request, file, uses_change })
    }

    /// Where the latest attempt with change has it.
    fn change(&self) -> Option<Keypath> {
        let outputs = self.payment.attempts.iter().rev().flat_map(|attempt| attempt.spend.outputs());
        outputs.filter_map(|output| output.own).next()
    }

    fn request(&self, fee: Amount) -> Result<Request> {
        let last = &self.payment.last()?.request;
        let mut replaces = Vec::new();
        for id in self.payment.attempts.iter().map(|attempt| attempt.request.id()) {
            if !replaces.contains(&id) {
                replaces.push(id);
            }
        }
        if replaces.len() > MAX_REPLACED {
            return Err(Error::NotReplaceable {
                payment: self.payment.name(),
                reason: format!("it was asked for {MAX_REPLACED} times already"),
            });
        }
        Ok(Request {
            recipients: self.frame.recipients.clone(),
            max_fee: self.max_fee.unwrap_or(fee.max(last.max_fee)),
            created: self.frame.now,
            expires: self.expires,
            heads: self.heads.clone(),
            replaces,
            ..last.clone()
        })
    }

    fn spend(&self, change: Keypath) -> Result<Spend> {
        let mut coins: Vec<&Coin> = self.bound.iter().collect();
        let mut more = self.free.iter().take(MAX_ADDED);
        loop {
            if let Some(spend) = self.spend_of(&coins, change)? {
                return Ok(spend);
            }
            coins.push(more.next().ok_or_else(|| self.insufficient())?);
        }
    }

    /// The spend of exactly these coins; `None` when they do not pay for it.
    fn spend_of(&self, coins: &[&Coin], change: Keypath) -> Result<Option<Spend>> {
        let frame = &self.frame;
        let script = frame.wallet.script(change).ok_or(Error::CorruptStore("change index"))?;
        let least = script.minimal_non_dust();
        let brought = total(coins.iter().map(|coin| coin.value))?;
        let Some(over) = brought.checked_sub(frame.paid()?) else { return Ok(None) };
        let with_change = |value| SpendOutput { value, script: script.clone(), own: Some(change) };
        if over >= least {
            let fee = self.fee(&frame.assemble(coins, Some(with_change(over)))?)?;
            if let Some(value) = over.checked_sub(fee).filter(|value| *value >= least) {
                return frame.assemble(coins, Some(with_change(value))).map(Some);
            }
        }
        if frame.recipients.is_empty() {
            return Ok(None);
        }
        let spend = frame.assemble(coins, None)?;
        Ok((over >= self.fee(&spend)?).then_some(spend))
    }

    fn fee(&self, spend: &Spend) -> Result<Amount> {
        let vsize = spend.signed_vsize(self.frame.wallet);
        let least = least_fee(&self.rivals, self.frame.wallet, vsize)?;
        let at = |rate: Rate| rate.fee_sat(vsize).ok_or(Error::Overflow);
        let fee = match self.pace {
            Pace::AtLeast(rate) => at(rate)?.max(least),
            Pace::Exactly(rate) if at(rate)? >= least => at(rate)?,
            Pace::Exactly(rate) => {
                return Err(Error::FeeTooLow {
                    fee: amount_text(Amount::from_sat(at(rate)?)),
                    least: amount_text(Amount::from_sat(least)),
                    rate: Rate(least.saturating_mul(1_000).div_ceil(vsize)).to_string(),
                });
            }
        };
        Ok(Amount::from_sat(fee))
    }

    fn insufficient(&self) -> Error {
        let sum = |coins: &[Coin]| total(coins.iter().map(|coin| coin.value)).unwrap_or(Amount::MAX_MONEY);
        let free = amount_text(sum(&self.free));
        Error::InsufficientFunds {
            needed: "more than the payment's own coins".to_owned(),
            spendable: amount_text(sum(&self.bound)),
            held: format!("; the wallet has {free} beside them"),
        }
    }
}

/// The least fee, in satoshi, with which a transaction of so many virtual bytes replaces any of these: higher than each
/// by the increment for its own size, and at a higher feerate (BIP125 rules 3 and 4; Bitcoin Core `policy/rbf.cpp`).
fn least_fee(rivals: &[&Attempt], wallet: &Wallet, vsize: u64) -> Result<u64> {
    let mut least = 0;
    for rival in rivals {
        let fee = rival.spend.fee().to_sat();
        let by_amount = INCREMENT.fee_sat(vsize).and_then(|more| fee.checked_add(more));
        // A signature may be a byte or two shorter than reckoned, and the feerate by as much higher.
        let inputs = u64::try_from(rival.spend.inputs().len()).map_err(|_| Error::Overflow)?;
        let size = match &rival.signed {
            Some(signed) => u64::try_from(signed.vsize()).map_err(|_| Error::Overflow)?,
            None => rival.spend.signed_vsize(wallet).saturating_sub(inputs).max(1),
        };
        let by_rate = fee.checked_mul(vsize).and_then(|product| product.checked_div(size)?.checked_add(1));
        let needed = by_amount.zip(by_rate).map(|(a, b)| a.max(b)).ok_or(Error::Overflow)?;
        least = least.max(needed);
    }
    Ok(least)
}
