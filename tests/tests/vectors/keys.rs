//! Extended keys (BIP32) and Schnorr signatures (BIP340).

use super::{rows, text, vectors};
use bitcoin::Network;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::schnorr::Signature;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, XOnlyPublicKey};
use policies::wallet::{Wallet, WalletError};

#[test]
fn bip32_derivations_come_out_as_stated() {
    let Some(file) = vectors("bip32.json") else { return };
    let secp = Secp256k1::new();
    let (mut derived, mut public) = (0, 0);
    for group in rows(&file["valid"]) {
        let seed = Vec::<u8>::from_hex(text(group, "seed")).unwrap();
        let master = Xpriv::new_master(Network::Bitcoin, &seed).unwrap();
        for row in rows(&group["chains"]) {
            let path: DerivationPath = text(row, "path").parse().unwrap();
            let key = master.derive_priv(&secp, &path).unwrap();
            let expected: Xpub = text(row, "xpub").parse().unwrap();
            assert_eq!(
                (key.to_string().as_str(), Xpub::from_priv(&secp, &key)),
                (text(row, "xprv"), expected)
            );
            derived += 1;
            // From the last hardened step on, the public key alone leads there.
            let steps: Vec<_> = path.into_iter().copied().collect();
            let hard = steps.iter().rposition(|step| step.is_hardened()).map_or(0, |at| at + 1);
            let parent = Xpub::from_priv(&secp, &master.derive_priv(&secp, &&steps[..hard]).unwrap());
            assert_eq!(parent.derive_pub(&secp, &&steps[hard..]).unwrap(), expected);
            public += usize::from(hard < steps.len());
        }
    }
    assert_eq!(derived, 17);
    eprintln!("bip32: {derived} derivations as stated, {public} of them by the public key as well");
}

#[test]
fn bip32_invalid_keys_make_no_wallet() {
    let Some(file) = vectors("bip32.json") else { return };
    let wallet = |key: &str| Wallet::new(Network::Bitcoin, &[format!("wpkh({key}/<0;1>/*)")]);
    let good = text(&rows(&rows(&file["valid"])[0]["chains"])[1], "xpub");
    assert!(wallet(good).is_ok());
    let (mut public, mut private) = (0, 0);
    for row in rows(&file["invalid"]) {
        let key = text(row, "key");
        match wallet(key).unwrap_err() {
            WalletError::PrivateKey => private += 1,
            WalletError::Descriptor(_) => {
                assert!(!key.starts_with("xprv"));
                public += 1;
            }
            other => panic!("{}: {other}", row["reason"]),
        }
    }
    assert_eq!(public + private, 14);
    eprintln!(
        "bip32: 14 invalid keys refused: {public} by BIP32's rules, {private} because no private key is read"
    );
}

#[test]
fn bip340_signatures_are_made_and_verified_as_stated() {
    let Some(file) = vectors("bip340.json") else { return };
    let secp = Secp256k1::new();
    let (mut signed, mut verified, mut refused, mut other) = (0, 0, 0, 0);
    for row in rows(&file) {
        let bytes = |name: &str| Vec::<u8>::from_hex(text(row, name)).unwrap();
        // What is signed in Bitcoin is a hash of 32 bytes, and the library signs nothing else.
        let Ok(message) = Message::from_digest_slice(&bytes("message")) else {
            other += 1;
            continue;
        };
        let signature = Signature::from_slice(&bytes("signature"));
        let key = XOnlyPublicKey::from_slice(&bytes("public key"));
        let valid = signature.as_ref().ok().zip(key.as_ref().ok()).is_some_and(|(signature, key)| {
            policies::wallet::secp().verify_schnorr(signature, &message, key).is_ok()
        });
        assert_eq!(valid, text(row, "verification result") == "TRUE", "row {}", row["index"]);
        if valid {
            verified += 1
        } else {
            refused += 1
        }
        let secret = bytes("secret key");
        if !secret.is_empty() {
            let pair = Keypair::from_seckey_slice(&secp, &secret).unwrap();
            let aux: [u8; 32] = bytes("aux_rand").try_into().unwrap();
            assert_eq!(secp.sign_schnorr_with_aux_rand(&message, &pair, &aux), signature.unwrap());
            assert_eq!(pair.x_only_public_key().0, key.unwrap());
            signed += 1;
        }
    }
    assert_eq!((verified, refused, other), (5, 10, 4));
    eprintln!(
        "bip340: {signed} signed, {verified} valid, {refused} invalid; {other} out of scope: messages that are no hash"
    );
}
