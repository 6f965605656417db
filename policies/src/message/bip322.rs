//! BIP322: the two virtual transactions of a message. The [module above](super) says why they are never real.

use super::{Message, MessageError};
use crate::codec::MAX_SCRIPT_LEN;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::opcodes::OP_0;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use std::collections::BTreeSet;

/// Most coins of one proof of funds: the work of signing and verifying grows with the square, so that more are proven by
/// several signatures.
pub const MAX_COINS: usize = 1_000;

/// The tag of the message hash.
const TAG: &[u8] = b"BIP0322-signed-message";

/// BIP322's message hash: the tagged hash (BIP340) of the message as it is. It is never signed itself.
pub fn message_hash(message: &Message) -> [u8; 32] {
    let tag = sha256::Hash::hash(TAG).to_byte_array();
    let mut engine = sha256::Hash::engine();
    for part in [&tag, &tag, message.as_bytes()] {
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// The virtual transaction that the message's signature spends. It spends the null outpoint like a coinbase of block
/// zero, so that no chain ever has it.
pub fn to_spend(message: &Message, challenge: &Script) -> Transaction {
    let script_sig = Builder::new().push_opcode(OP_0).push_slice(message_hash(message)).into_script();
    Transaction {
        version: Version(0),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::ZERO,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: Amount::ZERO, script_pubkey: challenge.to_owned() }],
    }
}

/// The only output of every `to_sign`: nothing, to nobody.
pub fn nothing() -> TxOut {
    TxOut { value: Amount::ZERO, script_pubkey: Builder::new().push_opcode(OP_RETURN).into_script() }
}

/// Whether a transaction has the shape of a `to_sign`: whoever signs payments refuses it, because its signature would be
/// one over a message that nobody was shown (check C32).
pub fn is_to_sign(transaction: &Transaction) -> bool {
    matches!(transaction.output.as_slice(), [only] if *only == nothing())
}

/// The timelocks under which a message is signed; both zero without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locks {
    /// `nLockTime`: time T of BIP322's answer.
    pub lock_time: LockTime,
    /// `nSequence` of the first input: age S of BIP322's answer.
    pub sequence: Sequence,
}

impl Locks {
    /// No timelock.
    pub const NONE: Locks = Locks { lock_time: LockTime::ZERO, sequence: Sequence::ZERO };
}

/// A coin that a proof of funds claims: a further input of `to_sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedCoin {
    /// Which coin.
    pub outpoint: OutPoint,
    /// Its amount and script.
    pub output: TxOut,
    /// Zero, unless its script needs a relative lock.
    pub sequence: Sequence,
}

/// What satisfies one input's script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Satisfaction {
    /// Empty for native segwit.
    pub script_sig: ScriptBuf,
    /// Empty for legacy scripts.
    pub witness: Witness,
}

/// The virtual transaction that is signed, and the outputs that its inputs spend. A value of this type is made from a
/// message only; its first input spends `to_spend`, its only output is [`nothing`].
///
/// A signer makes signatures over [`ToSign::transaction`] with [`ToSign::prevouts`], as for a payment, with `SIGHASH_ALL`
/// (taproot: `SIGHASH_DEFAULT`) and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToSign {
    to_spend: Transaction,
    transaction: Transaction,
    prevouts: Vec<TxOut>,
}

impl ToSign {
    /// The `to_sign` of a message for a script, with coins for a proof of funds. Its version is 2 when a timelock is
    /// set, else 0.
    ///
    /// # Errors
    /// [`MessageError::Challenge`] for a script that is no address, [`MessageError::Coin`] for one that stands twice, has an
    /// impossible amount or outpoint, or a script that nothing can spend.
    pub fn new(
        message: &Message,
        challenge: &Script,
        locks: Locks,
        coins: &[ClaimedCoin],
    ) -> Result<Self, MessageError> {
        if let Some(reason) = unspendable(challenge) {
            return Err(MessageError::Challenge(reason));
        }
        let to_spend = to_spend(message, challenge);
        let first = OutPoint { txid: to_spend.compute_txid(), vout: 0 };
        require_possible(first, coins)?;
        let input = |previous_output, sequence| TxIn {
            previous_output,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::new(),
        };
        let inputs: Vec<_> = std::iter::once(input(first, locks.sequence))
            .chain(coins.iter().map(|coin| input(coin.outpoint, coin.sequence)))
            .collect();
        let locked =
            locks.lock_time != LockTime::ZERO || inputs.iter().any(|input| input.sequence != Sequence::ZERO);
        let transaction = Transaction {
            version: if locked { Version::TWO } else { Version(0) },
            lock_time: locks.lock_time,
            input: inputs,
            output: vec![nothing()],
        };
        let prevouts =
            to_spend.output.iter().cloned().chain(coins.iter().map(|coin| coin.output.clone())).collect();
        Ok(Self { to_spend, transaction, prevouts })
    }

