//! The command line: what was asked, which command answers, how the answer is printed.

use crate::Error;
use crate::commands;
use crate::commands::approve::By;
use crate::commands::submit::Unapproved;
use crate::folder::default_folder;
use crate::ledger::alarm::IncidentId;
use crate::report::Report;
use bitcoin::BlockHash;
use clap::{Parser, Subcommand};
use policies::check::Check;
use psbt_tools::files::is_dash;
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
        /// Height and hash of a block where the chain of headers begins; must be given on bitcoin [default elsewhere: the
        /// genesis block]
        #[arg(long, value_name = "HEIGHT:HASH", value_parser = checkpoint)]
        checkpoint: Option<(u32, BlockHash)>,
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
    /// Read what is asked for, and agree to it; needs no ledger
    #[command(
        group(clap::ArgGroup::new("by").required(true).args(["key", "text", "signature"])),
        after_help = "Example: gatekeeper approve P-0042-request.psbt --key ~/.ssh/anna -o P-0042-anna.psbt\n\n\
                      With OpenSSH alone:\n  gatekeeper approve P-0042-request.psbt --text -o approval.txt\n  \
                      ssh-keygen -Y sign -n airlock-approve -f ~/.ssh/anna approval.txt\n  \
                      gatekeeper approve P-0042-request.psbt --signature approval.txt.sig -o P-0042-anna.psbt"
    )]
    Approve {
        /// Requests as a terminal signed them
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The approver's SSH key, or the .pub file of one that an agent or a FIDO stick holds
        #[arg(long, value_name = "F")]
        key: Option<PathBuf>,
        /// Print exactly the text that is signed, or write it with -o
        #[arg(long)]
        text: bool,
        /// Add a signature that `ssh-keygen -Y sign -n airlock-approve` made over that text
        #[arg(long, value_name = "SIGFILE")]
        signature: Option<PathBuf>,
        /// The approved file [default: NAME-approved.psbt]
        #[arg(short, value_name = "OUT")]
        out: Option<PathBuf>,
    },
    /// List the payments that wait for approvals
    #[command(after_help = "Example: gatekeeper pending --json")]
    Pending,
    /// Say why: of a permitted payment by which rules, of a waiting one for whom, of a file what would pass
    #[command(after_help = "Example: gatekeeper why P-0042")]
    Why {
        /// P-0042, the first eight or more digits of a request's or spend's id, or a file
        what: String,
        /// Accept checks that ask, by number: C19,C20
        #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
        accept: Vec<Check>,
    },
    /// Say what each window holds, and what is left
    #[command(after_help = "Example: gatekeeper budget --json")]
    Budget,
    /// Issue the permit of a request that has its approvals
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
    /// Take what blocks and vaults showed; say how far every permit has come, and what no permit explains
    #[command(after_help = "Example: gatekeeper reconcile --facts facts.airlock --receipts receipts.json")]
    Reconcile {
        /// From `watch-node facts -o F`
        #[arg(long, value_name = "F")]
        facts: Vec<PathBuf>,
        /// From `cold-signer receipts -o F`
        #[arg(long, value_name = "F")]
        receipts: Vec<PathBuf>,
    },
    /// End an incident that was looked into, so that payments are permitted again
    #[command(
        after_help = "Example: gatekeeper unfreeze --incident 3f… --reason \"CFO: own sweep, minutes of 3 May\""
    )]
    Unfreeze {
        /// The incident, as `reconcile` and `show` name it
        #[arg(long, value_name = "ID")]
        incident: IncidentId,
        /// Who decided it and why
        #[arg(long, value_name = "TEXT")]
        reason: String,
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
            Command::Submit { out, .. } | Command::Approve { out, .. } => out.as_ref(),
            _ => None,
        };
        out.is_some_and(|out| is_dash(out))
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
        Ok(report) => match print_report(&report, arguments.json, to_stdout) {
            Err(lost) if lost.kind() != std::io::ErrorKind::BrokenPipe => {
                eprintln!("error: cannot write standard output: {lost}\nhint: make room, then run it again");
                ExitCode::FAILURE
            }
            _ => ExitCode::SUCCESS,
        },
        Err(error) => {
            if let Some(report) = error.report().filter(|_| !arguments.json) {
                let _ = print_report(report, false, to_stdout);
            }
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
    let show = |lines: &[String]| {
        if arguments.command.writes_to_stdout() {
            lines.iter().for_each(|line| eprintln!("{line}"));
        } else if !arguments.json {
            let _ = print_lines(lines);
        }
    };
    let data = || arguments.data.clone().map_or_else(default_folder, Ok);
    match &arguments.command {
        Command::Init { policy, permit_key, checkpoint } => {
            commands::init::run(&data()?, policy, permit_key, *checkpoint, now)
        }
        Command::Policy(PolicyCommand::Check { file }) => commands::policy_check::run(file),
        Command::Vault(VaultCommand::Add { export, wallet }) => {
            commands::vault_add::run(&data()?, export, wallet.as_deref(), now)
        }
        Command::Request { file, key, out } => commands::request::run(file, key, out, now, show),
        Command::Approve { files, text: true, out, .. } => match files.as_slice() {
            [file] => {
                let (report, text) = commands::approve::text(file, out.as_deref(), now)?;
                if let Some(text) = text.filter(|_| !arguments.json) {
                    // To the byte: what is printed is what is signed.
                    let _ = std::io::stdout().write_all(text.as_bytes());
                }
                Ok(report)
            }
            _ => Err(Error::Usage {
                message: "--text is for one file".to_owned(),
                hint: "each file has a text of its own: run it once for each".to_owned(),
            }),
        },
        Command::Approve { files, key, signature, out, .. } => {
            let by = match (key, signature) {
                (Some(key), _) => By::Key(key),
                (None, Some(file)) => By::Signature(file),
                (None, None) => {
                    return Err(Error::Usage {
                        message: "nobody is named who approves".to_owned(),
                        hint: "name a key with --key, or a signature with --signature".to_owned(),
                    });
                }
            };
            commands::approve::run(files, by, out.as_deref(), now, show)
        }
        Command::Pending => commands::pending::run(&data()?, now),
        Command::Why { what, accept } => commands::why::run(&data()?, what, accept, now),
        Command::Budget => commands::budget::run(&data()?),
        Command::Submit { files, out, accept } => {
            commands::submit::run(&data()?, files, out.as_deref(), accept, Unapproved::Waits, now)
        }
        Command::Check { file, accept } => commands::check::run(&data()?, file, accept, now),
        Command::Issue { file, out, accept } => {
            let files = std::slice::from_ref(file);
            commands::submit::run(&data()?, files, Some(out), accept, Unapproved::IsForgotten, now)
        }
        Command::Reconcile { facts, receipts } => commands::reconcile::run(&data()?, facts, receipts, now),
        Command::Unfreeze { incident, reason } => commands::unfreeze::run(&data()?, incident, reason, now),
        Command::Show => commands::show::run(&data()?),
        Command::Log(LogCommand::Verify) => commands::log_verify::run(&data()?),
    }
}

