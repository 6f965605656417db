//! One file for each subcommand.

pub mod combine;
pub mod convert;
pub mod diff;
pub mod extract;
pub mod finalize;
pub mod inspect;

use crate::cli::{Cli, Command};
use psbt_tools::Error;
use psbt_tools::document::Document;
use psbt_tools::files;
use std::path::Path;
use std::process::ExitCode;

pub fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Combine(arguments) => combine::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Finalize(arguments) => finalize::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
    }
}

/// Tells the person what is wrong and what to do next.
pub fn complain(error: &Error) {
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

/// Reads and recognises a file within the default limit.
fn document(path: &Path) -> Result<Document, Error> {
    Document::parse(files::read(path, files::DEFAULT_LIMIT)?)
}
