//! What a payment is, read from the bytes of its file alone: not by the reader that is under test.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use cold_wire::Bundle;
use policies::evidence::Previous;
use policies::signature::InputSignature;

use crate::checker::Checker;
use crate::corpus::maps::{self, Pair};

/// A transaction and what it spends.
pub struct Shown {
    pub transaction: Transaction,
    pub prevouts: Vec<TxOut>,
    /// Which of the amounts a previous transaction proves.
    pub proven: Vec<bool>,
    /// The fields of each input; none where it comes from no file.
    fields: Vec<Vec<Pair>>,
}

impl Shown {
    /// Of a file of either version.
    pub fn of_file(bytes: &[u8]) -> Result<Self, String> {
        let maps = maps::read(bytes);
        let transaction = match value(&maps[0], &[0]) {
            Some(bytes) => deserialize(bytes).map_err(|error| error.to_string())?,
            None => version_2(&maps)?,
        };
        let fields = maps[1..=transaction.input.len()].to_vec();
        let (mut prevouts, mut proven) = (vec![], vec![]);
        for (txin, fields) in transaction.input.iter().zip(&fields) {
            let previous = value(fields, &[0]).and_then(|bytes| deserialize::<Transaction>(bytes).ok());
            let previous = previous.filter(|tx| tx.compute_txid() == txin.previous_output.txid);
            let vout = usize::try_from(txin.previous_output.vout).map_err(|error| error.to_string())?;
            let given = previous.and_then(|tx| tx.output.get(vout).cloned());
            proven.push(given.is_some());
            let told = || value(fields, &[1]).and_then(|bytes| deserialize(bytes).ok());
            prevouts.push(given.or_else(told).ok_or("nothing says what a coin is worth")?);
        }
        Ok(Self { transaction, prevouts, proven, fields })
    }

    /// Of what a reader handed to the vault.
    pub fn of_bundle(bundle: &Bundle, checker: &Checker) -> Self {
        let (mut prevouts, mut proven) = (vec![], vec![]);
        for input in bundle.spend.inputs() {
            let given = bundle.evidence.output(&input.outpoint);
            proven.push(matches!(given, Previous::Output(_)));
            prevouts.push(match given {
                Previous::Output(output) => output.clone(),
                Previous::Absent | Previous::NoSuchOutput(_) => TxOut {
                    value: input.value,
                    script_pubkey: checker.script(bundle.spend.wallet(), input.keypath),
                },
            });
        }
        Self { transaction: bundle.spend.unsigned_transaction(), prevouts, proven, fields: vec![] }
    }

    /// Whether a signature is in its input's fields.
    pub fn holds(&self, signature: &InputSignature) -> bool {
        let input = usize::try_from(signature.input).ok().and_then(|at| self.fields.get(at));
        input.is_some_and(|fields| fields.iter().any(|(_, value)| *value == signature.signature))
    }
}

/// The transaction of a file of version 2 (BIP370).
fn version_2(maps: &[Vec<Pair>]) -> Result<Transaction, String> {
    let count = |key: u8| value(&maps[0], &[key]).and_then(|count| count.first()).map(|n| usize::from(*n));
    let (inputs, outputs) = (count(4).ok_or("no inputs")?, count(5).ok_or("no outputs")?);
    let input = |fields: &Vec<Pair>| {
        let txid = Txid::from_slice(value(fields, &[0x0e])?).ok()?;
        let sequence = value(fields, &[0x10]).map_or(Some(u32::MAX), number)?;
        Some(TxIn {
            previous_output: OutPoint { txid, vout: number(value(fields, &[0x0f])?)? },
            sequence: Sequence(sequence),
            script_sig: ScriptBuf::new(),
            witness: Witness::new(),
        })
    };
    let output = |fields: &Vec<Pair>| {
        let value_of = value(fields, &[3])?.try_into().ok().map(u64::from_le_bytes)?;
        let script_pubkey = ScriptBuf::from_bytes(value(fields, &[4])?.to_vec());
        Some(TxOut { value: Amount::from_sat(value_of), script_pubkey })
    };
    let (ins, outs) = (&maps[1..=inputs], &maps[1 + inputs..1 + inputs + outputs]);
    let version = value(&maps[0], &[2]).and_then(number).ok_or("no version")?;
    Ok(Transaction {
        version: Version(version.cast_signed()),
        lock_time: LockTime::from_consensus(lock_time(&maps[0], ins)),
        input: ins.iter().map(input).collect::<Option<_>>().ok_or("a coin is not named")?,
        output: outs.iter().map(output).collect::<Option<_>>().ok_or("an output is not whole")?,
    })
}

/// The highest height that the inputs ask for where every one that asks takes heights, else the highest time.
fn lock_time(global: &[Pair], inputs: &[Vec<Pair>]) -> u32 {
    let asked = |fields: &&Vec<Pair>| value(fields, &[0x11]).is_some() || value(fields, &[0x12]).is_some();
    let asking: Vec<_> = inputs.iter().filter(asked).collect();
    if asking.is_empty() {
        return value(global, &[3]).and_then(number).unwrap_or(0);
    }
    let all = |key: u8| asking.iter().map(|fields| value(fields, &[key]).and_then(number)).collect();
    let heights: Option<Vec<u32>> = all(0x12);
    let times: Option<Vec<u32>> = all(0x11);
    heights.or(times).and_then(|locks| locks.into_iter().max()).unwrap_or(0)
}

fn value<'a>(fields: &'a [Pair], key: &[u8]) -> Option<&'a [u8]> {
    fields.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_slice())
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}
