//! A PSBT of version 2 in the shape of version 0.

use super::{InputForm, Version2, locktime};
use crate::Error;
use crate::document::MAGIC;
use crate::strict::fields::{self, Map, little_endian};
use crate::strict::{Pair, Scan, bounded_transaction, required, value, wrong};
use bitcoin::VarInt;
use bitcoin::consensus::serialize;
use policies::check::Check;

/// Bytes of an input without scriptSig: outpoint, the script's length, sequence.
const INPUT_LEN: usize = 41;
/// Bytes of an output before its script.
const AMOUNT_LEN: usize = 8;

/// The same PSBT in version 0, and what version 0 has no place for. Every other field is taken over as it is.
///
/// # Errors
/// Check C21 for a required field that is missing and for locktimes that no transaction satisfies, C27 for a
/// transaction larger than a block allows.
pub(crate) fn version_0(scan: &Scan<'_>) -> Result<(Vec<u8>, Version2), Error> {
    let form = Version2 {
        fallback: number(&scan.global, fields::GLOBAL_FALLBACK_LOCKTIME),
        modifiable: value(&scan.global, fields::GLOBAL_TX_MODIFIABLE)
            .and_then(|flags| flags.first().copied()),
        inputs: scan.inputs.iter().map(|input| input_form(input)).collect(),
    };
    silent_payments(scan, &form)?;
    let lock_time = locktime::determined(&form.inputs, form.fallback).ok_or_else(|| Error::Refused {
        check: Check::STRICT_PSBT,
        message: "some inputs require a height and others a time as the locktime: no transaction has both"
            .to_owned(),
        hint: Some("pay with these inputs in two transactions".to_owned()),
    })?;
    let transaction = transaction(scan, lock_time)?;
    let mut bytes = MAGIC.to_vec();
    put(&mut bytes, &[fields::GLOBAL_UNSIGNED_TX], &transaction);
    copy(&mut bytes, Map::Global, &scan.global);
    scan.inputs.iter().for_each(|pairs| copy(&mut bytes, Map::Input, pairs));
    scan.outputs.iter().for_each(|pairs| copy(&mut bytes, Map::Output, pairs));
    Ok((bytes, form))
}

/// The unsigned transaction, whose size is bounded before it is made.
fn transaction(scan: &Scan<'_>, lock_time: u32) -> Result<Vec<u8>, Error> {
    let mut outputs = Vec::with_capacity(scan.outputs.len());
    let mut len = scan.inputs.len().saturating_mul(INPUT_LEN);
    for (at, pairs) in scan.outputs.iter().enumerate() {
        let place = format!("output {at}");
        let amount = required(&place, Map::Output, pairs, fields::OUT_AMOUNT)?;
        let script = script(&place, pairs)?;
        len = len.saturating_add(AMOUNT_LEN).saturating_add(script.len());
        outputs.push((amount, script));
    }
    bounded_transaction(len)?;
    let mut bytes = required("global map", Map::Global, &scan.global, fields::GLOBAL_TX_VERSION)?.to_vec();
    bytes.extend(count(scan.inputs.len()));
    for (at, pairs) in scan.inputs.iter().enumerate() {
        let place = format!("input {at}");
        bytes.extend(required(&place, Map::Input, pairs, fields::IN_PREVIOUS_TXID)?);
        bytes.extend(required(&place, Map::Input, pairs, fields::IN_OUTPUT_INDEX)?);
        bytes.push(0);
        bytes.extend(number(pairs, fields::IN_SEQUENCE).unwrap_or(u32::MAX).to_le_bytes());
    }
    bytes.extend(count(outputs.len()));
    for (amount, script) in outputs {
        bytes.extend(amount);
        bytes.extend(count(script.len()));
        bytes.extend(script);
    }
    bytes.extend(lock_time.to_le_bytes());
    bounded_transaction(bytes.len())?;
    Ok(bytes)
}

/// BIP375 lets an output have no script until its recipient's key has been worked out; that is not done here.
fn script<'a>(place: &str, pairs: &[Pair<'a>]) -> Result<&'a [u8], Error> {
    let is_silent = value(pairs, fields::OUT_SP_V0_INFO).is_some();
    if is_silent && value(pairs, fields::OUT_SCRIPT).is_none() {
        return Err(Error::Refused {
            check: Check::STRICT_PSBT,
            message: format!(
                "{place}: a silent payment whose script is not worked out yet: PSBT_OUT_SCRIPT is missing"
            ),
            hint: Some(
                "let the wallet that makes silent payments (BIP375) write the output's script".to_owned(),
            ),
        });
    }
    required(place, Map::Output, pairs, fields::OUT_SCRIPT)
}

/// What BIP375 says of the fields themselves; whether a script is the recipient's is not verified here.
fn silent_payments(scan: &Scan<'_>, form: &Version2) -> Result<(), Error> {
    for (at, pairs) in scan.outputs.iter().enumerate() {
        let has = |kind| value(pairs, kind).is_some();
        let reason = match (has(fields::OUT_SP_V0_INFO), has(fields::OUT_SP_V0_LABEL)) {
            (false, true) => "PSBT_OUT_SP_V0_LABEL without PSBT_OUT_SP_V0_INFO",
            (true, _) if has(fields::OUT_SCRIPT) && form.modifiable.is_some_and(|flags| flags != 0) => {
                "the script of a silent payment stands, and PSBT_GLOBAL_TX_MODIFIABLE is not zero"
            }
            (true | false, _) => continue,
        };
        return Err(wrong(&format!("output {at}"), reason));
    }
    Ok(())
}

fn input_form(pairs: &[Pair<'_>]) -> InputForm {
    InputForm {
        sequence: value(pairs, fields::IN_SEQUENCE).is_some(),
        time: number(pairs, fields::IN_REQUIRED_TIME_LOCKTIME),
        height: number(pairs, fields::IN_REQUIRED_HEIGHT_LOCKTIME),
    }
}

fn number(pairs: &[Pair<'_>], kind: u8) -> Option<u32> {
    value(pairs, kind).and_then(little_endian)
}

fn copy(bytes: &mut Vec<u8>, map: Map, pairs: &[Pair<'_>]) {
    let is_version = |key: &[u8]| map == Map::Global && key == [fields::GLOBAL_VERSION];
    for (key, value) in pairs.iter().filter(|(key, _)| !fields::is_of_version_2(map, key) && !is_version(key))
    {
        put(bytes, key, value);
    }
    bytes.push(0);
}

/// A key and a value, each behind its length.
fn put(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        bytes.extend(count(part.len()));
        bytes.extend(part);
    }
}

fn count(len: usize) -> Vec<u8> {
    serialize(&VarInt::from(len))
}
