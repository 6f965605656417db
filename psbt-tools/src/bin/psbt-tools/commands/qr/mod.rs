//! `qr`: payloads as animated QR codes.

mod scan;
mod show;

use clap::{Args, Subcommand};
use psbt_tools::Error;
use std::process::ExitCode;

/// Shows files as animated QR codes, and reads pictures of them.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Arguments),
    Scan(scan::Arguments),
}

impl Arguments {
    /// Whether a failure is also printed as JSON.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::Show(arguments) => arguments.json,
            Command::Scan(arguments) => arguments.json,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    match &arguments.command {
        Command::Show(arguments) => show::run(arguments),
        Command::Scan(arguments) => scan::run(arguments),
    }
}
