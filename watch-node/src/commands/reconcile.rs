//! `reconcile`: whether anything left that nobody permitted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bitcoin::{Address, Network, Script};
use policies::codec::Canonical;
use policies::identity::PublicKey;
use policies::permit::{Receipt, vault_id};
use psbt_tools::import::{Context, import};
use psbt_tools::money::amount_text;
use psbt_tools::{display, files};
use serde::Deserialize;
use serde_json::{Value, json};

use super::scanned;
use crate::documents::{take, vault_of};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::unsigned_txid;
use crate::reconcile::{Finding, Verdict, Vouched, needed_authority, reconcile, ungoverned};
use crate::stage::Stage;
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
    /// A wallet that is meant to obey no authority: its spends need no permit; may be repeated.
    #[arg(long, value_name = "NAME")]
    accept_ungoverned: Vec<String>,
}

#[derive(Deserialize)]
struct ReceiptsFile {
    vault_id: String,
    audit_key: String,
    receipts: Vec<String>,
}

/// Takes in what was brought, then judges. Unauthorised or ungoverned: exit 3; a document or the authority missing: exit 4.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let mut vouched = Vouched { ungoverned: accepted(&store, args)?, ..Vouched::default() };
    for file in &args.receipts {
        vouched.vaults.insert(take_receipts(&mut store, file)?);
    }
    for file in &args.permits {
        take_permits(&mut store, file)?;
    }
    let findings = reconcile(&store, &vouched)?;
    let height = store.tip()?.map(|tip| tip.height);
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, open) = (count(Verdict::Unauthorised), count(Verdict::Incomplete));
    let free = count(Verdict::Ungoverned);
    let needed = needed_authority(&store)?;
    // Of what was not looked at, nothing is clean; what is bad is told all the same.
    let unscanned = scanned(&store, None).err();
    let refusal = match (bad, free, unscanned.or(needed), open) {
        (0, 0, None, 0) => None,
        (0, 0, Some(reason), _) => Some(reason),
        (0, 0, None, open) => Some(Error::Incomplete(format!("{} without a document", spends(open)))),
        (0, free, ..) => {
            Some(Error::Ungoverned(format!("{} from a wallet that obeys no authority", spends(free))))
        }
        (bad, ..) => Some(Error::Unauthorised(format!("{} unauthorised", spends(bad)))),
    };
    let word = match (bad, free, &refusal) {
        (0, 0, None) => "clean",
        (0, 0, Some(_)) => "incomplete",
        (0, ..) => "ungoverned",
        _ => "unauthorised",
    };
    let network = store.network()?;
    let names: BTreeMap<i64, String> =
        store.wallets()?.into_iter().map(|wallet| (wallet.id, wallet.imported.name)).collect();
    let ungoverned = ungoverned(&store)?;
    let mut text: String = findings.iter().map(|finding| lines(finding, &names, network)).collect();
    for name in &ungoverned {
        let accepted = if vouched.ungoverned.contains(name) { ", which is accepted" } else { "" };
        text.push_str(&format!(
            "{:<20} {}: it obeys no authority{accepted}\n",
            "ungoverned",
            display::escape(name)
        ));
    }
    text.push_str(&match height {
        Some(height) => format!("{word}: {} as of height {height}", spends(findings.len())),
        None => format!("{word}: {}, nothing scanned yet", spends(findings.len())),
    });
    let json = json!({
        "verdict": word,
        "height": height,
        "ungoverned": ungoverned,
        "accepted_ungoverned": vouched.ungoverned,
        "spends": findings.iter().map(|finding| object(finding, &names, network)).collect::<Vec<_>>(),
    });
    Ok(match refusal {
        None => Output::done(text, json),
        Some(refusal) => Output::refused(text, json, refusal),
    })
}

/// Wallets that are named as meant to obey nobody; naming one that does obey is a mistake worth telling.
fn accepted(store: &Store, args: &Args) -> Result<BTreeSet<String>> {
    for name in &args.accept_ungoverned {
        if store.wallet(name)?.imported.authority().is_some() {
            return Err(Error::Usage {
                what: format!("--accept-ungoverned {name:?}"),
                reason: "this wallet obeys an authority: its spends need permits".to_owned(),
            });
        }
    }
    Ok(args.accept_ungoverned.iter().cloned().collect())
}

/// Keeps the receipts of one vault, all of which must be by it; gives the vault's id.
fn take_receipts(store: &mut Store, file: &Path) -> Result<[u8; 32]> {
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
        |wallet: &OpenWallet| wallet.row.imported.vaults.iter().any(|pinned| pinned.id == *vault.as_bytes());
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
            if vault_of(&receipt, wallet)?.is_some() {
                store.add_receipt(&receipt)?;
            }
        }
    }
    Ok(*vault.as_bytes())
}

