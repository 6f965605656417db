//! `pay`: builds a payment and writes it as a request.

use std::path::{Path, PathBuf};

use bitcoin::{Amount, Network, OutPoint};
use policies::request::{MAX_PURPOSE_LEN, Recipient};
use policies::wallet::Locks;
use psbt_tools::export::attach_signatures;
use psbt_tools::money::{amount_text, parse_amount};
use psbt_tools::{display, files};
use serde_json::json;

use super::terms::{Facts, FeeOptions, Leaving, expiry, has_typed_fee, parse_duration, random};
use super::way::{Left, Way};
use super::{address_of, now, unix_time};
use crate::assembly::requested;
use crate::coins::{Balance, Coin, CoinState, free, unspent};
use crate::completion::{Completion, Terms};
use crate::cosigning::signatures_in;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::order::Order;
use crate::outlook::Outlook;
use crate::output::Output;
use crate::path::{Path as SpendingPath, Ripeness, locks_of};
use crate::payment::{evidence_for, heads};
use crate::portrait::path_texts;
use crate::select::consolidate;
use crate::stage::{Stage, Stages};
use crate::store::{Payment, Store};
use crate::wallet::OpenWallet;

/// Longest list of recipients that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// In the place of recipients: everything goes back to the wallet.
const SELF: &str = "self";

/// Builds a payment and writes it as a request, which a terminal then signs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node pay savings --to bc1q…=0.01btc --feerate 12 --purpose \"invoice 117\" \
-o pay-request.psbt\nExample: watch-node pay savings --to self --feerate 1 -o consolidate.psbt\nExample: watch-node pay \
--from-psbt sparrow.psbt --purpose \"invoice 118\" -o pay-request.psbt\nExample: watch-node pay savings --to \
bc1q…=0.01btc --feerate 12 --qr    (shows the request; the laptop reads it by `cold-signer sign --camera`)"
)]
pub struct Args {
    /// The wallet that pays.
    #[arg(required_unless_present = "from_psbt")]
    name: Option<String>,
    /// Who is paid, and how much with its unit; may be repeated. `self`, alone and without an amount: back to the wallet.
    #[arg(long, value_name = "ADDRESS=AMOUNT", required_unless_present_any = ["csv", "from_psbt"])]
    to: Vec<String>,
    /// More recipients: lines of ADDRESS,AMOUNT.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    fee: FeeOptions,
    /// Spend exactly these coins; may be repeated [default with `--to self`: all that can be spent].
    #[arg(long, value_name = "TXID:VOUT")]
    coin: Vec<OutPoint>,
    /// Spend by this one of the wallet's paths, as `wallet list` numbers them [default: the first without a timelock].
    #[arg(long, value_name = "N")]
    path: Option<usize>,
    /// Take the transaction of another program's PSBT as it is, and add what the signers need.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["name", "to", "csv", "feerate", "target", "coin", "path"]
    )]
    from_psbt: Option<PathBuf>,
    /// What it is for; the gatekeeper shows it, and the signer where a permit vouches for it.
    #[arg(long, default_value = "")]
    purpose: String,
    /// Highest fee [default: the fee itself].
    #[arg(long, value_name = "AMOUNT")]
    max_fee: Option<String>,
    /// How long the request is good.
    #[arg(long, value_name = "DURATION", default_value = "8 days", value_parser = parse_duration)]
    expires: u64,
    #[command(flatten)]
    way: Way,
}

/// Makes the payment durable, then writes its file or shows it.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    args.way.is_free()?;
    let (output, left) = make(dir, args)?;
    args.way.show(dir, output, left)
}

