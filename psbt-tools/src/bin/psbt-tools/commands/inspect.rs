//! `inspect`: everything that a PSBT says, and what the checks say of it.

use crate::{output, report};
use bitcoin::hashes::{Hash, sha256};
use clap::Args;
use policies::check::Outcome;
use policies::wallet::Wallet;
use psbt_tools::display::{hex, network_from_word, words_of};
use psbt_tools::document::Document;
use psbt_tools::import::{Context, import_document};
use psbt_tools::reply::{self, Reply};
use psbt_tools::{Error, files};
use serde_json::Value;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Shows a PSBT whole and runs every check; exit code 3 when one refuses. Of a reply: whose it is, to which spend, and how
/// much it brings.
///
/// Example: psbt-tools inspect payment.psbt --descriptor "wpkh([73c5da0a/84h/0h/0h]xpub…/<0;1>/*)"
#[derive(Debug, Args)]
pub struct Arguments {
    /// The PSBT: binary, base64 or hexadecimal; `-` is standard input
    file: PathBuf,
    /// The wallet it should spend from: one descriptor with <0;1>, or the pair for /0/* and /1/*
    #[arg(long = "descriptor", value_name = "D")]
    descriptors: Vec<String>,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest
    #[arg(long, value_name = "N", default_value = "mainnet")]
    network: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let network = network_from_word(&arguments.network)?;
    let wallets = match arguments.descriptors.as_slice() {
        [] => Vec::new(),
        descriptors => vec![Wallet::new(network, descriptors)?],
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
    let context = Context { network: Some(network), now, ..Context::default() };
    let bytes = files::read(&arguments.file, files::DEFAULT_LIMIT)?;
    if reply::binary(&bytes).is_some() {
        return show_reply(&bytes, arguments.json);
    }
    let imported = import_document(Document::parse(bytes)?, &wallets, &context)?;
    let inspection = imported.inspection();
    let text = if arguments.json {
        format!("{}\n", inspection.to_json())
    } else {
        report::text(inspection, !wallets.is_empty())
    };
    output::print(&text)?;
    if inspection.verdict() == Outcome::Refuse {
        report::refusals(inspection);
        return Ok(ExitCode::from(3));
    }
    Ok(ExitCode::SUCCESS)
}

/// A reply says nothing of amounts and recipients: the PSBT does.
fn show_reply(bytes: &[u8], as_json: bool) -> Result<ExitCode, Error> {
    let reply = Reply::read(bytes)?;
    let (sha256, words) = (hex(sha256::Hash::hash(bytes).as_byte_array()), words_of(bytes));
    if as_json {
        let mut object = reply.to_json();
        object.insert("sha256".to_owned(), sha256.into());
        object.insert("words".to_owned(), words.into());
        output::print(&format!("{}\n", Value::Object(object)))?;
    } else {
        let file = format!("file           SHA-256 {sha256}, {} bytes", bytes.len());
        let lines: Vec<_> =
            reply.lines().into_iter().chain([file, format!("words          {words}")]).collect();
        output::print(&format!("{}\n", lines.join("\n")))?;
    }
    Ok(ExitCode::SUCCESS)
}
