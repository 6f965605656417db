//! `keys`

use crate::Result;
use crate::cli::Global;
use crate::output::Output;
use crate::report::key_json;
use crate::table::table;
use policies::text::utc_text;
use psbt_tools::display::{escape, hex};
use serde_json::{Value, json};

/// List the keys of the vault.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer keys --json")]
pub struct Args {}

/// Runs it.
pub fn run(global: &Global, _args: &Args) -> Result<Output> {
    let keys = global.vault()?.keys()?;
    let heading = ["wallet", "network", "script", "fingerprint", "made", "authority", "backup", "keys"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for key in &keys.keys {
        rows.push(vec![
            escape(&key.wallet),
            key.network.to_string(),
            key.kind.as_str().to_owned(),
            hex(&key.fingerprint),
            utc_text(key.created),
            key.authority.as_ref().map_or_else(|| "none".to_owned(), |(_, company)| escape(company)),
            if key.backed_up { "yes" } else { "NO" }.to_owned(),
            key.registered()
                .map_or_else(|| "not registered".to_owned(), |wallet| wallet.keys().len().to_string()),
        ]);
    }
    let mut text = table(&rows);
    if keys.keys.is_empty() {
        text.push_str("this store holds no key yet: `cold-signer new-key --wallet NAME` makes one");
    }
    let json = json!({
        "vault_id": keys.vault.to_string(),
        "audit_key": keys.audit_key.to_string(),
        "keys": keys.keys.iter().map(key_json).collect::<Value>(),
    });
    Ok(Output::done(text, json))
}
