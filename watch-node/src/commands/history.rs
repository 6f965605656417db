//! `history`: the transactions of one wallet or all.

use std::path::Path;

use bitcoin::Amount;
use psbt_tools::money::amount_text;
use serde_json::json;

use super::{chosen, covered};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::Store;

/// Lists transactions as of the last sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node history savings")]
pub struct Args {
    /// The wallet; all when left out.
    name: Option<String>,
}

/// Lists transactions, oldest first; `delta_sat` is what each changed in the wallet.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
    let wallet = chosen(&store, args.name.as_deref())?;
    let tip = store.tip()?.map_or(0, |tip| tip.height);
    let mut text = String::new();
    let mut list = Vec::new();
    for own in store.history(wallet.as_ref().map(|wallet| wallet.id))? {
        let txid = own.transaction.compute_txid();
        let delta_sat = signed_difference(own.received_sat, own.sent_sat)?;
        let height = own.confirmed.map(|(height, _)| height);
        let confirmations = height.map_or(0, |height| tip.saturating_sub(height).saturating_add(1));
        let place = match height {
            Some(height) => format!("height {height}"),
            None if own.in_mempool => "mempool".to_owned(),
            None => "not seen now".to_owned(),
        };
        text.push_str(&format!("{place:<14} {txid}  {}\n", show_signed(delta_sat)));
        list.push(json!({
            "txid": txid.to_string(),
            "height": height,
            "block_hash": own.confirmed.map(|(_, hash)| hash.to_string()),
            "confirmations": confirmations,
            "in_mempool": own.in_mempool,
            "first_seen": own.first_seen,
            "received_sat": own.received_sat,
            "sent_sat": own.sent_sat,
            "delta_sat": delta_sat,
        }));
    }
    if list.is_empty() {
        text.push_str("no transactions");
    }
    Ok(covered(&store, wallet.as_ref(), text, json!({"history": list})))
}

fn signed_difference(received_sat: u64, sent_sat: u64) -> Result<i64> {
    let signed = |sat: u64| i64::try_from(sat).map_err(|_| Error::Overflow);
    signed(received_sat)?.checked_sub(signed(sent_sat)?).ok_or(Error::Overflow)
}

/// `+0.015 000 00 BTC (+1 500 000 sat)`.
fn show_signed(delta_sat: i64) -> String {
    let sign = if delta_sat < 0 { "-" } else { "+" };
    let amount = amount_text(Amount::from_sat(delta_sat.unsigned_abs()));
    format!("{sign}{}", amount.replace('(', &format!("({sign}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_with_its_sign() {
        assert_eq!(show_signed(-5), "-0.000 000 05 BTC (-5 sat)");
        assert_eq!(show_signed(1_500_000), "+0.015 000 00 BTC (+1 500 000 sat)");
    }
}
