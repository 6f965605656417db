//! `cold-vault`: the process that holds keys, at its own terminal.

use std::process::ExitCode;

fn main() -> ExitCode {
    cold_vault::commands::run()
}
