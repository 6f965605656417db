//! `address`

use crate::cli::Global;
use crate::output::Output;
use crate::{Error, Result, terminal};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, ScriptBuf};
use cold_wire::KeyInfo;
use policies::wallet::{Branch, Keypath, MAX_INDEX, Wallet};
use psbt_tools::display::{address_text, escape};
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// Most addresses of one list.
const MAX_LIST: u32 = 10_000;

/// Last index that is looked at when an address is searched, unless told otherwise.
pub const UP_TO: u32 = 1_000;

/// Furthest index that a search may go to.
pub const MAX_UP_TO: u32 = 1_000_000;

/// Derive addresses here, to compare them with what the online node shows, or find where one is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cold-signer address --wallet main --index 0\n\
Example: cold-signer address --wallet main --range 0..19\n\
Example: cold-signer address --wallet main --scan bc1q...\n\n\
--scan ends with exit code 3 when the address is not among those that were looked at.",
    group = clap::ArgGroup::new("place").required(true).args(["index", "range", "scan"])
)]
pub struct Args {
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// Index on the branch.
    #[arg(long, value_name = "I", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_INDEX)))]
    index: Option<u32>,
    /// Every index from A to B.
    #[arg(long, value_name = "A..B", value_parser = range)]
    range: Option<RangeInclusive<u32>>,
    /// Find where this address is, on both branches.
    #[arg(long, value_name = "ADDRESS")]
    scan: Option<String>,
    /// Last index that --scan looks at.
    #[arg(long, value_name = "N", requires = "scan", default_value_t = UP_TO,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_UP_TO)))]
    up_to: u32,
    /// The branch of change addresses; --scan looks at both.
    #[arg(long, conflicts_with = "scan")]
    change: bool,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let keys = global.vault()?.keys()?;
    let book = Book::new(keys.named(&args.wallet)?)?;
    let branch = if args.change { Branch::Internal } else { Branch::External };
    match (&args.scan, &args.range, args.index) {
        (Some(address), _, _) => book.find(address, args.up_to),
        (None, Some(range), _) => book.list(branch, range.clone()),
        (None, None, index) => book.one(Keypath { branch, index: index.unwrap_or_default() }),
    }
}

/// The addresses of a key.
pub struct Book<'a> {
    key: &'a KeyInfo,
    wallet: Wallet,
}

impl<'a> Book<'a> {
    /// Those of this key.
    ///
    /// # Errors
    /// [`Error::Wallet`] when its descriptors are none.
    pub fn new(key: &'a KeyInfo) -> Result<Self> {
        let pair = key.descriptors.as_ref().ok_or_else(|| Error::NoWalletYet(key.wallet.clone()))?;
        let wallet = Wallet::new(key.network, pair).map_err(|error| unusable(key, error.to_string()))?;
        Ok(Self { key, wallet })
    }

    /// The address at a place.
    ///
    /// # Errors
    /// [`Error::Wallet`] when nothing derives there.
    pub fn address(&self, keypath: Keypath) -> Result<String> {
        let address = self.wallet.address(keypath).map(|address| address.to_string());
        address.ok_or_else(|| unusable(self.key, format!("nothing derives at {keypath}")))
    }

    fn path(&self, keypath: Keypath) -> String {
        let own = (0..self.wallet.places().len())
            .find(|place| self.wallet.key_at(*place).is_some_and(|key| key.to_string() == self.key.key));
        let source = own.and_then(|place| self.wallet.source(place, keypath));
        source.map_or_else(|| keypath.to_string(), |(_, path)| format!("m/{path}"))
    }

    fn one(&self, keypath: Keypath) -> Result<Output> {
        let address = self.address(keypath)?;
        let path = self.path(keypath);
        let text = format!("{}\npath {path} on {}", address_text(&address), self.key.network);
        Ok(Output::done(text, self.json(&json!({"address": address, "path": path}))))
    }

