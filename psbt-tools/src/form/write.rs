//! A PSBT written in its own form.

use super::{Form, InputForm, Version2, locktime, modifiable};
use crate::document::MAGIC;
use crate::maps::{Fields, Maps};
use crate::strict::cursor::Cursor;
use crate::strict::{fields, tree};
use bitcoin::consensus::serialize;
use bitcoin::{Psbt, TxIn, TxOut, VarInt};

/// The binary PSBT, the keys of each map in their order where it is not simply what `bitcoin` writes.
pub(super) fn binary(psbt: &Psbt, form: &Form) -> Vec<u8> {
    let bytes = psbt.serialize();
    if form.version_2.is_none() && form.trees.is_empty() {
        return bytes;
    }
    // `bitcoin` writes what can be walked; were it not so, its own form says the same.
    let Some(mut maps) = maps(psbt, &bytes) else { return bytes };
    for (at, tree) in &form.trees {
        let fields = maps.outputs.get_mut(*at);
        if let Some(known) = fields.and_then(|fields| fields.get_mut(&[fields::OUT_TAP_TREE][..]))
            && tree::is_same(known, tree)
        {
            known.clone_from(tree);
        }
    }
    if let Some(form) = &form.version_2 {
        version_2(&mut maps, psbt, form.clone());
    }
    maps.serialize()
}

/// The maps of what `bitcoin` wrote.
fn maps(psbt: &Psbt, bytes: &[u8]) -> Option<Maps> {
    let mut cursor = Cursor::new(bytes.strip_prefix(MAGIC)?);
    Some(Maps {
        global: map(&mut cursor)?,
        inputs: psbt.inputs.iter().map(|_| map(&mut cursor)).collect::<Option<_>>()?,
        outputs: psbt.outputs.iter().map(|_| map(&mut cursor)).collect::<Option<_>>()?,
    })
}

/// Puts the fields of version 2 in the place of the unsigned transaction.
fn version_2(maps: &mut Maps, psbt: &Psbt, mut form: Version2) {
    let transaction = &psbt.unsigned_tx;
    let lock_time = transaction.lock_time.to_consensus_u32();
    form.inputs.resize(transaction.input.len(), InputForm::default());
    if locktime::determined(&form.inputs, form.fallback) != Some(lock_time) {
        form.fallback = Some(lock_time);
        form.inputs.iter_mut().for_each(|input| (input.time, input.height) = (None, None));
    }
    maps.global.remove(&[fields::GLOBAL_UNSIGNED_TX][..]);
    let mut put = |kind: u8, value: Vec<u8>| maps.global.insert(vec![kind], value);
    put(fields::GLOBAL_VERSION, fields::Version::Two.number().to_le_bytes().to_vec());
    put(fields::GLOBAL_TX_VERSION, transaction.version.0.to_le_bytes().to_vec());
    put(fields::GLOBAL_INPUT_COUNT, serialize(&VarInt::from(transaction.input.len())));
    put(fields::GLOBAL_OUTPUT_COUNT, serialize(&VarInt::from(transaction.output.len())));
    if let Some(fallback) = form.fallback {
        put(fields::GLOBAL_FALLBACK_LOCKTIME, fallback.to_le_bytes().to_vec());
    }
    if let Some(flags) = form.modifiable {
        put(fields::GLOBAL_TX_MODIFIABLE, vec![modifiable::beside_signatures(flags, psbt)]);
    }
    for (fields, (txin, form)) in maps.inputs.iter_mut().zip(transaction.input.iter().zip(&form.inputs)) {
        input(fields, txin, form);
    }
    for (fields, txout) in maps.outputs.iter_mut().zip(&transaction.output) {
        output(fields, txout);
    }
}

fn input(fields: &mut Fields, txin: &TxIn, form: &InputForm) {
    let mut put = |kind: u8, value: &[u8]| fields.insert(vec![kind], value.to_vec());
    put(fields::IN_PREVIOUS_TXID, &serialize(&txin.previous_output.txid));
    put(fields::IN_OUTPUT_INDEX, &txin.previous_output.vout.to_le_bytes());
    let sequence = txin.sequence.to_consensus_u32();
    if form.sequence || sequence != u32::MAX {
        put(fields::IN_SEQUENCE, &sequence.to_le_bytes());
    }
    for (kind, lock) in
        [(fields::IN_REQUIRED_TIME_LOCKTIME, form.time), (fields::IN_REQUIRED_HEIGHT_LOCKTIME, form.height)]
    {
        if let Some(lock) = lock {
            put(kind, &lock.to_le_bytes());
        }
    }
}

fn output(fields: &mut Fields, txout: &TxOut) {
    fields.insert(vec![fields::OUT_AMOUNT], txout.value.to_sat().to_le_bytes().to_vec());
    fields.insert(vec![fields::OUT_SCRIPT], txout.script_pubkey.to_bytes());
}

/// One map up to its separator.
fn map(cursor: &mut Cursor<'_>) -> Option<Fields> {
    let mut fields = Fields::new();
    loop {
        let key = cursor.string("a key").ok()?;
        if key.is_empty() {
            return Some(fields);
        }
        fields.insert(key.to_vec(), cursor.string("a value").ok()?.to_vec());
    }
}