fn take_permits(store: &mut Store, file: &Path) -> Result<()> {
    let wallets = OpenWallet::all(store)?;
    let rules: Vec<_> = wallets.iter().map(|wallet| wallet.rules.clone()).collect();
    let bytes = files::read(file, files::DEFAULT_LIMIT)?;
    let context = Context { network: Some(store.network()?), ..Context::default() };
    let imported = import(bytes, &rules, &context)?;
    let txid = unsigned_txid(&imported.psbt().unsigned_tx);
    let payments = store.payments()?;
    let mut attempts = payments.iter().flat_map(|p| p.attempts.iter().map(move |a| (p, a)));
    let found = attempts.find(|(_, attempt)| attempt.unsigned_txid == txid);
    let (payment, attempt) = found.ok_or_else(|| {
        Error::UnknownPayment(format!(
            "{}: transaction {txid} is no payment of this folder",
            display::escape(&file.to_string_lossy())
        ))
    })?;
    let wallet = wallets
        .iter()
        .find(|wallet| wallet.row.id == payment.wallet)
        .ok_or(Error::CorruptStore("payment without its wallet"))?;
    take(store, wallet, attempt, imported.envelope())?;
    Ok(())
}

/// Two lines; where money left without permission also which coins, to whom, why that is wrong, and what to do.
fn lines(finding: &Finding, names: &BTreeMap<i64, String>, network: Network) -> String {
    let mut text = format!("{:<20} {}\n", finding.verdict.word(), finding.txid);
    let mut push = |line: String| text.push_str(&format!("{:20} {line}\n", ""));
    push(format!(
        "{}, {}, permit {}, receipt {}",
        display::escape(&finding.wallets.join(" and ")),
        match (&finding.payment, finding.stage) {
            (Some(payment), Some(stage)) => match finding.attempt {
                Some(nth) if nth > 1 => format!("{payment} attempt {nth} {}", stage.word()),
                _ => format!("{payment} {}", stage.word()),
            },
            _ => "no payment".to_owned(),
        },
        finding.permit.word(),
        finding.receipt.word(),
    ));
    let Some((reason, hint)) = finding.alarm() else { return text };
    let name = |id: &i64| display::escape(names.get(id).map_or("?", String::as_str)).to_string();
    for input in &finding.movement.inputs {
        push(format!("took  {}  {}  of {}", amount_text(input.amount), input.coin, name(&input.wallet)));
    }
    for output in &finding.movement.outputs {
        let back =
            output.wallet.as_ref().map_or_else(String::new, |wallet| format!("  back to {}", name(wallet)));
        push(format!(
            "paid  {}  {}{back}",
            amount_text(output.amount),
            address(&output.script, network).unwrap_or_else(|| format!("script {:x}", output.script)),
        ));
    }
    push(format!("why   {reason}"));
    push(format!("hint  {hint}"));
    text
}

fn object(finding: &Finding, names: &BTreeMap<i64, String>, network: Network) -> Value {
    let (reason, hint) = finding.alarm().unzip();
    let inputs: Vec<_> = finding
        .movement
        .inputs
        .iter()
        .map(|input| {
            json!({
                "outpoint": input.coin.to_string(),
                "value_sat": input.amount.to_sat(),
                "wallet": names.get(&input.wallet),
            })
        })
        .collect();
    let outputs: Vec<_> = finding
        .movement
        .outputs
        .iter()
        .map(|output| {
            json!({
                "address": address(&output.script, network),
                "script_hex": output.script.to_hex_string(),
                "value_sat": output.amount.to_sat(),
                "wallet": output.wallet.and_then(|wallet| names.get(&wallet)),
            })
        })
        .collect();
    json!({
        "txid": finding.txid.to_string(),
        "unsigned_txid": finding.unsigned_txid.to_string(),
        "height": finding.height,
        "wallets": finding.wallets,
        "payment": finding.payment,
        "attempt": finding.attempt,
        "stage": finding.stage.map(Stage::word),
        "spend_id": finding.spend.map(|id| id.to_string()),
        "inputs": inputs,
        "outputs": outputs,
        "permit": finding.permit.word(),
        "receipt": finding.receipt.word(),
        "verdict": finding.verdict.word(),
        "reason": reason,
        "hint": hint,
    })
}

fn address(script: &Script, network: Network) -> Option<String> {
    Address::from_script(script, network).ok().map(|address| address.to_string())
}

fn spends(count: usize) -> String {
    if count == 1 { "1 spend".to_owned() } else { format!("{count} spends") }
}