fn make(dir: &Path, args: &Args) -> Result<(Output, Option<Left>)> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let network = store.network()?;
    let max_fee = args.max_fee.as_deref().map(parse_amount).transpose()?;
    if args.purpose.len() > MAX_PURPOSE_LEN {
        return Err(Error::Usage {
            what: "--purpose".to_owned(),
            reason: format!("{} bytes, at most {MAX_PURPOSE_LEN}", args.purpose.len()),
        });
    }
    policies::codec::clean_text("purpose", &args.purpose, MAX_PURPOSE_LEN)
        .map_err(|error| Error::Usage { what: "--purpose".to_owned(), reason: error.to_string() })?;
    if let Some(file) = &args.from_psbt {
        return complete(dir, &mut store, args, file, max_fee);
    }
    let name = args.name.as_deref().ok_or(Error::Missing("the wallet's name"))?;
    let wallet = OpenWallet::new(network, store.wallet(name)?)?;
    let recipients = recipients(args, network)?;
    let is_to_self = recipients.is_empty();
    let path = SpendingPath::choose(&wallet.rules, args.path)?;
    let locks = path.locks();
    if let Some(payment) = interrupted(&store, &wallet, &recipients, args, (max_fee, &locks))? {
        has_typed_fee(&payment, &wallet.rules, &args.fee, max_fee)?;
        return write(&mut store, args, &wallet, &payment, Facts::default(), true);
    }
    let rate = args.fee.rate(dir, &store)?;
    let all = unspent(&store, Some(wallet.row.id))?;
    let confirmed = all.iter().filter(|coin| coin.state == CoinState::Confirmed).cloned();
    let ripeness = match all.is_empty() {
        true => Ripeness::default(),
        false => Ripeness::of(&store, &locks, confirmed)?,
    };
    if let (Some(opens), true) = (ripeness.next(), ripeness.ripe.is_empty()) {
        let outlook = Outlook::of(&store, &wallet.rules, &free(&store, wallet.row.id)?)?;
        let refusal = Error::PathClosed {
            path: path.number,
            text: path_texts(&wallet.rules).swap_remove(path.number.saturating_sub(1)),
            opens: opens.text(),
        };
        let output = Output::refused(outlook.text(), json!({"outlook": outlook.json()}), refusal);
        return Ok((output, None));
    }
    let ripe = ripeness.ripe.iter();
    let coins: Vec<Coin> = if !args.coin.is_empty() {
        named(&all, &ripeness, &args.coin)?
    } else if is_to_self {
        let coins = consolidate(ripe.clone(), &wallet.rules, rate);
        match ripe.count().saturating_sub(coins.len()) {
            0 => {}
            left => eprintln!("note: {left} coins stay: not worth this fee, or too many for one transaction"),
        }
        coins.into_iter().cloned().collect()
    } else {
        ripe.cloned().collect()
    };
    let facts = Facts::gather(dir, &store, &wallet)?;
    let order = Order {
        frame: Frame {
            wallet: &wallet.rules,
            locks,
            recipients,
            evidence: evidence_for(&store, &coins)?,
            facts: facts.bytes(),
            marks: wallet.marks(&store)?,
            now: unix_time(),
            shuffle: random()?,
        },
        coins,
        all_coins: is_to_self || !args.coin.is_empty(),
        rate,
        max_fee,
        purpose: args.purpose.clone(),
        expires: expiry(args.expires),
        heads: heads(&store)?,
    };
    let payment = store
        .create_payment(&wallet.row, now(), |number, change| order.draft(number, change))
        .map_err(|error| explained(error, &all, &ripeness))?;
    write(&mut store, args, &wallet, &payment, facts, false)
}

/// Makes a foreign PSBT a payment. Signatures that it brings are kept.
fn complete(
    dir: &Path,
    store: &mut Store,
    args: &Args,
    file: &Path,
    max_fee: Option<Amount>,
) -> Result<(Output, Option<Left>)> {
    let found = Completion::read(store, files::read(file, files::DEFAULT_LIMIT)?)?;
    let wallet = &found.wallet;
    let facts = Facts::gather(dir, store, wallet)?;
    let frame = Frame {
        wallet: &wallet.rules,
        locks: locks_of(&found.spend),
        recipients: Recipient::of(&found.spend),
        evidence: evidence_for(store, &found.coins)?,
        facts: facts.bytes(),
        marks: wallet.marks(store)?,
        now: unix_time(),
        shuffle: 0,
    };
    let terms =
        Terms { purpose: args.purpose.clone(), max_fee, expires: expiry(args.expires), heads: heads(store)? };
    let payment = store
        .create_payment(&wallet.row, now(), |number, change| found.draft(&frame, terms, number, change))?;
    let attempt = payment.last()?;
    let signatures = signatures_in(&found.psbt, &wallet.rules, &attempt.spend)?;
    if !signatures.is_empty() {
        attach_signatures(&mut requested(store, attempt)?, &signatures)?;
        store.keep_signatures(attempt, &signatures)?;
        eprintln!("note: {} signatures came with it and are kept", signatures.len());
    }
    write(store, args, wallet, &payment, facts, false)
}

/// The same payment whose file was perhaps never written, because this program was killed: another one would pay twice.
fn interrupted(
    store: &Store,
    wallet: &OpenWallet,
    recipients: &[Recipient],
    args: &Args,
    (max_fee, locks): (Option<Amount>, &Locks),
) -> Result<Option<Payment>> {
    let stages = Stages::load(store)?;
    for payment in store.payments()? {
        let attempt = payment.last()?;
        let request = &attempt.request;
        let coins: Vec<OutPoint> = attempt.spend.inputs().iter().map(|input| input.outpoint).collect();
        let is_same = payment.wallet == wallet.row.id
            && payment.attempts.len() == 1
            && locks_of(&attempt.spend) == *locks
            && request.recipients == recipients
            && request.purpose == args.purpose
            && request.max_fee == max_fee.unwrap_or(attempt.spend.fee())
            && (args.coin.is_empty() || args.coin == coins)
            && request.expires > unix_time();
        if is_same && stages.of(&payment)?.0 == Stage::Drafted {
            return Ok(Some(payment));
        }
    }
    Ok(None)
}

