//! Wallets of any descriptor and their keys.

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{Amount, Network, Script, Transaction, TxOut};
use policies::signature::InputSignature;
use policies::wallet::{Derived, Keypath, Lock, Wallet};

/// The wallet of a descriptor with `@0`, `@1`, … for keys, and those keys in their order.
pub fn wallet(template: &str, seed: u8, purpose: u32) -> (Wallet, Vec<Xpriv>) {
    let secp = Secp256k1::new();
    let path: DerivationPath = format!("m/{purpose}h/1h/0h").parse().unwrap();
    let mut descriptor = template.to_owned();
    let mut keys = Vec::new();
    for n in 0..10u8 {
        let master = Xpriv::new_master(Network::Regtest, &[seed + 20 * n; 32]).unwrap();
        let account = master.derive_priv(&secp, &path).unwrap();
        let key = format!(
            "[{}/{purpose}h/1h/0h]{}/<0;1>/*",
            master.fingerprint(&secp),
            Xpub::from_priv(&secp, &account)
        );
        if descriptor.contains(&format!("@{n}")) {
            descriptor = descriptor.replace(&format!("@{n}"), &key);
            keys.push(account);
        }
    }
    (Wallet::new(Network::Regtest, &[descriptor]).unwrap(), keys)
}

/// What a signer of one key of the wallet releases: ECDSA ALL, or BIP340 DEFAULT by key path or for each leaf.
pub fn signatures(
    wallet: &Wallet,
    account: &Xpriv,
    transaction: &Transaction,
    inputs: &[(Keypath, Amount)],
) -> Vec<InputSignature> {
    let secp: Secp256k1<All> = Secp256k1::new();
    let key = wallet.key_of(&Xpub::from_priv(&secp, account));
    let derived: Vec<_> = inputs.iter().map(|(keypath, _)| wallet.derived(*keypath).unwrap()).collect();
    let prevouts: Vec<TxOut> = inputs
        .iter()
        .zip(&derived)
        .map(|((_, value), derived)| TxOut { value: *value, script_pubkey: derived.script.clone() })
        .collect();
    let mut signatures = Vec::new();
    for (at, ((keypath, _), derived)) in inputs.iter().zip(&derived).enumerate() {
        for (place, stands) in wallet.places().iter().enumerate() {
            if stands.key != key {
                continue;
            }
            let mut path: Vec<_> = stands.steps(keypath.branch).to_vec();
            path.push(bitcoin::bip32::ChildNumber::Normal { index: keypath.index });
            let pair = account.derive_priv(&secp, &path).unwrap().to_keypair(&secp);
            signatures.push(signature(transaction, at, &prevouts, derived, place, &pair));
        }
    }
    signatures
}

fn signature(
    transaction: &Transaction,
    at: usize,
    prevouts: &[TxOut],
    derived: &Derived,
    place: usize,
    pair: &Keypair,
) -> InputSignature {
    let secp: Secp256k1<All> = Secp256k1::new();
    let mut cache = SighashCache::new(transaction);
    let input = at as u32;
    let TxOut { value, script_pubkey } = &prevouts[at];
    let digest = match &derived.lock {
        Lock::Taproot(taproot) => {
            let leaf = taproot.leaves.iter().find(|leaf| leaf.places.contains(&place)).map(|leaf| leaf.hash);
            let all = Prevouts::All(prevouts);
            let kind = TapSighashType::Default;
            let digest = match leaf {
                Some(leaf) => cache.taproot_script_spend_signature_hash(at, &all, leaf, kind).unwrap(),
                None => cache.taproot_key_spend_signature_hash(at, &all, kind).unwrap(),
            };
            let pair = match leaf {
                Some(_) => *pair,
                None => pair.tap_tweak(&secp, taproot.merkle_root).to_keypair(),
            };
            let signature =
                secp.sign_schnorr_no_aux_rand(&Message::from_digest(digest.to_byte_array()), &pair);
            let key = derived.keys[place].inner.x_only_public_key().0;
            return InputSignature {
                input,
                public_key: key.serialize().to_vec(),
                leaf,
                signature: signature.serialize().to_vec(),
            };
        }
        Lock::Witness { witness_script, .. } => v0(&mut cache, at, witness_script, *value),
        Lock::Key { redeem_script: Some(program) } => v0_key(&mut cache, at, program, *value),
        Lock::Key { redeem_script: None } if script_pubkey.is_p2wpkh() => {
            v0_key(&mut cache, at, script_pubkey, *value)
        }
        Lock::Key { redeem_script: None } => legacy(&mut cache, at, script_pubkey),
        Lock::Redeem { redeem_script } => legacy(&mut cache, at, redeem_script),
    };
    let signature = secp.sign_ecdsa_low_r(&Message::from_digest(digest), &pair.secret_key());
    InputSignature {
        input,
        public_key: pair.public_key().serialize().to_vec(),
        leaf: None,
        signature: bitcoin::ecdsa::Signature::sighash_all(signature).to_vec(),
    }
}

fn v0(cache: &mut SighashCache<&Transaction>, at: usize, script: &Script, value: Amount) -> [u8; 32] {
    cache.p2wsh_signature_hash(at, script, value, EcdsaSighashType::All).unwrap().to_byte_array()
}

fn v0_key(cache: &mut SighashCache<&Transaction>, at: usize, program: &Script, value: Amount) -> [u8; 32] {
    cache.p2wpkh_signature_hash(at, program, value, EcdsaSighashType::All).unwrap().to_byte_array()
}

fn legacy(cache: &mut SighashCache<&Transaction>, at: usize, script: &Script) -> [u8; 32] {
    cache.legacy_signature_hash(at, script, 1).unwrap().to_byte_array()
}
