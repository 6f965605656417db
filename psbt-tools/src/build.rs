//! A spend as an unsigned PSBT, with the fields that this and other wallets' signers need.

use crate::Error;
use bitcoin::bip32::{KeySource, Xpub};
use bitcoin::psbt::{Input, Output};
use bitcoin::taproot::{LeafVersion, TapLeafHash, TapTree, TaprootBuilder};
use bitcoin::{Psbt, PublicKey, ScriptBuf, TxOut, XOnlyPublicKey, secp256k1};
use policies::check::Check;
use policies::evidence::{Evidence, Previous};
use policies::spend::Spend;
use policies::wallet::{Derived, Keypath, Leaf, Lock, Taproot, Wallet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Builds PSBT version 0 with what every signer of the wallet needs: previous transactions without witnesses (for taproot
/// where there are any), witness UTXOs, scripts, leaves and the derivation of every key of own inputs and change, and for
/// several keys the extended keys (BIP174, BIP371). [`crate::import::import`] gives the same spend back.
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
        let derived = own(wallet, input.keypath)?;
        let output = TxOut { value: input.value, script_pubkey: derived.script.clone() };
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
        // BIP174: a witness UTXO is for inputs with a witness.
        if !wallet.kind().is_legacy() {
            map.witness_utxo = Some(output);
        }
        // Optional for taproot, whose signatures commit to the amounts (BIP371); there it proves them to whoever decides
        // before a signature exists, and once for each transaction is enough. Other signers want it at every v0 input.
        if !wallet.is_taproot() || told.insert(input.outpoint.txid) {
            map.non_witness_utxo = evidence.transaction(&input.outpoint.txid).cloned();
        }
        describe_input(map, wallet, input.keypath, &derived);
    }
    for (output, map) in spend.outputs().iter().zip(&mut psbt.outputs) {
        let Some(keypath) = output.own else { continue };
        let derived = own(wallet, keypath)?;
        if derived.script != output.script {
            return Err(Error::refused(Check::CHANGE, format!("an output is not ours at {keypath}")));
        }
        describe_output(map, wallet, keypath, &derived)?;
    }
    if !wallet.kind().is_single() {
        psbt.xpub = global_keys(wallet);
    }
    Ok(psbt)
}

/// BIP174's `PSBT_GLOBAL_XPUB`: a cosigner finds the wallet by it. A path must be as long as its key is deep, so that keys
/// of unknown origin are left out.
fn global_keys(wallet: &Wallet) -> BTreeMap<Xpub, KeySource> {
    let told = wallet.keys().iter().filter(|key| key.origin.len() == usize::from(key.xpub.depth));
    told.map(|key| (key.xpub, (key.fingerprint, key.origin.clone()))).collect()
}

/// What the wallet knows of an own input; also for files whose maker left it out.
pub(crate) fn describe_input(map: &mut Input, wallet: &Wallet, keypath: Keypath, derived: &Derived) {
    if let Lock::Taproot(taproot) = &derived.lock {
        map.tap_internal_key = Some(taproot.internal_key);
        map.tap_merkle_root = taproot.merkle_root;
        let leaf = |leaf: &Leaf| (leaf.control_block.clone(), (leaf.script.clone(), LeafVersion::TapScript));
        map.tap_scripts = taproot.leaves.iter().map(leaf).collect();
        map.tap_key_origins = taproot_origins(wallet, keypath, derived, taproot);
        return;
    }
    describe_scripts(&mut map.redeem_script, &mut map.witness_script, &derived.lock);
    map.bip32_derivation = derivations(wallet, keypath, derived);
}

fn describe_output(
    map: &mut Output,
    wallet: &Wallet,
    keypath: Keypath,
    derived: &Derived,
) -> Result<(), Error> {
    if let Lock::Taproot(taproot) = &derived.lock {
        map.tap_internal_key = Some(taproot.internal_key);
        map.tap_tree = tree(taproot)?;
        map.tap_key_origins = taproot_origins(wallet, keypath, derived, taproot);
        return Ok(());
    }
    describe_scripts(&mut map.redeem_script, &mut map.witness_script, &derived.lock);
    map.bip32_derivation = derivations(wallet, keypath, derived);
    Ok(())
}

/// What is hashed in a script that is no taproot one.
fn describe_scripts(redeem: &mut Option<ScriptBuf>, witness: &mut Option<ScriptBuf>, lock: &Lock) {
    match lock {
        Lock::Key { redeem_script } => redeem.clone_from(redeem_script),
        Lock::Redeem { redeem_script } => *redeem = Some(redeem_script.clone()),
        Lock::Witness { witness_script, redeem_script } => {
            redeem.clone_from(redeem_script);
            *witness = Some(witness_script.clone());
        }
        Lock::Taproot(_) => {}
    }
}

/// BIP371's `PSBT_OUT_TAP_TREE`: the leaves depth first; `None` without any.
fn tree(taproot: &Taproot) -> Result<Option<TapTree>, Error> {
    if taproot.leaves.is_empty() {
        return Ok(None);
    }
    let mut builder = TaprootBuilder::new();
    for leaf in &taproot.leaves {
        let added = builder.add_leaf(leaf.depth, leaf.script.clone());
        builder = added.map_err(|error| Error::broken(error.to_string()))?;
    }
    TapTree::try_from(builder).map(Some).map_err(|error| Error::broken(error.to_string()))
}

/// The keys of every place before taproot, as other signers find them.
fn derivations(
    wallet: &Wallet,
    keypath: Keypath,
    derived: &Derived,
) -> BTreeMap<secp256k1::PublicKey, KeySource> {
    let places = derived.keys.iter().enumerate();
    places.filter_map(|(place, key)| Some((key.inner, wallet.source(place, keypath)?))).collect()
}

/// The keys of every place of taproot, with the leaves in which they stand.
fn taproot_origins(
    wallet: &Wallet,
    keypath: Keypath,
    derived: &Derived,
    taproot: &Taproot,
) -> BTreeMap<XOnlyPublicKey, (Vec<TapLeafHash>, KeySource)> {
    let of_place = |(place, key): (usize, &PublicKey)| {
        let leaves = taproot.leaves.iter().filter(|leaf| leaf.places.contains(&place));
        let hashes = leaves.map(|leaf| leaf.hash).collect();
        Some((key.inner.x_only_public_key().0, (hashes, wallet.source(place, keypath)?)))
    };
    derived.keys.iter().enumerate().filter_map(of_place).collect()
}

fn own(wallet: &Wallet, keypath: Keypath) -> Result<Arc<Derived>, Error> {
    wallet
        .derived(keypath)
        .ok_or_else(|| Error::refused(Check::GAP, format!("{keypath} is no keypath of an unhardened wallet")))
}
