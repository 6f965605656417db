//! `submit`: takes signed payments back, checks them and broadcasts them.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, Transaction};
use policies::request::Recipient;
use psbt_tools::document::recognise;
use psbt_tools::scanner::{From, watched};
use psbt_tools::{display, files, manifest};
use serde_json::{Value, json};

use super::payments::parse_number;
use super::{Chain, open_chain, unix_time};
use crate::assembly::PREIMAGE_LEN;
use crate::chain::{Acceptance, script};
use crate::coins::{CoinState, unspent};
use crate::cosigning::Cosigning;
use crate::documents::Taken;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::spent_outputs;
use crate::returned::{Returned, take_in};
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
    after_help = "Example: watch-node submit pay-signed.psbt\nExample: watch-node submit pay-reply.airlock\nExample: watch-node submit anna.psbt ben.psbt    (two \
cosigners of one payment)\nExample: watch-node submit --camera"
)]
pub struct Args {
    /// Signed PSBTs, and replies: what `cold-signer sign --reply` wrote.
    #[arg(required_unless_present = "qr_source", conflicts_with = "qr_source")]
    file: Vec<PathBuf>,
    /// Take this abandoned payment up again, when its signed file comes; may be repeated.
    #[arg(long, value_parser = parse_number, value_name = "P-0042")]
    take_up: Vec<u32>,
    /// A file with the preimage of a hash lock, 64 hexadecimal digits; may be repeated.
    #[arg(long, value_name = "F")]
    preimage_file: Vec<PathBuf>,
    #[command(flatten)]
    from: From,
}

/// All files are taken in, then each payment that has its signatures is broadcast. What was taken in or broadcast before a
/// failure stays, and a retry sends the same bytes.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    // Before the store is taken: somebody holds something before a camera.
    let mut seen = if args.from.is_given() { Some(watched(&args.from)?.payload.bytes) } else { None };
    let came = if seen.is_some() { vec![PathBuf::from("QR codes")] } else { args.file.clone() };
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let wallets = OpenWallet::all(&store)?;
    let chain = open_chain(dir, &store.config()?)?;
    let preimages = args.preimage_file.iter().map(|file| preimage(file)).collect::<Result<Vec<_>>>()?;
    let mut returned: Vec<Returned<'_>> = Vec::new();
    let mut failure = None;
    let mut texts = Vec::new();
    let mut says = Vec::new();
    for file in &came {
        let bytes = seen.take().map_or_else(|| files::read(file, files::DEFAULT_LIMIT), Ok);
        let taken = bytes.map_err(Error::from).and_then(|bytes| {
            let (text, json) = claimed(file, &bytes);
            texts.extend(text);
            says.push(json);
            take_in(&mut store, &wallets, &preimages, bytes, unix_time())
        });
        match taken {
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
    let (mut submitted, mut waiting) = (Vec::new(), Vec::new());
    let mut lacking: Vec<(&Returned<'_>, bool)> = Vec::new();
    for returned in &returned {
        match returned.transaction(&store)? {
            Some(transaction) => {
                let (text, json) =
                    broadcast(&mut store, chain.as_ref(), &args.take_up, returned, &transaction)?;
                texts.push(text);
                submitted.push(json);
            }
            None => {
                let cosigning = returned.cosigning(&store)?;
                let (text, json) = incomplete(returned, &cosigning);
                texts.push(text);
                waiting.push(json);
                lacking.push((returned, cosigning.is_met));
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    let json = json!({"manifests": says, "submitted": submitted, "waiting": waiting});
    if !lacking.is_empty() {
        return Ok(Output::refused(texts.join("\n"), json, more_needed(&lacking)));
    }
    texts.push("Next: watch-node sync && watch-node payments".to_owned());
    Ok(Output::done(texts.join("\n"), json))
}

/// What a file says of itself, before anything else is said of it, and its words.
fn claimed(file: &Path, bytes: &[u8]) -> (Vec<String>, Value) {
    let name = display::escape(&file.to_string_lossy());
    let manifest = manifest::of(bytes);
    let words = display::words_of(bytes);
    let says = manifest.iter().flat_map(|manifest| manifest.lines());
    let lines = says.chain([format!("words: {words}")]);
    let text = lines.map(|line| format!("{name} {line}")).collect();
    let kind = recognise(bytes).as_str();
    let manifest = manifest.map(|manifest| manifest.to_json());
    (text, json!({"file": name, "kind": kind, "words": words, "manifest": manifest}))
}

/// What payments lack, each with whether its signatures are enough.
fn more_needed(lacking: &[(&Returned<'_>, bool)]) -> Error {
    let unsigned = || lacking.iter().filter(|(_, is_signed)| !is_signed).map(|(returned, _)| *returned);
    if unsigned().next().is_none() {
        let names: Vec<_> = lacking.iter().map(|(returned, _)| returned.payment.name()).collect();
        return Error::PreimageMissing(names.join(", "));
    }
    let names: Vec<_> = unsigned().map(|returned| returned.payment.name()).collect();
    let shared = unsigned().find(|returned| returned.wallet.rules.keys().len() > 1);
    Error::SignaturesMissing {
        payments: names.join(", "),
        shared: shared.map(|returned| returned.payment.name()),
    }
}

/// Who has signed and who is missing.
fn incomplete(returned: &Returned<'_>, cosigning: &Cosigning) -> (String, Value) {
    let name = returned.payment.name();
    let mut text = format!("{name} is not complete: its signatures are kept\n{}", cosigning.text());
    if cosigning.is_met {
        text.push_str("\nmissing  the preimage of a hash lock: give it with --preimage-file");
    }
    text.push_str(&format!("\n{}", described(returned.taken)));
    let mut json = json!({
        "payment": name,
        "attempt": returned.attempt.nth,
        "spend_id": returned.attempt.spend.id().to_string(),
        "permits": returned.taken.permits,
        "receipts": returned.taken.receipts,
        "ignored": returned.taken.ignored,
        "replies": returned.replies,
        "preimage_missing": cosigning.is_met,
    });
    if let (Some(object), Value::Object(told)) = (json.as_object_mut(), cosigning.json()) {
        object.extend(told);
    }
    (text, json)
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
        "replies": returned.replies,
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
