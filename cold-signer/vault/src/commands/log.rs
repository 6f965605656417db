//! `cold-vault log`: what an auditor may see without a passphrase.

use std::path::PathBuf;

use clap::Args;

use super::{existing, json_text, say};
use crate::Error;
use crate::harden;
use crate::store::{Entry, Store};

#[derive(Args)]
pub(super) struct Log {
    /// The store.
    #[arg(long)]
    store: PathBuf,
    /// Says in words that every record hashes and chains; a broken store is refused with or without it.
    #[arg(long)]
    verify: bool,
    /// One JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl Log {
    pub(super) fn run(&self) -> Result<(), Error> {
        harden::begin(&[])?;
        existing(&self.store)?;
        let store = Store::inspect(&self.store)?;
        let vault = hex(&store.vault_id());
        if self.json {
            let records: Vec<String> = store.entries().iter().map(record_json).collect();
            return say(&format!(
                "{{\"vault_id\":\"{vault}\",\"verified\":true,\"torn_at\":{},\"records\":[{}]}}\n",
                store.torn_at().map_or_else(|| "null".to_owned(), |offset| offset.to_string()),
                records.join(",")
            ));
        }
        let mut text = format!("vault {vault}\n");
        for entry in store.entries() {
            let header = &entry.header;
            text.push_str(&format!("{:>8}  {:>12}  {}\n", header.sequence, header.time, header.kind.name()));
        }
        if let Some(offset) = store.torn_at() {
            text.push_str(&format!("the last record, at byte {offset}, is incomplete\n"));
        }
        if self.verify {
            text.push_str(&format!("{} records, every one hashes and chains\n", store.entries().len()));
        }
        say(&text)
    }
}

fn record_json(entry: &Entry) -> String {
    format!(
        "{{\"sequence\":{},\"time\":{},\"type\":{},\"hash\":\"{}\"}}",
        entry.header.sequence,
        entry.header.time,
        json_text(entry.header.kind.name()),
        hex(&entry.hash)
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
