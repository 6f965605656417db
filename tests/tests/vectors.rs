//! The official vectors about keys, descriptors and wallets: what is valid comes out as stated, what is invalid is refused.
//! Each file prints its counts. BIP39 is tested in cold-vault, PSBTs and signed messages in psbt-tools.

#[path = "vectors/accounts.rs"]
mod accounts;
#[path = "vectors/descriptors.rs"]
mod descriptors;
#[path = "vectors/keys.rs"]
mod keys;
#[path = "vectors/setup.rs"]
mod setup;
#[path = "vectors/taproot.rs"]
mod taproot;

use bitcoin::base58;
use bitcoin::bip32::Xpriv;
use serde_json::Value;
use std::path::PathBuf;

/// The vectors of a file; `None`, said on standard error, where they are absent.
fn vectors(name: &str) -> Option<Value> {
    let folder = std::env::var_os("AIRLOCK_VECTORS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(folder.join(name)) else {
        eprintln!("skipped: {name} is not there; AIRLOCK_VECTORS names the folder of public vectors");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// The rows of a list, at least one.
fn rows(value: &Value) -> &Vec<Value> {
    let rows = value.as_array().unwrap();
    assert!(!rows.is_empty());
    rows
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}"))
}

/// An extended private key whose prefix is SLIP-132's: `yprv`, `zprv`, `uprv` …
fn private_key(text: &str) -> Xpriv {
    let mut bytes = base58::decode_check(text).unwrap();
    let plain: [u8; 4] =
        if text.starts_with(['u', 'v', 't']) { [0x04, 0x35, 0x83, 0x94] } else { [0x04, 0x88, 0xad, 0xe4] };
    bytes[..4].copy_from_slice(&plain);
    Xpriv::decode(&bytes).unwrap()
}
