//! `submit`: takes signed payments back, checks them and broadcasts them.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, Transaction};
use policies::codec::Canonical;
use policies::examine::FeeBounds;
use policies::request::{Recipient, SignedRequest};
use psbt_tools::envelope::Kind;
use psbt_tools::export::same_transaction;
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::import::{Context, Imported, import};
use psbt_tools::{display, files};
use serde_json::{Value, json};

use super::payments::parse_number;
use super::{Chain, open_chain, unix_time};
use crate::chain::{Acceptance, script};
use crate::coins::{CoinState, unspent};
use crate::documents::{Taken, take};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::spent_outputs;
use crate::stage::{Stage, Stages};
use crate::store::{Attempt, Payment, Store};
use crate::wallet::OpenWallet;

/// Takes signed payments back, checks them against what was asked for, and broadcasts them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: watch-node submit pay-signed.psbt")]
pub struct Args {
    /// Signed PSBTs.
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// Take this abandoned payment up again, when its signed file comes; may be repeated.
    #[arg(long, value_parser = parse_number, value_name = "P-0042")]
    take_up: Vec<u32>,
}

/// One file after the other; what was broadcast before a failure stays broadcast, and a retry sends the same bytes.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let wallets = OpenWallet::all(&store)?;
    let chain = open_chain(dir, &store.config()?)?;
    let mut texts = Vec::new();
    let mut submitted = Vec::new();
    for file in &args.file {
        let (text, json) = submit(&mut store, chain.as_ref(), &wallets, &args.take_up, file)?;
        texts.push(text);
        submitted.push(json);
    }
    texts.push("Next: watch-node sync && watch-node payments".to_owned());
    Ok(Output::done(texts.join("\n"), json!({"submitted": submitted})))
}

fn submit(
    store: &mut Store,
    chain: &dyn Chain,
    wallets: &[OpenWallet],
    take_up: &[u32],
    file: &Path,
) -> Result<(String, Value)> {
    let bytes = files::read(file, files::DEFAULT_LIMIT)?;
    let rules: Vec<_> = wallets.iter().map(|wallet| wallet.rules.clone()).collect();
    let context = Context { network: Some(store.network()?), now: Some(unix_time()), ..Context::default() };
    let first = import(bytes.clone(), &rules, &context)?;
    let (payment, attempt) = known_attempt(store, &first)?;
    let requested = attempt.spend.unsigned_transaction();
    same_transaction(&requested, &first.psbt().unsigned_tx)?;

    let wallet = wallets
        .iter()
        .find(|wallet| wallet.row.id == payment.wallet)
        .ok_or(Error::CorruptStore("payment without its wallet"))?;
    let context = Context { marks: wallet.marks(store)?, ..context };
    let imported = import(bytes, std::slice::from_ref(&wallet.rules), &context)?;
    let (spend, _) = imported.cleared()?;
    if spend.id() != attempt.spend.id() {
        return Err(Error::UnknownPayment(format!(
            "the file claims spend {}, {} is spend {}",
            spend.id(),
            payment.name(),
            attempt.spend.id()
        )));
    }
    // Documents are kept even when signatures are still missing: a permitted file shows its permit.
    let taken = take(store, wallet, &attempt, imported.envelope())?;
    let was_kept = attempt.signed.is_some();
    let transaction = match attempt.signed.clone() {
        Some(kept) => kept,
        None => signed(&imported, &requested)?,
    };
    script::verify(&transaction, &spent_outputs(&attempt.spend, &wallet.rules)?)?;
    let is_taken_up = payment.abandoned.is_some();
    let goes_back = payment.last()?.request.recipients.is_empty();
    if is_taken_up || (goes_back && !attempt.request.recipients.is_empty()) {
        not_paid_since(store, &payment, &attempt)?;
    }
    if is_taken_up {
        still_free(store, &payment, &attempt)?;
        if !take_up.contains(&payment.number) {
            return Err(Error::Abandoned { payment: payment.name(), reason: None });
        }
    }
    if let Acceptance::Refused(reason) = chain.test_acceptance(&transaction)? {
        return Err(Error::TransactionRefused { txid: transaction.compute_txid(), reason });
    }
    if is_taken_up {
        store.set_abandoned(payment.number, None)?;
    }
    store.keep_signed(&attempt, &transaction)?;
    let txid = chain.submit(&transaction)?;
    store.mark_broadcast(&attempt)?;
    let nth = match payment.attempts.len() {
        1 => String::new(),
        _ => format!(", attempt {},", attempt.nth),
    };
    let text = format!(
        "{}{nth} is broadcast: {txid}{}\n{}{}",
        payment.name(),
        if was_kept { " (again, the same bytes as before)" } else { "" },
        if is_taken_up { "it was abandoned and is taken up again: its coins were still free\n" } else { "" },
        described(taken)
    );
    let json = json!({
        "payment": payment.name(),
        "attempt": attempt.nth,
        "txid": txid.to_string(),
        "spend_id": attempt.spend.id().to_string(),
        "again": was_kept,
        "taken_up": is_taken_up,
        "permits": taken.permits,
        "receipts": taken.receipts,
        "ignored": taken.ignored,
    });
    Ok((text, json))
}