fn write(
    store: &mut Store,
    args: &Args,
    wallet: &OpenWallet,
    payment: &Payment,
    facts: Facts,
    is_resumed: bool,
) -> Result<(Output, Option<Left>)> {
    let attempt = payment.last()?;
    let leaving = Leaving { payment, attempt, wallet, facts, is_resumed, path: args.path, way: &args.way };
    leaving.write(store, &leaving.first_step())
}

/// Those of the options and the list; none for `--to self`.
fn recipients(args: &Args, network: Network) -> Result<Vec<Recipient>> {
    if args.to.iter().any(|to| to == SELF) {
        return match (args.to.as_slice(), &args.csv) {
            ([_], None) => Ok(Vec::new()),
            _ => Err(Error::Usage {
                what: format!("--to {SELF}"),
                reason: "a payment back to the wallet has no recipients beside it".to_owned(),
            }),
        };
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in &args.to {
        let (address, amount) = text.split_once('=').ok_or_else(|| Error::Usage {
            what: format!("--to {text:?}"),
            reason: "expected ADDRESS=AMOUNT".to_owned(),
        })?;
        pairs.push((address.to_owned(), amount.to_owned()));
    }
    if let Some(file) = &args.csv {
        let malformed =
            |reason: String| Error::Malformed { what: display::escape(&file.to_string_lossy()), reason };
        let text = String::from_utf8(files::read(file, LIMIT)?)
            .map_err(|_| malformed("not UTF-8 text".to_owned()))?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (address, amount) = line.split_once(',').ok_or_else(|| {
                malformed(format!("line {}: expected ADDRESS,AMOUNT", at.saturating_add(1)))
            })?;
            pairs.push((address.trim().to_owned(), amount.trim().to_owned()));
        }
    }
    if pairs.is_empty() {
        return Err(Error::Usage { what: "--csv".to_owned(), reason: "the list names nobody".to_owned() });
    }
    pairs
        .iter()
        .map(|(address, amount)| {
            let script = address_of(address, network)?.script_pubkey();
            Ok(Recipient { script, amount: parse_amount(amount)? })
        })
        .collect()
}

fn named(all: &[Coin], ripeness: &Ripeness, wanted: &[OutPoint]) -> Result<Vec<Coin>> {
    let mut coins: Vec<Coin> = Vec::new();
    for outpoint in wanted {
        let unavailable =
            |reason: &str| Error::CoinUnavailable { outpoint: *outpoint, reason: reason.into() };
        if coins.iter().any(|coin| coin.outpoint == *outpoint) {
            return Err(unavailable("it is named twice"));
        }
        let coin = all
            .iter()
            .find(|coin| coin.outpoint == *outpoint)
            .ok_or_else(|| unavailable("it is no unspent coin of this wallet"))?;
        if let Some((opens, _)) = ripeness.waiting.iter().find(|(_, waiting)| waiting.outpoint == *outpoint) {
            return Err(unavailable(&format!("this path's timelock lets it go {}", opens.text())));
        }
        match coin.state {
            CoinState::Confirmed => coins.push(coin.clone()),
            CoinState::Immature => return Err(unavailable("its block reward is younger than 100 blocks")),
            CoinState::Reserved => return Err(unavailable("it is reserved for another payment")),
            CoinState::Pending => return Err(unavailable("it is not confirmed")),
        }
    }
    Ok(coins)
}

/// Says what else the wallet has, where the spendable part is not enough.
fn explained(error: Error, all: &[Coin], ripeness: &Ripeness) -> Error {
    let (Error::InsufficientFunds { needed, spendable, .. }, Ok(balance)) = (&error, Balance::of(all)) else {
        return error;
    };
    let opens = ripeness.next().map_or_else(String::new, |opens| opens.text());
    let held: String = [
        (balance.reserved, "is reserved for other payments".to_owned()),
        (balance.immature, "is in block rewards younger than 100 blocks".to_owned()),
        (balance.pending, "is not confirmed".to_owned()),
        (ripeness.waiting_sum(), format!("waits for this path's timelock, the first of it {opens}")),
    ]
    .into_iter()
    .filter(|(amount, _)| *amount > Amount::ZERO)
    .map(|(amount, why)| format!("; {} {why}", amount_text(amount)))
    .collect();
    Error::InsufficientFunds { needed: needed.clone(), spendable: spendable.clone(), held }
}
