//! `reconcile`: whether anything left that nobody permitted.

use std::path::{Path, PathBuf};

use policies::codec::Canonical;
use policies::identity::PublicKey;
use policies::permit::{Receipt, vault_id};
use psbt_tools::import::{Context, import};
use psbt_tools::{display, files};
use serde::Deserialize;
use serde_json::json;

use crate::documents::{is_by_vault_of, take};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::reconcile::{Complete, Finding, Verdict, needed_authority, reconcile, ungoverned};
use crate::store::Store;
use crate::wallet::OpenWallet;

/// Holds every spend of a watched coin against payments, permits and receipts, as of the last sync.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node reconcile --receipts receipts.json")]
pub struct Args {
    /// All receipts of a vault, from `cold-signer receipts -o F`: a spend that it lacks was not signed there.
    #[arg(long, value_name = "F")]
    receipts: Vec<PathBuf>,
    /// Files that carry permits: permitted or signed PSBTs.
    #[arg(long, value_name = "F")]
    permits: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct ReceiptsFile {
    vault_id: String,
    audit_key: String,
    receipts: Vec<String>,
}

/// Takes in what was brought, then judges. Unauthorised: exit 3; a document or the authority missing: exit 4.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let mut complete = Complete::default();
    for file in &args.receipts {
        complete.vaults.insert(take_receipts(&mut store, file)?);
    }
    for file in &args.permits {
        take_permits(&mut store, file)?;
    }
    let findings = reconcile(&store, &complete)?;
    let height = store.tip()?.map(|tip| tip.height);
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, open) = (count(Verdict::Unauthorised), count(Verdict::Incomplete));
    let needed = needed_authority(&store)?;
    let refusal = match (bad, needed, open) {
        (0, None, 0) => None,
        (0, Some(needed), _) => Some(needed),
        (0, None, open) => Some(Error::Incomplete(format!("{} without a document", spends(open)))),
        (bad, ..) => Some(Error::Unauthorised(format!("{} unauthorised", spends(bad)))),
    };
    let word = match (bad, &refusal) {
        (0, None) => "clean",
        (0, Some(_)) => "incomplete",
        _ => "unauthorised",
    };
    let ungoverned = ungoverned(&store)?;
    let mut text: String = findings.iter().map(line).collect();
    for name in &ungoverned {
        text.push_str(&format!("{:<20} {}: it obeys no authority\n", "ungoverned", display::escape(name)));
    }
    text.push_str(&match height {
        Some(height) => format!("{word}: {} as of height {height}", spends(findings.len())),
        None => "nothing scanned yet: run `watch-node sync`".to_owned(),
    });
    let json = json!({
        "verdict": word,
        "height": height,
        "ungoverned": ungoverned,
        "spends": findings.iter().map(|finding| json!({
            "txid": finding.txid.to_string(),
            "height": finding.height,
            "wallets": finding.wallets,
            "payment": finding.payment,
            "spend_id": finding.spend.map(|id| id.to_string()),
            "permit": finding.permit.word(),
            "receipt": finding.receipt.word(),
            "verdict": finding.verdict.word(),
        })).collect::<Vec<_>>(),
    });
    Ok(match refusal {
        None => Output::done(text, json),
        Some(refusal) => Output::refused(text, json, refusal),
    })
}

/// Keeps the receipts of one vault, all of which must be by it; gives the vault's id.
fn take_receipts(store: &mut Store, file: &Path) -> Result<Vec<u8>> {
    let name = || display::escape(&file.to_string_lossy());
    let malformed = |reason: String| Error::Malformed { what: name(), reason };
    let forged = |reason: &str| Error::NotAuthentic { what: name(), reason: reason.to_owned() };
    let bytes = files::read(file, files::DEFAULT_LIMIT)?;
    let list: ReceiptsFile = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    let key: PublicKey = list.audit_key.parse().map_err(|error| malformed(format!("audit_key: {error}")))?;
    let vault = vault_id(&key);
    if vault.to_string() != list.vault_id {
        return Err(forged("its vault id is not that of its audit key"));
    }
    let wallets = OpenWallet::all(store)?;
    let is_pinned =
        |wallet: &OpenWallet| wallet.row.imported.vault_id.as_deref() == Some(vault.as_bytes().as_slice());
    if !wallets.iter().any(is_pinned) {
        return Err(forged("no wallet here was exported by this vault"));
    }
    for hex in &list.receipts {
        let bytes = <Vec<u8> as bitcoin::hex::FromHex>::from_hex(hex)
            .map_err(|error| malformed(format!("receipt: {error}")))?;
        let receipt = Receipt::from_bytes(&bytes).map_err(|error| malformed(format!("receipt: {error}")))?;
        if receipt.audit_key().map_err(|_| forged("a receipt's signature does not hold"))? != key {
            return Err(forged("a receipt is by another vault"));
        }
        // Receipts of wallets that are not watched here say nothing about those that are.
        for wallet in &wallets {
            if is_by_vault_of(&receipt, wallet)? {
                store.add_receipt(&receipt)?;
            }
        }
    }
    Ok(vault.as_bytes().to_vec())
}

fn take_permits(store: &mut Store, file: &Path) -> Result<()> {
    let wallets = OpenWallet::all(store)?;
    let rules: Vec<_> = wallets.iter().map(|wallet| wallet.rules.clone()).collect();
    let bytes = files::read(file, files::DEFAULT_LIMIT)?;
    let context = Context { network: Some(store.network()?), ..Context::default() };
    let imported = import(bytes, &rules, &context)?;
    let txid = imported.psbt().unsigned_tx.compute_txid();
    let payment = store.payments()?.into_iter().find(|payment| payment.unsigned_txid == txid);
    let payment = payment.ok_or_else(|| {
        Error::UnknownPayment(format!(
            "{}: transaction {txid} is no payment of this folder",
            display::escape(&file.to_string_lossy())
        ))
    })?;
    let wallet = wallets
        .iter()
        .find(|wallet| wallet.row.id == payment.wallet)
        .ok_or(Error::CorruptStore("payment without its wallet"))?;
    take(store, wallet, &payment.spend, imported.envelope())?;
    Ok(())
}

fn line(finding: &Finding) -> String {
    format!(
        "{:<20} {}\n{:20} {}, {}, permit {}, receipt {}\n",
        finding.verdict.word(),
        finding.txid,
        "",
        display::escape(&finding.wallets.join(" and ")),
        finding.payment.as_deref().unwrap_or("no payment"),
        finding.permit.word(),
        finding.receipt.word(),
    )
}

fn spends(count: usize) -> String {
    if count == 1 { "1 spend".to_owned() } else { format!("{count} spends") }
}
