//! `usb read`: one file from a stick.

use super::Stick;
use crate::output::{print, say, write_private};
use clap::Args;
use psbt_tools::Error;
use psbt_tools::display::{escape, hash_words, hex};
use psbt_tools::files::is_dash;
use psbt_tools::usb::{Refusal, Sidecar, check_name, take};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Takes the only payment of a folder, or the file of this name, and writes it; exit code 3 when there are several payments
/// or when the sidecar says otherwise.
///
/// Compare the six words with those of the sender.
///
/// Example: psbt-tools usb read /media/stick -o payment.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    stick: Stick,
    /// The file's name in the folder
    name: Option<PathBuf>,
    /// The file to write, or a folder for it; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    if arguments.json && is_dash(&arguments.output) {
        return Err(Refusal::Output.into());
    }
    let folder = arguments.stick.open()?;
    let name = arguments.name.as_deref().map(|name| name.as_os_str());
    let taken = take(&folder, &arguments.stick.name(), name)?;
    let shown = escape(&taken.name.to_string_lossy());
    let mut output = arguments.output.clone();
    if output.is_dir() {
        check_name(&taken.name).map_err(|fault| Refusal::Name(shown.clone(), fault))?;
        output.push(&taken.name);
    }
    write_private(&output, &taken.bytes)?;
    let words = hash_words(&taken.sha256);
    if arguments.json {
        let object = json!({
            "name": shown, "output": escape(&output.to_string_lossy()), "kind": taken.kind.as_str(),
            "bytes": taken.bytes.len(), "sha256": hex(&taken.sha256), "words": words,
            "sidecar": taken.sidecar.as_str(),
        });
        print(&format!("{object}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let about = format!(
        "{shown}: {}, {} bytes\nwords     {words}\nSHA-256   {}",
        taken.kind.title(),
        taken.bytes.len(),
        hex(&taken.sha256)
    );
    if is_dash(&output) {
        say(about)
    } else {
        print(&format!("{about}\n"))?
    }
    if taken.sidecar == Sidecar::Absent {
        say("note: it has no sidecar, so only the words tell whether it is whole");
    }
    Ok(ExitCode::SUCCESS)
}
