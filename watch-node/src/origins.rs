//! What a file says no more of its inputs and outputs: whoever finalises takes scripts and derivations away (BIP174, "Input
//! Finalizer"), and some signers take more.

use std::collections::BTreeMap;

use bitcoin::Psbt;

/// Adds to a file what the request of the same transaction says of its coins, scripts and keys. What the file says itself stays
/// as it is, and is judged.
pub fn restore(psbt: &mut Psbt, requested: &Psbt) {
    for (input, ours) in psbt.inputs.iter_mut().zip(&requested.inputs) {
        fill(&mut input.non_witness_utxo, &ours.non_witness_utxo);
        fill(&mut input.witness_utxo, &ours.witness_utxo);
        fill(&mut input.redeem_script, &ours.redeem_script);
        fill(&mut input.witness_script, &ours.witness_script);
        fill(&mut input.tap_internal_key, &ours.tap_internal_key);
        fill(&mut input.tap_merkle_root, &ours.tap_merkle_root);
        add(&mut input.bip32_derivation, &ours.bip32_derivation);
        add(&mut input.tap_key_origins, &ours.tap_key_origins);
        add(&mut input.tap_scripts, &ours.tap_scripts);
    }
    for (output, ours) in psbt.outputs.iter_mut().zip(&requested.outputs) {
        fill(&mut output.redeem_script, &ours.redeem_script);
        fill(&mut output.witness_script, &ours.witness_script);
        fill(&mut output.tap_internal_key, &ours.tap_internal_key);
        fill(&mut output.tap_tree, &ours.tap_tree);
        add(&mut output.bip32_derivation, &ours.bip32_derivation);
        add(&mut output.tap_key_origins, &ours.tap_key_origins);
    }
}

fn fill<T: Clone>(field: &mut Option<T>, ours: &Option<T>) {
    if field.is_none() {
        field.clone_from(ours);
    }
}

fn add<K: Ord + Clone, V: Clone>(fields: &mut BTreeMap<K, V>, ours: &BTreeMap<K, V>) {
    for (key, value) in ours {
        fields.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_replaced() {
        let mut field = Some(1);
        fill(&mut field, &Some(2));
        assert_eq!(field, Some(1));
        let mut absent = None;
        fill(&mut absent, &Some(2));
        assert_eq!(absent, Some(2));
        let mut fields = BTreeMap::from([(1, "theirs")]);
        add(&mut fields, &BTreeMap::from([(1, "ours"), (2, "ours")]));
        assert_eq!(fields, BTreeMap::from([(1, "theirs"), (2, "ours")]));
    }
}