    /// The virtual transaction that the first input spends.
    pub fn to_spend(&self) -> &Transaction {
        &self.to_spend
    }

    /// The unsigned virtual transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// What every input spends, in the order of the inputs: sighashes of segwit need them.
    pub fn prevouts(&self) -> &[TxOut] {
        &self.prevouts
    }

    /// Whether the witness alone is a whole signature: a native segwit address, no coins and no timelocks (BIP322,
    /// "Signing").
    pub fn is_simple(&self) -> bool {
        let native = self.prevouts.first().is_some_and(|output| output.script_pubkey.is_witness_program());
        native && self.transaction.input.len() == 1 && self.transaction.version == Version(0)
    }

    /// The signed virtual transaction.
    ///
    /// # Errors
    /// [`MessageError::Inputs`] when there is not exactly one satisfaction for each input.
    pub fn satisfied(&self, satisfactions: Vec<Satisfaction>) -> Result<Transaction, MessageError> {
        let mut transaction = self.transaction.clone();
        if satisfactions.len() != transaction.input.len() {
            return Err(MessageError::Inputs {
                found: satisfactions.len(),
                expected: transaction.input.len(),
            });
        }
        for (input, satisfaction) in transaction.input.iter_mut().zip(satisfactions) {
            input.script_sig = satisfaction.script_sig;
            input.witness = satisfaction.witness;
        }
        Ok(transaction)
    }
}

/// Why nothing can satisfy a script; `None` for every other one.
fn unspendable(script: &Script) -> Option<&'static str> {
    match script.len() {
        0 => Some("it is empty"),
        len if len > MAX_SCRIPT_LEN => Some("it is longer than 10,000 bytes"),
        _ if script.is_op_return() => Some("nothing can satisfy OP_RETURN"),
        _ => None,
    }
}

