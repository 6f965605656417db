//! `init`: makes a folder that follows one network and one chain source.

use std::path::{Path, PathBuf};

use bitcoin::Network;
use clap::ValueEnum;
use serde_json::json;

use super::open_chain;
use crate::config::{ChainConfig, Config};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::Store;

/// Makes a data folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node init --network signet --chain core \
--url http://127.0.0.1:38332 --cookie-file ~/.bitcoin/signet/.cookie")]
pub struct Args {
    /// The network of every wallet in this folder.
    #[arg(long, default_value = "bitcoin", value_parser = parse_network, value_name = "bitcoin|testnet|testnet4|signet|regtest")]
    network: Network,
    /// Where blocks come from: p2p, electrum and esplora come with a later version.
    #[arg(long, value_enum, default_value = "p2p")]
    chain: ChainKind,
    /// Bitcoin Core's RPC address, http://HOST:PORT.
    #[arg(long)]
    url: Option<String>,
    /// Bitcoin Core's cookie file.
    #[arg(long, value_name = "FILE")]
    cookie_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChainKind {
    Embedded,
    Core,
    P2p,
    Electrum,
    Esplora,
}

/// Checks that the source answers and is on the right network, then writes the folder.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let chain = match args.chain {
        ChainKind::Embedded if args.network != Network::Regtest => {
            return Err(Error::EmbeddedOffRegtest(args.network));
        }
        ChainKind::Embedded => ChainConfig::Embedded,
        ChainKind::Core => {
            let url = args.url.clone().ok_or(Error::Missing("--url"))?;
            let cookie_file = args.cookie_file.clone().ok_or(Error::Missing("--cookie-file"))?;
            let cookie_file = std::path::absolute(&cookie_file).map_err(Error::file(&cookie_file))?;
            ChainConfig::Core { url, cookie_file }
        }
        ChainKind::P2p => return Err(Error::ChainUnavailable("p2p")),
        ChainKind::Electrum => return Err(Error::ChainUnavailable("electrum")),
        ChainKind::Esplora => return Err(Error::ChainUnavailable("esplora")),
    };
    let config = Config { network: args.network, chain };
    if matches!(config.chain, ChainConfig::Core { .. }) {
        open_chain(dir, &config)?;
    }
    let store = Store::create(dir, &config)?;
    let tip = open_chain(dir, &config)?.tip()?;
    let text = format!(
        "{} follows {} from {}; its tip is at height {}.\nNext: watch-node wallet import NAME --file EXPORT.json",
        psbt_tools::display::escape(&store.dir().to_string_lossy()),
        args.network,
        match &config.chain {
            ChainConfig::Embedded => "the embedded chain".to_owned(),
            ChainConfig::Core { url, .. } => format!("Bitcoin Core at {url}"),
        },
        tip.height
    );
    let network = args.network.to_string();
    Ok(Output::done(text, json!({"network": network, "data": store.dir(), "tip": tip.height})))
}

fn parse_network(text: &str) -> Result<Network, String> {
    match text {
        "mainnet" => Ok(Network::Bitcoin),
        other => {
            other.parse().map_err(|_| "expected bitcoin, testnet, testnet4, signet or regtest".to_owned())
        }
    }
}
