//! The command line: parse, dispatch, print.

use crate::keeper::Keeper;
use crate::output::{json_text, print_error};
use crate::reader::{self, MODE};
use crate::vault::{Launch, Passphrase, Vault};
use crate::{Error, Result, commands, passphrase_file};
use clap::{Args, Parser, Subcommand};
use psbt_tools::display::escape;
use psbt_tools::scanner;
use serde_json::json;
use std::io::Write;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::process::ExitCode;

/// The console of the offline laptop: reviews payments, takes consent, lets the vault sign.
#[derive(Debug, Parser)]
#[command(
    name = "cold-signer",
    version,
    about,
    after_help = "\
Exit codes: 0 done · 1 fault · 2 usage · 3 refused · 4 more is needed · 5 locked, frozen or stale\n\n\
Example: cold-signer start\nExample: cold-signer sign salaries-permitted.psbt"
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The vault's store [default: $XDG_DATA_HOME/airlock/vault.store].
    #[arg(long, global = true, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    pub json: bool,
    /// The passphrase is the first line of this file; it is handed to the vault unread.
    #[arg(long, global = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The passphrase is the first line of this descriptor; it is handed to the vault unread.
    #[arg(long, global = true, value_name = "N", conflicts_with = "passphrase_file",
        value_parser = clap::value_parser!(i32).range(0..))]
    passphrase_fd: Option<RawFd>,
    /// Run although a network interface is up: for tests and demonstrations; said on every screen.
    #[arg(long, global = true)]
    allow_network: bool,
    /// Derive the key of a new store with Argon2id at its floor: for tests and demonstrations.
    #[arg(long, global = true)]
    kdf_floor: bool,
    /// Who keeps the vault between the commands of a visit.
    #[arg(skip)]
    keeper: Option<Keeper>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(commands::start::Args),
    Shell(commands::shell::Args),
    Doctor(commands::doctor::Args),
    NewKey(commands::new_key::Args),
    Keys(commands::keys::Args),
    Register(commands::register::Args),
    Export(commands::export::Args),
    Trust(commands::trust::Args),
    Address(commands::address::Args),
    Review(commands::review::Args),
    Sign(commands::sign::Args),
    SignMessage(commands::message::text::Args),
    SignReserves(commands::message::reserves::Args),
    Receipts(commands::receipts::Args),
    Log(commands::log::Args),
    Restore(commands::restore::Args),
    Status(commands::status::Args),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    // The reader and the scanner are this program too; they must confine themselves before anything else.
    if std::env::args_os().nth(1).is_some_and(|mode| mode == MODE) {
        return reader::child::main();
    }
    if std::env::args_os().nth(1).is_some_and(|mode| mode == scanner::CHILD_ARGUMENT) {
        return scanner::serve();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage(&error, std::env::args_os().any(|word| word == "--json"))),
    };
    ExitCode::from(run(&cli.global, &cli.command))
}

/// Runs one line of a visit, prints what comes of it, and gives its exit code. The options about store, passphrase and
/// machine are those of the visit.
pub fn run_line(visit: &Global, words: &[String]) -> u8 {
    let line = std::iter::once("cold-signer").chain(words.iter().map(String::as_str));
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, visit.json || words.iter().any(|word| word == "--json")),
    };
    let global = Global { json: visit.json || cli.global.json, ..visit.clone() };
    let ill = if cli.global.is_about_the_visit() {
        "the store, the passphrase and the machine are those of this session"
    } else if matches!(cli.command, Command::Shell(_)) {
        "this is the shell already"
    } else {
        return run(&global, &cli.command);
    };
    print_error(&Error::Line(ill), global.json)
}

/// What can be typed, for completion.
pub fn grammar() -> clap::Command {
    use clap::CommandFactory;
    let mut grammar = Cli::command();
    grammar.build();
    grammar
}

fn run(global: &Global, command: &Command) -> u8 {
    let done = match command {
        // These print by themselves, in parts.
        Command::Start(args) => return told(commands::start::run(global, args), global),
        Command::Shell(args) => return told(commands::shell::run(global, args), global),
        Command::Log(args) => return told(commands::log::run(global, args), global),
        Command::Restore(args) => return told(commands::restore::run(global, args), global),
        Command::Doctor(args) => commands::doctor::run(global, args),
        Command::NewKey(args) => commands::new_key::run(global, args),
        Command::Keys(args) => commands::keys::run(global, args),
        Command::Register(args) => commands::register::run(global, args),
        Command::Export(args) => commands::export::run(global, args),
        Command::Trust(args) => commands::trust::run(global, args),
        Command::Address(args) => commands::address::run(global, args),
        Command::Review(args) => commands::review::run(global, args),
        Command::Sign(args) => commands::sign::run(global, args),
        Command::SignMessage(args) => commands::message::text::run(global, args),
        Command::SignReserves(args) => commands::message::reserves::run(global, args),
        Command::Receipts(args) => commands::receipts::run(global, args),
        Command::Status(args) => commands::status::run(global, args),
    };
    match done {
        Ok(output) => output.print(global.json),
        Err(error) => print_error(&error, global.json),
    }
}

fn told(done: Result<u8>, global: &Global) -> u8 {
    done.unwrap_or_else(|error| print_error(&error, global.json))
}

