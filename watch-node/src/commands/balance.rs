//! `balance`: sums over the coins of one wallet or all.

use std::path::Path;

use psbt_tools::money::amount_text;
use serde_json::json;

use super::{chosen, covered};
use crate::coins::{Balance, unspent};
use crate::error::Result;
use crate::output::Output;
use crate::store::Store;

/// Shows the balance as of the last sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node balance savings --json")]
pub struct Args {
    /// The wallet; all when left out.
    name: Option<String>,
}

/// Adds up the coins.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
    let wallet = chosen(&store, args.name.as_deref())?;
    let balance = Balance::of(&unspent(&store, wallet.as_ref().map(|wallet| wallet.id))?)?;
    let total = balance.total()?;
    let height = store.tip()?.map(|tip| tip.height);
    let mut text = String::new();
    for (label, amount) in [
        ("confirmed", balance.confirmed),
        ("pending", balance.pending),
        ("reserved", balance.reserved),
        ("spendable", balance.spendable),
        ("total", total),
    ] {
        text.push_str(&format!("{label:<10}{}\n", amount_text(amount)));
    }
    text.push_str(&match height {
        Some(height) => format!("as of height {height}"),
        None => "nothing scanned yet".to_owned(),
    });
    let json = json!({
        "confirmed_sat": balance.confirmed.to_sat(),
        "pending_sat": balance.pending.to_sat(),
        "reserved_sat": balance.reserved.to_sat(),
        "immature_sat": balance.immature.to_sat(),
        "spendable_sat": balance.spendable.to_sat(),
        "total_sat": total.to_sat(),
        "height": height,
    });
    Ok(covered(&store, wallet.as_ref(), text, json))
}
