//! `sync`: one pass over the chain source.

use std::io::{IsTerminal, Write};
use std::path::Path;

use serde_json::json;

use super::{now, open_chain};
use crate::chain::BlockSource;
use crate::error::Result;
use crate::index::GAP_LIMIT;
use crate::output::Output;
use crate::store::Store;
use crate::tracker::{Progress, Tracker};

/// Blocks between two progress lines.
const REPORT_EVERY: u32 = 500;

/// Reads new blocks and the mempool once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node sync")]
pub struct Args {}

/// Locks the folder and makes one pass.
pub fn run(dir: &Path, _args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let chain = open_chain(dir, &store.config()?)?;
    let progress = pass(&mut store, chain.as_ref())?;
    let height = store.tip()?.map(|tip| tip.height);
    let mut text = format!(
        "At height {}: {} {} read",
        height.unwrap_or_default(),
        progress.connected,
        if progress.connected == 1 { "block" } else { "blocks" }
    );
    if progress.disconnected > 0 {
        text.push_str(&format!(", {} undone by a reorganisation", progress.disconnected));
    }
    text.push('.');
    if !progress.sees_unconfirmed {
        text.push_str("\nThis source cannot show unconfirmed payments.");
    }
    let json = json!({
        "height": height,
        "connected": progress.connected,
        "disconnected": progress.disconnected,
        "sees_unconfirmed": progress.sees_unconfirmed,
    });
    Ok(Output::done(text, json))
}

/// One pass, with a progress line on a terminal.
pub(super) fn pass(store: &mut Store, chain: &dyn BlockSource) -> Result<Progress> {
    let is_terminal = std::io::stderr().is_terminal();
    let mut report = |height: u32, tip: u32| {
        if is_terminal && height.is_multiple_of(REPORT_EVERY) {
            let _ = write!(std::io::stderr(), "\rblock {height} of {tip} ");
        }
    };
    Tracker::new(store, chain, GAP_LIMIT)?.pass(now(), &mut report)
}
