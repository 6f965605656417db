//! `start`

use super::new_key::Script;
use crate::cli::Global;
use crate::{Error, Result, start};

/// The first hour of one person, step by step; typed again, it goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer start --limit 0.5btc/24h\n\
Example: cold-signer start --network signet --wallet trial\n\n\
Every step says what it will do before it does it. Enter goes on, s puts a step off, anything else stops.\n\
With --json, or without a terminal, it only says which steps are done: exit 0 when all are, else 4.")]
pub struct Args {
    /// Name of the wallet; needed again only when the store has several.
    #[arg(long, value_name = "NAME")]
    pub wallet: Option<String>,
    /// Network of a new key: bitcoin, testnet, testnet4, signet or regtest.
    #[arg(long, default_value = "bitcoin", value_name = "N")]
    pub network: String,
    /// Script of a new key's addresses.
    #[arg(long, value_name = "S", default_value = "wpkh")]
    pub script: Script,
    /// Number of a new key's backup words.
    #[arg(long, default_value_t = 24, value_parser = super::new_key::words, value_name = "12|24")]
    pub words: u8,
    /// A new key's own limit over a sliding window: 0.5btc/24h.
    #[arg(long, value_name = "AMOUNT/WINDOW")]
    pub limit: Option<String>,
}

/// Runs it; gives the exit code.
pub fn run(global: &Global, args: &Args) -> Result<u8> {
    if global.passphrase_is_a_descriptor() && global.keeper().is_none() {
        return Err(Error::Usage(
            "start asks more than once: a descriptor holds the passphrase only once".to_owned(),
        ));
    }
    start::run(global, args)
}
