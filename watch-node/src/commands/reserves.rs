//! `reserves`: states what wallets hold at a block, for their keys to sign.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, OutPoint, TxOut};
use policies::message::bip322::MAX_COINS;
use policies::wallet::{Branch, Keypath};
use psbt_tools::message::reserves::{Holding, Reserves, Statement};
use psbt_tools::money::amount_text;
use psbt_tools::{display, files};
use serde_json::json;

use super::open_chain;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::Store;
use crate::tracker::is_complete;
use crate::wallet::OpenWallet;

/// Writes a proof of reserves without its signatures: every confirmed coin of some wallets, at the last scanned block.
///
/// Each wallet's keys sign it offline; `psbt-tools verify-reserves` then verifies it for everyone. A wallet of more than a
/// thousand coins has several parts.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node reserves savings cold --message \"audit 2026, for Alpha LLP\" -o reserves.json"
)]
pub struct Args {
    /// The wallets.
    #[arg(required = true)]
    wallet: Vec<String>,
    /// For whom and why, on one line.
    #[arg(long, value_name = "TEXT")]
    message: String,
    /// Where it is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Counts the coins as the blocks have them: also those that a payment has set aside, or that an unconfirmed one spends.
///
/// Errors: [`Error::Stale`] when blocks are missing, [`Error::NoCoins`] for a wallet without any.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    if let Some(name) = (1..).zip(&args.wallet).find_map(|(after, name): (usize, _)| {
        args.wallet.iter().skip(after).any(|other| other == name).then_some(name)
    }) {
        return Err(Error::Usage { what: display::escape(name), reason: "it is named twice".to_owned() });
    }
    let store = Store::open(dir)?;
    files::require_free(&args.output)?;
    let network = store.network()?;
    let tip = store.tip()?.ok_or(Error::NotScanned(None))?;
    let source = open_chain(dir, &store.config()?)?.tip()?;
    if !is_complete(&store, source)? {
        return Err(Error::Stale { scanned: Some(tip.height), tip: source.height });
    }
    let mut holdings = Vec::new();
    let mut text = String::new();
    for name in &args.wallet {
        let wallet = OpenWallet::new(network, store.wallet(name)?)?;
        super::scanned(&store, Some(&wallet.row))?;
        let first = Keypath { branch: Branch::External, index: 0 };
        let address = wallet.rules.script(first).ok_or(Error::CorruptStore("keypath"))?;
        let rows = store.coins(Some(wallet.row.id))?;
        let unspent = rows.into_iter().filter(|row| row.height.is_some() && row.spent.is_none());
        let coins: Vec<(OutPoint, TxOut)> = unspent
            .map(|row| (row.outpoint, TxOut { value: row.value, script_pubkey: row.script }))
            .collect();
        if coins.is_empty() {
            return Err(Error::NoCoins(name.clone()));
        }
        let total: Amount = coins.iter().map(|(_, output)| output.value).sum();
        let shown = display::escape(name);
        let noun = if coins.len() == 1 { "coin" } else { "coins" };
        text.push_str(&format!("{shown:20} {} in {} {noun}\n", amount_text(total), coins.len()));
        for coins in coins.chunks(MAX_COINS) {
            let (name, address, coins) = (name.clone(), address.clone(), coins.to_vec());
            holdings.push(Holding { name, address, coins, signature: None });
        }
    }
    let statement =
        Statement { purpose: args.message.clone(), network, height: tip.height, block_hash: tip.hash };
    let reserves = Reserves::new(statement, holdings).map_err(|error| Error::Malformed {
        what: "the proof of reserves".to_owned(),
        reason: error.to_string(),
    })?;
    files::write_new(&args.output, reserves.encode().as_bytes(), 0o600)?;
    text.push_str(&format!(
        "{:20} {} at block {} {}\nNext: have it signed by the wallets' keys, then `psbt-tools verify-reserves`",
        "total",
        amount_text(reserves.total()),
        tip.height,
        tip.hash
    ));
    let json = json!({
        "file": args.output,
        "height": tip.height,
        "block_hash": tip.hash.to_string(),
        "total_sat": reserves.total().to_sat(),
        "holdings": reserves.holdings().iter().map(|holding| json!({
            "wallet": holding.name,
            "coins": holding.coins.len(),
            "total_sat": holding.total().to_sat(),
        })).collect::<Vec<_>>(),
    });
    let is_stdout = files::is_dash(&args.output);
    Ok(Output::done(if is_stdout { String::new() } else { text }, json))
}
