//! `wallet`: the watched wallets.

use std::path::{Path, PathBuf};

use policies::permit::vault_id;
use policies::wallet::{Branch, Wallet};
use psbt_tools::wallet_file::{self, WalletFile};
use psbt_tools::{display, files};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{open_chain, scanned};
use crate::chain::BlockSource;
use crate::coins::free;
use crate::error::{Error, Result};
use crate::export::Export;
use crate::outlook::Outlook;
use crate::output::Output;
use crate::portrait;
use crate::store::{NewWallet, Store, WatchedVault, WatchedWallet};
use crate::wallet::OpenWallet;

/// Longest export that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The watched wallets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Watches a wallet from its descriptors, from what `cold-signer export` wrote, or from another program's file.
    #[command(
        after_help = "Example: watch-node wallet import savings --file savings.json\nExample: watch-node wallet import office \
--file vault-1.json && watch-node wallet import office --file vault-2.json    (a wallet with keys at two vaults)\n\nOther \
files: descriptor text, BIP129 and BIP388, and what Core, Sparrow, Specter, Electrum and Coldcard write."
    )]
    Import(Import),
    /// Lists the wallets.
    #[command(after_help = "Example: watch-node wallet list --json")]
    List,
    /// Shows in which ways a wallet spends, and what each can spend now and later, as of the last sync.
    #[command(
        after_help = "Example: watch-node wallet paths savings\n\n`watch-node pay savings --path 2 …` spends by the \
second."
    )]
    Paths {
        /// The wallet.
        name: String,
    },
}

/// What `wallet import` takes.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The wallet's name here; policies refer to it.
    name: String,
    /// One descriptor with <0;1>, or the pair for /0/* and /1/*.
    #[arg(long, value_name = "D", required_unless_present = "file", conflicts_with = "file")]
    descriptor: Vec<String>,
    /// What `cold-signer export` wrote: its vault is then pinned for the wallet, beside those before it. Or any program's
    /// description of a wallet.
    #[arg(long, value_name = "F")]
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
        Command::Paths { name } => paths(dir, name),
    }
}

/// Where a wallet's descriptors come from.
enum Source {
    /// A vault that was pinned, vouching for them with its signature.
    Vault(Box<Export>),
    /// A person.
    Descriptors(Vec<String>),
    /// A file that another program wrote, or nobody has signed.
    Foreign(WalletFile),
}

impl Source {
    fn read(args: &Import) -> Result<Self> {
        let Some(file) = &args.file else { return Ok(Source::Descriptors(args.descriptor.clone())) };
        let bytes = files::read(file, LIMIT)?;
        // What claims to be signed is verified, or it is nothing.
        let claimed: Option<Signed> = serde_json::from_slice(&bytes).ok();
        match claimed.and_then(|claimed| claimed.signature) {
            Some(_) => Ok(Source::Vault(Box::new(Export::read(&bytes)?))),
            None => Ok(Source::Foreign(wallet_file::read(&bytes)?)),
        }
    }

    fn descriptors(&self) -> Vec<String> {
        match self {
            Source::Vault(export) => vec![export.external.clone(), export.internal.clone()],
            Source::Descriptors(descriptors) => descriptors.clone(),
            Source::Foreign(file) => file.descriptors.clone(),
        }
    }

    fn export(&self) -> Option<&Export> {
        match self {
            Source::Vault(export) => Some(export),
            Source::Descriptors(_) | Source::Foreign(_) => None,
        }
    }
}

/// Whether an object has a signature at all.
#[derive(Deserialize)]
struct Signed {
    signature: Option<Value>,
}

