//! `trust`

use crate::cli::Global;
use crate::output::Output;
use crate::terminal::{Person, Terminal};
use crate::vault::Vault;
use crate::{Error, Result};
use policies::authority::{Authority, SignedAuthority};
use policies::codec::Canonical;
use policies::id::AuthorityId;
use psbt_tools::display::escape;
use psbt_tools::files;
use psbt_tools::money::amount_text;
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
    let summary = summary(authority);
    match args.confirm {
        Some(named) if named != authority.id() => {
            return Err(Error::OtherAuthority { found: authority.id(), named });
        }
        Some(_) => {}
        None if std::io::stdin().is_terminal() => {
            if let Some(mut terminal) = Terminal::open() {
                confirm(&mut terminal, &summary, &authority.company)?;
            }
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
    Ok(Output::done(format!("{summary}\npinned: every key made in this store from now on obeys it"), json))
}

fn confirm(person: &mut dyn Person, summary: &str, company: &str) -> Result<()> {
    person.show(summary)?;
    let prompt = format!("This cannot be undone. Type the company's name, {}, to pin it:", escape(company));
    match person.ask(&prompt)? {
        Some(typed) if typed == company => Ok(()),
        Some(_) | None => Err(Error::Stopped("the company's name was not typed")),
    }
}

fn summary(authority: &Authority) -> String {
    let terms = authority.policy.terms();
    let mut lines = vec![
        format!("company        {}", escape(&authority.company)),
        format!("authority id   {}", authority.id()),
    ];
    lines.extend(authority.permit_keys.iter().map(|key| format!("permit key     {}", key.fingerprint())));
    lines.push(format!("policy         version {}, {}", terms.version, authority.policy.id()));
    for (group, members) in &terms.people {
        lines.push(format!("  group {}: {} keys", escape(group), members.len()));
    }
    for allow in &terms.allows {
        lines.push(format!(
            "  allow {}: {} from {}",
            escape(&allow.name),
            escape(&allow.requesters.join(", ")),
            escape(&allow.wallet)
        ));
    }
    for limit in &terms.limits {
        let mut line = format!("  limit {}:", escape(&limit.name));
        if let Some(amount) = limit.per_payment {
            line.push_str(&format!(" {} a payment", amount_text(amount)));
        }
        if let Some(window) = limit.per_window {
            let amount = window.amount.map(|amount| format!(" {}", amount_text(amount))).unwrap_or_default();
            let count = window.count.map(|count| format!(" {count} payments")).unwrap_or_default();
            line.push_str(&format!("{amount}{count} in {} s", window.seconds));
        }
        if let Some(fee) = limit.fee {
            line.push_str(&format!(
                " fee {}, {} sat/vB, {} %",
                amount_text(fee.amount),
                fee.sat_per_vb,
                fee.percent
            ));
        }
        lines.push(line);
    }
    lines.join("\n")
}
