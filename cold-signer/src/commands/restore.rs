//! `restore`

use super::become_vault;
use super::new_key::Script;
use crate::Result;
use crate::cli::Global;
use psbt_tools::display::network_from_word;
use std::path::PathBuf;

/// Restore a key from its words, at the vault's own terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer restore --wallet main --network bitcoin --script wpkh")]
pub struct Args {
    /// Its name.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// The network it was made for.
    #[arg(long, default_value = "bitcoin", value_name = "N")]
    network: String,
    /// What it was made for: the word that `keys` shows.
    #[arg(long, default_value = "wpkh", value_name = "S")]
    script: Script,
    /// Account level of the derivation path (BIP44).
    #[arg(long, default_value_t = 0, value_name = "N")]
    account: u32,
    /// How many words are on the paper: 12 or 24.
    #[arg(long, default_value_t = 24, value_name = "N")]
    words: u8,
    /// Read the words from this file: for drills and tests.
    #[arg(long, value_name = "F")]
    words_file: Option<PathBuf>,
}

/// Runs it; gives the vault's exit code.
pub fn run(global: &Global, args: &Args) -> Result<u8> {
    global.look_at_passphrase_file();
    let network = network_from_word(&args.network)?;
    let mut arguments = vec!["restore".into(), "--store".into(), global.store()?.into_os_string()];
    arguments.extend(["--wallet".into(), args.wallet.clone().into()]);
    arguments.extend(["--network".into(), network.to_string().into()]);
    arguments.extend(["--script".into(), args.script.kind().as_str().into()]);
    arguments.extend(["--account".into(), args.account.to_string().into()]);
    arguments.extend(["--words".into(), args.words.to_string().into()]);
    if let Some(path) = &args.words_file {
        arguments.extend(["--words-file".into(), path.clone().into_os_string()]);
    }
    arguments.extend(global.ceremony_arguments());
    if global.json {
        arguments.push("--json".into());
    }
    become_vault(global, &arguments)
}
