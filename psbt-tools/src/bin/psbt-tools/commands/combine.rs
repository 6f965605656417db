//! `combine`: one PSBT with the signatures and documents of several copies.

use crate::commands;
use clap::Args;
use psbt_tools::combine::{Part, combine};
use psbt_tools::display::escape;
use psbt_tools::{Error, files, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Unites copies of one PSBT; every signature is verified first.
///
/// Example: psbt-tools combine signed-by-a.psbt signed-by-b.psbt -o signed.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// Two or more copies of one PSBT; one of them may be `-`, standard input
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file to write, in the encoding of the first; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let mut copies = Vec::with_capacity(arguments.files.len());
    let mut encoding = None;
    for path in &arguments.files {
        let document = commands::document(path)?;
        encoding.get_or_insert(document.encoding());
        copies.push((escape(&path.to_string_lossy()), strict::parse(document.psbt_bytes())?));
    }
    let parts: Vec<_> = copies.iter().map(|(name, psbt)| Part { name, psbt }).collect();
    let combined = combine(&parts)?;
    let encoding = encoding.unwrap_or(psbt_tools::document::Encoding::Base64);
    files::write_new(&arguments.output, &encoding.encode(&combined.psbt), 0o644)?;
    if combined.unverified > 0 {
        let noun = if combined.unverified == 1 { "input" } else { "inputs" };
        eprintln!(
            "note: signatures at {} {noun} are for scripts that are not verified here",
            combined.unverified
        );
    }
    Ok(ExitCode::SUCCESS)
}
