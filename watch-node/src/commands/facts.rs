//! `facts`: what the chain proves, for the gatekeeper.

use std::path::{Path, PathBuf};

use psbt_tools::facts::MAX_HEADERS;
use psbt_tools::{display, files};
use serde_json::json;

use super::open_chain;
use crate::error::Result;
use crate::facts::{document, facts, start};
use crate::output::Output;
use crate::store::Store;

/// Writes headers, and the transactions that spend watched coins with their merkle proofs, for the gatekeeper.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node facts -o facts.bin")]
pub struct Args {
    /// First height [default: shortly before where the gatekeeper stood at its latest permit known here].
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u32>,
    /// Where it is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Needs a complete scan, so that nothing is left out unnoticed.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
    let _lock = store.lock()?;
    let chain = open_chain(dir, &store.config()?)?;
    let from = args.from.map_or_else(|| start(&store), Ok)?;
    let facts = facts(&store, chain.as_ref(), from, MAX_HEADERS)?;
    files::write_new(&args.output, &document(&facts)?, 0o600)?;
    let height = store.tip()?.map(|tip| tip.height);
    // Standard output carries the file itself when that is asked for.
    let text = match files::is_dash(&args.output) {
        true => String::new(),
        false => format!(
            "headers       {}, heights {from} to {}\ntransactions  {}\nwritten to    {}\n\
             Next: carry it to the gatekeeper",
            facts.headers.len(),
            height.unwrap_or_default(),
            facts.transactions.len(),
            display::escape(&args.output.to_string_lossy()),
        ),
    };
    let json = json!({
        "out": args.output,
        "network": facts.network.to_string(),
        "from": from,
        "height": height,
        "headers": facts.headers.len(),
        "transactions": facts.transactions.len(),
    });
    Ok(Output::done(text, json))
}
