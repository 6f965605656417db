//! Electrum's wallet file when it is not encrypted: one keystore, or `x1/`, `x2/` … of a multisig. The prefix of its keys
//! (SLIP-132) says which script they make; multisig is always sorted.

use super::key::{self, ListedKey};
use super::{Fault, Found, json, slip132};
use policies::wallet::WalletKind;
use serde_json::Value;

/// Most cosigners of an Electrum multisig.
const MAX_KEYS: usize = 15;

pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    if value.get("use_encryption") == Some(&Value::Bool(true)) {
        // What is encrypted in it are its private parts: it is no watching-only wallet.
        return Err(Fault::new(
            "it is a wallet with a password: it holds private keys",
            "make a watching-only copy of the wallet in Electrum",
        ));
    }
    let word = json::required(value, "wallet_type")?;
    let (threshold, stores) = match multisig(word) {
        Some((k, n)) => {
            let store = |at: usize| {
                value
                    .get(format!("x{at}/"))
                    .ok_or_else(|| Fault::broken(format!("cosigner x{at} is missing")))
            };
            if value.get(format!("x{}/", n.saturating_add(1))).is_some() {
                return Err(Fault::broken(format!("it has more than {n} cosigners")));
            }
            (Some(k), (1..=n).map(store).collect::<Result<Vec<_>, _>>()?)
        }
        None if word == "standard" => (None, value.get("keystore").into_iter().collect()),
        None => {
            return Err(Fault::new(
                "it is neither a standard wallet nor a multisig",
                "export its descriptor",
            ));
        }
    };
    let keys =
        stores.iter().enumerate().map(|(at, store)| listed(at, store)).collect::<Result<Vec<_>, _>>()?;
    let first = keys.first().ok_or_else(|| Fault::broken("it has no keystore"))?;
    let plain = if threshold.is_some() { WalletKind::Sh } else { WalletKind::Pkh };
    let kind = first.converted.map_or(plain, |(_, kind)| kind);
    if keys
        .iter()
        .any(|key| key.converted.map(|(prefix, _)| prefix) != first.converted.map(|(prefix, _)| prefix))
    {
        return Err(Fault::broken("its keys are for different kinds of scripts"));
    }
    Ok(Found {
        name: None,
        network: None,
        descriptors: vec![key::descriptor(kind, threshold, &keys)?],
        notes: key::converted(&keys, kind)?,
    })
}

fn listed(at: usize, store: &Value) -> Result<ListedKey, Fault> {
    let key = json::required(store, "xpub")?;
    let path = json::text(store, "derivation")?;
    let fingerprint = match json::text(store, "root_fingerprint")? {
        Some(text) => Some(text.to_owned()),
        None => store.get("ckcc_xfp").and_then(Value::as_u64).and_then(little_endian),
    };
    let at = format!("keystore {}", at.saturating_add(1));
    let is_master = slip132::read(key).is_some_and(|(key, _)| key.depth == 0);
    match (fingerprint, path) {
        (Some(fingerprint), Some(path)) => ListedKey::new(&at, &fingerprint, path, key),
        (None, None | Some("m")) if is_master => {
            let own = slip132::read(key).map(|(key, _)| key.fingerprint().to_string()).unwrap_or_default();
            ListedKey::new(&at, &own, "m", key)
        }
        _ => Err(Fault::new(
            format!("{at} has no fingerprint and path, so that no signer would know its key"),
            "export the wallet from the device that has the key",
        )),
    }
}

/// A Coldcard's fingerprint as Electrum once kept it: a number whose lowest byte comes first.
fn little_endian(number: u64) -> Option<String> {
    u32::try_from(number).ok().map(|number| format!("{:08x}", number.swap_bytes()))
}

/// `2of3`.
fn multisig(word: &str) -> Option<(usize, usize)> {
    let (k, n) = word.split_once("of")?;
    let (k, n) = (k.parse().ok()?, n.parse().ok()?);
    (1..=n).contains(&k).then_some((k, n)).filter(|_| n <= MAX_KEYS)
}
