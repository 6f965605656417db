//! Descriptors: BIP67, BIP380 to BIP387, BIP389, BIP390.

use super::{rows, text, vectors};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Address, Network, PublicKey};
use miniscript::descriptor::DescriptorSecretKey;
use miniscript::{Descriptor, DescriptorPublicKey};
use policies::wallet::{WalletError, holds_private_key, require_strict};

/// Kinds that miniscript 12 does not have and no wallet here needs.
const OUT_OF_SCOPE: [&str; 6] = ["combo(", "raw(", "addr(", "rawtr(", "musig(", "sortedmulti_a("];

/// Whether a valid row is of such a kind. A `sortedmulti` in no `sh` or `wsh` makes bare outputs, which no address has, and
/// a private key on several paths stands in no wallet.
fn out_of_scope(descriptor: &str) -> Option<&str> {
    let bare = descriptor.starts_with("sortedmulti(").then_some("bare sortedmulti(");
    let private = descriptor.contains("xprv") && descriptor.contains('<');
    let private = private.then_some("multipath xprv");
    OUT_OF_SCOPE.into_iter().find(|kind| descriptor.contains(kind)).or(bare).or(private)
}

/// The script at a child number. Private keys are read here only: the product refuses them.
fn script(descriptor: &str, child: usize) -> Result<String, String> {
    let mut text = descriptor.split('#').next().unwrap().to_owned();
    for (wildcard, step) in
        [("/*'", format!("/{child}'")), ("/*h", format!("/{child}h")), ("/*", format!("/{child}"))]
    {
        text = text.replace(wildcard, &step);
    }
    let secp = Secp256k1::new();
    let (parsed, _) =
        Descriptor::<DescriptorPublicKey>::parse_descriptor(&secp, &text).map_err(|e| e.to_string())?;
    let definite = parsed.at_derivation_index(0).map_err(|e| e.to_string())?;
    Ok(definite.derived_descriptor(&secp).map_err(|e| e.to_string())?.script_pubkey().to_hex_string())
}

/// Refused by the rules of the product, or by the parser where only a test reads private keys.
fn is_refused(descriptor: &str) -> bool {
    if holds_private_key(descriptor) {
        assert_eq!(require_strict(descriptor), Err(WalletError::PrivateKey));
        return Descriptor::<DescriptorPublicKey>::parse_descriptor(&Secp256k1::new(), descriptor).is_err();
    }
    let parsed = require_strict(descriptor).map(str::parse::<Descriptor<DescriptorPublicKey>>);
    !matches!(parsed, Ok(Ok(descriptor)) if descriptor.clone().into_single_descriptors().is_ok())
}

#[test]
fn bip380_key_expressions_and_checksums() {
    let Some(file) = vectors("descriptors_bip380_390.json") else { return };
    let file = &file["bip380"];
    let read = |text: &str| match text.parse::<DescriptorPublicKey>() {
        Ok(_) => require_strict(text).is_ok(),
        Err(_) => text.parse::<DescriptorSecretKey>().is_ok(),
    };
    for row in rows(&file["valid"]) {
        assert!(read(text(row, "key_expression")), "{}", row["desc"]);
    }
    for row in rows(&file["invalid"]) {
        assert!(!read(text(row, "key_expression")), "{}", row["desc"]);
    }
    for row in rows(&file["checksum"]) {
        let valid = require_strict(text(row, "descriptor")).is_ok();
        assert_eq!(valid, row["valid"].as_bool().unwrap(), "{}", row["desc"]);
    }
    let count = |of: &str| rows(&file[of]).len();
    assert_eq!((count("valid"), count("invalid"), count("checksum")), (21, 16, 8));
    eprintln!("bip380: 21 valid, 16 invalid, 8 checksum");
}

#[test]
fn bip381_to_bip390_make_the_stated_scripts_and_the_invalid_are_refused() {
    let Some(file) = vectors("descriptors_bip380_390.json") else { return };
    for bip in ["bip381", "bip382", "bip383", "bip384", "bip385", "bip386", "bip387", "bip390"] {
        let mut outside: Vec<&str> = Vec::new();
        let mut valid = 0;
        for row in rows(&file[bip]["valid"]) {
            let descriptor = text(row, "descriptor");
            if let Some(kind) = out_of_scope(descriptor) {
                outside.push(kind);
                continue;
            }
            let expected = row["expands_to"].as_array().unwrap();
            for (child, expected) in expected.iter().enumerate() {
                assert_eq!(
                    script(descriptor, child).as_deref(),
                    Ok(expected.as_str().unwrap()),
                    "{descriptor}"
                );
            }
            // A row without scripts is accepted, and that is all it states.
            assert!(script(descriptor, 0).is_ok(), "{descriptor}");
            if !holds_private_key(descriptor) {
                assert!(!is_refused(descriptor), "{descriptor}");
            }
            valid += 1;
        }
        for row in rows(&file[bip]["invalid"]) {
            assert!(is_refused(text(row, "descriptor")), "{bip}: {}", row["desc"]);
        }
        eprintln!(
            "{bip}: {valid} valid, {} invalid; {} out of scope: {}",
            rows(&file[bip]["invalid"]).len(),
            outside.len(),
            outside.join(" ")
        );
    }
}

#[test]
fn bip389_multipath_descriptors_expand_as_stated() {
    let Some(file) = vectors("descriptors_bip380_390.json") else { return };
    let file = &file["bip389"];
    let (mut valid, mut outside) = (0, Vec::new());
    for row in rows(&file["valid"]) {
        let descriptor = text(row, "descriptor");
        if let Some(kind) = out_of_scope(descriptor) {
            outside.push(kind);
            continue;
        }
        let parse =
            |text: &str| require_strict(text).unwrap().parse::<Descriptor<DescriptorPublicKey>>().unwrap();
        let expected: Vec<_> =
            rows(&row["expands_to"]).iter().map(|text| parse(text.as_str().unwrap())).collect();
        assert_eq!(parse(descriptor).into_single_descriptors().unwrap(), expected);
        valid += 1;
    }
    for row in rows(&file["invalid"]) {
        assert!(is_refused(text(row, "descriptor")), "{}: {}", row["desc"], text(row, "descriptor"));
    }
    eprintln!(
        "bip389: {valid} valid, {} invalid; {} out of scope: {}",
        rows(&file["invalid"]).len(),
        outside.len(),
        outside.join(" ")
    );
}

#[test]
fn bip67_sorts_keys() {
    let Some(file) = vectors("bip67.json") else { return };
    for row in rows(&file) {
        let keys: Vec<&str> = rows(&row["list"]).iter().map(|key| key.as_str().unwrap()).collect();
        let descriptor = format!("sh(sortedmulti({},{}))", row["m"], keys.join(","));
        let descriptor: Descriptor<PublicKey> = descriptor.parse().unwrap();
        assert_eq!(descriptor.explicit_script().unwrap().to_hex_string(), text(row, "script"));
        let address = Address::from_script(&descriptor.script_pubkey(), Network::Bitcoin).unwrap();
        assert_eq!(address.to_string(), text(row, "address"));
    }
    assert_eq!(rows(&file).len(), 4);
    eprintln!("bip67: 4 scripts and addresses as stated");
}
