//! `wallet`: the watched wallets.

use std::path::{Path, PathBuf};

use policies::id::AuthorityId;
use policies::permit::vault_id;
use policies::wallet::{Branch, Wallet};
use psbt_tools::{display, files};
use serde_json::json;

use super::open_chain;
use crate::chain::BlockSource;
use crate::error::{Error, Result};
use crate::export::Export;
use crate::output::Output;
use crate::store::{NewWallet, Store};

/// Longest export that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The watched wallets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Watches a wallet from its descriptors, or from what `cold-signer export` wrote.
    #[command(after_help = "Example: watch-node wallet import savings --file savings.json")]
    Import(Import),
    /// Lists the wallets.
    #[command(after_help = "Example: watch-node wallet list --json")]
    List,
}

/// What `wallet import` takes.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The wallet's name here; policies refer to it.
    name: String,
    /// One descriptor with <0;1>, or the pair for /0/* and /1/*.
    #[arg(long, value_name = "D", required_unless_present = "file", conflicts_with = "file")]
    descriptor: Vec<String>,
    /// What `cold-signer export` wrote: its vault is then pinned for the wallet.
    #[arg(long, value_name = "EXPORT.json")]
    file: Option<PathBuf>,
    /// The block height before which the wallet was never paid [default: from the export, else 0].
    #[arg(long, value_name = "HEIGHT")]
    birthday: Option<u32>,
}

/// Dispatches.
pub fn run(dir: &Path, command: &Command) -> Result<Output> {
    match command {
        Command::Import(args) => import(dir, args),
        Command::List => list(dir),
    }
}

fn import(dir: &Path, args: &Import) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let network = store.network()?;
    let export = match &args.file {
        Some(file) => Some(Export::read(&files::read(file, LIMIT)?)?),
        None => None,
    };
    if let Some(export) = export.as_ref().filter(|export| export.network != network) {
        return Err(Error::OtherNetwork {
            what: format!("the export of {:?}", export.wallet),
            expected: network,
            found: export.network.to_string(),
        });
    }
    let authority = export.as_ref().and_then(|export| export.authority);
    let pinned = store.authority()?.map(|pinned| pinned.id());
    if let (Some(obeyed), Some(pinned)) = (authority, pinned)
        && obeyed != pinned
    {
        return Err(Error::OtherAuthority { wallet: args.name.clone(), obeyed, pinned });
    }
    let descriptors = match &export {
        Some(export) => vec![export.external.clone(), export.internal.clone()],
        None => args.descriptor.clone(),
    };
    let rules = Wallet::new(network, &descriptors)?;
    let audit_key = export.as_ref().map(|export| export.audit_key.clone());
    let vault = audit_key.as_ref().map(vault_id);
    let birthday = match (args.birthday, export.as_ref().and_then(|export| export.birthday)) {
        (Some(height), _) => height,
        (None, Some(time)) => height_before(open_chain(dir, &store.config()?)?.as_ref(), time)?,
        (None, None) => 0,
    };
    let new = NewWallet {
        name: args.name.clone(),
        wallet_id: *rules.id().as_bytes(),
        external: rules.descriptor(Branch::External),
        internal: rules.descriptor(Branch::Internal),
        birthday,
        vault_id: vault.map(|vault| vault.as_bytes().to_vec()),
        audit_key: audit_key.as_ref().map(policies::identity::PublicKey::to_blob),
        authority: authority.map(|authority| *authority.as_bytes()),
    };
    // The birthday says where to begin, not which wallet it is.
    let is_same = |known: &NewWallet| NewWallet { birthday: new.birthday, ..known.clone() } == new;
    let is_new = !store.wallets()?.iter().any(|wallet| is_same(&wallet.imported));
    if is_new {
        store.add_wallet(&new)?;
    }
    let mut text = format!(
        "{} {} ({}): {}.",
        if is_new { "Watching" } else { "Already watching" },
        display::escape(&args.name),
        rules.kind().as_str(),
        rules.id()
    );
    if let (Some(pinned), Some(_), None) = (pinned, &export, authority) {
        // Not refused: it may be watched on purpose. But nobody must believe that the gatekeeper guards it.
        eprintln!(
            "WARNING: {} is standalone: its vault signs without a permit, whatever the pinned authority {pinned} says",
            display::escape(&args.name)
        );
    }
    if let Some(key) = &audit_key {
        text.push_str(&match authority {
            Some(authority) => format!("\nobeys authority {authority}"),
            None => "\nstandalone: no permit is needed by its vault".to_owned(),
        });
        text.push_str(&format!(
            "\naudit key  {}\nCompare it by eye with `cold-signer status`: receipts of this vault alone will count.",
            key.fingerprint()
        ));
    }
    text.push_str("\nNext: watch-node sync");
    let json = json!({
        "wallet": args.name,
        "wallet_id": rules.id().to_string(),
        "script": rules.kind().as_str(),
        "birthday": new.birthday,
        "vault_id": vault.map(|vault| vault.to_string()),
        "authority": authority.map(|authority| authority.to_string()),
        "audit_key_fingerprint": audit_key.map(|key| key.fingerprint()),
        "imported_before": !is_new,
    });
    Ok(Output::done(text, json))
}

/// A height all of whose blocks before it are older than a day before `time`: headers may be two hours wrong, the
/// vault's clock a little more. Binary search, since times rise on the whole.
fn height_before(chain: &dyn BlockSource, time: u64) -> Result<u32> {
    let since = time.saturating_sub(86_400);
    let (mut below, mut above) = (0, chain.tip()?.height);
    while below < above {
        let middle = below.saturating_add(above.saturating_sub(below).div_ceil(2));
        let header = match chain.hash_at(middle)? {
            Some(hash) => chain.header(hash)?,
            // The chain became shorter meanwhile.
            None => return Ok(below),
        };
        if u64::from(header.time) < since {
            below = middle;
        } else {
            above = middle.saturating_sub(1);
        }
    }
    Ok(below)
}

fn list(dir: &Path) -> Result<Output> {
    let store = Store::open(dir)?;
    let network = store.network()?.to_string();
    let mut text = String::new();
    let mut list = Vec::new();
    for wallet in store.wallets()? {
        let imported = &wallet.imported;
        text.push_str(&format!(
            "{}\n  external  {}\n  internal  {}\n",
            display::escape(&imported.name),
            imported.external,
            imported.internal
        ));
        list.push(json!({
            "wallet": imported.name,
            "network": network,
            "external": imported.external,
            "internal": imported.internal,
            "birthday": imported.birthday,
            "authority": imported.authority.map(|id| AuthorityId::from_bytes(id).to_string()),
            "issued": wallet.external_issued,
        }));
    }
    if list.is_empty() {
        text.push_str("no wallets");
    }
    Ok(Output::done(text, json!({"wallets": list})))
}
