//! `multisig`: BIP129's coordinator, who collects every signer's key and makes the wallet of them.

use super::wallet::{describe, line, token};
use crate::output::{print, write};
use clap::{Args, ValueEnum};
use policies::wallet::{Branch, Wallet, WalletKind};
use psbt_tools::display::{escape, network_from_word};
use psbt_tools::wallet_file::{self, MAX_LEN, Target, bsms};
use psbt_tools::{Error, files};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes a multisig wallet of the signers' BSMS key records (BIP129): the descriptor record that each of them registers.
///
/// Every record's signature is verified. Keys are sorted at each address (BIP67), so their order does not matter.
///
/// Example: psbt-tools multisig --threshold 2 alice.bsms bob.bsms carol.bsms -o wallet.bsms
#[derive(Debug, Args)]
pub struct Arguments {
    /// The key record of each signer
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "M")]
    threshold: usize,
    /// What kind of script
    #[arg(long, value_name = "KIND", default_value = "wsh")]
    kind: Kind,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest
    #[arg(long, value_name = "N", default_value = "mainnet")]
    network: String,
    /// The token of BIP129 is the first line of this file: key records encrypted with it are read, the wallet's is encrypted
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Print one JSON object, which holds the record as well
    #[arg(long)]
    pub json: bool,
}

/// Kinds of sorted multisig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Native segwit
    Wsh,
    /// Nested segwit
    ShWsh,
    /// Legacy
    Sh,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let network = network_from_word(&arguments.network)?;
    let kind = match arguments.kind {
        Kind::Wsh => WalletKind::Wsh,
        Kind::ShWsh => WalletKind::ShWsh,
        Kind::Sh => WalletKind::Sh,
    };
    let token = arguments.token_file.as_deref().map(token).transpose()?.unwrap_or(bsms::Token::NONE);
    let records = arguments.files.iter().map(|path| record(path, &token)).collect::<Result<Vec<_>, _>>()?;
    let wallet = bsms::coordinate(network, kind, arguments.threshold, &records)?;
    let record = wallet_file::write(&wallet, Target::Bsms, "", None).ok_or_else(|| {
        Error::malformed("these keys make no BSMS record", "let every signer write its key record again")
    })?;
    let record = bsms::encrypt(record.trim_end(), &token);
    let is_printed = files::is_dash(&arguments.output);
    if !(is_printed && arguments.json) {
        write(&arguments.output, record.as_bytes())?;
    }
    if arguments.json {
        print(&format!("{}\n", to_json(&wallet, &records, &record)))?;
    } else if !is_printed {
        print(&words(arguments, &wallet, &records, &token))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn record(path: &Path, token: &bsms::Token) -> Result<bsms::KeyRecord, Error> {
    let bytes = files::read(path, MAX_LEN as u64)?;
    bsms::KeyRecord::parse_with_token(&String::from_utf8_lossy(&bytes), token).map_err(|error| {
        Error::malformed(
            format!("{}: {error}", escape(&path.to_string_lossy())),
            error.hint().unwrap_or_default(),
        )
    })
}

/// What was made, and what comes next.
fn words(arguments: &Arguments, wallet: &Wallet, records: &[bsms::KeyRecord], token: &bsms::Token) -> String {
    let mut out = String::new();
    for (record, path) in records.iter().zip(&arguments.files) {
        let file = escape(&path.to_string_lossy());
        let name = escape(record.description());
        let plain = match record.token() == token {
            true => "",
            false => ", without the token: ask its owner whether it is theirs",
        };
        let key = key_of(wallet, record);
        line(&mut out, "record", &format!("{file}: {key}, \"{name}\"{plain}"));
    }
    describe(&mut out, wallet);
    let file = escape(&arguments.output.to_string_lossy());
    line(&mut out, "wrote", &file);
    line(&mut out, "next", &format!("every signer: cold-signer register --wallet NAME --file {file}"));
    line(&mut out, "", "the words must be the same on every screen");
    out
}

fn to_json(wallet: &Wallet, records: &[bsms::KeyRecord], written: &str) -> Value {
    let signers =
        records.iter().map(|record| json!({"key": record.key(), "description": record.description()}));
    json!({
        "network": wallet.network().to_string(),
        "kind": wallet.kind().as_str(),
        "wallet_id": wallet.id().to_string(),
        "words": wallet.id().words(),
        "signers": signers.collect::<Value>(),
        "external": wallet.descriptor(Branch::External),
        "internal": wallet.descriptor(Branch::Internal),
        "record": written,
    })
}

/// `key 2`, by its number in the wallet.
fn key_of(wallet: &Wallet, record: &bsms::KeyRecord) -> String {
    let number = wallet.keys().iter().position(|key| Some(key.xpub) == record.xpub());
    format!("key {}", number.unwrap_or_default().saturating_add(1))
}
