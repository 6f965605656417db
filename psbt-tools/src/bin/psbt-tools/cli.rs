//! The command line.

use crate::commands::{combine, convert, diff, extract, finalize, inspect};
use clap::{Parser, Subcommand};

/// Looks at PSBTs, compares, combines, finalises and extracts them. Holds no keys.
///
/// Exit codes: 0 done or clean · 1 fault · 2 usage · 3 refused · 4 signatures are missing.
#[derive(Debug, Parser)]
#[command(name = "psbt-tools", version, verbatim_doc_comment)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Inspect(inspect::Arguments),
    Diff(diff::Arguments),
    Combine(combine::Arguments),
    Convert(convert::Arguments),
    Finalize(finalize::Arguments),
    Extract(extract::Arguments),
}

impl Cli {
    /// Whether a failure is also printed as JSON.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::Inspect(arguments) => arguments.json,
            Command::Diff(arguments) => arguments.json,
            Command::Combine(_) | Command::Convert(_) | Command::Finalize(_) | Command::Extract(_) => false,
        }
    }
}
