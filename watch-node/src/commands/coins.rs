//! `coins`: the unspent coins of one wallet or all.

use std::path::Path;

use bitcoin::Address;
use psbt_tools::money::amount_text;
use serde_json::json;

use super::{chosen, covered};
use crate::coins::unspent;
use crate::error::Result;
use crate::output::Output;
use crate::store::Store;

/// Lists unspent coins as of the last sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node coins savings")]
pub struct Args {
    /// The wallet; all when left out.
    name: Option<String>,
}

/// Lists the coins, oldest first.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
    let network = store.network()?;
    let wallet = chosen(&store, args.name.as_deref())?;
    let names = store.wallets()?;
    let mut text = String::new();
    let mut list = Vec::new();
    for coin in unspent(&store, wallet.as_ref().map(|wallet| wallet.id))? {
        let address = Address::from_script(&coin.script, network).ok().map(|address| address.to_string());
        let name =
            names.iter().find(|wallet| wallet.id == coin.place.wallet).map(|wallet| &wallet.imported.name);
        text.push_str(&format!(
            "{:<9} {}  {}\n          {}  {}/{}\n",
            coin.state.name(),
            coin.outpoint,
            amount_text(coin.value),
            address.as_deref().unwrap_or("no address form"),
            coin.place.branch.name(),
            coin.place.index,
        ));
        list.push(json!({
            "outpoint": coin.outpoint.to_string(),
            "wallet": name,
            "value_sat": coin.value.to_sat(),
            "address": address,
            "script_hex": coin.script.to_hex_string(),
            "branch": coin.place.branch.name(),
            "index": coin.place.index,
            "height": coin.height,
            "confirmations": coin.confirmations,
            "coinbase": coin.coinbase,
            "state": coin.state.name(),
        }));
    }
    if list.is_empty() {
        text.push_str("no coins");
    }
    Ok(covered(&store, wallet.as_ref(), text, json!({"coins": list})))
}
