//! `address`

use crate::cli::Global;
use crate::output::Output;
use crate::{Error, Result};
use policies::wallet::{Branch, Keypath, MAX_INDEX, Wallet};
use psbt_tools::display::address_text;
use serde_json::json;

/// Derive an address here, to compare it with what the online node shows.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer address --wallet main --index 0")]
pub struct Args {
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// Index on the branch.
    #[arg(long, value_name = "I", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_INDEX)))]
    index: u32,
    /// The branch of change addresses.
    #[arg(long)]
    change: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let keys = global.vault()?.keys()?;
    let key = keys.named(&args.wallet)?;
    let unusable = |reason: String| Error::Wallet { wallet: args.wallet.clone(), reason };
    let wallet = Wallet::new(key.network, &[&key.external, &key.internal])
        .map_err(|error| unusable(error.to_string()))?;
    let branch = if args.change { Branch::Internal } else { Branch::External };
    let keypath = Keypath { branch, index: args.index };
    let address =
        wallet.address(keypath).ok_or_else(|| unusable(format!("nothing derives at {keypath}")))?.to_string();
    let path = format!("{}/{keypath}", account(&key.external));
    let json =
        json!({"wallet": args.wallet, "network": key.network.to_string(), "address": address, "path": path});
    Ok(Output::done(format!("{}\npath {path} on {}", address_text(&address), key.network), json))
}

/// `m/84'/0'/0'` of `wpkh([d34db33f/84'/0'/0']xpub…/0/*)`: the key's origin (BIP380).
fn account(descriptor: &str) -> String {
    let origin =
        descriptor.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(origin, _)| origin);
    match origin.and_then(|origin| origin.split_once('/')) {
        Some((_, path)) => format!("m/{path}"),
        None => "m".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_begins_with_the_keys_origin() {
        assert_eq!(account("wpkh([d34db33f/84'/0'/0']xpub/0/*)#c"), "m/84'/0'/0'");
        assert_eq!(account("wpkh(xpub/0/*)"), "m");
    }
}
