//! What several copies of one PSBT say that only version 2 says (BIP174, "Combiner"; BIP370, "Unique Identification").

use super::{Form, InputForm, Trees, Version2, locktime, modifiable};
use crate::Error;
use crate::combine::{Part, conflict, same_transaction};
use crate::maps::Place;
use crate::strict::fields;
use bitcoin::{Psbt, Sequence};
use policies::check::Check;
use std::borrow::Cow;

/// A value and the name of the copy that said it.
type Said<'a> = (u32, &'a str);

/// The copies with what all of version 2 say of their sequences, and the form that the first is of. A sequence is no part
/// of what identifies a PSBT of version 2: where one copy says it and another does not, it holds for both.
///
/// # Errors
/// Check C33 when copies of version 2 are of another transaction, or their locktimes together are another one; C21 for
/// two values of one field.
pub(crate) fn united<'a>(parts: &[Part<'a>]) -> Result<(Vec<Cow<'a, Psbt>>, Form), Error> {
    let trees = trees(parts);
    let second: Vec<_> =
        parts.iter().filter_map(|part| part.form.version_2.as_ref().map(|form| (part, form))).collect();
    let Some(((first, _), others)) = second.split_first() else {
        let copies = parts.iter().map(|part| Cow::Borrowed(part.psbt)).collect();
        return Ok((copies, Form { version_2: None, trees }));
    };
    let own: Vec<_> = first.psbt.unsigned_tx.input.iter().map(|input| input.sequence).collect();
    for (other, _) in others {
        let psbt = with_sequences(other.psbt, &own);
        same_transaction(first, &Part { psbt: &psbt, ..**other })?;
    }
    let sequences: Vec<_> = (0..own.len()).map(|at| sequence(&second, at)).collect::<Result<_, _>>()?;
    let form = version_2(&second)?;
    let lock_time = first.psbt.unsigned_tx.lock_time.to_consensus_u32();
    if locktime::determined(&form.inputs, form.fallback) != Some(lock_time) {
        return Err(Error::Refused {
            check: Check::AS_REQUESTED,
            message: format!(
                "the locktimes that the files require together do not make {lock_time}, as each file's do"
            ),
            hint: Some("find out which of the files is right, and combine without the other".to_owned()),
        });
    }
    let copies = parts.iter().map(|part| match part.form.version_2 {
        None => Cow::Borrowed(part.psbt),
        Some(_) => Cow::Owned(with_sequences(part.psbt, &sequences)),
    });
    let version_2 = parts.first().and_then(|part| part.form.version_2.as_ref()).map(|_| form);
    Ok((copies.collect(), Form { version_2, trees }))
}

/// The trees of all copies; where several write one in their own order, the order is the same whichever comes first.
fn trees(parts: &[Part<'_>]) -> Trees {
    let mut trees = Trees::new();
    for (at, tree) in parts.iter().flat_map(|part| &part.form.trees) {
        let known = trees.entry(*at).or_insert_with(|| tree.clone());
        if tree < known {
            known.clone_from(tree);
        }
    }
    trees
}

fn with_sequences(psbt: &Psbt, sequences: &[Sequence]) -> Psbt {
    let mut psbt = psbt.clone();
    for (input, sequence) in psbt.unsigned_tx.input.iter_mut().zip(sequences) {
        input.sequence = *sequence;
    }
    psbt
}

/// The sequence that the copies write at an input; without any it is final.
fn sequence(parts: &[(&Part<'_>, &Version2)], at: usize) -> Result<Sequence, Error> {
    let written = parts.iter().filter_map(|(part, form)| {
        let is_written = form.inputs.get(at).is_some_and(|input| input.sequence);
        let input = part.psbt.unsigned_tx.input.get(at).filter(|_| is_written)?;
        Some((input.sequence.to_consensus_u32(), part.name))
    });
    Ok(one(Place::Input(at), fields::IN_SEQUENCE, written)?.map_or(Sequence::MAX, Sequence))
}

fn version_2(parts: &[(&Part<'_>, &Version2)]) -> Result<Version2, Error> {
    let all = |of: &dyn Fn(&Version2) -> Option<u32>| -> Vec<_> {
        parts.iter().filter_map(|(part, form)| Some((of(form)?, part.name))).collect()
    };
    let count = parts.iter().map(|(_, form)| form.inputs.len()).max().unwrap_or(0);
    let inputs = (0..count).map(|at| {
        let input = |of: fn(&InputForm) -> Option<u32>| all(&move |form| form.inputs.get(at).and_then(of));
        let (times, heights) = (input(|input| input.time), input(|input| input.height));
        Ok(InputForm {
            sequence: parts.iter().any(|(_, form)| form.inputs.get(at).is_some_and(|input| input.sequence)),
            time: one(Place::Input(at), fields::IN_REQUIRED_TIME_LOCKTIME, times)?,
            height: one(Place::Input(at), fields::IN_REQUIRED_HEIGHT_LOCKTIME, heights)?,
        })
    });
    let flags = parts.iter().map(|(_, form)| form.modifiable);
    Ok(Version2 {
        fallback: one(Place::Global, fields::GLOBAL_FALLBACK_LOCKTIME, all(&|form| form.fallback))?,
        // A copy without the field allows nothing (BIP370).
        modifiable: flags
            .reduce(|one, other| match (one, other) {
                (None, None) => None,
                (one, other) => Some(modifiable::united(one.unwrap_or(0), other.unwrap_or(0))),
            })
            .flatten(),
        inputs: inputs.collect::<Result<_, Error>>()?,
    })
}

/// The one value that a field has in all copies that have it.
fn one<'a>(place: Place, kind: u8, said: impl IntoIterator<Item = Said<'a>>) -> Result<Option<u32>, Error> {
    let mut said = said.into_iter();
    let Some((value, _)) = said.next() else { return Ok(None) };
    match said.find(|(other, _)| *other != value) {
        None => Ok(Some(value)),
        Some((other, name)) => {
            Err(conflict(place, &[kind], &value.to_le_bytes(), &other.to_le_bytes(), name))
        }
    }
}
