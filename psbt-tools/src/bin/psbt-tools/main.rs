//! `psbt-tools`: looks at PSBTs and takes them through BIP174's last roles. It holds no key.

mod cli;
mod commands;
mod output;
mod report;

use clap::Parser;
use psbt_tools::scanner;
use serde_json::json;
use std::process::ExitCode;

fn main() -> ExitCode {
    // The process that decodes what was seen, before anything else is looked at.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == scanner::CHILD_ARGUMENT) {
        return scanner::serve();
    }
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.json();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            if json {
                // The error itself is what the exit code says.
                let _ = output::print(&format!("{}\n", error.to_json()));
            }
            commands::complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// clap prints help, version and usage errors; with `--json` a usage error is an object as well.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let hint = "see `psbt-tools --help`";
    output::say(format_args!("hint: {hint}"));
    if std::env::args_os().any(|argument| argument == "--json") {
        let message = error.to_string();
        let words = message.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let message = words.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let object = json!({"error": {"code": "usage", "message": message, "hint": hint}});
        let _ = output::print(&format!("{object}\n"));
    }
    ExitCode::from(2)
}
