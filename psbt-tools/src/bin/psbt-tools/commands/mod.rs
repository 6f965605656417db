//! One file for each subcommand.

pub mod combine;
pub mod convert;
pub mod diff;
pub mod extract;
pub mod finalize;
pub mod inspect;
pub mod join;
pub mod multisig;
pub mod qr;
pub mod usb;
pub mod verify_message;
pub mod verify_reserves;
pub mod wallet;

use crate::cli::{Cli, Command};
use crate::output::say;
use bitcoin::Psbt;
use psbt_tools::combine::Part;
use psbt_tools::display::escape;
use psbt_tools::document::{Document, Encoding};
use psbt_tools::form::Form;
use psbt_tools::{Error, files, manifest, strict};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn run(cli: Cli) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Combine(arguments) => combine::run(&arguments),
        Command::Join(arguments) => join::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Finalize(arguments) => finalize::run(&arguments),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Qr(arguments) => qr::run(&arguments),
        Command::Usb(arguments) => usb::run(&arguments),
        Command::VerifyMessage(arguments) => verify_message::run(&arguments),
        Command::VerifyReserves(arguments) => verify_reserves::run(&arguments),
        Command::Wallet(arguments) => wallet::run(&arguments),
        Command::Multisig(arguments) => multisig::run(&arguments),
    }
}

/// Tells the person what is wrong and what to do next.
pub fn complain(error: &Error) {
    say(format_args!("error: {error}"));
    if let Some(hint) = error.hint() {
        say(format_args!("hint: {hint}"));
    }
}

/// PSBTs from files, each with the name that a refusal calls it.
struct Copies {
    copies: Vec<(String, Psbt, Form)>,
    /// What the first came in.
    encoding: Encoding,
}

impl Copies {
    fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let read = |path: &PathBuf| Ok((path.clone(), files::read(path, files::DEFAULT_LIMIT)?));
        let read: Vec<(PathBuf, Vec<u8>)> = paths.iter().map(read).collect::<Result<_, Error>>()?;
        Self::of(read)
    }

    fn of<P: AsRef<Path>>(read: Vec<(P, Vec<u8>)>) -> Result<Self, Error> {
        let mut copies = Vec::with_capacity(read.len());
        let mut encoding = None;
        for (path, bytes) in read {
            let (path, document) = (path.as_ref(), Document::parse(bytes)?);
            encoding.get_or_insert(document.encoding());
            let (psbt, form) = strict::read(document.psbt_bytes())?;
            manifest::checked(document.psbt_bytes(), &psbt)?;
            copies.push((escape(&path.to_string_lossy()), psbt, form));
        }
        Ok(Self { copies, encoding: encoding.unwrap_or(Encoding::Base64) })
    }

    fn parts(&self) -> Vec<Part<'_>> {
        self.copies.iter().map(|(name, psbt, form)| Part { name, psbt, form }).collect()
    }
}

/// Reads and recognises a file within the default limit.
fn document(path: &Path) -> Result<Document, Error> {
    Document::parse(files::read(path, files::DEFAULT_LIMIT)?)
}
