//! `trust`: pins the company's authority.

use std::path::{Path, PathBuf};

use policies::authority::SignedAuthority;
use policies::identity::PublicKey;
use psbt_tools::{display, files};
use serde_json::json;

use super::now;
use crate::documents::governs;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::store::Store;
use crate::wallet::OpenWallet;

/// Longest `authority.pub` that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// Pins the company's authority, for ever: permits count only when its keys signed them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node trust authority.pub")]
pub struct Args {
    /// The file that `gatekeeper init` wrote.
    file: PathBuf,
}

/// Verifies and pins.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let malformed =
        |reason: String| Error::Malformed { what: display::escape(&args.file.to_string_lossy()), reason };
    let text = String::from_utf8(files::read(&args.file, LIMIT)?)
        .map_err(|_| malformed("not the text of an `authority.pub`".to_owned()))?;
    let signed = SignedAuthority::from_armor(&text).map_err(|error| malformed(error.to_string()))?;
    let is_new = store.pin_authority(&signed, now())?;
    let authority = &signed.authority;
    let keys: Vec<_> = authority.permit_keys.iter().map(PublicKey::fingerprint).collect();
    let wallets = OpenWallet::all(&store)?;
    let governed: Vec<_> =
        wallets.iter().filter(|wallet| governs(authority, wallet)).map(OpenWallet::name).collect();
    let names: Vec<_> = authority.policy.terms().wallets.keys().collect();
    let text = format!(
        "{} the authority of {}\npermit key  {}\nwallets     {}\nCompare the permit key by eye with what `gatekeeper init` showed.",
        if is_new { "Pinned" } else { "This folder has already pinned" },
        display::escape(&authority.company),
        keys.join("\n            "),
        names.iter().map(|name| display::escape(name)).collect::<Vec<_>>().join(", "),
    );
    let json = json!({
        "authority": authority.id().to_string(),
        "company": authority.company,
        "permit_keys": keys,
        "wallets": names,
        "watched": governed,
        "pinned_before": !is_new,
    });
    Ok(Output::done(text, json))
}
