//! Wallets that several people set up: wallet policies (BIP388) and BSMS (BIP129).

use super::{rows, text, vectors};
use bitcoin::Network;
use bitcoin::bip32::{Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use policies::wallet::{Wallet, WalletKind};
use psbt_tools::wallet_file::bip388::Policy;
use psbt_tools::wallet_file::bsms::{KeyRecord, Token, coordinate, encrypt, write};
use psbt_tools::wallet_file::{self, Format};
use serde_json::{Value, json};

#[test]
fn bip388_policies_make_the_stated_descriptors_and_come_back() {
    let Some(file) = vectors("bip388_wallet_policies.json") else { return };
    let (mut valid, mut outside) = (0, Vec::new());
    for row in rows(&file["valid"]) {
        let keys_info = rows(&row["keys_info"]).iter().map(|key| key.as_str().unwrap().to_owned()).collect();
        let policy = Policy { template: text(row, "template").to_owned(), keys_info };
        if let Some(kind) = ["musig()", "sortedmulti_a()"]
            .into_iter()
            .find(|kind| policy.template.contains(&kind[..kind.len() - 1]))
        {
            let error = policy.descriptor().unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
            outside.push(kind);
            continue;
        }
        let descriptor = policy.descriptor().unwrap();
        assert_eq!(descriptor.split('#').next().unwrap(), text(row, "descriptor"));
        let wallet = Wallet::new(Network::Bitcoin, &[&descriptor]).unwrap();
        assert_eq!(Policy::of(&wallet).unwrap(), policy);
        let bytes = policy.to_json("savings").to_string().into_bytes();
        let read = wallet_file::read(&bytes).unwrap();
        assert_eq!((read.format, read.name.as_deref()), (Format::Policy, Some("savings")));
        assert_eq!(read.descriptors, [descriptor]);
        valid += 1;
    }
    // The invalid ones come without keys, so that nothing but the template can be what is wrong.
    let secp = Secp256k1::new();
    let key = |seed: u8| {
        let master = Xpriv::new_master(Network::Bitcoin, &[seed; 32]).unwrap();
        Xpub::from_priv(&secp, &master).to_string()
    };
    let policy = |template: &str| {
        let count = (0..9).filter(|at| template.contains(&format!("@{at}"))).count();
        let keys_info = (1..).take(count).map(key).collect();
        Policy { template: template.to_owned(), keys_info }
    };
    assert!(policy("sh(multi(1,@0/**,@1/<2;3>/*))").descriptor().is_ok());
    for row in rows(&file["invalid"]) {
        assert!(policy(text(row, "template")).descriptor().is_err(), "{}", row["reason"]);
        let file = json!({"policy": text(row, "template"), "keys": policy(text(row, "template")).keys_info});
        assert!(wallet_file::read(file.to_string().as_bytes()).is_err());
    }
    eprintln!(
        "bip388: {valid} valid, {} invalid; {} out of scope: {}",
        rows(&file["invalid"]).len(),
        outside.len(),
        outside.join(" ")
    );
}

/// What a mode's round says under a key that ends so, in order.
fn items(mode: &Value, round: usize, wanted: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
    let all = rows(&mode["rounds"][round]["items"]).iter();
    all.map(|item| (text(item, "key"), text(item, "value"))).filter(|(key, _)| wanted(key)).collect()
}

#[test]
fn bip129_rounds_are_made_read_and_decrypted_as_stated() {
    let Some(file) = vectors("bip129_bsms.json") else { return };
    let (mut keys, mut wallets, mut encrypted, mut coordinated) = (0, 0, 0, 0);
    for mode in rows(&file) {
        let tokens: Vec<Token> =
            items(mode, 0, |key| key.starts_with("TOKEN") && (key.contains("hex") || key == "TOKEN"))
                .into_iter()
                .map(|(_, token)| Token::parse(token).unwrap())
                .collect();
        let mut records = Vec::new();
        for (_, stated) in items(mode, 0, |key| key.ends_with("_key.bsms")) {
            let record = KeyRecord::parse(stated).unwrap();
            assert_eq!(record.text(), stated);
            assert!(tokens.contains(record.token()));
            let forged = stated.replace("Signer", "Bigner");
            assert!(KeyRecord::parse(&forged).unwrap_err().to_string().contains("signature"));
            records.push(record);
        }
        keys += records.len();
        let sealed = items(mode, 0, |key| key.ends_with("_key.dat"));
        for (record, (_, sealed)) in records.iter().zip(&sealed) {
            assert_eq!(encrypt(&record.text(), record.token()), *sealed);
            encrypted += 1;
        }
        let (_, stated) = items(mode, 1, |key| key.ends_with("wallet.bsms"))[0];
        let read = wallet_file::read(stated.as_bytes()).unwrap();
        assert_eq!((read.format, read.network.unwrap_or(Network::Bitcoin)), (Format::Bsms, Network::Bitcoin));
        wallets += 1;
        for (at, (_, sealed)) in items(mode, 1, |key| key.ends_with(".dat")).into_iter().enumerate() {
            let token = tokens.get(at).unwrap();
            assert_eq!(wallet_file::read_with_token(sealed.as_bytes(), Some(token)).unwrap(), read);
            assert_eq!(encrypt(stated, token), sealed);
            assert!(wallet_file::read(sealed.as_bytes()).unwrap_err().to_string().contains("token"));
            let wrong = Token::parse("0123456789abcdef").unwrap();
            assert!(wallet_file::read_with_token(sealed.as_bytes(), Some(&wrong)).is_err());
            encrypted += 1;
        }
        // Another threshold under the same first address, and no checksum that would tell.
        let (from, to) = if stated.contains("multi(1,") { ("(1,", "(2,") } else { ("(2,", "(1,") };
        let lie: Vec<&str> = stated.lines().map(|line| line.split('#').next().unwrap()).collect();
        let lie = lie.join("\n").replace(from, to);
        let error = wallet_file::read(lie.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("first address"), "{error}");
        if records.iter().all(|record| record.xpub().is_some()) && stated.contains("sortedmulti(2,") {
            let wallet = coordinate(Network::Bitcoin, WalletKind::Wsh, 2, &records).unwrap();
            assert_eq!(write(&wallet).unwrap(), stated);
            assert_eq!(read.wallet(Network::Bitcoin).unwrap(), wallet);
            coordinated += 1;
        }
    }
    eprintln!(
        "bip129: {keys} key records verified, {wallets} descriptor records read, {encrypted} files decrypted or encrypted as stated, {coordinated} wallets made of their key records"
    );
}
