//! An attempt's PSBT with what came back for it so far: signatures, preimages, documents.

use bitcoin::Psbt;
use bitcoin::hashes::{Hash, hash160, ripemd160, sha256, sha256d};
use bitcoin::psbt::Input;
use policies::codec::Canonical;
use policies::wallet::{Derived, Lock};
use psbt_tools::document::Document;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::attach_signatures;
use psbt_tools::form::Form;
use psbt_tools::manifest::{Says, stamp};
use psbt_tools::strict;

use crate::error::{Error, Result};
use crate::frame::SENDER;
use crate::store::{Attempt, Store};
use crate::wallet::OpenWallet;

/// Longest preimage, in bytes: miniscript's hash locks take 32.
pub const PREIMAGE_LEN: usize = 32;

/// The request file's PSBT, as it was built here.
pub fn requested(store: &Store, attempt: &Attempt) -> Result<Psbt> {
    let document = Document::parse(store.attempt_file(attempt)?)?;
    Ok(strict::parse(document.psbt_bytes())?)
}

/// The same with every signature and preimage that is kept. Each signature is verified again.
pub fn assembled(store: &Store, wallet: &OpenWallet, attempt: &Attempt) -> Result<Psbt> {
    let mut psbt = requested(store, attempt)?;
    attach_signatures(&mut psbt, &store.signatures(attempt)?)?;
    let preimages = store.preimages(attempt)?;
    if !preimages.is_empty() {
        for (input, ours) in psbt.inputs.iter_mut().zip(attempt.spend.inputs()) {
            let derived = wallet.rules.derived(ours.keypath).ok_or(Error::CorruptStore("keypath"))?;
            preimages.iter().for_each(|preimage| reveal(input, &derived, preimage));
        }
    }
    Ok(psbt)
}

/// The same as a file for the next signer: with the signed request, its approvals, permits and receipts.
pub fn file(store: &Store, wallet: &OpenWallet, attempt: &Attempt) -> Result<Vec<u8>> {
    let mut psbt = assembled(store, wallet, attempt)?;
    let mut envelope = Envelope::read(&psbt)?;
    let id = attempt.request.id();
    if let Some(signed) = store.signed_request(id)? {
        envelope.replace(Kind::Request, vec![signed.to_bytes()])?;
    }
    for approval in store.approvals(id)? {
        envelope.insert(Kind::Approval, approval.to_bytes())?;
    }
    let spend = attempt.spend.id();
    for permit in store.permits()?.into_iter().filter(|permit| permit.statement.spend == spend) {
        envelope.insert(Kind::Permit, permit.to_bytes())?;
    }
    for receipt in store.receipts()?.into_iter().filter(|receipt| receipt.statement.spend == spend) {
        envelope.insert(Kind::Receipt, receipt.to_bytes())?;
    }
    // They are for the gatekeeper, which has permitted it by now where it has to.
    envelope.replace(Kind::Facts, Vec::new())?;
    envelope.write(&mut psbt);
    Ok(stamp(&mut psbt, &Form::default(), &Says::about(SENDER, &attempt.request))?)
}

/// The preimages in a PSBT that open hash locks of the wallet's scripts, each once; in a final input they stand in its witness.
pub fn preimages_in(psbt: &Psbt, wallet: &OpenWallet, attempt: &Attempt) -> Result<Vec<Vec<u8>>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for (input, ours) in psbt.inputs.iter().zip(attempt.spend.inputs()) {
        let derived = wallet.rules.derived(ours.keypath).ok_or(Error::CorruptStore("keypath"))?;
        let told = input.sha256_preimages.values().chain(input.hash256_preimages.values());
        let told = told.chain(input.ripemd160_preimages.values()).chain(input.hash160_preimages.values());
        let shown = input.final_script_witness.iter().flat_map(|witness| witness.iter());
        for preimage in told.map(Vec::as_slice).chain(shown) {
            if opens(&derived, preimage) && !found.iter().any(|known| known == preimage) {
                found.push(preimage.to_vec());
            }
        }
    }
    Ok(found)
}

/// Whether a preimage opens a hash lock of some coin of the attempt.
pub fn is_preimage(wallet: &OpenWallet, attempt: &Attempt, preimage: &[u8]) -> Result<bool> {
    for input in attempt.spend.inputs() {
        let derived = wallet.rules.derived(input.keypath).ok_or(Error::CorruptStore("keypath"))?;
        if opens(&derived, preimage) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn opens(derived: &Derived, preimage: &[u8]) -> bool {
    let mut probe = Input::default();
    reveal(&mut probe, derived, preimage);
    probe != Input::default()
}

/// Adds a preimage under each hash by which a script of the output asks for it (BIP174, `PSBT_IN_SHA256` and its like).
fn reveal(input: &mut Input, derived: &Derived, preimage: &[u8]) {
    if preimage.len() != PREIMAGE_LEN {
        return;
    }
    let asks = |hash: &[u8]| {
        scripts(derived).iter().any(|script| script.windows(hash.len()).any(|part| part == hash))
    };
    let hash = sha256::Hash::hash(preimage);
    if asks(hash.as_byte_array()) {
        input.sha256_preimages.insert(hash, preimage.to_vec());
    }
    let hash = sha256d::Hash::hash(preimage);
    if asks(hash.as_byte_array()) {
        input.hash256_preimages.insert(hash, preimage.to_vec());
    }
    let hash = ripemd160::Hash::hash(preimage);
    if asks(hash.as_byte_array()) {
        input.ripemd160_preimages.insert(hash, preimage.to_vec());
    }
    let hash = hash160::Hash::hash(preimage);
    if asks(hash.as_byte_array()) {
        input.hash160_preimages.insert(hash, preimage.to_vec());
    }
}

fn scripts(derived: &Derived) -> Vec<&[u8]> {
    match &derived.lock {
        Lock::Key { .. } => Vec::new(),
        Lock::Redeem { redeem_script } => vec![redeem_script.as_bytes()],
        Lock::Witness { witness_script, .. } => vec![witness_script.as_bytes()],
        Lock::Taproot(taproot) => taproot.leaves.iter().map(|leaf| leaf.script.as_bytes()).collect(),
    }
}