/// What was given up may go on only as if it had never been: no other payment counts on its coins. Errors:
/// [`Error::Abandoned`].
fn still_free(store: &Store, payment: &Payment, attempt: &Attempt) -> Result<()> {
    let coins = unspent(store, Some(payment.wallet))?;
    let is_free =
        |outpoint| coins.iter().any(|coin| coin.outpoint == outpoint && coin.state != CoinState::Reserved);
    let taken = attempt.spend.inputs().iter().map(|input| input.outpoint).find(|coin| !is_free(*coin));
    taken.map_or(Ok(()), |coin| {
        let reason = Some(format!("its coin {coin} is no longer free"));
        Err(Error::Abandoned { payment: payment.name(), reason })
    })
}

/// What was given up, or taken back to the wallet, was perhaps made anew since: one invoice is paid once. Errors:
/// [`Error::Abandoned`], when a later payment pays the same recipients the same amounts.
fn not_paid_since(store: &Store, payment: &Payment, attempt: &Attempt) -> Result<()> {
    let owed = sorted(&attempt.request.recipients);
    if owed.is_empty() {
        return Ok(());
    }
    let stages = Stages::load(store)?;
    for later in store.payments()? {
        if later.number <= payment.number || later.wallet != payment.wallet {
            continue;
        }
        for other in &later.attempts {
            if sorted(&other.request.recipients) == owed
                && stages.of_attempt(&later, other)? != Stage::Abandoned
            {
                let reason = Some(format!("the later {} pays the same", later.name()));
                return Err(Error::Abandoned { payment: payment.name(), reason });
            }
        }
    }
    Ok(())
}

fn sorted(recipients: &[Recipient]) -> Vec<(&[u8], Amount)> {
    let mut pairs: Vec<_> = recipients.iter().map(|to| (to.script.as_bytes(), to.amount)).collect();
    pairs.sort_unstable();
    pairs
}

/// The attempt that a file belongs to: by its transaction, by the request in its envelope, or by a coin that it spends;
/// the latest of several. Whether it is unchanged is decided afterwards.
fn known_attempt(store: &Store, file: &Imported) -> Result<(Payment, Attempt)> {
    let requests: Vec<_> = file
        .envelope()
        .get(Kind::Request)
        .filter_map(|bytes| SignedRequest::from_bytes(bytes).ok())
        .map(|signed| signed.request.id())
        .collect();
    let transaction = &file.psbt().unsigned_tx;
    let txid = transaction.compute_txid();
    let spends = |attempt: &Attempt| {
        let mut coins = attempt.spend.inputs().iter().map(|input| input.outpoint);
        coins.any(|coin| transaction.input.iter().any(|input| input.previous_output == coin))
    };
    let payments = store.payments()?;
    let attempts = || payments.iter().rev().flat_map(|p| p.attempts.iter().rev().map(move |a| (p, a)));
    attempts()
        .find(|(_, attempt)| attempt.unsigned_txid == txid)
        .or_else(|| attempts().find(|(_, attempt)| requests.contains(&attempt.request.id())))
        .or_else(|| attempts().find(|(_, attempt)| spends(attempt)))
        .map(|(payment, attempt)| (payment.clone(), attempt.clone()))
        .ok_or_else(|| Error::UnknownPayment(format!("transaction {txid} is no payment of this folder")))
}

/// The signed transaction of a file; C33 once more, after finalising.
fn signed(file: &Imported, requested: &Transaction) -> Result<Transaction> {
    let mut psbt = file.psbt().clone();
    finalize(&mut psbt)?;
    let transaction = extract(&psbt, &FeeBounds::default())?;
    same_transaction(requested, &transaction)?;
    Ok(transaction)
}

fn described(taken: Taken) -> String {
    let mut text = format!(
        "kept {} verified {} and {} verified {}",
        taken.permits,
        plural(taken.permits, "permit"),
        taken.receipts,
        plural(taken.receipts, "receipt")
    );
    if taken.ignored > 0 {
        text.push_str(&format!(
            "; {} {} not by whom was pinned here and count for nothing",
            taken.ignored,
            if taken.ignored == 1 { "document is" } else { "documents are" }
        ));
    }
    display::escape(&text)
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}
