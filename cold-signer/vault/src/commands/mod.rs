//! The command line of `cold-vault`, for its own terminal. Console and service speak `cold-wire` instead.

mod log;
mod one_shot;
mod restore;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use rustix::io::Errno;

use crate::passphrase::Passphrase;
use crate::seal::KdfCost;
use crate::store::Store;
use crate::terminal::{Terminal, Tty, ask_new_passphrase};
use crate::{Error, adopt_descriptor, clock, harden};

/// The process that holds keys.
#[derive(Parser)]
#[command(name = "cold-vault", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 fault, 2 usage, 3 refused, 4 more is needed, 5 locked.";

#[derive(Subcommand)]
enum Command {
    /// Lists every record's type, sequence and time, and checks the hash chain. Needs no passphrase.
    ///
    /// Example: cold-vault log --store vault.store
    Log(log::Log),
    /// Restores a key from its backup words, typed at this terminal; makes the store when there is none.
    ///
    /// Example: cold-vault restore --store vault.store --wallet savings --network signet --script wpkh
    Restore(restore::Restore),
    /// Serves one visit of the console on an inherited socket. Not for people.
    #[command(hide = true)]
    OneShot(one_shot::OneShot),
}

/// What opening a store needs.
#[derive(Args)]
struct StoreArgs {
    /// The store.
    #[arg(long)]
    store: PathBuf,
    /// Descriptor that holds the passphrase on its first line.
    #[arg(long)]
    passphrase_fd: Option<i32>,
    /// Argon2id at its floor for a new store: for tests and demos.
    #[arg(long)]
    kdf_floor: bool,
    /// Run although the machine has a live network.
    #[arg(long)]
    allow_network: bool,
}

/// Parses, runs, prints the error, and gives the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Log(log) => log.run(),
        Command::Restore(restore) => restore.run(),
        Command::OneShot(one_shot) => one_shot.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let json = match &cli.command {
                Command::Log(log) => log.json,
                Command::Restore(restore) => restore.json,
                Command::OneShot(_) => false,
            };
            if json {
                // The error stands on stderr as well.
                let _ = say(&format!(
                    "{{\"error\":{{\"code\":{},\"message\":{},\"hint\":{}}}}}\n",
                    json_text(error.code()),
                    json_text(&error.to_string()),
                    json_text(error.hint())
                ));
            }
            eprintln!("error: {error}\nhint: {}", error.hint());
            ExitCode::from(error.exit_code())
        }
    }
}

impl StoreArgs {
    /// Refuses a live network unless told otherwise; the interfaces that are up.
    fn network(&self) -> Result<Vec<String>, Error> {
        let live = harden::network_live()?;
        if !live.is_empty() && !self.allow_network {
            return Err(Error::LiveNetwork(live.join(", ")));
        }
        Ok(live)
    }

    /// Opens the store, or makes it when there is none; the passphrase, where it is known by then. Must run before the
    /// sandbox.
    fn open_or_create(
        &self,
        given: Option<Passphrase>,
        terminal: Option<&mut (dyn Terminal + 'static)>,
    ) -> Result<(Store, Option<Passphrase>), Error> {
        if self.store.exists() {
            return Ok((Store::open(&self.store)?, given));
        }
        let cost = if self.kdf_floor { KdfCost::FLOOR } else { KdfCost::DEFAULT };
        let passphrase = match (given, terminal) {
            (Some(passphrase), _) => passphrase,
            (None, Some(terminal)) => {
                terminal.show(&format!("A new store is made: {}\n", self.store.display()))?;
                ask_new_passphrase(terminal)?
            }
            (None, None) => return Err(Error::NoPassphrase),
        };
        Ok((Store::create(&self.store, &passphrase, cost, clock::now())?, Some(passphrase)))
    }

    fn passphrase(&self) -> Result<Option<Passphrase>, Error> {
        self.passphrase_fd.map(|fd| Passphrase::from_descriptor(adopt_descriptor(fd)?)).transpose()
    }
}

fn terminal() -> Option<Box<dyn Terminal>> {
    Tty::open().ok().map(|tty| Box::new(tty) as Box<dyn Terminal>)
}

fn existing(store: &Path) -> Result<(), Error> {
    if store.exists() { Ok(()) } else { Err(Error::NoStore(store.to_owned())) }
}

/// Writes to standard output. A reader that has gone away is no fault; a full disk is.
fn say(text: &str) -> Result<(), Error> {
    let written = std::io::stdout().write_all(text.as_bytes());
    match written.map_err(|error| Errno::from_io_error(&error)) {
        Err(Some(Errno::PIPE)) | Ok(()) => Ok(()),
        Err(errno) => {
            Err(Error::System { action: "writing standard output", errno: errno.unwrap_or(Errno::IO) })
        }
    }
}

/// A JSON string (RFC 8259 §7). The vault writes so little JSON that a crate for it would only widen what is trusted.
fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}
