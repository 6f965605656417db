//! Several unsigned PSBTs as one: the inputs and outputs of each behind those of the one before.

use crate::combine::{Part, conflict};
use crate::envelope::Envelope;
use crate::field::{self, Sort};
use crate::form::{Form, Trees, Version2, locktime, modifiable};
use crate::maps::{Maps, Place};
use crate::strict::fields::GLOBAL_UNSIGNED_TX;
use crate::{Error, strict};
use bitcoin::absolute::LockTime;
use bitcoin::{OutPoint, Psbt};
use policies::check::Check;
use std::collections::BTreeMap;

/// What several PSBTs are together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Their inputs and outputs, in the order of the parts.
    pub psbt: Psbt,
    /// The version that all of them are of, with what only it says.
    pub form: Form,
}

/// Joins PSBTs of different transactions that nobody has signed; every field of their inputs and outputs is kept. The
/// locktime is the latest of theirs, in version 2 as their inputs require it.
///
/// # Errors
/// [`Error::NotJoined`] when one of them cannot grow: signed, with documents of ours for the payment that it is, or of
/// version 2 and not modifiable; and when they are of several versions or their locktimes of several kinds. Check C15
/// names a coin that two of them spend, C21 two values for one key, C27 more than is read. [`Error::Malformed`] for less
/// than two parts.
pub fn join(parts: &[Part<'_>]) -> Result<Joined, Error> {
    let Some((first, others)) = parts.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(Error::malformed("there is nothing to join", "name two files or more"));
    };
    parts.iter().try_for_each(can_grow)?;
    others.iter().try_for_each(|other| joinable(first, other))?;
    different_coins(parts)?;
    let mut united = Maps::of(first.psbt)?;
    let mut transaction = first.psbt.unsigned_tx.clone();
    for other in others {
        let maps = Maps::of(other.psbt)?;
        for (key, value) in maps.global.into_iter().filter(|(key, _)| *key != [GLOBAL_UNSIGNED_TX]) {
            match united.global.get(&key) {
                Some(known) if *known != value => {
                    return Err(conflict(Place::Global, &key, known, &value, other.name));
                }
                Some(_) => {}
                None => {
                    united.global.insert(key, value);
                }
            }
        }
        united.inputs.extend(maps.inputs);
        united.outputs.extend(maps.outputs);
        transaction.input.extend(other.psbt.unsigned_tx.input.iter().cloned());
        transaction.output.extend(other.psbt.unsigned_tx.output.iter().cloned());
    }
    let form = form(parts)?;
    let lock_time = match &form.version_2 {
        None => latest(parts, |part| part.psbt.unsigned_tx.lock_time.to_consensus_u32())?,
        Some(form) => locktime::determined(&form.inputs, form.fallback).ok_or_else(two_kinds)?,
    };
    transaction.lock_time = LockTime::from_consensus(lock_time);
    let bare = Psbt::from_unsigned_tx(transaction).map_err(|error| Error::broken(error.to_string()))?;
    united.global.extend(Maps::of(&bare)?.global);
    let psbt = united.to_psbt()?;
    strict::parse(&form.serialize(&psbt))?;
    Ok(Joined { psbt, form })
}

/// Whether nothing binds a PSBT to the transaction that it is of.
fn can_grow(part: &Part<'_>) -> Result<(), Error> {
    let maps = Maps::of(part.psbt)?;
    let is_signed = maps
        .iter()
        .find(|(place, fields)| fields.keys().any(|key| field::sort(place.map(), key) == Sort::Signature));
    if let Some((place, _)) = is_signed {
        return Err(refused(
            format!("{}: {place} is signed, and the signature is for its transaction alone", part.name),
            "join the PSBTs before anybody signs",
        ));
    }
    if !Envelope::read(part.psbt)?.is_empty() {
        return Err(refused(
            format!("{} has documents for the payment that it is, such as a request or a permit", part.name),
            "join the PSBTs before anybody asks for the payment",
        ));
    }
    let Some(form) = &part.form.version_2 else { return Ok(()) };
    let flags = form.modifiable.unwrap_or(0);
    let lacking = [(modifiable::INPUTS, "inputs"), (modifiable::OUTPUTS, "outputs")]
        .into_iter()
        .find(|(flag, _)| flags & flag == 0);
    match lacking {
        Some((_, what)) => Err(refused(
            format!("{}: no {what} may be added to it (BIP370, PSBT_GLOBAL_TX_MODIFIABLE)", part.name),
            "let the program that made it allow more inputs and outputs",
        )),
        None if flags & modifiable::SINGLE != 0 => Err(refused(
            format!("{}: its inputs and outputs are bound in pairs (SIGHASH_SINGLE)", part.name),
            "join the PSBTs before anybody signs",
        )),
        None => Ok(()),
    }
}

