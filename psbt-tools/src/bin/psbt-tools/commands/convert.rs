//! `convert`: the same PSBT in another version or encoding.

use crate::{commands, output};
use clap::{Args, ValueEnum};
use psbt_tools::convert::{to_version_0, to_version_2};
use psbt_tools::document::Encoding;
use psbt_tools::{Error, manifest, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a PSBT in another version or encoding.
///
/// Another encoding changes no byte of the PSBT itself. Another version keeps every field that both have, also those that
/// are not known here; what only version 2 says (fallback and required locktimes, what may still be added) is not in
/// version 0.
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
    /// Version 2 (BIP370), in the encoding it came in
    V2,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let document = commands::document(&arguments.file)?;
    let bytes = document.psbt_bytes();
    // A file that was damaged on its way is not made to look whole.
    manifest::checked(bytes, &strict::parse(bytes)?)?;
    let (encoding, bytes) = match arguments.to {
        Form::Base64 => (Encoding::Base64, bytes.to_vec()),
        Form::Binary => (Encoding::Binary, bytes.to_vec()),
        Form::Hex => (Encoding::Hex, bytes.to_vec()),
        Form::V0 => (document.encoding(), to_version_0(bytes)?),
        Form::V2 => (document.encoding(), to_version_2(bytes)?),
    };
    output::write(&arguments.output, &encoding.encode_bytes(bytes))?;
    Ok(ExitCode::SUCCESS)
}
