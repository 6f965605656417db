//! One file per subcommand; here is what several of them share: opening the folder and its chain.

pub mod address;
pub mod balance;
pub mod bump;
pub mod coins;
pub mod demo;
pub mod facts;
pub mod history;
pub mod init;
pub mod pay;
pub mod payments;
pub mod reconcile;
pub mod regtest;
pub mod reserves;
pub mod status;
pub mod submit;
pub mod sync;
pub mod terms;
pub mod trust;
pub mod wallet;
pub mod way;

use std::path::Path;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::{Address, Network};
use serde_json::Value;

use crate::chain::core::Core;
use crate::chain::embedded::Embedded;
use crate::chain::{BlockSource, Relay};
use crate::config::{ChainConfig, Config};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::{Store, WatchedWallet};

/// A chain source that also relays.
pub trait Chain: BlockSource + Relay {}

impl<T: BlockSource + Relay> Chain for T {}

/// Connects to the chain source that `init` chose.
pub fn open_chain(dir: &Path, config: &Config) -> Result<Box<dyn Chain>> {
    Ok(match &config.chain {
        ChainConfig::Embedded => Box::new(Embedded::open(dir)?),
        ChainConfig::Core { url, cookie_file } => Box::new(Core::connect(url, cookie_file, config.network)?),
    })
}

/// The named wallet's row, or `None` for all wallets.
fn chosen(store: &Store, name: Option<&str>) -> Result<Option<WatchedWallet>> {
    name.map(|name| store.wallet(name)).transpose()
}

/// That the blocks in which this wallet, or each of them, may have been paid were begun to be read: what was never looked
/// at is not nothing. Errors: [`Error::NotScanned`].
fn scanned(store: &Store, wallet: Option<&WatchedWallet>) -> Result<()> {
    let Some(tip) = store.tip()? else { return Err(Error::NotScanned(None)) };
    let wallets = match wallet {
        Some(wallet) => vec![wallet.clone()],
        None => store.wallets()?,
    };
    let unread = wallets.into_iter().map(|wallet| wallet.imported).find(|w| w.birthday > tip.height);
    unread.map_or(Ok(()), |wallet| Err(Error::NotScanned(Some(wallet.name))))
}

/// The result when that was scanned which it speaks of, else the same as a refusal.
fn covered(store: &Store, wallet: Option<&WatchedWallet>, text: String, json: Value) -> Output {
    match scanned(store, wallet) {
        Ok(()) => Output::done(text, json),
        Err(unscanned) => Output::refused(text, json, unscanned),
    }
}

/// Unix time.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Unix time as documents have it.
fn unix_time() -> u64 {
    now().unsigned_abs()
}

/// An address that a person typed.
///
/// Errors: [`Error::Address`] when it is none, [`Error::OtherNetwork`] when it is another network's.
fn address_of(text: &str, network: Network) -> Result<Address> {
    let parsed = Address::from_str(text).map_err(|_| Error::Address { text: text.to_owned(), network })?;
    parsed.require_network(network).map_err(|_| Error::OtherNetwork {
        what: format!("the address {text}"),
        expected: network,
        found: "another network".to_owned(),
    })
}
