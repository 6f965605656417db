//! `export`

use crate::cli::Global;
use crate::output::Output;
use crate::report::export_json;
use crate::{Error, Result};
use clap::ValueEnum;
use psbt_tools::display::escape;
use psbt_tools::files;
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
    /// BIP129.
    Bsms,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    if args.format == Format::Bsms {
        return Err(Error::NotSupported("--format bsms".to_owned()));
    }
    let keys = global.vault()?.keys()?;
    let key = keys.named(&args.wallet)?;
    let json = export_json(key, keys.vault, &keys.audit_key);
    let document = match args.format {
        Format::Descriptor => format!("{}\n{}\n", key.external, key.internal),
        Format::Json | Format::Bsms => format!("{json:#}\n"),
    };
    match &args.output {
        None => Ok(Output::done(document, json)),
        Some(path) => {
            files::write_new(path, document.as_bytes(), 0o600)?;
            Ok(Output::done(format!("wrote {}", escape(&path.to_string_lossy())), json))
        }
    }
}
