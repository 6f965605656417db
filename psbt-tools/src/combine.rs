//! BIP174's Combiner: one PSBT with all that several copies of it say.

use crate::Error;
use crate::checks::coins;
use crate::checks::signatures::{Judged, Verifier, judge};
use crate::diff::first_difference;
use crate::envelope::{Envelope, Kind};
use crate::field::{self, Sort, digest};
use crate::form::{Form, united};
use crate::maps::{Maps, Place};
use crate::strict::fields::IN_MUSIG2_PARTIAL_SIG;
use bitcoin::Psbt;
use bitcoin::psbt::Input;
use policies::check::{Check, Outcome};
use std::collections::BTreeSet;

/// A PSBT and what a refusal calls it, such as its file's name, safe for a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The name.
    pub name: &'a str,
    /// The PSBT.
    pub psbt: &'a Psbt,
    /// The version it is of.
    pub form: &'a Form,
}

/// What several PSBTs say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Combined {
    /// The union of their fields.
    pub psbt: Psbt,
    /// The version that the first of them is of, with what only version 2 says.
    pub form: Form,
    /// How many of its inputs have a signature for a script that is not verified here.
    pub unverified: usize,
}

/// Unites the fields of PSBTs of one transaction; the order of the parts and repeated ones do not matter. Fields that
/// nobody here understands are kept; our own documents unite as a set. Copies may be of both versions; the first one's
/// is kept.
///
/// # Errors
/// Check C33 names the first difference of another transaction, sequences apart that only one copy of version 2 says; C14 a signature that does not verify, or that cannot be
/// verified because a coin is not known; C01 to C04 amounts that contradict each other; C21 two values for one key, or a
/// damaged document; C27 too many documents or fields; [`Error::Malformed`] without any part.
pub fn combine(parts: &[Part<'_>]) -> Result<Combined, Error> {
    if parts.is_empty() {
        return Err(Error::malformed("there is nothing to combine", "name two files or more"));
    }
    let (copies, form) = united(parts)?;
    let parts: Vec<_> = parts.iter().zip(&copies).map(|(part, psbt)| Part { psbt, ..*part }).collect();
    if let Some((first, others)) = parts.split_first() {
        others.iter().try_for_each(|other| same_transaction(first, other))?;
    }
    // A manifest is about one file; what is combined is another.
    let copies = parts.iter().map(|part| Ok(Maps::of(part.psbt)?.without(is_manifest)));
    let copies = copies.collect::<Result<Vec<_>, Error>>()?;
    within_caps(&parts)?;
    let mut united = copies.first().cloned().unwrap_or_default().without(is_signature);
    for (part, maps) in parts.iter().zip(&copies) {
        unite(&mut united, maps, part.name, |place, key| !is_signature(place, key))?;
    }
    let unverified = verify(&parts, &united.to_psbt()?)?;
    for (part, maps) in parts.iter().zip(&copies) {
        unite(&mut united, maps, part.name, is_signature)?;
    }
    Ok(Combined { psbt: united.to_psbt()?, form, unverified })
}

/// C33: copies of one PSBT have the same unsigned transaction (BIP174, "Combiner").
pub(crate) fn same_transaction(first: &Part<'_>, other: &Part<'_>) -> Result<(), Error> {
    let Some(difference) = first_difference(first.psbt, other.psbt) else { return Ok(()) };
    Err(Error::Refused {
        check: Check::AS_REQUESTED,
        message: format!("{} is of another transaction than {}: {difference}", other.name, first.name),
        hint: Some("combine copies of one PSBT only; `psbt-tools diff` shows all that differs".to_owned()),
    })
}

/// Whether a field is a signature that waits for others: it is united when it is verified. What is final is not one: its
/// scriptSig tells what the input is.
fn is_signature(place: Place, key: &[u8]) -> bool {
    let is_final = matches!(key.first(), Some(0x07 | 0x08));
    field::sort(place.map(), key) == Sort::Signature && !is_final
}

fn is_manifest(place: Place, key: &[u8]) -> bool {
    place == Place::Global && field::sort(place.map(), key) == Sort::Document(Kind::Manifest)
}

/// Each document hashes to its key, and the caps hold for all of them together.
fn within_caps(parts: &[Part<'_>]) -> Result<(), Error> {
    let mut envelope = Envelope::default();
    parts.iter().try_for_each(|part| envelope.merge(&Envelope::read(part.psbt)?))
}

/// Adds the fields of one copy that are meant.
fn unite(
    united: &mut Maps,
    maps: &Maps,
    name: &str,
    meant: impl Fn(Place, &[u8]) -> bool,
) -> Result<(), Error> {
    for (place, fields) in maps.iter() {
        let Some(known) = united.get_mut(place) else { continue };
        for (key, value) in fields.iter().filter(|(key, _)| meant(place, key)) {
            match known.get(key) {
                None => {
                    known.insert(key.clone(), value.clone());
                }
                Some(same) if same == value => {}
                Some(other) => return Err(conflict(place, key, other, value, name)),
            }
        }
    }
    Ok(())
}

/// BIP174 lets a combiner pick either value; here nobody's word goes before another's.
pub(crate) fn conflict(place: Place, key: &[u8], before: &[u8], after: &[u8], name: &str) -> Error {
    let map = place.map();
    let shown = |value| field::value(map, key, value, None);
    let (mut one, mut other) = (shown(before), shown(after));
    if one == other {
        (one, other) = (digest(before), digest(after));
    }
    Error::Refused {
        check: Check::STRICT_PSBT,
        message: format!(
            "two values for one key: {place}: {} is {one}, and in {name} {other}",
            field::name(map, key)
        ),
        hint: Some("find out which of the files is right, and combine without the other".to_owned()),
    }
}

/// C14 for every part's signatures, with the coins and scripts that all of them tell; how many inputs have some that are
/// not verified here.
fn verify(parts: &[Part<'_>], united: &Psbt) -> Result<usize, Error> {
    let mut findings = Vec::new();
    let coins = coins::as_told(united, &mut findings);
    if let Some(refusal) = findings.iter().find(|finding| finding.outcome == Outcome::Refuse) {
        return Err(refusal.into());
    }
    let all_known = coins.iter().all(|coin| coin.output.is_some());
    let mut verifier = Verifier::new(&united.unsigned_tx, &coins);
    let mut unverified = BTreeSet::new();
    for part in parts {
        for (at, (input, united)) in part.psbt.inputs.iter().zip(&united.inputs).enumerate() {
            // BIP373: a partial signature says nothing until it is added up with the others.
            if input.unknown.keys().any(|key| key.type_value == IN_MUSIG2_PARTIAL_SIG) {
                unverified.insert(at);
            }
            for judged in judge(&mut verifier, at, &signatures(input, united)) {
                match judged {
                    Judged::Good => {}
                    Judged::Unknown if all_known => {
                        unverified.insert(at);
                    }
                    Judged::Unknown => {
                        let what = "cannot be verified: the files do not say what every input spends";
                        return Err(bad(part.name, at, what));
                    }
                    Judged::Bad(reason) => return Err(bad(part.name, at, &format!("is wrong: {reason}"))),
                }
            }
        }
    }
    Ok(unverified.len())
}

/// A part's signatures at an input beside the scripts that they refer to.
fn signatures(input: &Input, united: &Input) -> Input {
    Input {
        partial_sigs: input.partial_sigs.clone(),
        tap_key_sig: input.tap_key_sig,
        tap_script_sigs: input.tap_script_sigs.clone(),
        final_script_sig: input.final_script_sig.clone(),
        final_script_witness: input.final_script_witness.clone(),
        redeem_script: united.redeem_script.clone(),
        witness_script: united.witness_script.clone(),
        tap_internal_key: united.tap_internal_key,
        tap_scripts: united.tap_scripts.clone(),
        ..Input::default()
    }
}

fn bad(name: &str, at: usize, what: &str) -> Error {
    Error::Refused {
        check: Check::PRESENT_SIGNATURES,
        message: format!("{name}: the signature at input {at} {what}"),
        hint: Some("combine without that file, and let its signer sign again".to_owned()),
    }
}
