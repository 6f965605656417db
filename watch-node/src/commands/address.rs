//! `address`: hands out the next receiving address.

use std::path::Path;

use bitcoin::Address;
use serde_json::json;

use crate::error::{Error, Result};
use crate::index::script_at;
use crate::output::Output;
use crate::store::{Branch, Store};

/// Hands out the next unused receiving address; it is never given a second time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node address savings")]
pub struct Args {
    /// The wallet.
    name: String,
}

/// Issues an index durably, then shows its address.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let wallet = store.wallet(&args.name)?;
    let index = store.issue(&wallet, Branch::External)?;
    let script = script_at(&wallet, Branch::External, index)?;
    let address = Address::from_script(&script, store.network()?)
        .map_err(|error| Error::Descriptor(error.to_string()))?
        .to_string();
    let text = format!(
        "{address}\nVerify it before you publish it: cold-signer address --wallet {} --index {index}",
        args.name
    );
    Ok(Output::done(text, json!({"wallet": args.name, "address": address, "index": index})))
}
