//! Bitcoin Core's script engine (libbitcoinconsensus), with taproot always on.
//!
//! `bitcoinconsensus::verify` does not check taproot inputs at all without the spent outputs: it is disallowed by lint
//! (`clippy.toml`), and this is the one place that calls the engine.

use bitcoin::consensus::serialize;
use bitcoin::{Transaction, TxOut};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};

/// Whether every input satisfies the consensus rules for the output that it spends; else the first that does not. It
/// knows no relay policy: what else BIP322 asks for is judged by [`super::script`].
pub(super) fn first_refused(transaction: &Transaction, prevouts: &[TxOut]) -> Option<usize> {
    if transaction.input.len() != prevouts.len() {
        return Some(0);
    }
    let bytes = serialize(transaction);
    let Some(utxos) = prevouts.iter().map(utxo).collect::<Option<Vec<_>>>() else { return Some(0) };
    prevouts.iter().enumerate().find_map(|(at, output)| {
        let verified = verify_with_flags(
            output.script_pubkey.as_bytes(),
            output.value.to_sat(),
            &bytes,
            Some(&utxos),
            at,
            VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
        );
        verified.is_err().then_some(at)
    })
}

fn utxo(output: &TxOut) -> Option<Utxo> {
    let script = output.script_pubkey.as_bytes();
    Some(Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).ok()?,
        value: i64::try_from(output.value.to_sat()).ok()?,
    })
}
