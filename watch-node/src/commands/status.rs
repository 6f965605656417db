//! `status`: how far the folder has followed its source.

use std::path::Path;

use serde_json::json;

use super::open_chain;
use crate::error::Result;
use crate::output::Output;
use crate::store::Store;
use crate::tracker::is_complete;

/// Shows how far the scan is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node status --json")]
pub struct Args {}

/// Compares the store's tip with the source's.
pub fn run(dir: &Path, _args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
    let config = store.config()?;
    let tip = open_chain(dir, &config)?.tip()?;
    let wallets: Vec<String> = store.wallets()?.into_iter().map(|wallet| wallet.imported.name).collect();
    let height = store.tip()?.map(|tip| tip.height);
    let scanned_from = store.scanned_from()?;
    let complete = is_complete(&store, tip)?;
    let text = format!(
        "network   {}\nheight    {} of {}{}\nscanned   {}\nwallets   {}",
        config.network,
        height.map_or("none".to_owned(), |height| height.to_string()),
        tip.height,
        if complete { "" } else { "  (incomplete: run `watch-node sync`)" },
        scanned_from.map_or("nothing yet".to_owned(), |from| format!("complete from height {from}")),
        if wallets.is_empty() { "none".to_owned() } else { wallets.join(", ") },
    );
    let json = json!({
        "network": config.network.to_string(),
        "height": height,
        "tip": tip.height,
        "tip_hash": tip.hash.to_string(),
        "scanned_from": scanned_from,
        "complete": complete,
        "wallets": wallets,
    });
    Ok(Output::done(text, json))
}
