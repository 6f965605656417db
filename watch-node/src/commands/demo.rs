//! `demo`: the whole cycle with the real programs, printed as a person would type it.

use std::path::PathBuf;

use crate::demo::{self, DemoChain, Transport};
use crate::error::Result;
use crate::output::Output;

/// Walks one payment from a new key to a clean reconciliation, on regtest, in a temporary folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node demo --chain core --keep walk")]
pub struct Args {
    /// Which chain: the embedded one, or a real `bitcoind -regtest`.
    #[arg(long, value_enum, default_value = "embedded")]
    chain: DemoChain,
    /// What carries payments to the signer and back: files, or QR codes that a simulated camera sees.
    #[arg(long, value_enum, default_value = "files")]
    transport: Transport,
    /// Leave everything in this new folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs the demo; with `--json` its transcript goes to stderr.
pub fn run(args: &Args, is_json: bool) -> Result<Output> {
    demo::run(args.chain, args.transport, args.keep.as_deref(), is_json)
}
