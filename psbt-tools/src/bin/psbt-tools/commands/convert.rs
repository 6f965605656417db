//! `convert`: the same PSBT written down in another way.

use crate::commands;
use clap::{Args, ValueEnum};
use psbt_tools::document::Encoding;
use psbt_tools::{Error, files, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a PSBT in another encoding; no byte of the PSBT itself changes.
///
/// Example: psbt-tools convert payment.psbt -o payment.txt --to base64
#[derive(Debug, Args)]
pub struct Arguments {
    /// The PSBT: binary, base64 or hexadecimal; `-` is standard input
    file: PathBuf,
    /// The file to write; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// What to write
    #[arg(long, value_name = "FORM")]
    to: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// BIP174's text form
    Base64,
    /// The bytes themselves
    Binary,
    /// Hexadecimal text
    Hex,
    /// Version 0 (BIP174), in the encoding it came in
    V0,
    /// Version 2 (BIP370): not written by this version
    V2,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let encoding = match arguments.to {
        Form::Base64 => Some(Encoding::Base64),
        Form::Binary => Some(Encoding::Binary),
        Form::Hex => Some(Encoding::Hex),
        Form::V0 => None,
        Form::V2 => return Err(Error::NotWritten("PSBT version 2")),
    };
    let document = commands::document(&arguments.file)?;
    strict::parse(document.psbt_bytes())?;
    let encoding = encoding.unwrap_or(document.encoding());
    files::write_new(&arguments.output, &encoding.encode_bytes(document.psbt_bytes().to_vec()), 0o644)?;
    Ok(ExitCode::SUCCESS)
}
