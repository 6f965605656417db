//! A spend as an unsigned PSBT, with the fields that this and other wallets' signers need.

use crate::Error;
use bitcoin::bip32::KeySource;
use bitcoin::{Psbt, PublicKey, TxOut};
use miniscript::ForEachKey;
use policies::check::Check;
use policies::evidence::{Evidence, Previous};
use policies::spend::Spend;
use policies::wallet::{Keypath, Wallet};
use std::collections::BTreeSet;

/// Builds PSBT version 0: previous transactions without witnesses (for taproot where there are any), witness UTXOs, and
/// derivations of own inputs and change (BIP174, BIP371). [`crate::import::import`] gives the same spend back.
///
/// # Errors
/// Check C10 when the spend is of another wallet; C01, C02, C04 when the evidence does not prove an input; C06 when a
/// claimed own output is not the wallet's.
pub fn build(spend: &Spend, evidence: &Evidence, wallet: &Wallet) -> Result<Psbt, Error> {
    if spend.wallet() != wallet.id() {
        return Err(Error::refused(
            Check::ONE_WALLET,
            format!("the spend is of wallet {}, not of {}", spend.wallet(), wallet.id()),
        ));
    }
    let mut psbt = Psbt::from_unsigned_tx(spend.unsigned_transaction())
        .map_err(|error| Error::broken(error.to_string()))?;
    let mut told = BTreeSet::new();
    for (input, map) in spend.inputs().iter().zip(&mut psbt.inputs) {
        let (script, (key, source)) = own(wallet, input.keypath)?;
        let output = TxOut { value: input.value, script_pubkey: script };
        match evidence.output(&input.outpoint) {
            Previous::Output(proven) if *proven != output => {
                return Err(Error::refused(
                    Check::WITNESS_UTXO,
                    format!("{} is not what its previous transaction says", input.outpoint),
                ));
            }
            Previous::NoSuchOutput(count) => {
                return Err(Error::refused(
                    Check::OUTPUT_INDEX,
                    format!("{} does not exist: its transaction has {count} outputs", input.outpoint),
                ));
            }
            Previous::Absent if !wallet.is_taproot() => {
                return Err(Error::refused(
                    Check::PREVIOUS_TRANSACTION,
                    format!("the previous transaction of {} is missing", input.outpoint),
                ));
            }
            Previous::Output(_) | Previous::Absent => {}
        }
        map.witness_utxo = Some(output);
        // Optional for taproot, whose signatures commit to the amounts (BIP371); there it proves them to whoever decides
        // before a signature exists, and once for each transaction is enough. Other signers want it at every v0 input.
        if !wallet.is_taproot() || told.insert(input.outpoint.txid) {
            map.non_witness_utxo = evidence.transaction(&input.outpoint.txid).cloned();
        }
        if wallet.is_taproot() {
            let internal = key.inner.x_only_public_key().0;
            map.tap_internal_key = Some(internal);
            map.tap_key_origins.insert(internal, (Vec::new(), source));
        } else {
            map.bip32_derivation.insert(key.inner, source);
        }
    }
    for (output, map) in spend.outputs().iter().zip(&mut psbt.outputs) {
        let Some(keypath) = output.own else { continue };
        let (script, (key, source)) = own(wallet, keypath)?;
        if script != output.script {
            return Err(Error::refused(Check::CHANGE, format!("an output is not ours at {keypath}")));
        }
        if wallet.is_taproot() {
            let internal = key.inner.x_only_public_key().0;
            map.tap_internal_key = Some(internal);
            map.tap_key_origins.insert(internal, (Vec::new(), source));
        } else {
            map.bip32_derivation.insert(key.inner, source);
        }
    }
    Ok(psbt)
}

/// The public key at a keypath with the fingerprint and path by which other signers find it.
pub(crate) fn derivation(wallet: &Wallet, keypath: Keypath) -> Option<(PublicKey, KeySource)> {
    let mut source = None;
    wallet.definite(keypath)?.for_each_key(|key| {
        source = key.full_derivation_path().map(|path| (key.master_fingerprint(), path));
        true
    });
    Some((wallet.public_key(keypath)?, source?))
}

fn own(wallet: &Wallet, keypath: Keypath) -> Result<(bitcoin::ScriptBuf, (PublicKey, KeySource)), Error> {
    wallet
        .script(keypath)
        .zip(derivation(wallet, keypath))
        .ok_or_else(|| Error::refused(Check::GAP, format!("{keypath} is no keypath of an unhardened wallet")))
}
