//! `extract`: the transaction that can be broadcast.

use crate::{commands, output};
use bitcoin::consensus::encode::serialize_hex;
use clap::Args;
use policies::examine::FeeBounds;
use psbt_tools::{Error, finalize, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Prints the transaction of a finalised PSBT as hexadecimal; exit code 4 when it is not final.
///
/// Example: psbt-tools extract final.psbt -o payment.hex
#[derive(Debug, Args)]
pub struct Arguments {
    /// The finalised PSBT; `-` is standard input
    file: PathBuf,
    /// The file to write; standard output unless given
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let document = commands::document(&arguments.file)?;
    let psbt = strict::parse(document.psbt_bytes())?;
    let transaction = finalize::extract(&psbt, &FeeBounds::default())?;
    let text = format!("{}\n", serialize_hex(&transaction));
    output::write(&arguments.output, text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
