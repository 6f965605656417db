//! `finalize`: puts verified signatures where the transaction wants them.

use crate::commands;
use clap::Args;
use psbt_tools::{Error, files, finalize, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Finalises every input of a signed PSBT; exit code 4 when signatures are missing.
///
/// Example: psbt-tools finalize signed.psbt -o final.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// The signed PSBT; `-` is standard input
    file: PathBuf,
    /// The file to write, in the encoding the PSBT came in; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let document = commands::document(&arguments.file)?;
    let mut psbt = strict::parse(document.psbt_bytes())?;
    finalize::finalize(&mut psbt)?;
    files::write_new(&arguments.output, &document.encoding().encode(&psbt), 0o644)?;
    Ok(ExitCode::SUCCESS)
}
