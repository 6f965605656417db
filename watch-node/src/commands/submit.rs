//! `submit`: takes signed payments back, checks them and broadcasts them.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, Psbt, Transaction};
use policies::check::Check;
use policies::codec::Canonical;
use policies::examine::FeeBounds;
use policies::request::{Recipient, SignedRequest};
use psbt_tools::envelope::Kind;
use psbt_tools::export::{attach_signatures, same_transaction};
use psbt_tools::finalize::{extract, finalize};
use psbt_tools::import::{Context, Imported, import};
use psbt_tools::{display, files};
use serde_json::{Value, json};

use super::payments::parse_number;
use super::{Chain, open_chain, unix_time};
use crate::assembly::{PREIMAGE_LEN, assembled, is_preimage, preimages_in, requested};
use crate::chain::{Acceptance, script};
use crate::coins::{CoinState, unspent};
use crate::cosigning::{Cosigning, signatures_in};
use crate::documents::{Taken, take};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::{spent_outputs, unsigned_txid};
use crate::stage::{Stage, Stages};
use crate::store::{Attempt, Payment, Store};
use crate::wallet::OpenWallet;

/// Longest file of a preimage that is read, in bytes.
const PREIMAGE_FILE_LEN: u64 = 1_024;

/// Takes signed payments back, checks them against what was asked for, and broadcasts them.
///
/// Where several keys must sign, their files come in any order, together or one after the other: signatures are verified and
/// kept, and the payment is broadcast when they are enough. Until then: exit 4, saying who has signed and who is missing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node submit pay-signed.psbt\nExample: watch-node submit anna.psbt ben.psbt    (two \
cosigners of one payment)"
)]
pub struct Args {
    /// Signed PSBTs.
    #[arg(required = true)]
    file: Vec<PathBuf>,
    /// Take this abandoned payment up again, when its signed file comes; may be repeated.
    #[arg(long, value_parser = parse_number, value_name = "P-0042")]
    take_up: Vec<u32>,
    /// A file with the preimage of a hash lock, 64 hexadecimal digits; may be repeated.
    #[arg(long, value_name = "F")]
    preimage_file: Vec<PathBuf>,
}

