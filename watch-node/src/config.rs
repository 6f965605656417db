//! What a data folder follows: network and chain source, fixed by `init`.

use std::path::PathBuf;

use bitcoin::Network;

/// The choices made at `init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The network of every wallet in this folder.
    pub network: Network,
    /// Where blocks come from.
    pub chain: ChainConfig,
}

/// A chain source and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainConfig {
    /// The in-process regtest chain in the data folder.
    Embedded,
    /// Bitcoin Core's RPC interface.
    Core {
        /// `http://HOST:PORT`.
        url: String,
        /// The cookie file of the running node.
        cookie_file: PathBuf,
    },
}
