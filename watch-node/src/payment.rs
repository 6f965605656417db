//! A payment from recipients to a request file, and where an existing one stands.

use std::collections::{HashMap, HashSet};

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Sequence, Transaction, TxOut, Txid};
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::examine::Marks;
use policies::id::SpendId;
use policies::request::{Head, Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::build::build;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::import::{Context, import};
use psbt_tools::money::amount_text;

use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::select::{Rate, select};
use crate::store::{Conduct, Draft, Payment, Store};

/// Confirmations after which a payment counts as settled.
const SETTLED: u32 = 6;

/// What a payment is made from.
#[derive(Clone, Debug)]
pub struct Order<'a> {
    /// The wallet that pays.
    pub wallet: &'a Wallet,
    /// Who gets how much.
    pub recipients: Vec<Recipient>,
    /// Coins that may be spent.
    pub coins: Vec<Coin>,
    /// Whether all of them must be.
    pub all_coins: bool,
    /// Their transactions.
    pub evidence: Evidence,
    /// Fee for each virtual byte.
    pub rate: Rate,
    /// Highest fee; the fee itself when left out.
    pub max_fee: Option<Amount>,
    /// What it is for.
    pub purpose: String,
    /// Unix time.
    pub now: u64,
    /// Unix time.
    pub expires: u64,
    /// Latest receipts seen.
    pub heads: Vec<Head>,
    /// High-water marks of the wallet.
    pub marks: Marks,
    /// Any number; where among the outputs the change is follows from it, so that its place gives nothing away.
    pub shuffle: u64,
}

impl Order<'_> {
    /// Selects coins, builds the request file, and reads it back before anything leaves.
    ///
    /// Errors: [`Error::InsufficientFunds`], [`Error::FeeAboveCeiling`], the first check that refuses, and
    /// [`Error::SelfCheck`] when the file is not what was meant.
    pub fn draft(&self, number: u32, change_index: u32) -> Result<Draft> {
        let change = Keypath { branch: Branch::Internal, index: change_index };
        let spend = self.spend(change)?;
        if let Some(ceiling) = self.max_fee.filter(|ceiling| spend.fee() > *ceiling) {
            return Err(Error::FeeAboveCeiling {
                fee: amount_text(spend.fee()),
                ceiling: amount_text(ceiling),
            });
        }
        let request = Request {
            network: self.wallet.network(),
            wallet: self.wallet.id(),
            payment: number,
            recipients: self.recipients.clone(),
            purpose: self.purpose.clone(),
            max_fee: self.max_fee.unwrap_or(spend.fee()),
            anchor: spend.anchor(),
            created: self.now,
            expires: self.expires,
            heads: self.heads.clone(),
        };
        let file = self.file(&spend, &request)?;
        let uses_change = spend.outputs().iter().any(|output| output.own == Some(change));
        Ok(Draft { spend, request, file, uses_change })
    }

    fn file(&self, spend: &Spend, request: &Request) -> Result<Vec<u8>> {
        let mut psbt = build(spend, &self.evidence, self.wallet)?;
        let mut envelope = Envelope::default();
        envelope
            .insert(Kind::Request, SignedRequest { request: request.clone(), signature: None }.to_bytes())?;
        envelope.write(&mut psbt);
        let file = psbt.serialize();
        let context = Context { marks: self.marks, now: Some(self.now), ..Context::default() };
        let read = import(file.clone(), std::slice::from_ref(self.wallet), &context)?;
        let (read_spend, _) = read.cleared()?;
        if read_spend.id() != spend.id() {
            return Err(Error::SelfCheck(format!("spend {} became {}", spend.id(), read_spend.id())));
        }
        if let Some(difference) = request.differences(read_spend, self.now).first() {
            return Err(Error::SelfCheck(difference.message.clone()));
        }
        Ok(file)
    }

    fn spend(&self, change: Keypath) -> Result<Spend> {
        let change_script = self.wallet.script(change).ok_or(Error::CorruptStore("change index"))?;
        let outputs: Vec<_> = self
            .recipients
            .iter()
            .map(|to| TxOut { value: to.amount, script_pubkey: to.script.clone() })
            .collect();
        let paid = total(outputs.iter().map(|output| output.value))?;
        let coins: Vec<&Coin> = if self.all_coins {
            self.coins.iter().collect()
        } else {
            select(&self.coins, &outputs, &change_script, self.wallet, self.rate)
                .ok_or_else(|| self.insufficient(paid))?
        };
        let brought = total(coins.iter().map(|coin| coin.value))?;
        let over = brought.checked_sub(paid).ok_or_else(|| self.insufficient(paid))?;
        let with_change = |value| SpendOutput { value, script: change_script.clone(), own: Some(change) };
        if over >= change_script.minimal_non_dust() {
            // The size does not depend on the amount, so the fee is known before the change is.
            let sizing = self.assemble(&coins, Some(with_change(over)))?;
            let fee = self.fee(&sizing)?;
            if let Some(value) =
                over.checked_sub(fee).filter(|value| *value >= change_script.minimal_non_dust())
            {
                return self.assemble(&coins, Some(with_change(value)));
            }
        }
        let spend = self.assemble(&coins, None)?;
        let fee = self.fee(&spend)?;
        if over < fee { Err(self.insufficient(total([paid, fee])?)) } else { Ok(spend) }
    }

    fn fee(&self, spend: &Spend) -> Result<Amount> {
        self.rate.fee_sat(spend.signed_vsize(self.wallet)).map(Amount::from_sat).ok_or(Error::Overflow)
    }

    fn assemble(&self, coins: &[&Coin], change: Option<SpendOutput>) -> Result<Spend> {
        let inputs = coins
            .iter()
            .map(|coin| SpendInput {
                outpoint: coin.outpoint,
                // BIP125: replaceable, so that a fee can be raised.
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
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
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            inputs,
            outputs,
        };
        Spend::new(parts).map_err(|findings| match findings.first() {
            Some(finding) => psbt_tools::Error::from(finding).into(),
            None => Error::SelfCheck("a spend was refused without a reason".to_owned()),
        })
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

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The request was written; nothing came back.
    Exported,
    /// A verified permit is known.
    Permitted,
    /// A verified receipt or the signed transaction is known.
    Signed,
    /// A relay took it.
    Broadcast,
    /// The source's mempool held it at the last look.
    Seen,
    /// In a block, with so many confirmations.
    Confirmed(u32),
    /// Six blocks deep or more.
    Settled(u32),
    /// Another transaction spent one of its coins and is confirmed.
    Replaced(Txid),
}

impl Stage {
    /// Its word in listings.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Exported => "exported",
            Stage::Permitted => "permitted",
            Stage::Signed => "signed",
            Stage::Broadcast => "broadcast",
            Stage::Seen => "seen",
            Stage::Confirmed(_) => "confirmed",
            Stage::Settled(_) => "settled",
            Stage::Replaced(_) => "replaced",
        }
    }

    /// Blocks from its own to the tip, both counted.
    pub fn confirmations(self) -> u32 {
        match self {
            Stage::Confirmed(depth) | Stage::Settled(depth) => depth,
            _ => 0,
        }
    }
}

