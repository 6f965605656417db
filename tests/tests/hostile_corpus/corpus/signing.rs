//! Signatures of any sighash type by any key of a purse, honest or not.

use bitcoin::bip32::{ChildNumber, Xpriv};
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::psbt::Psbt;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1, SecretKey};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::{EcdsaSighashType, PublicKey, Script, TapSighashType, TxOut};
use policies::wallet::{Derived, Lock};

use super::payment::Payment;

/// A signature's sighash type, before and since taproot.
#[derive(Clone, Copy)]
pub struct Types(pub EcdsaSighashType, pub TapSighashType);

/// What signs everything.
pub const EVERYTHING: Types = Types(EcdsaSighashType::All, TapSighashType::Default);

/// Puts the signatures of one of the template's keys into an input, at every place where it stands.
pub fn sign_input(psbt: &mut Psbt, payment: &Payment, at: usize, key: usize, types: Types) {
    let purse = payment.purse();
    let number = purse.number(key);
    let keypath = payment.parts.inputs[at].keypath;
    let derived = purse.wallet.derived(keypath).expect("a keypath");
    for (place, stands) in purse.wallet.places().iter().enumerate() {
        if stands.key.is_some() && stands.key == number {
            let mut path = stands.steps(keypath.branch).to_vec();
            path.push(ChildNumber::Normal { index: keypath.index });
            put(psbt, payment, at, &derived, place, &child(&purse.keys[key], &path), types);
        }
    }
}

/// Every input by one key.
pub fn sign(psbt: &mut Psbt, payment: &Payment, key: usize) {
    for at in 0..psbt.inputs.len() {
        sign_input(psbt, payment, at, key, EVERYTHING);
    }
}

fn child(account: &Xpriv, path: &[ChildNumber]) -> Keypair {
    let secp = Secp256k1::new();
    account.derive_priv(&secp, &path).expect("a path").to_keypair(&secp)
}

fn put(
    psbt: &mut Psbt,
    payment: &Payment,
    at: usize,
    derived: &Derived,
    place: usize,
    pair: &Keypair,
    types: Types,
) {
    let secp: Secp256k1<All> = Secp256k1::new();
    let prevouts = payment.prevouts();
    let transaction = psbt.unsigned_tx.clone();
    let mut cache = SighashCache::new(&transaction);
    let TxOut { value, script_pubkey } = &prevouts[at];
    let kind = types.0;
    let v0 = |cache: &mut SighashCache<_>, script: &Script| {
        cache.p2wsh_signature_hash(at, script, *value, kind).expect("an input").to_byte_array()
    };
    let v0_key = |cache: &mut SighashCache<_>, script: &Script| {
        cache.p2wpkh_signature_hash(at, script, *value, kind).expect("an input").to_byte_array()
    };
    let legacy = |cache: &SighashCache<&bitcoin::Transaction>, script: &Script| {
        cache.legacy_signature_hash(at, script, kind.to_u32()).expect("an input").to_byte_array()
    };
    let digest = match &derived.lock {
        Lock::Taproot(taproot) => {
            let leaf = taproot.leaves.iter().find(|leaf| leaf.places.contains(&place)).map(|leaf| leaf.hash);
            let all = Prevouts::All(&prevouts);
            let digest = match leaf {
                Some(leaf) => cache.taproot_script_spend_signature_hash(at, &all, leaf, types.1).expect("it"),
                None => cache.taproot_key_spend_signature_hash(at, &all, types.1).expect("an input"),
            };
            let message = Message::from_digest(digest.to_byte_array());
            let signed = |pair: &Keypair| bitcoin::taproot::Signature {
                signature: secp.sign_schnorr_no_aux_rand(&message, pair),
                sighash_type: types.1,
            };
            match leaf {
                Some(leaf) => {
                    let key = derived.keys[place].inner.x_only_public_key().0;
                    psbt.inputs[at].tap_script_sigs.insert((key, leaf), signed(pair));
                }
                None => {
                    let tweaked = pair.tap_tweak(&secp, taproot.merkle_root).to_keypair();
                    psbt.inputs[at].tap_key_sig = Some(signed(&tweaked));
                }
            }
            return;
        }
        Lock::Witness { witness_script, .. } => v0(&mut cache, witness_script),
        Lock::Key { redeem_script: Some(program) } => v0_key(&mut cache, program),
        Lock::Key { redeem_script: None } if script_pubkey.is_p2wpkh() => v0_key(&mut cache, script_pubkey),
        Lock::Key { redeem_script: None } => legacy(&cache, script_pubkey),
        Lock::Redeem { redeem_script } => legacy(&cache, redeem_script),
    };
    let signature = ecdsa(digest, &pair.secret_key(), kind);
    psbt.inputs[at].partial_sigs.insert(PublicKey::new(pair.public_key()), signature);
}

/// An ECDSA signature over a digest.
pub fn ecdsa(digest: [u8; 32], key: &SecretKey, sighash_type: EcdsaSighashType) -> bitcoin::ecdsa::Signature {
    let signature = Secp256k1::new().sign_ecdsa_low_r(&Message::from_digest(digest), key);
    bitcoin::ecdsa::Signature { signature, sighash_type }
}
