//! `regtest`: drives the embedded chain.

use std::path::Path;

use bitcoin::{Network, ScriptBuf};
use psbt_tools::money::{amount_text, parse_amount};
use serde_json::json;

use super::address_of;
use crate::chain::BlockSource;
use crate::chain::embedded::{Embedded, miner_script};
use crate::config::ChainConfig;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::Store;

/// Drives the embedded chain.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Mines blocks with everything that waits.
    #[command(after_help = "Example: watch-node regtest mine 101")]
    Mine {
        /// How many blocks.
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
        count: u32,
        /// Who gets the rewards; the embedded miner when left out.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// Pays from the embedded miner's coins; the payment waits for the next block.
    #[command(after_help = "Example: watch-node regtest fund bcrt1q… 0.5btc")]
    Fund {
        /// Who is paid.
        address: String,
        /// How much, with its unit.
        amount: String,
    },
}

/// Mines or funds.
pub fn run(dir: &Path, command: &Command) -> Result<Output> {
    let store = Store::open(dir)?;
    if store.config()?.chain != ChainConfig::Embedded {
        return Err(Error::NotEmbedded);
    }
    match command {
        Command::Mine { count, to } => {
            let script = to.as_deref().map_or_else(miner_script, script_of)?;
            let chain = Embedded::open(dir)?;
            let hashes = chain.mine(*count, &script)?;
            let height = chain.tip()?.height;
            let text = format!(
                "Mined {count} {}; the tip is at height {height}.",
                if *count == 1 { "block" } else { "blocks" }
            );
            Ok(Output::done(
                text,
                json!({"height": height, "blocks": hashes.iter().map(ToString::to_string).collect::<Vec<_>>()}),
            ))
        }
        Command::Fund { address, amount } => {
            let script = script_of(address)?;
            let amount = parse_amount(amount)?;
            let txid = Embedded::open(dir)?.fund(&script, amount)?;
            let text =
                format!("{} to {address}: {txid}\nNext: watch-node regtest mine 1", amount_text(amount));
            Ok(Output::done(text, json!({"txid": txid.to_string(), "amount_sat": amount.to_sat()})))
        }
    }
}

fn script_of(address: &str) -> Result<ScriptBuf> {
    Ok(address_of(address, Network::Regtest)?.script_pubkey())
}
