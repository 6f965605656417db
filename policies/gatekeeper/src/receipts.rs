//! Everything that a vault says it signed: `cold-signer receipts -o F`.

use crate::Error;
use bitcoin::hex::FromHex;
use policies::codec::Canonical;
use policies::id::VaultId;
use policies::identity::PublicKey;
use policies::permit::{Receipt, vault_id};
use psbt_tools::display::escape;
use serde_json::Value;

/// Most receipts of one list.
const MAX_RECEIPTS: usize = 100_000;

/// Receipts of one vault, each signed by its audit key.
#[derive(Debug, Clone)]
pub struct ReceiptList {
    /// The vault.
    pub vault: VaultId,
    /// In the order of the list.
    pub receipts: Vec<Receipt>,
}

impl ReceiptList {
    /// Reads a list and verifies every signature. Whether the vault is one of ours is not asked here.
    ///
    /// # Errors
    /// [`Error::Document`] for anything but a list whose receipts are all by the vault that it names.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let document: Value = serde_json::from_slice(bytes).map_err(|error| refuse(error.to_string()))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        let key = text("audit_key").ok_or_else(|| refuse("the text `audit_key` is missing"))?;
        let key: PublicKey = key.parse().map_err(|error| refuse(format!("the audit key: {error}")))?;
        let vault = vault_id(&key);
        if text("vault_id") != Some(vault.to_string().as_str()) {
            return Err(refuse("the vault id is not that of the audit key"));
        }
        let list = document.get("receipts").and_then(Value::as_array);
        let list = list.ok_or_else(|| refuse("the list `receipts` is missing"))?;
        if list.len() > MAX_RECEIPTS {
            return Err(refuse(format!("{} receipts, at most {MAX_RECEIPTS}", list.len())));
        }
        let receipts = list.iter().map(|value| receipt(value, &key)).collect::<Result<_, _>>()?;
        Ok(Self { vault, receipts })
    }
}

fn receipt(value: &Value, key: &PublicKey) -> Result<Receipt, Error> {
    let bytes = value.as_str().and_then(|text| Vec::from_hex(text).ok());
    let bytes = bytes.ok_or_else(|| refuse("a receipt is no hexadecimal text"))?;
    let receipt = Receipt::from_bytes(&bytes).map_err(|error| refuse(format!("a receipt: {error}")))?;
    match receipt.audit_key() {
        Ok(signer) if signer == *key => Ok(receipt),
        Ok(other) => Err(refuse(format!("a receipt is by {}, not by the audit key", other.fingerprint()))),
        Err(error) => Err(refuse(format!("a receipt: {error}"))),
    }
}

fn refuse(reason: impl AsRef<str>) -> Error {
    Error::document("the receipts", escape(reason.as_ref()))
}
