//! `combine`: one PSBT with the signatures and documents of several copies.

use crate::commands::Copies;
use crate::output;
use clap::Args;
use psbt_tools::Error;
use psbt_tools::combine::combine;
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
    /// The file to write, in the version and encoding of the first; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let copies = Copies::read(&arguments.files)?;
    let combined = combine(&copies.parts())?;
    let bytes = copies.encoding.encode_bytes(combined.form.serialize(&combined.psbt));
    output::write(&arguments.output, &bytes)?;
    if combined.unverified > 0 {
        let noun = if combined.unverified == 1 { "input" } else { "inputs" };
        output::say(format_args!(
            "note: signatures at {} {noun} are for scripts that are not verified here",
            combined.unverified
        ));
    }
    Ok(ExitCode::SUCCESS)
}
