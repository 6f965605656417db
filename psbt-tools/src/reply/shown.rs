//! What a reply is, for people and for programs.

use super::Reply;
use crate::display::hex;
use serde_json::{Map, Value, json};

impl Reply {
    /// Its manifest first, then what its receipts prove and how much it brings.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.manifest().lines();
        lines.push(format!("a reply to spend {}", self.spend()));
        if let Some((network, wallet)) = self.wallet() {
            lines.push(format!("wallet         {wallet} on {network}"));
        }
        if let Some(txid) = self.unsigned_txid() {
            lines.push(format!("unsigned txid  {txid}"));
        }
        for (at, receipt) in self.receipts().iter().enumerate() {
            let head = &receipt.statement.head;
            let before = if at == 0 { "" } else { ", before" };
            lines.push(format!("signed by      vault {}, record {}{before}", head.vault, head.sequence));
        }
        let plural =
            |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        lines.push(format!(
            "it brings      {} for {}; the PSBT that it is merged into says whether they are good",
            plural(self.signatures(), "signature"),
            plural(self.inputs(), "input")
        ));
        lines
    }

    /// `{"kind": "reply", "spend_id", "network", "wallet_id", "unsigned_txid", "receipts": [{"vault_id", "sequence", "head",
    /// "permit"}], "signatures", "inputs", "manifest"}`.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        put("kind", "reply".into());
        put("spend_id", self.spend().to_string().into());
        put("network", self.wallet().map(|(network, _)| network.to_string()).into());
        put("wallet_id", self.wallet().map(|(_, wallet)| wallet.to_string()).into());
        put("unsigned_txid", self.unsigned_txid().map(|txid| txid.to_string()).into());
        let receipts = self.receipts().iter().map(|receipt| {
            let head = &receipt.statement.head;
            json!({
                "vault_id": head.vault.to_string(),
                "sequence": head.sequence,
                "head": hex(&head.hash),
                "permit": receipt.statement.permit.map(|permit| permit.to_string()),
            })
        });
        put("receipts", receipts.collect());
        put("signatures", self.signatures().into());
        put("inputs", self.inputs().into());
        put("manifest", self.manifest().to_json());
        object
    }
}
