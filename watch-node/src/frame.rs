//! What a spend is built in, whoever chooses its coins and its fee: outputs in some order, and the file that travels.

use bitcoin::Amount;
use policies::approval::Approval;
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::Marks;
use policies::request::{Recipient, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Locks, Wallet};
use psbt_tools::build::build;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::form::Form;
use psbt_tools::import::{Context, import};
use psbt_tools::manifest::{Says, stamp};
use psbt_tools::money::amount_text;

use crate::coins::Coin;
use crate::error::{Error, Result};

/// What the manifests of our files call us.
pub const SENDER: &str = "watch-node";

/// Wallet, recipients, and what rides in the file beside the request.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The wallet that pays.
    pub wallet: &'a Wallet,
    /// What the transaction says of time: that of the path by which it spends.
    pub locks: Locks,
    /// Who gets how much; nobody when everything goes back to the wallet.
    pub recipients: Vec<Recipient>,
    /// The transactions of the coins.
    pub evidence: Evidence,
    /// What the chain proves, for the gatekeeper: canonical bytes of `psbt_tools::facts::Facts`.
    pub facts: Option<Vec<u8>>,
    /// High-water marks of the wallet.
    pub marks: Marks,
    /// Unix time.
    pub now: u64,
    /// Any number; where among the outputs the change is follows from it, so that its place gives nothing away.
    pub shuffle: u64,
}

impl Frame<'_> {
    /// What the recipients get. Errors: [`Error::Overflow`].
    pub fn paid(&self) -> Result<Amount> {
        total(self.recipients.iter().map(|to| to.amount))
    }

    /// The spend of these coins, in their order, with change or without. Errors: the first invariant that it breaks.
    pub fn assemble(&self, coins: &[&Coin], change: Option<SpendOutput>) -> Result<Spend> {
        let inputs = coins
            .iter()
            .map(|coin| SpendInput {
                outpoint: coin.outpoint,
                sequence: self.locks.sequence,
                value: coin.value,
                keypath: coin.place.into(),
            })
            .collect();
        let mut outputs: Vec<_> = self
            .recipients
            .iter()
            .map(|to| SpendOutput { value: to.amount, script: to.script.clone(), own: None })
            .collect();
        if let Some(change) = change {
            let places = u64::try_from(outputs.len()).map_err(|_| Error::Overflow)?.saturating_add(1);
            let at = usize::try_from(self.shuffle % places).map_err(|_| Error::Overflow)?;
            outputs.insert(at, change);
        }
        let parts = SpendParts {
            network: self.wallet.network(),
            wallet: self.wallet.id(),
            version: self.locks.version,
            lock_time: self.locks.lock_time,
            inputs,
            outputs,
        };
        Spend::new(parts).map_err(|findings| match findings.first() {
            Some(finding) => psbt_tools::Error::from(finding).into(),
            None => Error::SelfCheck("a spend was refused without a reason".to_owned()),
        })
    }

    /// The file with the request and its approvals, read back before anything leaves.
    ///
    /// Errors: the first check that refuses, and [`Error::SelfCheck`] when the file is not what was meant.
    pub fn file(&self, spend: &Spend, asked: &SignedRequest, approvals: &[Approval]) -> Result<Vec<u8>> {
        let mut psbt = build(spend, &self.evidence, self.wallet)?;
        let mut envelope = Envelope::default();
        envelope.insert(Kind::Request, asked.to_bytes())?;
        for approval in approvals {
            envelope.insert(Kind::Approval, approval.to_bytes())?;
        }
        if let Some(facts) = &self.facts {
            envelope.insert(Kind::Facts, facts.clone())?;
        }
        envelope.write(&mut psbt);
        let file = stamp(&mut psbt, &Form::default(), &Says::about(SENDER, &asked.request))?;
        let context = Context { marks: self.marks, now: Some(self.now), ..Context::default() };
        let read = import(file.clone(), std::slice::from_ref(self.wallet), &context)?;
        let (read_spend, _) = read.cleared()?;
        if read_spend.id() != spend.id() {
            return Err(Error::SelfCheck(format!("spend {} became {}", spend.id(), read_spend.id())));
        }
        if let Some(difference) = asked.request.differences(read_spend, self.now).first() {
            return Err(Error::SelfCheck(difference.message.clone()));
        }
        Ok(file)
    }
}

/// That the fee is not above what a person accepted. Errors: [`Error::FeeAboveCeiling`].
pub fn within_ceiling(fee: Amount, ceiling: Option<Amount>) -> Result<()> {
    match ceiling.filter(|ceiling| fee > *ceiling) {
        Some(ceiling) => Err(Error::FeeAboveCeiling { fee: amount_text(fee), ceiling: amount_text(ceiling) }),
        None => Ok(()),
    }
}

/// The sum of amounts. Errors: [`Error::Overflow`] above 21 million bitcoin.
pub fn total(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount> {
    amounts
        .into_iter()
        .try_fold(Amount::ZERO, Amount::checked_add)
        .filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or(Error::Overflow)
}
