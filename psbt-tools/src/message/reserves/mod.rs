//! Proof of reserves: a statement about coins at a block, and a BIP322 proof of funds for each wallet that holds them.
//!
//! Whoever watches the chain writes the unsigned document ([`Reserves::new`]); each wallet signs the same message with its
//! coins as further inputs ([`Reserves::to_sign`], [`Reserves::attach`]); everyone verifies it ([`Reserves::verify`]).
//! The message names every holding of the document with a hash of its coins, so that no signature fits another document.
//!
//! It proves who could spend the coins when it was signed, and against a list of unspent outputs that they were there.
//! It does not prove that nobody else can spend them, nor that there are no debts.

mod json;
mod report;

pub(super) use json::Fields;
pub use json::Utxos;
pub use report::{Chain, HoldingReport, Report};

use super::partial::Partial;
use super::signature::{Signature, SignatureError};
use super::{Verdict, verify};
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::{Address, Amount, BlockHash, Network, OutPoint, ScriptBuf, Sequence, TxOut};
use policies::codec::{CodecError, clean_text};
use policies::evidence::Evidence;
use policies::message::bip322::{ClaimedCoin, Locks, MAX_COINS, Satisfaction, ToSign};
use policies::message::{Message, MessageError, MessageForm};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Longest purpose, in bytes.
pub const MAX_PURPOSE_LEN: usize = 1_000;

/// Longest name of a wallet, in bytes.
pub const MAX_NAME_LEN: usize = 100;

/// Most holdings of a document.
pub const MAX_HOLDINGS: usize = 200;

/// Why a document is none, or a signature does not belong to it.
#[derive(Debug, thiserror::Error)]
pub enum ReservesError {
    /// It is not of the format.
    #[error("this is no {what}: {reason}")]
    Format {
        /// The document that was expected.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that cannot be shown.
    #[error(transparent)]
    Text(#[from] CodecError),
    /// A document that says something impossible.
    #[error("holding {at}: {reason}")]
    Holding {
        /// Its place, from zero.
        at: usize,
        /// What is impossible.
        reason: String,
    },
    /// What cannot be signed.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Satisfactions that make no signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A signature that is not valid for the holding.
    #[error("the signature of holding {at} is {word}: {reason}")]
    Unfit {
        /// Its place, from zero.
        at: usize,
        /// `invalid` or `inconclusive`.
        word: &'static str,
        /// Why.
        reason: String,
    },
}

/// What is stated about all holdings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// For whom and why, on one line.
    pub purpose: String,
    /// The chain.
    pub network: Network,
    /// The block after which the coins were counted.
    pub height: u32,
    /// Its hash.
    pub block_hash: BlockHash,
}

/// Coins that one signature proves: a wallet's, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// The wallet's name.
    pub name: String,
    /// The script of the wallet's address that signs the message.
    pub address: ScriptBuf,
    /// Its coins, at most [`MAX_COINS`]; a larger wallet has several holdings.
    pub coins: Vec<(OutPoint, TxOut)>,
    /// The proof of funds as it is written, once it is there.
    pub signature: Option<String>,
}

impl Holding {
    /// What its coins are worth.
    pub fn total(&self) -> Amount {
        self.coins
            .iter()
            .fold(Amount::ZERO, |total, (_, output)| total.checked_add(output.value).unwrap_or(Amount::MAX))
    }

    fn to_sign(&self, message: &Message, locks: Locks, sequence: Sequence) -> Result<ToSign, MessageError> {
        let coins: Vec<_> = self
            .coins
            .iter()
            .map(|(outpoint, output)| ClaimedCoin { outpoint: *outpoint, output: output.clone(), sequence })
            .collect();
        ToSign::new(message, &self.address, locks, &coins)
    }

