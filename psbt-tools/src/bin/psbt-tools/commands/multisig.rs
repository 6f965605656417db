//! `multisig`: BIP129's coordinator, who collects every signer's key and makes the wallet of them.

use super::wallet::write;
use clap::{Args, ValueEnum};
use policies::wallet::WalletKind;
use psbt_tools::display::{escape, network_from_word};
use psbt_tools::wallet_file::{MAX_LEN, bsms};
use psbt_tools::{Error, files};
use std::path::PathBuf;
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
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
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
    let mut records = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        let bytes = files::read(path, MAX_LEN as u64)?;
        let text = String::from_utf8_lossy(&bytes);
        records.push(bsms::KeyRecord::parse(&text).map_err(|error| {
            Error::malformed(
                format!("{}: {error}", escape(&path.to_string_lossy())),
                error.hint().unwrap_or_default(),
            )
        })?);
    }
    let wallet = bsms::coordinate(network, kind, arguments.threshold, &records)?;
    let record = bsms::write(&wallet).ok_or_else(|| {
        Error::malformed("these keys make no BSMS record", "let every signer write its key record again")
    })?;
    write(&arguments.output, record.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
