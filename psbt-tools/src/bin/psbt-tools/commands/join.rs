//! `join`: one payment out of several that nobody has signed.

use crate::commands::Copies;
use crate::output;
use clap::Args;
use psbt_tools::Error;
use psbt_tools::join::join;
use std::path::PathBuf;
use std::process::ExitCode;

/// Puts the inputs and outputs of several unsigned PSBTs into one.
///
/// They stand in the order of the files, with all their fields. A file that is signed, that spends a coin of another
/// one, or to which no inputs and outputs may be added (version 2) is refused.
///
/// Example: psbt-tools join rent.psbt wages.psbt -o both.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// Two or more unsigned PSBTs of one version; one of them may be `-`, standard input
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file to write, in the encoding of the first; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let copies = Copies::read(&arguments.files)?;
    let joined = join(&copies.parts())?;
    let bytes = copies.encoding.encode_bytes(joined.form.serialize(&joined.psbt));
    output::write(&arguments.output, &bytes)?;
    Ok(ExitCode::SUCCESS)
}
