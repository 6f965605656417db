//! Accounts and their addresses: BIP48, BIP49, BIP84, BIP86.

use super::{private_key, rows, text, vectors};
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Network, NetworkKind};
use policies::wallet::{Branch, Keypath, Lock, ScriptKind, Wallet};
use serde_json::Value;

/// The wallet of account 0 below a master key, by the path and descriptor of the product.
fn account(master: &Xpriv, kind: ScriptKind, network: Network) -> (Xpub, Wallet) {
    let secp = Secp256k1::new();
    let path = DerivationPath::from(kind.account_path(network.into(), 0).unwrap());
    let xpub = Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap());
    let key = format!("[{}/{path}]{xpub}/<0;1>/*", master.fingerprint(&secp));
    (xpub, Wallet::new(network, &[kind.descriptor(&key).unwrap()]).unwrap())
}

/// The keypath of a row's last two steps, where its path has them.
fn keypath(row: &Value) -> Option<Keypath> {
    let path: DerivationPath = row["path"].as_str()?.parse().unwrap();
    let steps: Vec<u32> = path.into_iter().map(|step| u32::from(*step)).collect();
    let [_, _, _, branch, index] = steps.as_slice() else { return None };
    Some(Keypath { branch: Branch::from_number(*branch)?, index: *index })
}

#[test]
fn bip48_paths_are_those_of_cosigners_keys() {
    let Some(file) = vectors("bip48.json") else { return };
    for row in rows(&file) {
        let kind = match text(row, "script") {
            "p2sh-p2wsh" => ScriptKind::ShWshMulti,
            "p2wsh" => ScriptKind::WshMulti,
            other => panic!("{other}"),
        };
        let network = if text(row, "network") == "mainnet" { NetworkKind::Main } else { NetworkKind::Test };
        let number = |name: &str| u32::from(text(row, name) == "second");
        let mut path: String = "m".to_owned();
        for step in kind.account_path(network, number("account")).unwrap() {
            path += &format!("/{step}");
        }
        let branch = if text(row, "chain") == "change" { Branch::Internal } else { Branch::External };
        path += &format!("/{}/{}", branch.number(), number("address"));
        assert_eq!(path, text(row, "path").replace(' ', ""));
    }
    eprintln!("bip48: {} paths as stated", rows(&file).len());
}

#[test]
fn bip49_account_and_address_are_as_stated() {
    let Some(file) = vectors("bip49.json") else { return };
    let field = |name: &str| {
        let found = rows(&file).iter().find_map(|row| row["fields"][name].as_str()).unwrap();
        found.trim_end_matches(" (testnet)").rsplit(" = ").next().unwrap().to_owned()
    };
    let (xpub, wallet) = account(&private_key(&field("masterseed")), ScriptKind::ShWpkh, Network::Testnet);
    let secp = Secp256k1::new();
    assert_eq!(Xpub::from_priv(&secp, &private_key(&field("account0Xpriv"))), xpub);
    let at = Keypath { branch: Branch::External, index: 0 };
    let derived = wallet.derived(at).unwrap();
    assert_eq!(format!("0x{}", derived.keys[0]), field("account0recvPublicKeyHex"));
    let Lock::Key { redeem_script: Some(redeem) } = &derived.lock else { panic!() };
    assert_eq!(format!("0x{}", redeem.to_hex_string()), field("scriptSig"));
    assert_eq!(wallet.address(at).unwrap().to_string(), field("address"));
    eprintln!("bip49: account, key, redeem script and address as stated");
}

#[test]
fn bip84_addresses_are_as_stated() {
    let Some(file) = vectors("bip84.json") else { return };
    let master = private_key(text(&rows(&file)[0]["fields"], "rootpriv"));
    let (xpub, wallet) = account(&master, ScriptKind::Wpkh, Network::Bitcoin);
    let stated = private_key(text(&rows(&file)[1]["fields"], "xpriv"));
    assert_eq!(Xpub::from_priv(&Secp256k1::new(), &stated), xpub);
    let mut count = 0;
    for row in rows(&file) {
        let Some(at) = keypath(row) else { continue };
        assert_eq!(wallet.public_key(at).unwrap().to_string(), text(&row["fields"], "pubkey"));
        assert_eq!(wallet.address(at).unwrap().to_string(), text(&row["fields"], "address"));
        count += 1;
    }
    assert_eq!(count, 3);
    eprintln!("bip84: account and {count} addresses as stated");
}

#[test]
fn bip86_keys_and_addresses_are_as_stated() {
    let Some(file) = vectors("bip86.json") else { return };
    let master = private_key(text(&rows(&file)[0]["fields"], "rootpriv"));
    let (xpub, wallet) = account(&master, ScriptKind::Tr, Network::Bitcoin);
    assert_eq!(xpub.to_string(), text(&rows(&file)[1]["fields"], "xpub"));
    let mut count = 0;
    for row in rows(&file) {
        let Some(at) = keypath(row) else { continue };
        let derived = wallet.derived(at).unwrap();
        let Lock::Taproot(taproot) = &derived.lock else { panic!() };
        assert_eq!(taproot.internal_key.to_string(), text(&row["fields"], "internal_key"));
        assert_eq!(derived.script.to_hex_string(), text(&row["fields"], "scriptPubKey"));
        assert!(derived.script.to_hex_string().ends_with(text(&row["fields"], "output_key")));
        assert_eq!(wallet.address(at).unwrap().to_string(), text(&row["fields"], "address"));
        count += 1;
    }
    assert_eq!(count, 3);
    eprintln!("bip86: account and {count} addresses as stated");
}