impl Global {
    /// How to start the vault for a store that exists.
    ///
    /// # Errors
    /// [`Error::NoHome`], [`Error::Start`].
    pub fn launch(&self) -> Result<Launch> {
        self.look_at_passphrase_file();
        let passphrase = match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Passphrase::File(path.clone()),
            (None, Some(number)) => Passphrase::Descriptor(number),
            (None, None) => Passphrase::Terminal,
        };
        Ok(Launch {
            program: vault_program()?,
            store: self.store()?,
            passphrase,
            create: false,
            kdf_floor: self.kdf_floor,
            allow_network: self.allow_network,
            words_unseen: false,
            keeper: self.keeper.clone(),
        })
    }

    /// The same options for a visit of several commands, with one vault.
    pub fn visit(&self) -> Self {
        let keeper = self.keeper.clone().unwrap_or_else(Keeper::watched);
        Self { keeper: Some(keeper), ..self.clone() }
    }

    /// Who keeps the vault, in a visit.
    pub fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_ref()
    }

    /// Whether the passphrase comes from standard input, which can then carry nothing else.
    pub fn passphrase_is_standard_input(&self) -> bool {
        self.passphrase_fd == Some(0)
    }

    /// Whether the passphrase comes from a descriptor, which gives it once.
    pub fn passphrase_is_a_descriptor(&self) -> bool {
        self.passphrase_fd.is_some()
    }

    /// Warns when others may read the passphrase's file; a demonstration's passphrase is no secret.
    pub fn look_at_passphrase_file(&self) {
        if let (Some(path), false) = (&self.passphrase_file, self.kdf_floor) {
            passphrase_file::look(path);
        }
    }

    /// Whether the vault runs although a network interface is up.
    pub fn allows_network(&self) -> bool {
        self.allow_network
    }

    /// Whether a new store is made with the key derivation at its floor.
    pub fn has_kdf_floor(&self) -> bool {
        self.kdf_floor
    }

    fn is_about_the_visit(&self) -> bool {
        self.store.is_some()
            || self.passphrase_file.is_some()
            || self.passphrase_fd.is_some()
            || self.allow_network
            || self.kdf_floor
    }

    /// How to start the vault for a store that may be created.
    ///
    /// # Errors
    /// Those of [`Self::launch`], and [`Error::Input`] where its folder cannot be made.
    pub fn launch_creating(&self) -> Result<Launch> {
        let launch = Launch { create: true, ..self.launch()? };
        if let (None, Some(folder)) = (&self.store, launch.store.parent()) {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|source| Error::Input { name: escape(&folder.to_string_lossy()), source })?;
        }
        Ok(launch)
    }

    /// A vault for a store that exists.
    ///
    /// # Errors
    /// Those of [`Vault::spawn`].
    pub fn vault(&self) -> Result<Vault> {
        Vault::spawn(&self.launch()?)
    }

    /// Arguments for a command that the vault's program runs at its own terminal.
    ///
    /// # Errors
    /// [`Error::NoHome`].
    pub fn store(&self) -> Result<PathBuf> {
        self.store.clone().or_else(default_store).ok_or(Error::NoHome)
    }

    /// The options about the passphrase and the machine, for `cold-vault restore`.
    pub fn ceremony_arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = Vec::new();
        if let Some(path) = &self.passphrase_file {
            arguments.extend(["--passphrase-file".into(), path.clone().into_os_string()]);
        }
        if let Some(number) = self.passphrase_fd {
            arguments.extend(["--passphrase-fd".into(), number.to_string().into()]);
        }
        for (flag, given) in [("--kdf-floor", self.kdf_floor), ("--allow-network", self.allow_network)] {
            if given {
                arguments.push(flag.into());
            }
        }
        arguments
    }
}

/// This program: what a reader is started from.
///
/// # Errors
/// [`Error::Start`].
pub fn console_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|source| Error::Start { program: "cold-signer".into(), source })
}

/// The vault's program, beside this one and nowhere else.
///
/// # Errors
/// [`Error::Start`].
pub fn vault_program() -> Result<PathBuf> {
    Ok(console_program()?.with_file_name("cold-vault"))
}

/// XDG base directories: `$XDG_DATA_HOME`, else `~/.local/share`.
fn default_store() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("airlock/vault.store"))
}

/// clap prints help, version and usage errors; with `--json` a refusal is also an object.
fn usage(error: &clap::Error, as_json: bool) -> u8 {
    if !error.use_stderr() {
        let _ = error.print();
        return 0;
    }
    // It quotes arguments, and those may be names of files on a stick.
    let message = error.to_string();
    for line in message.lines() {
        let _ = writeln!(std::io::stderr(), "{}", escape(line));
    }
    let _ = writeln!(std::io::stderr(), "hint: see `cold-signer --help`");
    if as_json {
        let words = message.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
        let message = words.collect::<Vec<_>>().join(" ");
        let message = message.trim_start_matches("error: ");
        let object =
            json!({"error": {"code": "usage", "message": message, "hint": "see `cold-signer --help`"}});
        let _ = writeln!(std::io::stdout(), "{}", json_text(&object));
    }
    2
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_command_has_an_example() {
        Cli::command().debug_assert();
        for mut command in Cli::command().get_subcommands().cloned() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }
}
