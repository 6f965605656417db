//! A foreign PSBT as a payment of ours: the same transaction, with what its signers need.

use bitcoin::{Amount, OutPoint, Psbt};
use policies::codec::Canonical;
use policies::request::{Head, Recipient, Request, SignedRequest};
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::Branch;
use psbt_tools::document::Document;
use psbt_tools::strict;

use crate::coins::{Coin, CoinState, unspent};
use crate::error::{Error, Result};
use crate::frame::{Frame, within_ceiling};
use crate::index::{GAP_LIMIT, ScriptIndex};
use crate::store::{Draft, Store};
use crate::wallet::OpenWallet;

/// What a foreign PSBT spends, and from which wallet.
pub struct Completion {
    /// The wallet of all of its coins.
    pub wallet: OpenWallet,
    /// Its coins, in the order of its inputs.
    pub coins: Vec<Coin>,
    /// The transaction, with what of it is ours.
    pub spend: Spend,
    /// As it came: perhaps with signatures.
    pub psbt: Psbt,
}

/// What the request says beside the transaction.
pub struct Terms {
    /// What it is for.
    pub purpose: String,
    /// Highest fee; the fee itself when left out.
    pub max_fee: Option<Amount>,
    /// Unix time.
    pub expires: u64,
    /// Latest receipts seen.
    pub heads: Vec<Head>,
}

impl Completion {
    /// Reads a PSBT and finds its coins and its own outputs in the store. Nothing that it claims about them is believed.
    ///
    /// Errors: [`Error::CoinUnavailable`] for a coin that is not free or not watched, [`Error::Malformed`] for one with coins
    /// of two wallets, the first check that refuses.
    pub fn read(store: &Store, bytes: Vec<u8>) -> Result<Self> {
        let psbt = strict::parse(Document::parse(bytes)?.psbt_bytes())?;
        let all = unspent(store, None)?;
        let outpoints = psbt.unsigned_tx.input.iter().map(|input| input.previous_output);
        let coins = outpoints.map(|outpoint| free(&all, outpoint)).collect::<Result<Vec<_>>>()?;
        let malformed =
            |reason: &str| Error::Malformed { what: "the PSBT".to_owned(), reason: reason.to_owned() };
        let first = coins.first().ok_or_else(|| malformed("it has no inputs"))?;
        if coins.iter().any(|coin| coin.place.wallet != first.place.wallet) {
            return Err(malformed("it spends coins of two wallets: a payment is from one"));
        }
        let row = store.wallets()?.into_iter().find(|row| row.id == first.place.wallet);
        let wallet = OpenWallet::new(store.network()?, row.ok_or(Error::CorruptStore("coin's wallet"))?)?;
        let index = ScriptIndex::load(store, GAP_LIMIT)?;
        let inputs = psbt.unsigned_tx.input.iter().zip(&coins).map(|(input, coin)| SpendInput {
            outpoint: coin.outpoint,
            sequence: input.sequence,
            value: coin.value,
            keypath: coin.place.into(),
        });
        let outputs = psbt.unsigned_tx.output.iter().map(|output| SpendOutput {
            value: output.value,
            script: output.script_pubkey.clone(),
            own: index
                .find(&output.script_pubkey)
                .filter(|place| place.wallet == wallet.row.id)
                .map(Into::into),
        });
        let parts = SpendParts {
            network: wallet.rules.network(),
            wallet: wallet.rules.id(),
            version: psbt.unsigned_tx.version,
            lock_time: psbt.unsigned_tx.lock_time,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
        };
        let spend = Spend::new(parts).map_err(|findings| match findings.first() {
            Some(finding) => psbt_tools::Error::from(finding).into(),
            None => Error::SelfCheck("a spend was refused without a reason".to_owned()),
        })?;
        Ok(Self { wallet, coins, spend, psbt })
    }

    /// The request file, with the derivations and previous transactions that the frame knows.
    ///
    /// Errors: [`Error::FeeAboveCeiling`], and those of [`Frame::file`].
    pub fn draft(&self, frame: &Frame<'_>, terms: Terms, number: u32, change: u32) -> Result<Draft> {
        let spend = self.spend.clone();
        within_ceiling(spend.fee(), terms.max_fee)?;
        let request = Request {
            network: spend.network(),
            wallet: spend.wallet(),
            payment: number,
            recipients: Recipient::of(&spend),
            purpose: terms.purpose,
            max_fee: terms.max_fee.unwrap_or(spend.fee()),
            anchor: spend.anchor(),
            created: frame.now,
            expires: terms.expires,
            heads: terms.heads,
            replaces: Vec::new(),
        };
        // What is written must be readable by those who sign it.
        let asked = SignedRequest { request, signature: None };
        SignedRequest::from_bytes(&asked.to_bytes()).map_err(|error| Error::SelfCheck(error.to_string()))?;
        let file = frame.file(&spend, &asked, &[])?;
        let own = || spend.outputs().iter().filter_map(|output| output.own);
        let uses_change = own().any(|own| own.branch == Branch::Internal && own.index == change);
        Ok(Draft { spend, request: asked.request, file, uses_change })
    }
}

fn free(all: &[Coin], outpoint: OutPoint) -> Result<Coin> {
    let unavailable = |reason: &str| Err(Error::CoinUnavailable { outpoint, reason: reason.into() });
    match all.iter().find(|coin| coin.outpoint == outpoint) {
        None => unavailable("it is no unspent coin of a wallet here"),
        Some(coin) => match coin.state {
            CoinState::Confirmed => Ok(coin.clone()),
            CoinState::Immature => unavailable("its block reward is younger than 100 blocks"),
            CoinState::Reserved => unavailable("it is reserved for another payment"),
            CoinState::Pending => unavailable("it is not confirmed"),
        },
    }
}
