//! Bitcoin Core's script engine (libbitcoinconsensus), with taproot always on.
//!
//! `bitcoinconsensus::verify` and `bitcoin::Transaction::verify` check taproot inputs not at all when the spent
//! outputs are missing: a forged signature passes. They are disallowed by lint (`clippy.toml`); this is the one
//! place that calls the engine.

use bitcoin::{Transaction, TxOut, consensus};
use bitcoinconsensus::{Utxo, VERIFY_ALL_PRE_TAPROOT, VERIFY_TAPROOT, verify_with_flags};

use crate::error::{Error, Result};

/// Checks every input of `transaction` against the outputs that it spends, in the order of its inputs.
///
/// Errors name the first input that fails. Consensus rules only: standardness (low S, minimal push) is not
/// part of libbitcoinconsensus' interface.
pub fn verify(transaction: &Transaction, spent: &[TxOut]) -> Result<()> {
    if spent.len() != transaction.input.len() {
        return Err(Error::TransactionRefused {
            txid: transaction.compute_txid(),
            reason: format!("{} inputs but {} spent outputs", transaction.input.len(), spent.len()),
        });
    }
    let bytes = consensus::serialize(transaction);
    let utxos = spent.iter().map(utxo).collect::<Result<Vec<_>>>()?;
    for (index, (input, output)) in transaction.input.iter().zip(spent).enumerate() {
        verify_with_flags(
            output.script_pubkey.as_bytes(),
            output.value.to_sat(),
            &bytes,
            Some(&utxos),
            index,
            VERIFY_ALL_PRE_TAPROOT | VERIFY_TAPROOT,
        )
        .map_err(|error| Error::Script {
            txid: transaction.compute_txid(),
            index,
            outpoint: input.previous_output,
            reason: match error {
                bitcoinconsensus::Error::ERR_SCRIPT => "the script engine says no".to_owned(),
                other => other.to_string(),
            },
        })?;
    }
    Ok(())
}

fn utxo(output: &TxOut) -> Result<Utxo> {
    let script = output.script_pubkey.as_bytes();
    Ok(Utxo {
        script_pubkey: script.as_ptr(),
        script_pubkey_len: u32::try_from(script.len()).map_err(|_| Error::Overflow)?,
        value: i64::try_from(output.value.to_sat()).map_err(|_| Error::Overflow)?,
    })
}

#[cfg(test)]
mod tests {
    use bitcoin::absolute::LockTime;
    use bitcoin::hashes::Hash;
    use bitcoin::key::TapTweak;
    use bitcoin::secp256k1::{Keypair, Message, Secp256k1, SecretKey};
    use bitcoin::sighash::{Prevouts, SighashCache};
    use bitcoin::transaction::Version;
    use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TapSighashType, TxIn, Txid, Witness};

    use super::*;

    /// A key-path spend signed by the right key, and what it spends.
    fn taproot_spend() -> (Transaction, TxOut) {
        let secp = Secp256k1::new();
        let keypair = Keypair::from_secret_key(&secp, &SecretKey::from_slice(&[7; 32]).unwrap());
        let spent = TxOut {
            value: Amount::from_sat(50_000),
            script_pubkey: ScriptBuf::new_p2tr(&secp, keypair.x_only_public_key().0, None),
        };
        let mut transaction = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(Txid::from_byte_array([3; 32]), 1),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output: vec![TxOut {
                value: Amount::from_sat(49_000),
                script_pubkey: spent.script_pubkey.clone(),
            }],
        };
        let sighash = SighashCache::new(&transaction)
            .taproot_key_spend_signature_hash(
                0,
                &Prevouts::All(std::slice::from_ref(&spent)),
                TapSighashType::Default,
            )
            .unwrap();
        let tweaked = keypair.tap_tweak(&secp, None).to_keypair();
        let signature =
            secp.sign_schnorr_no_aux_rand(&Message::from_digest(sighash.to_byte_array()), &tweaked);
        transaction.input[0].witness.push(signature.as_ref());
        (transaction, spent)
    }

    #[test]
    fn a_true_taproot_signature_is_accepted() {
        let (transaction, spent) = taproot_spend();
        verify(&transaction, &[spent]).unwrap();
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "shows the trap that the lint closes")]
    fn a_forged_taproot_signature_is_refused_where_the_plain_call_accepts_it() {
        let (mut transaction, spent) = taproot_spend();
        let mut signature = transaction.input[0].witness.nth(0).unwrap().to_vec();
        signature[40] ^= 1;
        transaction.input[0].witness = Witness::from_slice(&[signature]);
        assert!(matches!(
            verify(&transaction, std::slice::from_ref(&spent)),
            Err(Error::Script { index: 0, .. })
        ));
        bitcoinconsensus::verify(
            spent.script_pubkey.as_bytes(),
            spent.value.to_sat(),
            &consensus::serialize(&transaction),
            None,
            0,
        )
        .expect("the control: without spent outputs the forgery passes");
    }

    #[test]
    fn a_signature_over_another_amount_is_refused() {
        let (transaction, mut spent) = taproot_spend();
        spent.value = Amount::from_sat(50_001);
        assert!(verify(&transaction, &[spent]).is_err());
    }

    #[test]
    fn a_missing_spent_output_is_refused() {
        let (transaction, _) = taproot_spend();
        assert!(verify(&transaction, &[]).is_err());
    }
}
