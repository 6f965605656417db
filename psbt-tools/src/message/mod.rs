//! Signed messages: BIP322 in its three forms, and BIP137. What is signed is made by [`policies::message`]; here
//! signatures are read, written and verified.
//!
//! A signature is valid only when two implementations agree: Bitcoin Core's script engine on the consensus rules, and a
//! run of our own on what BIP322 asks for beyond them.

mod bip137;
mod engine;
pub mod partial;
pub mod proof;
pub mod reserves;
mod script;
pub mod signature;
pub mod signing;

use bitcoin::absolute::LockTime;
use bitcoin::transaction::Version;
use bitcoin::{Script, Sequence, Transaction, TxOut};
use policies::message::bip322::{ClaimedCoin, Locks, Satisfaction, ToSign, nothing};
use policies::message::{Message, MessageForm};
use script::{Fault, Judge};
use signature::Signature;

/// BIP322's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "only `Verdict::Valid` is a yes"]
pub enum Verdict {
    /// The address signed the message.
    Valid(Valid),
    /// It cannot be said: a script that is not understood, or a rule that may change.
    Inconclusive(String),
    /// It did not, for this reason.
    Invalid(String),
}

impl Verdict {
    /// `valid`, `inconclusive` or `invalid`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Valid(_) => "valid",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::Invalid(_) => "invalid",
        }
    }
}

/// What a valid signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid {
    /// How it was signed.
    pub form: MessageForm,
    /// BIP322's time T and age S: the script is satisfied from then on only. Both are zero without timelocks.
    pub locks: Locks,
    /// The coins of a proof of funds: whoever signed can spend them. Whether they exist and are unspent, and what they
    /// are worth, only the chain says.
    pub coins: Vec<ClaimedCoin>,
}

impl Valid {
    /// Whether the signature holds at any time.
    pub fn is_unlocked(&self) -> bool {
        self.locks.lock_time == LockTime::ZERO && self.locks.sequence == Sequence::ZERO
    }
}

/// Verifies a signature as it is written, see [`Signature::decode`]; one that cannot be read is invalid.
pub fn verify_text(message: &Message, address: &Script, text: &str) -> Verdict {
    match Signature::decode(text) {
        Ok(signature) => verify(message, address, &signature),
        Err(error) => Verdict::Invalid(error.to_string()),
    }
}

/// Verifies a signature of a message by an address, given as its script.
pub fn verify(message: &Message, address: &Script, signature: &Signature) -> Verdict {
    let judged = match signature {
        Signature::Simple(witness) => simple(message, address, witness.clone()),
        Signature::Full(transaction) => full(message, address, transaction),
        Signature::ProofOfFunds(psbt) => proof::coins(psbt, message, address).and_then(|coins| {
            judge(message, address, &proof::signed(psbt), coins, MessageForm::Bip322ProofOfFunds)
        }),
        Signature::Bip137(bytes) => bip137::verify(message, address, bytes).map(|()| Valid {
            form: MessageForm::Bip137,
            locks: Locks::NONE,
            coins: Vec::new(),
        }),
    };
    match judged {
        Ok(valid) => Verdict::Valid(valid),
        Err(Fault::Broken(reason)) => Verdict::Invalid(reason),
        Err(Fault::Unknown(reason)) => Verdict::Inconclusive(reason),
    }
}

fn simple(message: &Message, address: &Script, witness: bitcoin::Witness) -> Result<Valid, Fault> {
    if !address.is_witness_program() {
        return script::broken("the address is not of native segwit, which BIP322's simple form is for");
    }
    let satisfaction = Satisfaction { witness, ..Satisfaction::default() };
    let signed = ToSign::new(message, address, Locks::NONE, &[])
        .and_then(|to_sign| to_sign.satisfied(vec![satisfaction]))
        .map_err(|error| Fault::Broken(error.to_string()))?;
    judge(message, address, &signed, Vec::new(), MessageForm::Bip322Simple)
}

fn full(message: &Message, address: &Script, transaction: &Transaction) -> Result<Valid, Fault> {
    match transaction.input.len() {
        1 => judge(message, address, transaction, Vec::new(), MessageForm::Bip322Full),
        more => script::broken(format!(
            "the transaction has {more} inputs, expected 1: only a proof of funds says what the others spend"
        )),
    }
}

/// BIP322, "Verification Process".
fn judge(
    message: &Message,
    address: &Script,
    signed: &Transaction,
    coins: Vec<ClaimedCoin>,
    form: MessageForm,
) -> Result<Valid, Fault> {
    let Some(first) = signed.input.first() else { return script::broken("the transaction has no input") };
    let locks = Locks { lock_time: signed.lock_time, sequence: first.sequence };
    let to_sign =
        ToSign::new(message, address, locks, &coins).map_err(|error| Fault::Broken(error.to_string()))?;
    require_same(&to_sign, signed)?;
    if let Some(at) = engine::first_refused(signed, to_sign.prevouts()) {
        return script::broken(refused(at, signed, to_sign.prevouts()));
    }
    let mut judge = Judge::new(signed, to_sign.prevouts());
    let mut unknown = None;
    for at in 0..signed.input.len() {
        match judge.input(at) {
            Ok(()) => {}
            Err(Fault::Broken(reason)) => return script::broken(placed(at, &reason)),
            Err(Fault::Unknown(reason)) => {
                unknown.get_or_insert_with(|| placed(at, &reason));
            }
        }
    }
    if !matches!(signed.version, Version(0) | Version::TWO) {
        unknown.get_or_insert_with(|| {
            format!("the transaction's version is {}, expected 0 or 2", signed.version)
        });
    }
    match unknown {
        Some(reason) => script::unknown(reason),
        None => Ok(Valid { form, locks, coins }),
    }
}

/// Everything that is signed is what the message makes it; the version is judged later.
fn require_same(to_sign: &ToSign, signed: &Transaction) -> Result<(), Fault> {
    let outpoint = |transaction: &Transaction| transaction.input.first().map(|input| input.previous_output);
    let expected = to_sign.transaction();
    if outpoint(expected) != outpoint(signed) {
        return script::broken("it is a signature of another message or by another address");
    }
    if signed.output != [nothing()] {
        return script::broken("the transaction has other outputs than one empty OP_RETURN");
    }
    let inputs = |transaction: &Transaction| {
        transaction.input.iter().map(|input| (input.previous_output, input.sequence)).collect::<Vec<_>>()
    };
    if inputs(expected) != inputs(signed) || expected.lock_time != signed.lock_time {
        return script::broken("the transaction is not the one of the message");
    }
    Ok(())
}

/// Why the engine refuses an input: it does not say, so the other run is asked.
fn refused(at: usize, signed: &Transaction, prevouts: &[TxOut]) -> String {
    match Judge::new(signed, prevouts).input(at) {
        Err(Fault::Broken(reason) | Fault::Unknown(reason)) => placed(at, &reason),
        Ok(()) => placed(at, "the script engine says no"),
    }
}

fn placed(at: usize, reason: &str) -> String {
    match at {
        0 => reason.to_owned(),
        at => format!("coin {}: {reason}", at.saturating_sub(1)),
    }
}
