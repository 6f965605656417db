//! The command line: parse, dispatch, print.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use psbt_tools::scanner;
use serde_json::json;

use crate::commands;
use crate::demo;
use crate::error::{Error, Result};
use crate::output::{Output, print_error};

/// Watches cold wallets: online, without private keys.
#[derive(Debug, Parser)]
#[command(
    name = "watch-node",
    version,
    about,
    after_help = "\
Exit codes: 0 done · 1 fault · 2 usage · 3 refused · 4 more is needed · 5 locked, frozen or stale\n\n\
Example: watch-node init --network regtest --chain embedded && watch-node regtest mine 101"
)]
struct Cli {
    /// The data folder [default: $XDG_DATA_HOME/airlock/watch-node].
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(commands::init::Args),
    #[command(subcommand)]
    Wallet(commands::wallet::Command),
    Sync(commands::sync::Args),
    Status(commands::status::Args),
    Trust(commands::trust::Args),
    Facts(commands::facts::Args),
    Pay(commands::pay::Args),
    Bump(commands::bump::Args),
    Submit(commands::submit::Args),
    Payments(commands::payments::Args),
    Reconcile(commands::reconcile::Args),
    Reserves(commands::reserves::Args),
    Demo(commands::demo::Args),
    Address(commands::address::Args),
    Balance(commands::balance::Args),
    History(commands::history::Args),
    Coins(commands::coins::Args),
    #[command(subcommand)]
    Regtest(commands::regtest::Command),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == scanner::CHILD_ARGUMENT) {
        return scanner::serve();
    }
    if std::env::args_os().nth(1).is_some_and(|first| first == demo::NO_TERMINAL) {
        let error = demo::become_without_terminal(std::env::args_os().skip(2));
        eprintln!("error: {error}");
        return u8::try_from(demo::NOT_STARTED).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(&cli) {
        Ok(output) => ExitCode::from(output.print(cli.json)),
        Err(error) => {
            print_error(&error, cli.json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: &Cli) -> Result<Output> {
    let dir = cli.data.clone().or_else(default_dir).ok_or(Error::Missing("--data DIR"))?;
    match &cli.command {
        Command::Init(args) => commands::init::run(&dir, args),
        Command::Wallet(command) => commands::wallet::run(&dir, command),
        Command::Sync(args) => commands::sync::run(&dir, args),
        Command::Status(args) => commands::status::run(&dir, args),
        Command::Trust(args) => commands::trust::run(&dir, args),
        Command::Facts(args) => commands::facts::run(&dir, args),
        Command::Pay(args) => commands::pay::run(&dir, args),
        Command::Bump(args) => commands::bump::run(&dir, args),
        Command::Submit(args) => commands::submit::run(&dir, args),
        Command::Payments(args) => commands::payments::run(&dir, args),
        Command::Reconcile(args) => commands::reconcile::run(&dir, args),
        Command::Reserves(args) => commands::reserves::run(&dir, args),
        Command::Demo(args) => commands::demo::run(args, cli.json),
        Command::Address(args) => commands::address::run(&dir, args),
        Command::Balance(args) => commands::balance::run(&dir, args),
        Command::History(args) => commands::history::run(&dir, args),
        Command::Coins(args) => commands::coins::run(&dir, args),
        Command::Regtest(command) => commands::regtest::run(&dir, command),
    }
}

/// XDG base directories: `$XDG_DATA_HOME`, else `~/.local/share`.
fn default_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("airlock/watch-node"))
}

/// clap prints help, version and usage errors; with `--json` a refusal is also an object.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    eprintln!("hint: see `watch-node --help`");
    if std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let words = message.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let message = words.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let object =
            json!({"error": {"code": "usage", "message": message, "hint": "see `watch-node --help`"}});
        Output::done("", object).print(true);
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
