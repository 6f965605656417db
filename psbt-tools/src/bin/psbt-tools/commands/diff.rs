//! `diff`: what changed between two PSBTs.

use crate::{commands, output};
use clap::Args;
use psbt_tools::diff::{Difference, diff};
use psbt_tools::display::network_from_word;
use psbt_tools::{Error, strict};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Says what changed between two PSBTs; exit code 3 for more than added signatures and documents.
///
/// It says what changed, not whether that is right: `inspect` verifies. Its exit code is 0 when nothing changed, or
/// when signatures, permits and other documents were added to the same transaction.
///
/// Example: psbt-tools diff requested.psbt returned.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// The PSBT as it was; `-` is standard input
    before: PathBuf,
    /// The PSBT as it is
    after: PathBuf,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest
    #[arg(long, value_name = "N", default_value = "mainnet")]
    network: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let network = network_from_word(&arguments.network)?;
    let before = strict::parse(commands::document(&arguments.before)?.psbt_bytes())?;
    let after = strict::parse(commands::document(&arguments.after)?.psbt_bytes())?;
    let difference = diff(&before, &after, Some(network))?;
    let grown = difference.require_growth();
    let text = if arguments.json { json(&difference, grown.as_ref().err()) } else { words(&difference) };
    output::print(&text)?;
    let Err(error) = grown else { return Ok(ExitCode::SUCCESS) };
    commands::complain(&error);
    Ok(ExitCode::from(error.exit_code()))
}

/// The difference, with the refusal beside it when there is one.
fn json(difference: &Difference, refusal: Option<&Error>) -> String {
    let mut value = difference.to_json();
    if let (Some(object), Some(refusal)) = (value.as_object_mut(), refusal)
        && let serde_json::Value::Object(error) = refusal.to_json()
    {
        object.extend(error);
    }
    format!("{value}\n")
}

fn words(difference: &Difference) -> String {
    let which = if difference.same_transaction { "same transaction" } else { "another transaction" };
    let count = match difference.changes.len() {
        0 => "nothing changed".to_owned(),
        1 => "1 change".to_owned(),
        more => format!("{more} changes"),
    };
    let mut out = format!("{which}, {count}\n");
    for change in &difference.changes {
        // Writing to a string does not fail.
        let _ = writeln!(out, "  {change}");
    }
    out
}
