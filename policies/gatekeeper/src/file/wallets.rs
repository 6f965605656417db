//! `[wallet.NAME]`: which wallets pay, and optionally what they are.

use super::problem::Problems;
use super::section::{Value, nearest, table, text, texts};
use bitcoin::Network;
use policies::codec::clean_text;
use policies::id::WalletId;
use policies::identity::PublicKey;
use policies::policy::{MAX_NAME_LEN, Replacement, WalletTerms};
use policies::wallet::{Wallet, WalletError};
use std::collections::BTreeMap;

/// Reads the wallets.
pub fn read(value: Value<'_>, network: Network, problems: &mut Problems) -> BTreeMap<String, WalletTerms> {
    let mut wallets = BTreeMap::new();
    let Some(mut section) = table("wallet", value, problems) else { return wallets };
    for (name, (span, value)) in section.names() {
        if let Err(error) = clean_text("wallet", name, MAX_NAME_LEN) {
            problems.add_plain(span, error.to_string());
        }
        let Some(mut wallet) = table(&format!("[wallet.{name}]"), value, problems) else { continue };
        let id = wallet.take("descriptor").and_then(|value| descriptor(value, network, problems));
        let vaults = wallet.take("vaults").map(|value| vaults(value, problems)).unwrap_or_default();
        let replacement = wallet.take("replacement").and_then(|value| replacement(value, problems));
        let replacement = replacement.unwrap_or_default();
        wallet.not_judged(&["min_confirmations"], problems);
        wallet.finish(problems);
        wallets.insert(name.to_owned(), WalletTerms { id, vaults, replacement });
    }
    wallets
}

fn descriptor(value: Value<'_>, network: Network, problems: &mut Problems) -> Option<WalletId> {
    let pair: Vec<&str> = texts("descriptor", value, problems).into_iter().map(|(_, text)| text).collect();
    if pair.is_empty() {
        return None;
    }
    match Wallet::new(network, &pair) {
        Ok(wallet) => Some(wallet.id()),
        Err(error) => {
            let hint = match error {
                WalletError::Network { .. } => "name the network of the policy: network = \"regtest\"",
                _ => "copy it from `cold-signer export`, with its checksum: \"wpkh([…]xpub…/<0;1>/*)#…\"",
            };
            problems.add(value.span(), error.to_string(), hint);
            None
        }
    }
}

fn replacement(value: Value<'_>, problems: &mut Problems) -> Option<Replacement> {
    match text("replacement", value, problems)? {
        "fee-only" => Some(Replacement::FeeOnly),
        "no" => Some(Replacement::BackOnly),
        other => {
            let hint = match nearest(other, ["fee-only", "no"].into_iter()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write \"fee-only\" or \"no\"".to_owned(),
            };
            problems.add(value.span(), format!("`{}` is no kind of replacement", other.escape_debug()), hint);
            None
        }
    }
}

fn vaults(value: Value<'_>, problems: &mut Problems) -> Vec<PublicKey> {
    let mut keys = Vec::new();
    for (span, line) in texts("vaults", value, problems) {
        match line.parse() {
            Ok(key) => keys.push(key),
            Err(error) => {
                let error: policies::identity::IdentityError = error;
                problems.add(span, error.to_string(), "an audit key is printed by `cold-signer export`");
            }
        }
    }
    // An empty list would mean "any vault", which is what leaving it out says.
    if keys.is_empty() && problems.is_empty() {
        problems.add(
            value.span(),
            "`vaults` lists no vault",
            "remove the line to accept the vaults that are added",
        );
    }
    keys
}