/// All files are taken in, then each payment that has its signatures is broadcast. What was taken in or broadcast before a
/// failure stays, and a retry sends the same bytes.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let wallets = OpenWallet::all(&store)?;
    let chain = open_chain(dir, &store.config()?)?;
    let preimages = args.preimage_file.iter().map(|file| preimage(file)).collect::<Result<Vec<_>>>()?;
    let mut returned: Vec<Returned<'_>> = Vec::new();
    let mut failure = None;
    for file in &args.file {
        match take_in(&mut store, &wallets, &preimages, file) {
            Ok(new) => match returned.iter_mut().find(|known| known.attempt.id == new.attempt.id) {
                Some(known) => known.join(new),
                None => returned.push(new),
            },
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let mut texts = Vec::new();
    let (mut submitted, mut waiting, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for returned in &returned {
        match returned.transaction(&store)? {
            Some(transaction) => {
                let (text, json) =
                    broadcast(&mut store, chain.as_ref(), &args.take_up, returned, &transaction)?;
                texts.push(text);
                submitted.push(json);
            }
            None => {
                let (text, json) = returned.incomplete(&store)?;
                texts.push(text);
                waiting.push(json);
                names.push(returned.payment.name());
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let json = json!({"submitted": submitted, "waiting": waiting});
    if let Some(name) = names.first() {
        let refusal = Error::SignaturesMissing { payments: names.join(", "), first: name.clone() };
        return Ok(Output::refused(texts.join("\n"), json, refusal));
    }
    texts.push("Next: watch-node sync && watch-node payments".to_owned());
    Ok(Output::done(texts.join("\n"), json))
}

/// An attempt of which files came back.
struct Returned<'w> {
    payment: Payment,
    attempt: Attempt,
    wallet: &'w OpenWallet,
    taken: Taken,
    /// The transaction of a file that needs no other.
    whole: Option<Transaction>,
}

impl Returned<'_> {
    fn join(&mut self, other: Self) {
        self.taken = self.taken.and(other.taken);
        self.whole = self.whole.take().or(other.whole);
    }

    /// The signed transaction: the one that was kept, that of a file, or what all kept signatures make; `None` when they
    /// are not enough.
    fn transaction(&self, store: &Store) -> Result<Option<Transaction>> {
        if let Some(kept) = &self.attempt.signed {
            return Ok(Some(kept.clone()));
        }
        if let Some(whole) = &self.whole {
            return Ok(Some(whole.clone()));
        }
        if !self.cosigning(store)?.is_met() {
            return Ok(None);
        }
        whole(assembled(store, self.wallet, &self.attempt)?, &self.attempt.spend.unsigned_transaction())
    }

    fn cosigning(&self, store: &Store) -> Result<Cosigning> {
        Cosigning::new(&self.wallet.rules, &self.attempt.spend, &store.signatures(&self.attempt)?)
    }

    fn incomplete(&self, store: &Store) -> Result<(String, Value)> {
        let cosigning = self.cosigning(store)?;
        let name = self.payment.name();
        let mut text = format!("{name} is not complete: its signatures are kept\n{}", cosigning.text());
        if cosigning.is_met() {
            text.push_str("\nmissing  the preimage of a hash lock: give it with --preimage-file");
        }
        text.push_str(&format!("\n{}", described(self.taken)));
        let mut json = json!({
            "payment": name,
            "attempt": self.attempt.nth,
            "spend_id": self.attempt.spend.id().to_string(),
            "permits": self.taken.permits,
            "receipts": self.taken.receipts,
            "ignored": self.taken.ignored,
            "preimage_missing": cosigning.is_met(),
        });
        if let (Some(object), Value::Object(told)) = (json.as_object_mut(), cosigning.json()) {
            object.extend(told);
        }
        Ok((text, json))
    }
}

/// Reads a file, finds out which attempt it is of, and keeps what it brings: documents, signatures, preimages.
fn take_in<'w>(
    store: &mut Store,
    wallets: &'w [OpenWallet],
    preimages: &[Vec<u8>],
    file: &Path,
) -> Result<Returned<'w>> {
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
    let mut complete = None;
    if attempt.signed.is_none() {
        complete = whole(imported.psbt().clone(), &requested)?;
        if complete.is_none() {
            keep(store, wallet, &attempt, preimages, imported.psbt())?;
        }
    }
    Ok(Returned { payment, attempt, wallet, taken, whole: complete })
}

/// Keeps a file's signatures, verified against the request as it was built here, and its preimages.
fn keep(
    store: &mut Store,
    wallet: &OpenWallet,
    attempt: &Attempt,
    given: &[Vec<u8>],
    psbt: &Psbt,
) -> Result<()> {
    let signatures = signatures_in(psbt, &wallet.rules, &attempt.spend)?;
    if !signatures.is_empty() {
        attach_signatures(&mut requested(store, attempt)?, &signatures)?;
        store.keep_signatures(attempt, &signatures)?;
    }
    for preimage in preimages_in(psbt, wallet, attempt)? {
        store.keep_preimage(attempt, &preimage)?;
    }
    for preimage in given {
        if is_preimage(wallet, attempt, preimage)? {
            store.keep_preimage(attempt, preimage)?;
        }
    }
    Ok(())
}

fn preimage(file: &Path) -> Result<Vec<u8>> {
    let malformed = || Error::Malformed {
        what: display::escape(&file.to_string_lossy()),
        reason: format!("expected {} hexadecimal digits, the preimage of a hash lock", PREIMAGE_LEN * 2),
    };
    let bytes = files::read(file, PREIMAGE_FILE_LEN)?;
    let text = str::from_utf8(&bytes).map_err(|_| malformed())?;
    let preimage = <Vec<u8> as bitcoin::hex::FromHex>::from_hex(text.trim()).map_err(|_| malformed())?;
    if preimage.len() == PREIMAGE_LEN { Ok(preimage) } else { Err(malformed()) }
}

fn broadcast(
    store: &mut Store,
    chain: &dyn Chain,
    take_up: &[u32],
    returned: &Returned<'_>,
    transaction: &Transaction,
) -> Result<(String, Value)> {
    let Returned { payment, attempt, wallet, taken, .. } = returned;
    let was_kept = attempt.signed.is_some();
    script::verify(transaction, &spent_outputs(&attempt.spend, &wallet.rules)?)?;
    let is_taken_up = payment.abandoned.is_some();
    let goes_back = payment.last()?.request.recipients.is_empty();
    if is_taken_up || (goes_back && !attempt.request.recipients.is_empty()) {
        not_paid_since(store, payment, attempt)?;
    }
    if is_taken_up {
        still_free(store, payment, attempt)?;
        if !take_up.contains(&payment.number) {
            return Err(Error::Abandoned { payment: payment.name(), reason: None });
        }
    }
    if let Acceptance::Refused(reason) = chain.test_acceptance(transaction)? {
        return Err(Error::TransactionRefused { txid: transaction.compute_txid(), reason });
    }
    if is_taken_up {
        store.set_abandoned(payment.number, None)?;
    }
    store.keep_signed(attempt, transaction)?;
    let txid = chain.submit(transaction)?;
    store.mark_broadcast(attempt)?;
    let nth = match payment.attempts.len() {
        1 => String::new(),
        _ => format!(", attempt {},", attempt.nth),
    };
    let text = format!(
        "{}{nth} is broadcast: {txid}{}\n{}{}",
        payment.name(),
        if was_kept { " (again, the same bytes as before)" } else { "" },
        if is_taken_up { "it was abandoned and is taken up again: its coins were still free\n" } else { "" },
        described(*taken)
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
    let txid = unsigned_txid(transaction);
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

/// The signed transaction of a PSBT, `None` while signatures or preimages are missing; C33 once more, after finalising.
fn whole(mut psbt: Psbt, requested: &Transaction) -> Result<Option<Transaction>> {
    match finalize(&mut psbt) {
        Ok(()) => {}
        Err(psbt_tools::Error::SignaturesMissing(_)) => return Ok(None),
        // Its locks open a path, or it would not have been built: a preimage is missing.
        Err(psbt_tools::Error::Refused { check: Check::LOCKTIME, .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let transaction = extract(&psbt, &FeeBounds::default())?;
    same_transaction(requested, &transaction)?;
    Ok(Some(transaction))
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