/// What every payment's stage follows from, read once.
pub struct Stages<'a> {
    store: &'a Store,
    tip: u32,
    /// Height and mempool mark of each transaction that spends a coin of ours.
    spending: HashMap<Txid, (Option<u32>, bool)>,
    permitted: HashSet<SpendId>,
    receipted: HashSet<SpendId>,
}

impl<'a> Stages<'a> {
    /// Reads documents and chain.
    pub fn load(store: &'a Store) -> Result<Self> {
        let spending = store.spending_transactions()?;
        Ok(Self {
            store,
            tip: store.tip()?.map_or(0, |tip| tip.height),
            spending: spending
                .iter()
                .map(|own| (own.transaction.compute_txid(), (own.height, own.in_mempool)))
                .collect(),
            permitted: store.permits()?.iter().map(|permit| permit.statement.spend).collect(),
            receipted: store.receipts()?.iter().map(|receipt| receipt.statement.spend).collect(),
        })
    }

    /// Where this payment stands.
    pub fn of(&self, payment: &Payment) -> Result<Stage> {
        let (height, in_mempool) =
            self.spending.get(&payment.unsigned_txid).copied().unwrap_or((None, false));
        if let Some(height) = height {
            let depth = self.tip.saturating_sub(height).saturating_add(1);
            return Ok(if depth >= SETTLED { Stage::Settled(depth) } else { Stage::Confirmed(depth) });
        }
        if let Some(other) = self.store.replaced_by(payment)? {
            return Ok(Stage::Replaced(other));
        }
        if in_mempool {
            return Ok(Stage::Seen);
        }
        if payment.conduct == Conduct::Broadcast {
            return Ok(Stage::Broadcast);
        }
        let id = payment.spend.id();
        if payment.signed.is_some() || self.receipted.contains(&id) {
            return Ok(Stage::Signed);
        }
        Ok(if self.permitted.contains(&id) { Stage::Permitted } else { Stage::Exported })
    }
}

/// The outputs that a payment spends, in the order of its inputs.
///
/// Errors: [`Error::CorruptStore`] when its keypaths are not the wallet's.
pub fn spent_outputs(spend: &Spend, wallet: &Wallet) -> Result<Vec<TxOut>> {
    spend
        .inputs()
        .iter()
        .map(|input| {
            let script_pubkey = wallet.script(input.keypath).ok_or(Error::CorruptStore("keypath"))?;
            Ok(TxOut { value: input.value, script_pubkey })
        })
        .collect()
}

/// The stored transactions of these coins.
///
/// Errors: [`Error::CorruptStore`] when one is missing.
pub fn evidence_for(store: &Store, coins: &[Coin]) -> Result<Evidence> {
    let mut txids: Vec<Txid> = coins.iter().map(|coin| coin.outpoint.txid).collect();
    txids.sort_unstable();
    txids.dedup();
    let transactions: Vec<Transaction> = txids
        .into_iter()
        .map(|txid| store.transaction(txid)?.ok_or(Error::CorruptStore("coin without its transaction")))
        .collect::<Result<_>>()?;
    Ok(Evidence::new(transactions))
}

/// The latest record of each vault that a receipt shows.
pub fn heads(store: &Store) -> Result<Vec<Head>> {
    let mut heads: Vec<Head> = Vec::new();
    for receipt in store.receipts()? {
        let head = receipt.statement.head;
        match heads.iter_mut().find(|known| known.vault == head.vault) {
            Some(known) if known.sequence < head.sequence => *known = head,
            Some(_) => {}
            None => heads.push(head),
        }
    }
    heads.sort_unstable();
    heads.truncate(policies::request::MAX_HEADS);
    Ok(heads)
}

fn total(amounts: impl IntoIterator<Item = Amount>) -> Result<Amount> {
    amounts
        .into_iter()
        .try_fold(Amount::ZERO, Amount::checked_add)
        .filter(|sum| *sum <= Amount::MAX_MONEY)
        .ok_or(Error::Overflow)
}
