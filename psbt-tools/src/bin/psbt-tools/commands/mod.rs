//! One file for each subcommand.

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
        Command::Finalize(arguments) => finalize::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
    }
}

/// Reads and recognises a file within the default limit.
fn document(path: &Path) -> Result<Document, Error> {
    Document::parse(files::read(path, files::DEFAULT_LIMIT)?)
}