fn require_possible(first: OutPoint, coins: &[ClaimedCoin]) -> Result<(), MessageError> {
    let mut seen = BTreeSet::from([first]);
    let mut total = Amount::ZERO;
    for (at, coin) in coins.iter().enumerate() {
        let wrong = |reason| Err(MessageError::Coin { at, reason });
        if at >= MAX_COINS {
            return wrong("there are too many coins");
        }
        if coin.outpoint == OutPoint::null() {
            return wrong("it is no output of any transaction");
        }
        if !seen.insert(coin.outpoint) {
            return wrong("it stands twice");
        }
        if let Some(reason) = unspendable(&coin.output.script_pubkey) {
            return wrong(reason);
        }
        total = match total.checked_add(coin.output.value) {
            Some(total) if total <= Amount::MAX_MONEY => total,
            _ => return wrong("the coins are worth more than there is"),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::Address;
    use bitcoin::address::NetworkUnchecked;
    use std::str::FromStr;

    /// The address of BIP322's basic vectors.
    fn challenge() -> ScriptBuf {
        Address::<NetworkUnchecked>::from_str("bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l")
            .unwrap()
            .assume_checked()
            .script_pubkey()
    }

    fn coin(n: u8) -> ClaimedCoin {
        ClaimedCoin {
            outpoint: crate::spend::tests::outpoint(n),
            output: TxOut { value: Amount::from_sat(1_000), script_pubkey: challenge() },
            sequence: Sequence::ZERO,
        }
    }

    fn message() -> Message {
        Message::new("Hello World").unwrap()
    }

    #[test]
    fn hashes_are_those_of_the_bip() {
        let to_sign = ToSign::new(&message(), &challenge(), Locks::NONE, &[]).unwrap();
        let hash = sha256::Hash::from_byte_array(message_hash(&message())).to_string();
        assert_eq!(hash, "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a");
        assert_eq!(
            to_sign.to_spend().compute_txid().to_string(),
            "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b"
        );
        assert_eq!(
            to_sign.transaction().compute_txid().to_string(),
            "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf"
        );
    }

    #[test]
    fn what_is_signed_is_never_a_real_transaction() {
        let to_sign = ToSign::new(&message(), &challenge(), Locks::NONE, &[coin(1), coin(2)]).unwrap();
        let spent = to_sign.to_spend();
        assert!(spent.is_coinbase(), "only a coinbase may spend the null outpoint");
        assert_eq!(spent.input[0].script_sig.as_bytes()[0], 0, "BIP34: as a coinbase it is of block 0");
        let transaction = to_sign.transaction();
        assert_eq!(transaction.input[0].previous_output, OutPoint::new(spent.compute_txid(), 0));
        assert_eq!(transaction.output, [nothing()]);
        assert!(is_to_sign(transaction));
        assert_eq!(to_sign.prevouts().len(), 3);
        assert!(!is_to_sign(
            &crate::spend::Spend::new(crate::spend::tests::parts()).unwrap().unsigned_transaction()
        ));
    }

    #[test]
    fn the_version_is_2_exactly_with_timelocks() {
        let make =
            |locks, coins: &[ClaimedCoin]| ToSign::new(&message(), &challenge(), locks, coins).unwrap();
        assert_eq!(make(Locks::NONE, &[coin(1)]).transaction().version, Version(0));
        let at = Locks { lock_time: LockTime::from_consensus(500), ..Locks::NONE };
        let after = Locks { sequence: Sequence(144), ..Locks::NONE };
        let old = ClaimedCoin { sequence: Sequence(144), ..coin(1) };
        for to_sign in [make(at, &[]), make(after, &[]), make(Locks::NONE, &[old])] {
            assert_eq!(to_sign.transaction().version, Version::TWO);
            assert!(!to_sign.is_simple());
        }
        assert!(make(Locks::NONE, &[]).is_simple());
        assert!(!make(Locks::NONE, &[coin(1)]).is_simple());
    }

    #[test]
    fn impossible_coins_and_challenges_are_refused() {
        let make =
            |coins: &[ClaimedCoin]| ToSign::new(&message(), &challenge(), Locks::NONE, coins).unwrap_err();
        let first = OutPoint::new(to_spend(&message(), &challenge()).compute_txid(), 0);
        let rich = TxOut { value: Amount::MAX_MONEY, ..coin(1).output };
        for (coins, at) in [
            (vec![coin(1), coin(1)], 1),
            (vec![ClaimedCoin { outpoint: OutPoint::null(), ..coin(1) }], 0),
            (vec![ClaimedCoin { outpoint: first, ..coin(1) }], 0),
            (vec![coin(1), ClaimedCoin { output: rich, ..coin(2) }], 1),
            (vec![ClaimedCoin { output: nothing(), ..coin(1) }], 0),
        ] {
            assert!(matches!(make(&coins), MessageError::Coin { at: found, .. } if found == at));
        }
        for script in [ScriptBuf::new(), nothing().script_pubkey, ScriptBuf::from_bytes(vec![0x51; 10_001])] {
            let made = ToSign::new(&message(), &script, Locks::NONE, &[]);
            assert!(matches!(made, Err(MessageError::Challenge(_))));
        }
    }

    #[test]
    fn every_input_is_satisfied_or_none() {
        let to_sign = ToSign::new(&message(), &challenge(), Locks::NONE, &[coin(1)]).unwrap();
        let one = Satisfaction { witness: Witness::from_slice(&[[1]]), ..Satisfaction::default() };
        let signed = to_sign.satisfied(vec![one.clone(), one.clone()]).unwrap();
        assert_eq!(signed.compute_txid(), to_sign.transaction().compute_txid());
        assert_eq!(to_sign.satisfied(vec![one]), Err(MessageError::Inputs { found: 1, expected: 2 }));
    }
}