    /// A signature of this holding: valid only as a proof of funds for exactly its coins.
    fn judge(&self, message: &Message, written: Option<&str>) -> Verdict {
        let Some(written) = written else {
            return Verdict::Inconclusive("it is not signed yet".to_owned());
        };
        let verdict = match Signature::decode(written) {
            Ok(signature) if signature.form() == MessageForm::Bip322ProofOfFunds => {
                verify(message, &self.address, &signature)
            }
            Ok(_) => Verdict::Invalid("it is no proof of funds".to_owned()),
            Err(error) => Verdict::Invalid(error.to_string()),
        };
        match verdict {
            Verdict::Valid(valid) => {
                let mut signed: Vec<_> =
                    valid.coins.iter().map(|coin| (coin.outpoint, coin.output.clone())).collect();
                signed.sort_by_key(|(outpoint, _)| *outpoint);
                if signed == self.coins {
                    Verdict::Valid(valid)
                } else {
                    Verdict::Invalid("it is signed for other coins than the document lists".to_owned())
                }
            }
            no @ (Verdict::Inconclusive(_) | Verdict::Invalid(_)) => no,
        }
    }
}

/// A proof of reserves, signed or not. Its coins are in the order of their outpoints, none is there twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserves {
    statement: Statement,
    holdings: Vec<Holding>,
    /// Signatures of holdings that need more keys, by the holding's place.
    partials: BTreeMap<usize, Partial>,
}

impl Reserves {
    /// Puts a document together.
    ///
    /// # Errors
    /// [`ReservesError::Text`] for a purpose or name that cannot be shown on a line; [`ReservesError::Holding`] for one without
    /// coins or address, with too many coins, with a coin that is elsewhere too, or worth more than there is.
    pub fn new(statement: Statement, holdings: Vec<Holding>) -> Result<Self, ReservesError> {
        clean_text("purpose", &statement.purpose, MAX_PURPOSE_LEN)?;
        if !(1..=MAX_HOLDINGS).contains(&holdings.len()) {
            let reason = format!("it has {} holdings, expected 1 to {MAX_HOLDINGS}", holdings.len());
            return Err(ReservesError::Format { what: "proof of reserves", reason });
        }
        let mut reserves = Self { statement, holdings, partials: BTreeMap::new() };
        let (mut seen, mut total) = (BTreeSet::new(), Amount::ZERO);
        for (at, holding) in reserves.holdings.iter_mut().enumerate() {
            clean_text("name", &holding.name, MAX_NAME_LEN)?;
            let wrong = |reason: &str| Err(ReservesError::Holding { at, reason: reason.to_owned() });
            if holding.name.contains('"') {
                return wrong("its name holds a quotation mark");
            }
            if Address::from_script(&holding.address, reserves.statement.network).is_err() {
                return wrong("its script is no address");
            }
            if !(1..=MAX_COINS).contains(&holding.coins.len()) {
                return wrong(&format!("it has {} coins, expected 1 to {MAX_COINS}", holding.coins.len()));
            }
            holding.coins.sort_by_key(|(outpoint, _)| *outpoint);
            for (outpoint, output) in &holding.coins {
                if !seen.insert(*outpoint) {
                    return wrong(&format!("the coin {outpoint} stands twice"));
                }
                total = match total.checked_add(output.value) {
                    Some(total) if total <= Amount::MAX_MONEY => total,
                    _ => return wrong("the coins are worth more than there is"),
                };
            }
        }
        let message = reserves.message()?;
        for holding in &reserves.holdings {
            holding.to_sign(&message, Locks::NONE, Sequence::ZERO)?;
        }
        Ok(reserves)
    }

    /// What is stated.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The holdings, in the order in which the message names them.
    pub fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    /// What some of a holding's keys have signed, while more are needed.
    pub fn partial(&self, at: usize) -> Option<&Partial> {
        self.partials.get(&at)
    }

    /// Keeps what some of a holding's keys have signed, for the other keys. It is not verified by that.
    pub fn keep(&mut self, at: usize, partial: Partial) {
        self.partials.insert(at, partial);
    }

    /// What all coins are worth.
    pub fn total(&self) -> Amount {
        self.holdings
            .iter()
            .fold(Amount::ZERO, |total, holding| total.checked_add(holding.total()).unwrap_or(Amount::MAX))
    }

