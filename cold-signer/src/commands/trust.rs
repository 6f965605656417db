//! `trust`

use crate::cli::Global;
use crate::output::Output;
use crate::screens::authority_lines;
use crate::terminal::Terminal;
use crate::vault::Vault;
use crate::{Error, Result, consent};
use policies::authority::SignedAuthority;
use policies::codec::Canonical;
use policies::id::AuthorityId;
use psbt_tools::display::escape;
use psbt_tools::files;
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Longest text of an authority, in bytes.
const MAX_LEN: u64 = 12 << 20;

/// Pin the company's authority: every key made from now on obeys it, irrevocably.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer trust --authority authority.pub")]
pub struct Args {
    /// The `authority.pub` that `gatekeeper init` wrote.
    #[arg(long, value_name = "FILE")]
    authority: PathBuf,
    /// Pin without a question, and only if the authority has this id.
    #[arg(long, value_name = "AUTHORITY_ID")]
    confirm: Option<AuthorityId>,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let launch = global.launch_creating()?;
    let name = escape(&args.authority.to_string_lossy());
    let wrong = |reason: String| Error::Authority { name: name.clone(), reason };
    let bytes = files::read(&args.authority, MAX_LEN)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(error.to_string()))?;
    let signed = SignedAuthority::from_armor(text).map_err(|error| wrong(error.to_string()))?;
    let authority = signed.verified().map_err(|error| wrong(error.to_string()))?;
    match args.confirm {
        Some(named) if named != authority.id() => {
            return Err(Error::OtherAuthority { found: authority.id(), named });
        }
        Some(_) => {}
        None if std::io::stdin().is_terminal() => {
            let mut terminal = Terminal::open().ok_or_else(|| Error::Unconfirmed(authority.id()))?;
            consent::confirm(authority, &mut terminal)?;
        }
        None => {}
    }
    let (id, company) = Vault::spawn(&launch)?.pin(signed.to_bytes())?;
    if id != authority.id() {
        return Err(Error::VaultNonsense(format!("it pinned {id}")));
    }
    let json = json!({
        "authority": {"id": id.to_string(), "company": company},
        "permit_keys": authority.permit_keys.iter().map(|key| json!({
            "key": key.to_string(), "fingerprint": key.fingerprint(),
        })).collect::<serde_json::Value>(),
        "policy": {"id": authority.policy.id().to_string(), "version": authority.policy.terms().version},
    });
    let mut lines = authority_lines(authority);
    lines.push("pinned: every key made in this store from now on obeys it".to_owned());
    Ok(Output::done(lines.join("\n"), json))
}
