//! `receipts`

use crate::Result;
use crate::cli::Global;
use crate::output::Output;
use policies::codec::Canonical;
use psbt_tools::display::{escape, hex};
use psbt_tools::files;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Write the receipts of everything this vault ever signed, for `watch-node reconcile`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer receipts -o receipts.json")]
pub struct Args {
    /// Where to; `-` is standard output.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let mut vault = global.vault()?;
    let keys = vault.keys()?;
    let receipts = vault.receipts()?;
    let document = json!({
        "vault_id": keys.vault.to_string(),
        "audit_key": keys.audit_key.to_string(),
        "receipts": receipts.iter().map(|receipt| hex(&receipt.to_bytes())).collect::<Value>(),
    });
    if files::is_dash(&args.output) {
        return Ok(Output::done(format!("{document:#}"), document));
    }
    files::write_new(&args.output, format!("{document:#}\n").as_bytes(), 0o600)?;
    let out = escape(&args.output.to_string_lossy());
    let json = json!({"out": out, "vault_id": keys.vault.to_string(), "count": receipts.len()});
    Ok(Output::done(format!("wrote {} to {out}", counted(receipts.len())), json))
}

fn counted(receipts: usize) -> String {
    if receipts == 1 { "1 receipt".to_owned() } else { format!("{receipts} receipts") }
}