/// Two PSBTs that can be one transaction.
fn joinable(first: &Part<'_>, other: &Part<'_>) -> Result<(), Error> {
    let (one, two) = (first.psbt.unsigned_tx.version, other.psbt.unsigned_tx.version);
    if one != two {
        return Err(refused(
            format!("{} is a transaction of version {two}, {} of version {one}", other.name, first.name),
            "build both payments with the same transaction version",
        ));
    }
    if first.form.version() != other.form.version() {
        return Err(refused(
            format!(
                "{} is of PSBT version {}, {} of version {}",
                other.name,
                other.form.version(),
                first.name,
                first.form.version()
            ),
            "bring all of them to one version first: `psbt-tools convert FILE -o OUT --to v0`",
        ));
    }
    Ok(())
}

/// C15: no coin is spent twice.
fn different_coins(parts: &[Part<'_>]) -> Result<(), Error> {
    let mut spent: BTreeMap<OutPoint, &str> = BTreeMap::new();
    for part in parts {
        for input in &part.psbt.unsigned_tx.input {
            if let Some(before) = spent.insert(input.previous_output, part.name) {
                return Err(Error::Refused {
                    check: Check::DUPLICATE_INPUT,
                    message: format!("{} spends {}, and so does {before}", part.name, input.previous_output),
                    hint: Some("join PSBTs that spend different coins".to_owned()),
                });
            }
        }
    }
    Ok(())
}

/// How the whole is written: as the parts are, which are of one version.
fn form(parts: &[Part<'_>]) -> Result<Form, Error> {
    let mut trees = Trees::new();
    let mut whole: Option<Version2> = None;
    let mut outputs = 0usize;
    for part in parts {
        trees.extend(part.form.trees.iter().map(|(at, tree)| (at.saturating_add(outputs), tree.clone())));
        outputs = outputs.saturating_add(part.psbt.unsigned_tx.output.len());
        let Some(form) = &part.form.version_2 else { continue };
        let inputs = (0..part.psbt.unsigned_tx.input.len()).map(|at| form.inputs.get(at).cloned());
        let inputs = inputs.map(Option::unwrap_or_default);
        let flags = form.modifiable.unwrap_or(0);
        match &mut whole {
            None => {
                whole = Some(Version2 { fallback: None, modifiable: Some(flags), inputs: inputs.collect() })
            }
            Some(whole) => {
                whole.inputs.extend(inputs);
                whole.modifiable = whole.modifiable.map(|known| modifiable::united(known, flags));
            }
        }
    }
    if let Some(whole) = &mut whole {
        let fallback = |part: &Part<'_>| part.form.version_2.as_ref().and_then(|form| form.fallback);
        whole.fallback = Some(latest(parts, |part| fallback(part).unwrap_or(0))?);
    }
    Ok(Form { version_2: whole, trees })
}

fn latest(parts: &[Part<'_>], of: impl Fn(&Part<'_>) -> u32) -> Result<u32, Error> {
    parts.iter().try_fold(0, |lock, part| locktime::later(lock, of(part))).ok_or_else(two_kinds)
}

fn two_kinds() -> Error {
    refused(
        "one locktime is a height and another a time: no transaction has both".to_owned(),
        "pay in two transactions",
    )
}

fn refused(what: String, hint: &'static str) -> Error {
    Error::NotJoined { what, hint }
}
