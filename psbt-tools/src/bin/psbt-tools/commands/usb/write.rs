//! `usb write`: one file onto a stick.

use super::{Stick, warn_of_own_disk};
use crate::output::print;
use clap::Args;
use psbt_tools::display::{escape, hash_words, hex};
use psbt_tools::usb::{BadName, Kind, Refusal, put};
use psbt_tools::{Error, files};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a file to a stick under its own name, reads it back, and puts its SHA-256 beside it as `NAME.sha256`. Nothing is
/// ever overwritten.
///
/// Pull the stick only after this has ended. The six words are those that the other side must see.
///
/// Example: psbt-tools usb write P-0042-signed.psbt /media/stick
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    stick: Stick,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let path = &arguments.file;
    let name = path.file_name().filter(|_| !files::is_dash(path));
    let name = name.ok_or_else(|| Refusal::Name(escape(&path.to_string_lossy()), BadName::Empty))?;
    let bytes = files::read(path, files::DEFAULT_LIMIT)?;
    let folder = arguments.stick.open()?;
    warn_of_own_disk(&folder, &arguments.stick.name())?;
    let written = put(&folder, name, &bytes)?;
    let (kind, words) = (Kind::of(&bytes), hash_words(&written.sha256));
    if arguments.json {
        let object = json!({
            "name": written.name, "sidecar": written.sidecar, "kind": kind.as_str(), "bytes": bytes.len(),
            "sha256": hex(&written.sha256), "words": words,
        });
        print(&format!("{object}\n"))?;
    } else {
        print(&format!(
            "{} and {} are on the stick, read back and right\nwords     {words}\nSHA-256   {}\n",
            written.name,
            written.sidecar,
            hex(&written.sha256)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