    fn list(&self, branch: Branch, range: RangeInclusive<u32>) -> Result<Output> {
        let mut lines = vec![format!(
            "wallet {} on {}, branch {}",
            escape(&self.key.wallet),
            self.key.network,
            branch.number()
        )];
        let mut addresses = Vec::new();
        for index in range {
            stopped()?;
            let keypath = Keypath { branch, index };
            let address = self.address(keypath)?;
            lines.push(format!("{index:>8}  {}", address_text(&address)));
            addresses.push(json!({"index": index, "address": address, "path": self.path(keypath)}));
        }
        Ok(Output::done(lines.join("\n"), self.json(&json!({"addresses": addresses}))))
    }

    fn find(&self, typed: &str, up_to: u32) -> Result<Output> {
        let (address, keypath) = self.place(typed, up_to)?;
        let Keypath { branch, index } = keypath;
        let (path, change) = (self.path(keypath), branch == Branch::Internal);
        let kind = if change { "change" } else { "receiving" };
        let text = format!(
            "{}\nis {kind} address {index} of wallet {}\npath {path} on {}",
            address_text(&address),
            escape(&self.key.wallet),
            self.key.network
        );
        let json = json!({"address": address, "path": path, "index": index, "change": change});
        Ok(Output::done(text, self.json(&json)))
    }

    /// Looks at both branches, index by index: the nearest place is the one that is meant.
    ///
    /// # Errors
    /// [`Error::NotOurs`], and [`Error::Usage`] for what is no address.
    pub fn place(&self, typed: &str, up_to: u32) -> Result<(String, Keypath)> {
        let (address, script) = self.parse(typed)?;
        for index in 0..=up_to {
            stopped()?;
            for branch in Branch::ALL {
                let keypath = Keypath { branch, index };
                if self.wallet.script(keypath).as_ref() == Some(&script) {
                    return Ok((address, keypath));
                }
            }
        }
        Err(Error::NotOurs { address, wallet: self.key.wallet.clone(), up_to })
    }

    /// The wallet.
    pub fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// The address as this network writes it, with its script. Blanks between groups are none of it.
    fn parse(&self, typed: &str) -> Result<(String, ScriptBuf)> {
        let compact: String = typed.split_whitespace().collect();
        let address: Address<NetworkUnchecked> = compact.parse().map_err(|_| {
            Error::Usage(format!("`{}` is no address: a letter is wrong or missing", escape(typed)))
        })?;
        let address = address
            .require_network(self.key.network)
            .map_err(|_| Error::Differs("the address is for another network than the wallet"))?;
        Ok((address.to_string(), address.script_pubkey()))
    }

    /// The object of a result, with wallet and network.
    fn json(&self, found: &Value) -> Value {
        let mut object = json!({"wallet": self.key.wallet, "network": self.key.network.to_string()});
        if let (Some(object), Some(found)) = (object.as_object_mut(), found.as_object()) {
            object.extend(found.clone());
        }
        object
    }
}

fn unusable(key: &KeyInfo, reason: String) -> Error {
    Error::Wallet { wallet: key.wallet.clone(), reason }
}

fn stopped() -> Result<()> {
    if terminal::interrupted() { Err(Error::Stopped("Ctrl-C")) } else { Ok(()) }
}

/// `A..B`, both ends among them.
fn range(text: &str) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = text.split_once("..").ok_or("expected A..B, e.g. 0..19")?;
    let index = |text: &str| text.parse::<u32>().ok().filter(|index| *index <= MAX_INDEX);
    let (Some(first), Some(last)) = (index(first), index(last)) else {
        return Err(format!("expected two indices of at most {MAX_INDEX}"));
    };
    match last.checked_sub(first) {
        None => Err(format!("{first} comes after {last}")),
        Some(more) if more >= MAX_LIST => Err(format!("at most {MAX_LIST} addresses at once")),
        Some(_) => Ok(first..=last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends_and_a_bound() {
        assert_eq!(range("0..19"), Ok(0..=19));
        assert_eq!(range("7..7"), Ok(7..=7));
        assert_eq!(range(&format!("1..{MAX_LIST}")), Ok(1..=MAX_LIST));
        for bad in ["", "5", "..", "3..", "..3", "4..3", "-1..3", "0..10000", "0..2147483648", "0..=3"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
