//! Bitcoin Core's `listdescriptors`, and what its `importdescriptors` takes.

use super::{Fault, Found, descriptor, json};
use policies::wallet::{Branch, Wallet};
use serde_json::{Value, json};

/// Most descriptors that are looked at.
const MAX_DESCRIPTORS: usize = 1_000;

/// Addresses that Core looks for at first on each branch.
const LAST_INDEX: u32 = 999;

/// Both descriptors for `importdescriptors`. Without a birthday Core looks through the whole chain: coins that it does not
/// see are worse than hours.
pub(super) fn write(wallet: &Wallet, birthday: Option<u64>) -> Value {
    let entry = |branch: Branch| {
        json!({
            "desc": wallet.descriptor(branch),
            "active": true,
            "internal": branch == Branch::Internal,
            "range": [0, LAST_INDEX],
            "timestamp": birthday.unwrap_or(0),
        })
    };
    Branch::ALL.into_iter().map(entry).collect()
}

/// One wallet: the active pair if there is exactly one, else the only descriptor or pair.
pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    let listed = value.get("descriptors").unwrap_or(value).as_array();
    let listed = listed.ok_or_else(|| Fault::broken("`descriptors` is no list"))?;
    if listed.len() > MAX_DESCRIPTORS {
        return Err(Fault::broken(format!("more than {MAX_DESCRIPTORS} descriptors")));
    }
    let name = json::text(value, "wallet_name")?.map(str::to_owned);
    let active: Vec<&Value> =
        listed.iter().filter(|entry| entry.get("active") == Some(&Value::Bool(true))).collect();
    let mut taken = if active.is_empty() { listed.iter().collect() } else { active };
    if taken.is_empty() || taken.len() > 2 {
        return Err(Fault::new(
            format!("it lists {} descriptors, and a wallet is one with <0;1> or a pair", taken.len()),
            "keep the two of one kind, external and internal, and remove the others from the file",
        ));
    }
    // The external one first, whatever the order.
    taken.sort_by_key(|entry| entry.get("internal") == Some(&Value::Bool(true)));
    let descriptors = taken
        .into_iter()
        .map(|entry| descriptor::canonical(json::required(entry, "desc")?))
        .collect::<Result<_, _>>()?;
    Ok(Found { name, network: None, descriptors, notes: Vec::new() })
}
