//! How a wallet is shown: its kind, its keys, the ways in which it spends, and its vaults.

use policies::examine::key_name;
use policies::id::{AuthorityId, VaultId};
use policies::wallet::Wallet;
use serde_json::{Value, json};

use crate::error::Result;
use crate::store::WatchedVault;
use crate::wallet::audit_key;

/// What every cosigner must see alike: compare it with what the others' screens show.
pub fn lines(wallet: &Wallet) -> String {
    let mut text = format!("  kind      {}\n  id        {}\n", wallet.kind().as_str(), wallet.id());
    if !wallet.kind().is_single() {
        text.push_str(&format!("  words     {}\n", wallet.id().words()));
    }
    for (number, key) in (1..).zip(wallet.keys()) {
        let nobody = if key.is_unspendable() { ", which nobody has" } else { "" };
        text.push_str(&format!("  {:<9} {key}{nobody}\n", format!("key {number}")));
    }
    for (number, path) in (1..).zip(path_texts(wallet)) {
        text.push_str(&format!("  {:<9} {path}\n", format!("path {number}")));
    }
    text
}

/// The vaults that vouch for a wallet, as lines.
pub fn vault_lines(vaults: &[WatchedVault]) -> Result<String> {
    let mut text = String::new();
    for vault in vaults {
        let obeys = match vault.authority {
            Some(authority) => format!("obeys authority {}", AuthorityId::from_bytes(authority)),
            None => "standalone".to_owned(),
        };
        text.push_str(&format!(
            "  vault     {}\n            audit key {}, {obeys}\n",
            VaultId::from_bytes(vault.id),
            audit_key(vault)?.fingerprint()
        ));
    }
    Ok(text)
}

/// `[{"key", "fingerprint", "origin", "xpub", "unspendable"}]`.
pub fn keys(wallet: &Wallet) -> Vec<Value> {
    let object = |(number, key): (u32, &policies::wallet::WalletKey)| {
        json!({
            "key": number,
            "fingerprint": key.fingerprint.to_string(),
            "origin": key.origin.to_string(),
            "xpub": key.xpub.to_string(),
            "unspendable": key.is_unspendable(),
        })
    };
    (1..).zip(wallet.keys()).map(object).collect()
}

/// `[{"path", "text"}]`.
pub fn paths(wallet: &Wallet) -> Vec<Value> {
    (1..)
        .zip(path_texts(wallet))
        .map(|(number, text): (u32, _)| json!({"path": number, "text": text}))
        .collect()
}

/// `[{"vault_id", "audit_key_fingerprint", "authority"}]`.
pub fn vaults(vaults: &[WatchedVault]) -> Result<Vec<Value>> {
    let object = |vault: &WatchedVault| {
        Ok(json!({
            "vault_id": VaultId::from_bytes(vault.id).to_string(),
            "audit_key_fingerprint": audit_key(vault)?.fingerprint(),
            "authority": vault.authority.map(|id| AuthorityId::from_bytes(id).to_string()),
        }))
    };
    vaults.iter().map(object).collect()
}

/// Each path in words, its keys by their numbers and fingerprints.
pub fn path_texts(wallet: &Wallet) -> Vec<String> {
    wallet.paths().iter().map(|path| path.text(&|place| key_name(wallet, place))).collect()
}