    /// What every holding signs: readable, and different for every other document.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn message(&self) -> Result<Message, MessageError> {
        let Statement { purpose, network, height, block_hash } = &self.statement;
        let mut text = format!(
            "Airlock proof of reserves 1\nNetwork: {network}\nBlock: {height} {block_hash}\nPurpose: {purpose}\n"
        );
        for (at, holding) in self.holdings.iter().enumerate() {
            let address = Address::from_script(&holding.address, *network).map(|address| address.to_string());
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "Wallet {}: \"{}\" {} holds {} sat in {} coins {}",
                at.saturating_add(1),
                holding.name,
                address.unwrap_or_else(|_| holding.address.to_hex_string()),
                holding.total().to_sat(),
                holding.coins.len(),
                coins_hash(&holding.coins)
            );
        }
        let _ = write!(text, "Total: {} sat", self.total().to_sat());
        Message::new(text)
    }

    /// What a holding signs, as a virtual transaction: its first input for the message, then one for each coin.
    /// `sequence` is the coins' own, zero unless their scripts need a relative lock.
    ///
    /// # Errors
    /// [`ReservesError::Holding`] for one that is not there, [`ReservesError::Message`].
    pub fn to_sign(&self, at: usize, locks: Locks, sequence: Sequence) -> Result<ToSign, ReservesError> {
        Ok(self.holding(at)?.to_sign(&self.message()?, locks, sequence)?)
    }

    /// Puts a holding's satisfactions in, one for each input of what [`Reserves::to_sign`] gave, in its order. Coins of
    /// legacy scripts need their previous transactions in `evidence`.
    ///
    /// # Errors
    /// [`ReservesError::Signature`], and [`ReservesError::Unfit`] when the result does not verify.
    pub fn attach(
        &mut self,
        at: usize,
        to_sign: &ToSign,
        satisfactions: Vec<Satisfaction>,
        evidence: &Evidence,
    ) -> Result<(), ReservesError> {
        let signature = Signature::new(to_sign, satisfactions, evidence)?.encode();
        let (word, reason) = match self.holding(at)?.judge(&self.message()?, Some(&signature)) {
            Verdict::Valid(_) => {
                if let Some(holding) = self.holdings.get_mut(at) {
                    holding.signature = Some(signature);
                }
                self.partials.remove(&at);
                return Ok(());
            }
            Verdict::Inconclusive(reason) => ("inconclusive", reason),
            Verdict::Invalid(reason) => ("invalid", reason),
        };
        Err(ReservesError::Unfit { at, word, reason })
    }

    /// Verifies every signature, and with `utxos` that each coin was unspent at the statement's block.
    pub fn verify(&self, utxos: Option<&Utxos>) -> Report {
        let message = self.message();
        let verdict = |holding: &Holding| match &message {
            Ok(message) => holding.judge(message, holding.signature.as_deref()),
            Err(error) => Verdict::Invalid(error.to_string()),
        };
        let holdings = self.holdings.iter().map(|holding| HoldingReport {
            name: holding.name.clone(),
            address: holding.address.clone(),
            total: holding.total(),
            verdict: verdict(holding),
        });
        Report { holdings: holdings.collect(), chain: Chain::of(self, utxos), total: self.total() }
    }

    fn holding(&self, at: usize) -> Result<&Holding, ReservesError> {
        let none = || ReservesError::Holding { at, reason: "there is none".to_owned() };
        self.holdings.get(at).ok_or_else(none)
    }
}

/// SHA-256 over `OUTPOINT SAT SCRIPT` and a line feed for each coin, in the order of the outpoints.
fn coins_hash(coins: &[(OutPoint, TxOut)]) -> sha256::Hash {
    let mut engine = sha256::Hash::engine();
    for (outpoint, output) in coins {
        let line = format!("{outpoint} {} {:x}\n", output.value.to_sat(), output.script_pubkey);
        engine.input(line.as_bytes());
    }
    sha256::Hash::from_engine(engine)
}
