//! `wallet`: what a wallet description says, and the same in another program's format.

use crate::output::{print, write};
use bitcoin::{Network, NetworkKind};
use clap::{Args, ValueEnum};
use policies::examine::key_name;
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::display::{address_text, escape, network_from_word};
use psbt_tools::wallet_file::{self, WalletFile, bsms};
use psbt_tools::{Error, files};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How many addresses of each branch are in the JSON.
const ADDRESSES: u32 = 5;

/// Longest file with a token, in bytes.
const MAX_TOKEN_LEN: u64 = 1 << 10;

/// Shows the wallet that a file describes: kind, keys, who can spend, identifier, first addresses.
///
/// Reads descriptors, BIP388 policies, BSMS records, our own exports, and what Sparrow, Specter, Electrum, Coldcard and
/// Bitcoin Core write. Compare the keys with every cosigner before you register it.
///
/// Example: psbt-tools wallet sparrow.txt --network regtest
#[derive(Debug, Args)]
pub struct Arguments {
    /// The wallet description; `-` is standard input
    file: PathBuf,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest; needed for test networks that the file does not name
    #[arg(long, value_name = "N")]
    network: Option<String>,
    /// The token of an encrypted BSMS record is the first line of this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Write it in another format
    #[arg(long, value_name = "FORMAT")]
    to: Option<Target>,
    /// Where --to writes; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-", requires = "to")]
    output: PathBuf,
    /// The wallet's name in formats that have one; the file's own when not given
    #[arg(long, value_name = "NAME", requires = "to")]
    name: Option<String>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "to")]
    pub json: bool,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The two descriptors, one a line
    Descriptor,
    /// A wallet policy as JSON
    Bip388,
    /// A BSMS descriptor record
    Bsms,
    /// A Coldcard's multisig file, which Sparrow, Specter and Electrum read too
    Coldcard,
    /// What Bitcoin Core's `importdescriptors` takes
    Core,
    /// The JSON of Specter and Fully Noded, which Sparrow reads too
    Specter,
}

impl Target {
    fn format(self) -> wallet_file::Target {
        match self {
            Target::Descriptor => wallet_file::Target::Descriptor,
            Target::Bip388 => wallet_file::Target::Bip388,
            Target::Bsms => wallet_file::Target::Bsms,
            Target::Coldcard => wallet_file::Target::Coldcard,
            Target::Core => wallet_file::Target::Core,
            Target::Specter => wallet_file::Target::Specter,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let network = arguments.network.as_deref().map(network_from_word).transpose()?;
    let token = arguments.token_file.as_deref().map(token).transpose()?;
    let bytes = files::read(&arguments.file, wallet_file::MAX_LEN as u64)?;
    let file = wallet_file::read_with_token(&bytes, token.as_ref())?;
    let wallet = file.wallet(chosen(&file, network)?)?;
    match arguments.to {
        Some(target) => {
            let name = arguments.name.as_deref().or(file.name.as_deref()).unwrap_or("wallet");
            write(&arguments.output, written(&wallet, target, name)?.as_bytes())?;
        }
        None if arguments.json => print(&format!("{}\n", to_json(&file, &wallet)))?,
        None => print(&words(&file, &wallet))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The network to take: the one that was asked for, else the file's, else mainnet if its keys are for mainnet.
fn chosen(file: &WalletFile, asked: Option<Network>) -> Result<Network, Error> {
    match (asked.or(file.network), file.network_kind()) {
        (Some(network), _) => Ok(network),
        (None, Some(NetworkKind::Test)) => Err(Error::malformed(
            format!("{}: its keys are for test networks, and it does not say which", file.format.title()),
            "name it: --network testnet4, signet or regtest",
        )),
        (None, Some(NetworkKind::Main) | None) => Ok(Network::Bitcoin),
    }
}

fn written(wallet: &Wallet, target: Target, name: &str) -> Result<String, Error> {
    wallet_file::write(wallet, target.format(), name, None).ok_or_else(|| {
        Error::malformed(
            "this format has no words for this wallet",
            "Coldcard files are for sortedmulti; BSMS, Specter and Coldcard for branches 0 and 1; --to descriptor says everything",
        )
    })
}

/// The token on a file's first line.
pub(super) fn token(path: &Path) -> Result<bsms::Token, Error> {
    let bytes = files::read(path, MAX_TOKEN_LEN)?;
    let text = String::from_utf8_lossy(&bytes);
    bsms::Token::parse(text.lines().next().unwrap_or_default().trim())
}

fn words(file: &WalletFile, wallet: &Wallet) -> String {
    let mut out = format!("format         {}\n", file.format.title());
    if let Some(name) = &file.name {
        line(&mut out, "name", &format!("\"{}\"", escape(name)));
    }
    describe(&mut out, wallet);
    for note in &file.notes {
        line(&mut out, "note", note);
    }
    out
}

/// What cosigners compare, in the words of `cold-signer register`.
pub(super) fn describe(out: &mut String, wallet: &Wallet) {
    line(out, "network", &wallet.network().to_string());
    line(out, "kind", wallet.kind().as_str());
    line(out, "wallet", &wallet.id().to_string());
    line(out, "words", &wallet.id().words());
    for (at, key) in wallet.keys().iter().enumerate() {
        line(out, &format!("key {}", at.saturating_add(1)), &key.to_string());
    }
    for (at, path) in wallet.paths().iter().enumerate() {
        line(out, if at == 0 { "spends" } else { "or" }, &path.text(&|place| key_name(wallet, place)));
    }
    for (branch, word) in [(Branch::External, "external"), (Branch::Internal, "internal")] {
        line(out, word, &wallet.descriptor(branch));
        if let Some(address) = wallet.address(Keypath { branch, index: 0 }) {
            line(out, "  first", &address_text(&address.to_string()));
        }
    }
}

pub(super) fn line(out: &mut String, word: &str, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{word:<14} {text}");
}

fn to_json(file: &WalletFile, wallet: &Wallet) -> Value {
    let keys: Vec<_> = wallet
        .keys()
        .iter()
        .map(|key| {
            json!({
                "key": key.to_string(),
                "fingerprint": key.fingerprint.to_string(),
                "path": key.origin.to_string(),
                "xpub": key.xpub.to_string(),
            })
        })
        .collect();
    let addresses = |branch: Branch| -> Vec<String> {
        let at = |index| wallet.address(Keypath { branch, index }).map(|address| address.to_string());
        (0..ADDRESSES).filter_map(at).collect()
    };
    let paths: Vec<_> =
        wallet.paths().iter().map(|path| path.text(&|place| key_name(wallet, place))).collect();
    json!({
        "format": file.format.as_str(),
        "name": file.name,
        "network": wallet.network().to_string(),
        "kind": wallet.kind().as_str(),
        "wallet_id": wallet.id().to_string(),
        "words": wallet.id().words(),
        "keys": keys,
        "paths": paths,
        "external": wallet.descriptor(Branch::External),
        "internal": wallet.descriptor(Branch::Internal),
        "addresses": { "external": addresses(Branch::External), "internal": addresses(Branch::Internal) },
        "notes": file.notes,
    })
}
