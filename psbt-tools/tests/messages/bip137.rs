//! BIP137 against values that another implementation made.

use crate::signer::{Kind, key, message, secret};
use bitcoin::Address;
use bitcoin::address::NetworkUnchecked;
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use bitcoin::secp256k1::{Message as Digest, Secp256k1};
use bitcoin::{PublicKey, ScriptBuf};
use policies::message::MessageForm;
use policies::message::bip137::{KeyAddress, digest, signature_bytes};
use psbt_tools::message::signature::Signature;
use psbt_tools::message::{Verdict, verify, verify_text};
use std::str::FromStr;

const TEXT: &str = "Treasury of 2026: höhe 测试";

/// Made with npm's `bitcoinjs-message` 2.2.0 and the secret key of 32 bytes 0x07: addresses and signatures.
const VALUES: [(&str, &str); 4] = [
    (
        "1E4ikVcLJ6LPjuVDqHxFbn34he5fp9Rqy8",
        "HF+ajXROQHbQsAr/WNTCeZ6aoA3UVvOroAi0/hj6q1shYbJ8OnYOck5O+IHsIOSm0hjAT1z1ZN9KUiwUrrpgD0s=",
    ),
    (
        "1FvyAqqELFiQyaEWdhFbWF8MZapKPZS8J7",
        "IF+ajXROQHbQsAr/WNTCeZ6aoA3UVvOroAi0/hj6q1shYbJ8OnYOck5O+IHsIOSm0hjAT1z1ZN9KUiwUrrpgD0s=",
    ),
    (
        "35kMD7vNoJHfEJXQmWx1QeSVz6bbxbh2oK",
        "JF+ajXROQHbQsAr/WNTCeZ6aoA3UVvOroAi0/hj6q1shYbJ8OnYOck5O+IHsIOSm0hjAT1z1ZN9KUiwUrrpgD0s=",
    ),
    (
        "bc1q50rtrmj2f8vl9tem8qpfw36ylw5jg9j29e5za5",
        "KF+ajXROQHbQsAr/WNTCeZ6aoA3UVvOroAi0/hj6q1shYbJ8OnYOck5O+IHsIOSm0hjAT1z1ZN9KUiwUrrpgD0s=",
    ),
];

fn script(address: &str) -> ScriptBuf {
    Address::<NetworkUnchecked>::from_str(address).unwrap().assume_checked().script_pubkey()
}

#[test]
fn signatures_of_another_implementation_are_valid_and_made_here_as_well() {
    let kinds = [KeyAddress::P2pkhUncompressed, KeyAddress::P2pkh, KeyAddress::ShWpkh, KeyAddress::Wpkh];
    for (kind, (address, written)) in kinds.into_iter().zip(VALUES) {
        let Verdict::Valid(valid) = verify_text(&message(TEXT), &script(address), written) else {
            panic!("{address}");
        };
        assert_eq!(valid.form, MessageForm::Bip137);
        let digest = Digest::from_digest(digest(&message(TEXT)));
        let signature = Secp256k1::new().sign_ecdsa_recoverable(&digest, &secret(7));
        let (recovery_id, compact) = signature.serialize_compact();
        let bytes = signature_bytes(kind, u8::try_from(recovery_id.to_i32()).unwrap(), &compact).unwrap();
        assert_eq!(Signature::Bip137(bytes).encode(), written, "RFC 6979 makes the same nonce everywhere");
        let compressed = kind.is_compressed();
        assert_eq!(kind.script(&PublicKey { compressed, ..key(7) }), Some(script(address)));
    }
}

#[test]
fn a_signature_is_of_one_address_one_kind_and_one_message() {
    for (at, (address, written)) in VALUES.iter().enumerate() {
        assert_eq!(verify_text(&message("Treasury"), &script(address), written).as_str(), "invalid");
        for (other, (_, stolen)) in VALUES.iter().enumerate() {
            let verdict = verify_text(&message(TEXT), &script(address), stolen);
            assert_eq!(verdict.as_str() == "valid", at == other, "{address} {stolen}");
        }
    }
    let (_, written) = VALUES[1];
    for kind in [Kind::Tr, Kind::WshMulti] {
        assert_eq!(verify_text(&message(TEXT), &kind.script(), written).as_str(), "inconclusive");
    }
    assert_eq!(verify_text(&message(TEXT), &Kind::ShMulti.script(), written).as_str(), "invalid");
}

#[test]
fn every_altered_byte_makes_it_invalid() {
    let (address, written) = VALUES[3];
    let bytes = <[u8; 65]>::try_from(BASE64_STANDARD.decode(written).unwrap()).unwrap();
    for at in 0..65 {
        for bit in 0..8 {
            let mut altered = bytes;
            altered[at] ^= 1 << bit;
            let verdict = verify(&message(TEXT), &script(address), &Signature::Bip137(altered));
            assert_eq!(verdict.as_str(), "invalid", "byte {at} bit {bit}");
        }
    }
    for wrong in ["", " ", &format!("{written}\n"), &written[..87], &written.replace('=', "")] {
        assert_eq!(verify_text(&message(TEXT), &script(address), wrong).as_str(), "invalid");
    }
}
