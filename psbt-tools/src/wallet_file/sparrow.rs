//! Sparrow's JSON: what kind of wallet, and its keystores.

use super::key::{self, ListedKey};
use super::{Fault, Found, json};
use policies::wallet::WalletKind;
use serde_json::Value;

/// Most keystores that are read.
const MAX_KEYS: usize = 20;

pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    let kind = kind(json::required(value, "scriptType")?)?;
    let stores = value.get("keystores").and_then(Value::as_array);
    let stores = stores.filter(|stores| !stores.is_empty() && stores.len() <= MAX_KEYS);
    let stores = stores.ok_or_else(|| Fault::broken(format!("`keystores` is no list of 1 to {MAX_KEYS}")))?;
    let keys =
        stores.iter().enumerate().map(|(at, store)| listed(at, store)).collect::<Result<Vec<_>, _>>()?;
    let threshold = match json::required(value, "policyType")? {
        "SINGLE" | "SINGLE_HD" if keys.len() == 1 => None,
        "MULTI" | "MULTI_HD" => Some(threshold(value)?),
        _ => {
            return Err(Fault::new(
                "its policy is neither of one key nor a multisig",
                "export it from Sparrow as Output Descriptor",
            ));
        }
    };
    Ok(Found {
        name: json::text(value, "name")?.or(json::text(value, "label")?).map(str::to_owned),
        network: None,
        descriptors: vec![key::descriptor(kind, threshold, &keys)?],
        notes: key::converted(&keys, kind)?,
    })
}

fn listed(at: usize, store: &Value) -> Result<ListedKey, Fault> {
    let derivation = store.get("keyDerivation").unwrap_or(&Value::Null);
    let path = json::text(derivation, "derivationPath")?.or(json::text(derivation, "derivation")?);
    ListedKey::new(
        &format!("keystore {at}"),
        json::required(derivation, "masterFingerprint")?,
        path.ok_or_else(|| Fault::broken(format!("keystore {at} has no derivation path")))?,
        json::required(store, "extendedPublicKey")?,
    )
}

fn kind(word: &str) -> Result<WalletKind, Fault> {
    match word {
        "P2PKH" => Ok(WalletKind::Pkh),
        "P2SH_P2WPKH" => Ok(WalletKind::ShWpkh),
        "P2WPKH" => Ok(WalletKind::Wpkh),
        "P2TR" => Ok(WalletKind::Tr),
        "P2SH" => Ok(WalletKind::Sh),
        "P2SH_P2WSH" => Ok(WalletKind::ShWsh),
        "P2WSH" => Ok(WalletKind::Wsh),
        _ => Err(Fault::broken("its script type is not known")),
    }
}

/// The number that its policy's only `multi(` begins with. Sparrow's multisig is always sorted.
fn threshold(value: &Value) -> Result<usize, Fault> {
    let fault = || Fault::broken("its policy does not say how many signatures are needed");
    let policy = value.get("defaultPolicy").and_then(|policy| policy.get("miniscript")).ok_or_else(fault)?;
    let text = policy.as_str().or_else(|| policy.get("script").and_then(Value::as_str)).ok_or_else(fault)?;
    let mut after = text.split("multi(").skip(1);
    let (Some(inside), None) = (after.next(), after.next()) else { return Err(fault()) };
    inside.split(',').next().and_then(|number| number.trim().parse().ok()).ok_or_else(fault)
}
