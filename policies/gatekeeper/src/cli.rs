//! The command line: what was asked, which command answers, how the answer is printed.

use crate::Error;
use crate::commands;
use crate::folder::default_folder;
use crate::report::Report;
use clap::{Parser, Subcommand};
use policies::check::Check;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Checks payments against a company's policy and issues the permit without which a vault does not sign.
///
/// It can say yes or no; it can never sign a Bitcoin transaction.
#[derive(Debug, Parser)]
#[command(name = "gatekeeper", version)]
struct Arguments {
    /// Folder of the ledger [default: the XDG data folder, airlock/gatekeeper]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object, also on refusal
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new ledger and the authority that vaults pin
    #[command(after_help = "Example: gatekeeper init --policy company.toml --permit-key ~/.ssh/permit")]
    Init {
        /// The policy file
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
        /// An Ed25519 SSH key, or the .pub file of one that an agent holds
        #[arg(long, value_name = "FILE")]
        permit_key: PathBuf,
    },
    /// Policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Vaults
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Sign the request in a PSBT, at a terminal; needs no ledger
    #[command(
        after_help = "Example: gatekeeper request P-0042.psbt --key ~/.ssh/desk -o P-0042-request.psbt"
    )]
    Request {
        /// The PSBT from `watch-node pay`
        file: PathBuf,
        /// The requester's SSH key, or the .pub file of one that an agent holds
        #[arg(long, value_name = "F")]
        key: PathBuf,
        /// The signed file
        #[arg(short, value_name = "OUT")]
        out: PathBuf,
    },
    /// Judge payments, reserve their budget, issue their permits
    #[command(after_help = "Example: gatekeeper submit P-0042-request.psbt -o P-0042-permitted.psbt")]
    Submit {
        /// Requests
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The permitted file [default: NAME-permitted.psbt]
        #[arg(short, value_name = "OUT")]
        out: Option<PathBuf>,
        /// Accept checks that ask, by number: C19,C20
        #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
        accept: Vec<Check>,
    },
    /// Judge a payment as `submit` would, and write nothing
    #[command(after_help = "Example: gatekeeper check P-0042-request.psbt")]
    Check {
        /// A request
        file: PathBuf,
        /// Accept checks that ask, by number: C19,C20
        #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
        accept: Vec<Check>,
    },
    /// Issue the permit of a request
    #[command(after_help = "Example: gatekeeper issue P-0042-request.psbt -o P-0042-permitted.psbt")]
    Issue {
        /// A request
        file: PathBuf,
        /// The permitted file
        #[arg(short, value_name = "OUT")]
        out: PathBuf,
        /// Accept checks that ask, by number: C19,C20
        #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
        accept: Vec<Check>,
    },
    /// List what was permitted
    #[command(after_help = "Example: gatekeeper show --json")]
    Show,
    /// The ledger
    #[command(subcommand)]
    Log(LogCommand),
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Say what a policy file says, or everything that is wrong with it
    #[command(after_help = "Example: gatekeeper policy check company.toml")]
    Check {
        /// The policy file
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum VaultCommand {
    /// Bind a vault and its wallet to a name of the policy
    #[command(after_help = "Example: gatekeeper vault add savings.json")]
    Add {
        /// From `cold-signer export --format json`
        export: PathBuf,
        /// The wallet's name in the policy [default: its name in the vault]
        #[arg(long, value_name = "NAME")]
        wallet: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Verify every event from the beginning
    #[command(after_help = "Example: gatekeeper log verify")]
    Verify,
}

impl Command {
    /// Whether standard output carries the file, and nothing else may be said there.
    fn writes_to_stdout(&self) -> bool {
        let out = match self {
            Command::Request { out, .. } | Command::Issue { out, .. } => Some(out),
            Command::Submit { out, .. } => out.as_ref(),
            _ => None,
        };
        out.is_some_and(|out| out.as_os_str() == "-")
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let to_stdout = arguments.command.writes_to_stdout();
    match run(&arguments) {
        Ok(report) => {
            print_report(&report, arguments.json, to_stdout);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&error, arguments.json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, Error> {
    if arguments.json && arguments.command.writes_to_stdout() {
        return Err(Error::Usage {
            message: "`-o -` and --json both want standard output".to_owned(),
            hint: "name a file with -o".to_owned(),
        });
    }
    let now = unix_time();
    let data = || arguments.data.clone().map_or_else(default_folder, Ok);
    match &arguments.command {
        Command::Init { policy, permit_key } => commands::init::run(&data()?, policy, permit_key, now),
        Command::Policy(PolicyCommand::Check { file }) => commands::policy_check::run(file),
        Command::Vault(VaultCommand::Add { export, wallet }) => {
            commands::vault_add::run(&data()?, export, wallet.as_deref(), now)
        }
        Command::Request { file, key, out } => commands::request::run(file, key, out, now, |lines| {
            if arguments.command.writes_to_stdout() {
                lines.iter().for_each(|line| eprintln!("{line}"));
            } else if !arguments.json {
                print_lines(lines);
            }
        }),
        Command::Submit { files, out, accept } => {
            commands::submit::run(&data()?, files, out.as_deref(), accept, now)
        }
        Command::Check { file, accept } => commands::check::run(&data()?, file, accept, now),
        Command::Issue { file, out, accept } => {
            commands::submit::run(&data()?, std::slice::from_ref(file), Some(out), accept, now)
        }
        Command::Show => commands::show::run(&data()?),
        Command::Log(LogCommand::Verify) => commands::log_verify::run(&data()?),
    }
}

/// The only reading of the clock. Before 1970 it says 0, which every ledger refuses as set back.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn print_report(report: &Report, json: bool, to_stdout: bool) {
    if json {
        print_lines(&[Value::Object(report.json.clone()).to_string()]);
    } else if to_stdout {
        report.lines.iter().for_each(|line| eprintln!("{line}"));
    } else {
        print_lines(&report.lines);
    }
}

fn print_error(error: &Error, json: bool) {
    if json {
        print_lines(&[error.to_json().to_string()]);
        return;
    }
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

/// A reader that went away is no reason to fail: what was done is done.
fn print_lines(lines: &[String]) {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
}

/// clap's own messages; with `--json` among the arguments, as an object.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let hint = "see `gatekeeper --help`".to_owned();
        print_lines(&[Error::Usage { message: message.to_owned(), hint }.to_json().to_string()]);
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
