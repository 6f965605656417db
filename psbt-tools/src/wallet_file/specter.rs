//! The JSON of Specter and of Fully Noded ("Wallet Export Spec"): a label and one descriptor, that of the receiving branch.

use super::{Fault, Found, descriptor, json};
use policies::wallet::{Branch, Wallet};
use serde_json::{Value, json};

pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    let name = json::text(value, "label")?.or(json::text(value, "name")?).map(str::to_owned);
    let receive = json::text(value, "recv_descriptor")?.or(json::text(value, "descriptor")?);
    let receive = descriptor::canonical(receive.ok_or_else(|| Fault::broken("it has no descriptor"))?)?;
    if let Some(change) = json::text(value, "change_descriptor")? {
        let descriptors = vec![receive, descriptor::canonical(change)?];
        return Ok(Found { name, descriptors, ..Found::default() });
    }
    let body = receive.split('#').next().unwrap_or_default();
    if body.contains('<') {
        return Ok(Found { name, descriptors: vec![receive], ..Found::default() });
    }
    let (whole, note) = both_branches(body)?;
    Ok(Found { name, network: None, descriptors: vec![whole], notes: vec![note.to_owned()] })
}

/// The receiving descriptor under a label: change is taken to be on `/1/*`. The chain is looked through from its beginning.
pub(super) fn write(wallet: &Wallet, name: &str) -> Value {
    json!({"label": name, "blockheight": 0, "descriptor": wallet.descriptor(Branch::External)})
}

/// The descriptor with both branches: all keys end in `/0/*`, or none has a path.
fn both_branches(body: &str) -> Result<(String, &'static str), Fault> {
    let mut out = String::new();
    let mut rest = body;
    let (mut with, mut without) = (0usize, 0usize);
    // A key ends where a path, a comma or a bracket follows its letters.
    while let Some(at) = ["xpub", "tpub"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (before, key) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let end = key.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(key.len());
        let (key, after) = key.split_at_checked(end).unwrap_or((key, ""));
        let next = match after.strip_prefix("/0/*") {
            Some(next) => {
                with = with.saturating_add(1);
                next
            }
            None if after.starts_with('/') => {
                return Err(Fault::new(
                    "its descriptor is not of the receiving branch /0/*, and names no other",
                    "export the descriptor with <0;1>, or both of them as text",
                ));
            }
            None => {
                without = without.saturating_add(1);
                after
            }
        };
        out.extend([before, key, "/<0;1>/*"]);
        rest = next;
    }
    out.push_str(rest);
    match (with, without) {
        (0, 0) => Err(Fault::broken("its descriptor has no extended key")),
        (_, 0) => Ok((out, "the file names the receiving branch /0/* only: change is taken to be on /1/*")),
        (0, _) => Ok((out, "the file names no branches: receiving is taken to be on /0/*, change on /1/*")),
        _ => Err(Fault::broken("some of its keys have a path and others none")),
    }
}