fn import(dir: &Path, args: &Import) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let network = store.network()?;
    let source = Source::read(args)?;
    let export = source.export();
    if let Some(export) = export.filter(|export| export.network != network) {
        return Err(Error::OtherNetwork {
            what: format!("the export of {:?}", export.wallet),
            expected: network,
            found: export.network.to_string(),
        });
    }
    let rules = match &source {
        Source::Foreign(file) => file.wallet(network)?,
        Source::Vault(_) | Source::Descriptors(_) => Wallet::new(network, &source.descriptors())?,
    };
    let known = store.wallets()?.into_iter().find(|wallet| {
        wallet.imported.name == args.name && wallet.imported.wallet_id == *rules.id().as_bytes()
    });
    let authority = export.and_then(|export| export.authority);
    // Vaults of one wallet obey one authority, and so do all wallets of a folder that has pinned one.
    let beside = known.as_ref().and_then(|known| known.imported.authority());
    let pinned = store.authority()?.map(|pinned| pinned.id());
    for other in [pinned, beside].into_iter().flatten() {
        if let Some(obeyed) = authority.filter(|obeyed| *obeyed != other) {
            return Err(Error::OtherAuthority { wallet: args.name.clone(), obeyed, pinned: other });
        }
    }
    let vault = export.map(|export| WatchedVault {
        id: *vault_id(&export.audit_key).as_bytes(),
        audit_key: export.audit_key.to_blob(),
        authority: authority.map(|authority| *authority.as_bytes()),
    });
    let (done, birthday) = match &known {
        Some(wallet) => (add_vault(&mut store, wallet, vault.as_ref())?, wallet.imported.birthday),
        None => {
            let birthday = match (args.birthday, export.and_then(|export| export.birthday)) {
                (Some(height), _) => height,
                (None, Some(time)) => height_before(open_chain(dir, &store.config()?)?.as_ref(), time)?,
                (None, None) => 0,
            };
            store.add_wallet(&NewWallet {
                name: args.name.clone(),
                wallet_id: *rules.id().as_bytes(),
                external: rules.descriptor(Branch::External),
                internal: rules.descriptor(Branch::Internal),
                birthday,
                vaults: vault.iter().cloned().collect(),
            })?;
            (Done::Watched, birthday)
        }
    };
    if let (Some(pinned), Some(_), None) = (pinned.or(beside), export, authority) {
        // Not refused: it may be watched on purpose. But nobody must believe that the gatekeeper guards it.
        eprintln!(
            "WARNING: {} is standalone: its vault signs without a permit, whatever the pinned authority {pinned} says",
            display::escape(&args.name)
        );
    }
    let vaults = store.wallet(&args.name)?.imported.vaults;
    let mut text = format!(
        "{} {} ({}): {}.\n{}",
        done.words(),
        display::escape(&args.name),
        rules.kind().as_str(),
        rules.id(),
        portrait::lines(&rules)
    );
    if let Some(export) = export {
        text.push_str(&match authority {
            Some(authority) => format!("obeys authority {authority}\n"),
            None => "standalone: no permit is needed by its vault\n".to_owned(),
        });
        text.push_str(&format!(
            "audit key  {}\nCompare it by eye with `cold-signer status`: receipts of this vault{} will count.\n",
            export.audit_key.fingerprint(),
            if vaults.len() > 1 { ", like those of the wallet's others," } else { " alone" },
        ));
    }
    if let Source::Foreign(file) = &source {
        text.push_str(&format!("read as {}; no vault vouches for it\n", file.format.title()));
        file.notes.iter().for_each(|note| text.push_str(&format!("{}\n", display::escape(note))));
    }
    text.push_str("Next: watch-node sync");
    let json = json!({
        "format": match &source {
            Source::Foreign(file) => Some(file.format.as_str()),
            Source::Vault(_) | Source::Descriptors(_) => None,
        },
        "words": rules.id().words(),
        "wallet": args.name,
        "wallet_id": rules.id().to_string(),
        "script": rules.kind().as_str(),
        "birthday": birthday,
        "vault_id": export.map(|export| vault_id(&export.audit_key).to_string()),
        "authority": authority.map(|authority| authority.to_string()),
        "audit_key_fingerprint": export.map(|export| export.audit_key.fingerprint()),
        "imported_before": done == Done::Nothing,
        "vault_added": done == Done::Joined,
        "keys": portrait::keys(&rules),
        "paths": portrait::paths(&rules),
        "vaults": portrait::vaults(&vaults)?,
    });
    Ok(Output::done(text, json))
}

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Watched,
    /// The wallet was there; a vault of it is new.
    Joined,
    Nothing,
}

impl Done {
    fn words(self) -> &'static str {
        match self {
            Done::Watched => "Watching",
            Done::Joined => "Added a vault to",
            Done::Nothing => "Already watching",
        }
    }
}

/// Errors: [`Error::WalletExists`] for bare descriptors where a vault has vouched for them, and when the vault is known to
/// obey somebody else: what it once said stays.
fn add_vault(store: &mut Store, wallet: &WatchedWallet, vault: Option<&WatchedVault>) -> Result<Done> {
    let refused = || Err(Error::WalletExists(wallet.imported.name.clone()));
    let known = &wallet.imported.vaults;
    let Some(vault) = vault else { return if known.is_empty() { Ok(Done::Nothing) } else { refused() } };
    match known.iter().find(|known| known.id == vault.id) {
        Some(known) if known == vault => Ok(Done::Nothing),
        Some(_) => refused(),
        None => {
            store.add_vault(wallet, vault)?;
            Ok(Done::Joined)
        }
    }
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
        let rules = Wallet::new(store.network()?, &[&imported.external, &imported.internal])?;
        text.push_str(&format!(
            "{}\n{}{}  external  {}\n  internal  {}\n",
            display::escape(&imported.name),
            portrait::lines(&rules),
            portrait::vault_lines(&imported.vaults)?,
            imported.external,
            imported.internal
        ));
        list.push(json!({
            "wallet": imported.name,
            "network": network,
            "external": imported.external,
            "internal": imported.internal,
            "birthday": imported.birthday,
            "authority": imported.authority().map(|id| id.to_string()),
            "issued": wallet.external_issued,
            "wallet_id": rules.id().to_string(),
            "words": rules.id().words(),
            "script": rules.kind().as_str(),
            "keys": portrait::keys(&rules),
            "paths": portrait::paths(&rules),
            "vaults": portrait::vaults(&imported.vaults)?,
        }));
    }
    if list.is_empty() {
        text.push_str("no wallets");
    }
    Ok(Output::done(text, json!({"wallets": list})))
}

fn paths(dir: &Path, name: &str) -> Result<Output> {
    let store = Store::open(dir)?;
    let wallet = OpenWallet::new(store.network()?, store.wallet(name)?)?;
    scanned(&store, Some(&wallet.row))?;
    let outlook = Outlook::of(&store, &wallet.rules, &free(&store, wallet.row.id)?)?;
    let mut json = outlook.json();
    if let Some(object) = json.as_object_mut() {
        object.insert("wallet".to_owned(), name.into());
    }
    Ok(Output::done(outlook.text(), json))
}
