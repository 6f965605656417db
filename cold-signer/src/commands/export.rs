//! `export`

use crate::cli::Global;
use crate::output::Output;
use crate::report::export_json;
use crate::{Error, Result};
use clap::ValueEnum;
use cold_wire::KeyInfo;
use psbt_tools::display::escape;
use psbt_tools::files;
use psbt_tools::wallet_file::bsms;
use std::path::PathBuf;

/// Write the public parts of a wallet for the online node, signed by the vault's audit key.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer export --wallet main -o main.json")]
pub struct Args {
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// What is written.
    #[arg(long, default_value = "json", value_name = "F")]
    format: Format,
    /// Where to; standard output when not given.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
}

/// Formats by their word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Airlock's own, with vault id, audit key and signature.
    Json,
    /// The two descriptors, one a line.
    Descriptor,
    /// BIP129, without encryption: a cosigner's key record, once registered the wallet's descriptor record.
    Bsms,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let keys = global.vault()?.keys()?;
    let key = keys.named(&args.wallet)?;
    let json = export_json(key, keys.vault, &keys.audit_key);
    let document = match args.format {
        Format::Json => format!("{json:#}\n"),
        Format::Descriptor => match &key.descriptors {
            Some(pair) => format!("{}\n", pair.join("\n")),
            None => return Err(Error::NoWalletYet(key.wallet.clone())),
        },
        Format::Bsms => format!("{}\n", bsms_text(key)?),
    };
    match &args.output {
        None => Ok(Output::done(document, json)),
        Some(path) => {
            files::write_new(path, document.as_bytes(), 0o600)?;
            Ok(Output::done(format!("wrote {}", escape(&path.to_string_lossy())), json))
        }
    }
}

/// Round 1 for a cosigner's key, round 2 for a wallet.
fn bsms_text(key: &KeyInfo) -> Result<String> {
    let missing = |what: &str| Error::NotSupported(format!("--format bsms for {what}"));
    match (key.registered(), key.bsms) {
        (Some(wallet), _) => {
            bsms::write(&wallet).ok_or_else(|| missing("keys with other branches than /0/* and /1/*"))
        }
        (None, Some(signature)) => {
            Ok(bsms::KeyRecord::new(bsms::Token::NONE, &key.key, &key.wallet, signature)?.text())
        }
        (None, None) => Err(missing("a key of another kind")),
    }
}
