//! `verify-reserves`: every signature of a proof of reserves, and its coins against a list of unspent outputs.

use super::verify_message::verdict_json;
use crate::output::{print, say};
use bitcoin::Address;
use clap::Args;
use psbt_tools::display::{address_text, escape};
use psbt_tools::message::Verdict;
use psbt_tools::message::reserves::{Chain, Report, Reserves, ReservesError, Utxos};
use psbt_tools::money::amount_text;
use psbt_tools::{Error, files};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Verifies a proof of reserves; exit code 3 when it is wrong, 4 without signatures or without the chain's coins.
///
/// Example: psbt-tools verify-reserves reserves.json --utxos unspent-at-900000.json
#[derive(Debug, Args)]
pub struct Arguments {
    /// The proof of reserves; `-` is standard input
    file: PathBuf,
    /// What was unspent after the block that it names, from a node that you trust: JSON of the form
    /// `airlock-utxos-1` (docs/formats.md)
    #[arg(long, value_name = "F")]
    utxos: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let malformed = |error: ReservesError| {
        Error::malformed(escape(&error.to_string()), "let the program that made the file write it again")
    };
    let read = |path: &PathBuf| files::read(path, files::DEFAULT_LIMIT);
    let reserves = Reserves::decode(&read(&arguments.file)?).map_err(malformed)?;
    let utxos = match &arguments.utxos {
        Some(path) => Some(Utxos::decode(&read(path)?).map_err(malformed)?),
        None => None,
    };
    let report = reserves.verify(utxos.as_ref());
    let text = if arguments.json {
        format!("{}\n", report_json(&reserves, &report))
    } else {
        words(&reserves, &report)
    };
    print(&text)?;
    if let (false, Some((reason, hint))) = (arguments.json, trouble(&report)) {
        say(format_args!("error: {reason}\nhint: {hint}"));
    }
    Ok(match report.verdict() {
        "valid" => ExitCode::SUCCESS,
        "inconclusive" => ExitCode::from(4),
        _ => ExitCode::from(3),
    })
}

/// `{"verdict", "network", "height", "block_hash", "purpose", "total_sat", "chain", "absent", "holdings": [{"name",
/// "address", "total_sat", "verdict", …}], "error"?}`.
fn report_json(reserves: &Reserves, report: &Report) -> Value {
    let statement = reserves.statement();
    let absent = match &report.chain {
        Chain::Checked(absent) => absent.iter().map(ToString::to_string).collect(),
        Chain::NotChecked | Chain::OtherBlock => Vec::new(),
    };
    let holdings = report.holdings.iter().map(|holding| {
        let mut value = verdict_json(&holding.verdict);
        if let Some(object) = value.as_object_mut() {
            let address = Address::from_script(&holding.address, statement.network);
            object.insert("name".to_owned(), json!(holding.name));
            object.insert("address".to_owned(), json!(address.map(|a| a.to_string()).unwrap_or_default()));
            object.insert("total_sat".to_owned(), json!(holding.total.to_sat()));
        }
        value
    });
    let mut value = json!({
        "verdict": report.verdict(),
        "purpose": statement.purpose,
        "network": statement.network.to_string(),
        "height": statement.height,
        "block_hash": statement.block_hash.to_string(),
        "total_sat": report.total.to_sat(),
        "chain": chain_word(&report.chain),
        "absent": absent,
        "holdings": holdings.collect::<Vec<_>>(),
    });
    if let (Some((reason, hint)), Some(object)) = (trouble(report), value.as_object_mut()) {
        let code = if report.verdict() == "invalid" { "invalid-reserves" } else { "inconclusive" };
        object.insert("error".to_owned(), json!({ "code": code, "message": reason, "hint": hint }));
    }
    value
}

fn words(reserves: &Reserves, report: &Report) -> String {
    let statement = reserves.statement();
    let mut out = format!(
        "purpose        {}\nblock          {} {} of {}\n",
        escape(&statement.purpose),
        statement.height,
        statement.block_hash,
        statement.network
    );
    for holding in &report.holdings {
        let address = Address::from_script(&holding.address, statement.network);
        let address = address.map(|address| address_text(&address.to_string())).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "wallet         {}  {}  signature {}\n               {address}",
            escape(&holding.name),
            amount_text(holding.total),
            holding.verdict.as_str()
        );
        match &holding.verdict {
            Verdict::Valid(valid) if valid.is_unlocked() => {}
            Verdict::Valid(valid) => {
                let (time, age) = (valid.locks.lock_time, valid.locks.sequence.to_consensus_u32());
                let _ = writeln!(out, "               at time {} and age {age}", time.to_consensus_u32());
            }
            Verdict::Inconclusive(reason) | Verdict::Invalid(reason) => {
                let _ = writeln!(out, "               {reason}");
            }
        }
    }
    let _ = writeln!(out, "coins          {}", chain_word(&report.chain));
    if let Chain::Checked(absent) = &report.chain {
        for outpoint in absent {
            let _ = writeln!(out, "               not there: {outpoint}");
        }
    }
    let _ =
        writeln!(out, "total          {}\nverdict        {}", amount_text(report.total), report.verdict());
    out
}

fn chain_word(chain: &Chain) -> &'static str {
    match chain {
        Chain::NotChecked => "not checked",
        Chain::OtherBlock => "of another block",
        Chain::Checked(absent) if absent.is_empty() => "all unspent",
        Chain::Checked(_) => "missing",
    }
}

/// Why it is not valid, and what to do next.
fn trouble(report: &Report) -> Option<(String, &'static str)> {
    let count =
        |word: &str| report.holdings.iter().filter(|holding| holding.verdict.as_str() == word).count();
    let (invalid, inconclusive) = (count("invalid"), count("inconclusive"));
    let signatures = |number: usize, word: &str| format!("signatures that are {word}: {number}");
    match &report.chain {
        _ if invalid > 0 => Some((signatures(invalid, "invalid"), "do not rely on this document")),
        Chain::OtherBlock => Some((
            "the unspent outputs are of another block or network".to_owned(),
            "make the list at the block that the document names",
        )),
        Chain::Checked(absent) if !absent.is_empty() => Some((
            format!("coins that were not unspent at this block, or are others: {}", absent.len()),
            "do not rely on this document",
        )),
        _ if inconclusive > 0 => Some((
            signatures(inconclusive, "missing or inconclusive"),
            "let every wallet sign, and bring the signed document",
        )),
        Chain::NotChecked => Some((
            "whether the coins exist was not checked".to_owned(),
            "give what was unspent at this block with --utxos",
        )),
        Chain::Checked(_) => None,
    }
}
