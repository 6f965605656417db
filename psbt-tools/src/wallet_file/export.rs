//! The JSON of `cold-signer export`, and of `psbt-tools wallet`. A vault's signature is for those who pinned it; a cosigner
//! needs the descriptors, and compares the keys.

use super::{Fault, Found, json};
use crate::display::network_from_word;
use serde_json::Value;

pub(super) fn read(value: &Value) -> Result<Found, Fault> {
    let name = json::text(value, "wallet")?.or(json::text(value, "name")?);
    let network = network_from_word(json::required(value, "network")?).map_err(Fault::broken)?;
    let pair = (json::text(value, "external")?, json::text(value, "internal")?);
    let (Some(external), Some(internal)) = pair else {
        return Err(Fault::new(
            "it is a cosigner's key that has no wallet yet",
            "make the wallet of all cosigners' keys first: `psbt-tools multisig`",
        ));
    };
    Ok(Found {
        name: name.map(str::to_owned),
        network: Some(network),
        descriptors: vec![external.to_owned(), internal.to_owned()],
        notes: Vec::new(),
    })
}
