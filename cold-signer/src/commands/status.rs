//! `status`

use crate::Result;
use crate::cli::{Global, console_program};
use crate::output::Output;
use crate::reader::Reader;
use crate::screens::{boundary_text, live_network_text};
use crate::table::table;
use cold_wire::ControlState;
use psbt_tools::display::{escape, hex};
use serde_json::{Value, json};

/// Say what holds the vault, and which protections are in force.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer status")]
pub struct Args {}

/// Runs it.
pub fn run(global: &Global, _args: &Args) -> Result<Output> {
    let mut vault = global.vault()?;
    let status = vault.status()?;
    let keys = vault.keys()?;
    let audit_key = keys.audit_key;
    let mut controls = status.controls.clone();
    controls.push(reader_sandbox());
    let mut lines = vec![
        format!("vault       {}", status.vault),
        format!("audit key   {}", audit_key.fingerprint()),
        format!("records     {}, the last {}", status.records, hex(&status.head)),
        match &status.authority {
            Some((id, company)) => format!("authority   {}, {id}", escape(company)),
            None => "authority   none: new keys are standalone".to_owned(),
        },
        format!("passphrase  {}", escape(&status.kdf)),
        match keys.keys.len() {
            0 => "keys        none yet: `cold-signer new-key --wallet NAME` makes one".to_owned(),
            count => format!("keys        {count}"),
        },
        String::new(),
    ];
    let mut rows = vec![["control", "state", ""].map(str::to_owned).to_vec()];
    rows.extend(controls.iter().map(|c| vec![escape(&c.name), escape(&c.state), escape(&c.detail)]));
    lines.push(table(&rows));
    lines.extend(live_network_text(&status.live_network));
    lines.push(boundary_text());
    let json = json!({
        "vault_id": status.vault.to_string(),
        "audit_key": audit_key.to_string(),
        "records": status.records,
        "head": hex(&status.head),
        "authority": status.authority.as_ref().map(|(id, company)| json!({"id": id.to_string(), "company": company})),
        "kdf": status.kdf,
        "controls": controls.iter().map(|control| json!({
            "name": control.name, "state": control.state, "detail": control.detail,
        })).collect::<Value>(),
        "live_network": status.live_network,
        "boundary": boundary_text(),
    });
    Ok(Output::done(lines.join("\n"), json))
}

/// A reader that says it is ready has closed its sandbox; one that cannot says why.
fn reader_sandbox() -> ControlState {
    let (state, detail) = match console_program().and_then(|console| Reader::spawn(&console)) {
        Ok(_) => ("on", "files are parsed by a process that can open, reach and start nothing".to_owned()),
        Err(error) => ("unavailable", error.to_string()),
    };
    ControlState { name: "reader sandbox".to_owned(), state: state.to_owned(), detail }
}
