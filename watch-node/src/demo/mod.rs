//! The whole cycle with real processes: key, wallet, funding, payment, signature, broadcast, approval, higher fee, refusal,
//! reconciliation, and a theft that is noticed.
//!
//! Nothing here is a shortcut: every step is a program of this project, of OpenSSH or of Bitcoin Core, started with
//! the command line that is printed.

mod approval;
mod crossing;
mod forgery;
mod node;
mod stage;
mod story;
mod theft;

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use crate::error::Result;
use crate::output::Output;
use stage::Stage;

pub use crossing::Transport;
pub use stage::{NO_TERMINAL, NOT_STARTED, become_without_terminal};

/// Where the demo's blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoChain {
    /// The chain inside watch-node.
    Embedded,
    /// Bitcoin Core: BITCOIND_EXE, else `bitcoind` on PATH, else what tests/bitcoind built.
    Core,
}

/// Runs every step, or stops with an error that names the step. Processes and files are gone afterwards, except that
/// `keep` names a folder that stays.
pub fn run(chain: DemoChain, transport: Transport, keep: Option<&Path>, is_json: bool) -> Result<Output> {
    let started = Instant::now();
    let mut stage = Stage::new(keep, transport, is_json)?;
    let ending = story::tell(&mut stage, chain)?;
    let seconds = started.elapsed().as_secs_f32();
    let text = format!(
        "\ntransaction     {}\nconfirmations   {}\nreplacement     {}\nrefused         {}\nreconciliation  {}\ncaught          {}\nelapsed         {seconds:.1} s",
        ending.txid,
        ending.confirmations,
        ending.replacement,
        ending.refusal,
        ending.reconciliation,
        ending.caught
    );
    let json = serde_json::json!({
        "txid": ending.txid,
        "confirmations": ending.confirmations,
        "replacement": ending.replacement,
        "refusal": ending.refusal,
        "reconciliation": ending.reconciliation,
        "caught": ending.caught,
        "elapsed_ms": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(Output::done(text, json))
}