/// `HEIGHT:HASH`.
fn checkpoint(text: &str) -> Result<(u32, BlockHash), String> {
    let parts =
        text.split_once(':').and_then(|(height, hash)| Some((height.parse().ok()?, hash.parse().ok()?)));
    parts.ok_or_else(|| {
        "a height, a colon and a block's hash of 64 hexadecimal digits are expected".to_owned()
    })
}

/// The only reading of the clock. Before 1970 it says 0, which every ledger refuses as set back.
fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn print_report(report: &Report, json: bool, to_stdout: bool) -> std::io::Result<()> {
    if json {
        print_lines(&[Value::Object(report.json.clone()).to_string()])
    } else if to_stdout {
        report.lines.iter().for_each(|line| eprintln!("{line}"));
        Ok(())
    } else {
        print_lines(&report.lines)
    }
}

fn print_error(error: &Error, json: bool) {
    if json {
        let _ = print_lines(&[error.to_json().to_string()]);
        return;
    }
    eprintln!("error: {error}");
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

/// A reader that went away is no reason to fail: what was done is done. A full disk is.
fn print_lines(lines: &[String]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// clap's own messages; with `--json` among the arguments, as an object.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let words = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let message = words.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let hint = "see `gatekeeper --help`".to_owned();
        let _ = print_lines(&[Error::Usage { message: message.to_owned(), hint }.to_json().to_string()]);
    } else {
        let _ = error.print();
        eprintln!("hint: see `gatekeeper --help`");
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
