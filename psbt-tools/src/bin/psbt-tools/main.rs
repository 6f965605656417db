//! `psbt-tools`: looks at PSBTs and takes them through BIP174's last roles. It holds no key.

mod cli;
mod commands;
mod report;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            if json {
                println!("{}", error.to_json());
            }
            commands::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
