//! `usb`: careful removable media.

mod list;
mod read;
mod write;

use crate::output::say;
use clap::{Args, Subcommand};
use psbt_tools::Error;
use psbt_tools::files::{Folder, Patience};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Looks through a stick, takes a file from it, puts one on it; follows no link of it and trusts no name.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Read(read::Arguments),
    Write(write::Arguments),
}

impl Arguments {
    /// Whether a failure is also printed as JSON.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::List(arguments) => arguments.json,
            Command::Read(arguments) => arguments.json,
            Command::Write(arguments) => arguments.json,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    match &arguments.command {
        Command::List(arguments) => list::run(arguments),
        Command::Read(arguments) => read::run(arguments),
        Command::Write(arguments) => write::run(arguments),
    }
}

/// The folder, and how long it is waited for.
#[derive(Debug, Args)]
struct Stick {
    /// The folder where the stick is mounted, or one on it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Give the stick up after so many seconds without an answer [20 to read, 10 to list, 120 to write]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..))]
    patience: Option<u16>,
}

impl Stick {
    /// Opens it. The first Ctrl-C gives up and clears away what was begun, the second one ends the program.
    fn open(&self) -> Result<Folder, Error> {
        let mut patience = Patience::default();
        if let Some(seconds) = self.patience {
            let silence = Duration::from_secs(seconds.into());
            (patience.reading, patience.listing, patience.writing) = (silence, silence, silence);
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let both = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
            both.map_err(|source| Error::Screen { what: source.to_string(), hint: "try again".to_owned() })?;
        }
        patience.stop = Some(stop);
        Folder::open(&self.folder, patience)
    }

    fn name(&self) -> String {
        psbt_tools::display::escape(&self.folder.to_string_lossy())
    }
}

/// A stick that is not mounted leaves its folder behind, and what is put there stays on this machine.
fn warn_of_own_disk(folder: &Folder, name: &str) -> Result<bool, Error> {
    let is_own = folder.is_own_disk().map_err(|obstacle| obstacle.reading(name))?;
    if is_own {
        say(format_args!("note: {name} lies on this computer's own disk: is the stick mounted?"));
    }
    Ok(is_own)
}
