//! `bump`: tries a payment again, with a higher fee or back to the wallet.

use std::path::Path;

use bitcoin::{OutPoint, Sequence};
use policies::request::{Recipient, SignedRequest};
use psbt_tools::money::parse_amount;

use super::payments::parse_number;
use super::terms::{Facts, FeeOptions, LEAST_RATE, Leaving, expiry, has_typed_fee, parse_duration, random};
use super::way::{Left, Way};
use super::{now, open_chain, unix_time};
use crate::coins::{Coin, free};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::output::Output;
use crate::path::{Ripeness, locks_of};
use crate::payment::{evidence_for, heads};
use crate::replacement::{Pace, Replacement};
use crate::stage::{Stage, Stages};
use crate::store::{Attempt, Payment, Store};
use crate::tracker::is_complete;
use crate::wallet::OpenWallet;

/// Tries a payment again that is not confirmed: with a higher fee, or back to the wallet. At most one attempt is mined.
///
/// It spends the same coins, and more where the fee needs it. Up to the --max-fee that was asked for, the signed request
/// and its approvals serve again, when they came back here; above it a new request is signed and approved like the first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node bump P-0042 --feerate 30 -o P-0042-2.psbt\nExample: watch-node bump P-0042 -o \
P-0042-2.psbt    (the market's feerate, or the least that replaces)\nExample: watch-node bump P-0042 --to-self -o \
P-0042-back.psbt"
)]
pub struct Args {
    /// The payment's number.
    #[arg(value_parser = parse_number, value_name = "P-0042")]
    payment: u32,
    #[command(flatten)]
    fee: FeeOptions,
    /// Pay nobody: everything goes back to the wallet. From then on it stays so.
    #[arg(long)]
    to_self: bool,
    /// Highest fee; of a new request also what it asks for [default: that of the request before, or the fee itself].
    #[arg(long, value_name = "AMOUNT")]
    max_fee: Option<String>,
    /// How long a new request is good.
    #[arg(long, value_name = "DURATION", default_value = "8 days", value_parser = parse_duration)]
    expires: u64,
    #[command(flatten)]
    way: Way,
}

/// Makes the attempt durable, then writes its file or shows it.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    args.way.is_free()?;
    let (output, left) = make(dir, args)?;
    args.way.show(dir, output, left)
}

fn make(dir: &Path, args: &Args) -> Result<(Output, Option<Left>)> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let payment = store.payment(args.payment)?;
    let wallet = OpenWallet::of(&store, &payment)?;
    let max_fee = args.max_fee.as_deref().map(parse_amount).transpose()?;
    // What is confirmed must be known to be: two attempts that exclude each other are wasted work at best.
    let tip = open_chain(dir, &store.config()?)?.tip()?;
    if !is_complete(&store, tip)? {
        return Err(Error::Stale { scanned: store.tip()?.map(|ours| ours.height), tip: tip.height });
    }
    let stages = Stages::load(&store)?;
    if args.to_self && stages.of(&payment)?.0 == Stage::Abandoned {
        nobody_elses(&store, &stages, &payment)?;
    }
    let rivals = rivals(&stages, &wallet, &payment, args.to_self)?;
    let last = payment.last()?;
    let was_to_self = last.request.recipients.is_empty();
    let is_resumed = last.nth > 1
        && stages.of_attempt(&payment, last)? == Stage::Drafted
        && was_to_self == (args.to_self || was_to_self)
        && last.request.expires > unix_time();
    if is_resumed {
        has_typed_fee(&payment, &wallet.rules, &args.fee, max_fee)?;
        return write(&mut store, args, &wallet, &payment, Facts::default(), true);
    }
    if was_to_self && !args.to_self {
        eprintln!("note: {} goes back to the wallet, and stays so", payment.name());
    }
    let bound = bound(&store, &wallet, &rivals, last.request.anchor)?;
    // It spends by the same path: the signers of another one were not asked for.
    let locks = locks_of(&last.spend);
    let age = |sequence: Sequence| sequence.to_relative_lock_time();
    if last.spend.inputs().iter().any(|input| age(input.sequence) != age(locks.sequence)) {
        let reason = "its inputs take different paths, as another program has built it".to_owned();
        return Err(Error::NotReplaceable { payment: payment.name(), reason });
    }
    let mut free = Ripeness::of(&store, &locks, free(&store, wallet.row.id)?)?.ripe;
    free.sort_by_key(|coin| std::cmp::Reverse((coin.value, coin.outpoint)));
    let recipients = if args.to_self { Vec::new() } else { last.request.recipients.clone() };
    let (asked, approvals) = match usable(&store, &wallet, last, &recipients)? {
        Some(asked) => (Some(asked), store.approvals(last.request.id())?),
        None => (None, Vec::new()),
    };
    let coins: Vec<Coin> = bound.iter().chain(&free).cloned().collect();
    let facts = Facts::gather(dir, &store, &wallet)?;
    let replacement = Replacement {
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
        payment: &payment,
        rivals,
        bound,
        free,
        pace: pace(dir, &store, &args.fee)?,
        max_fee,
        asked,
        approvals,
        expires: expiry(args.expires),
        heads: heads(&store)?,
    };
    store.add_attempt(&wallet.row, payment.number, now(), |change| replacement.draft(change))?;
    let payment = store.payment(payment.number)?;
    write(&mut store, args, &wallet, &payment, facts, false)
}

/// The coins of what was given up may be another payment's by now. Back to the wallet they go only while nothing shows
/// that it is under way: a gatekeeper that permits it does not hold them for this one. Errors: [`Error::NotReplaceable`].
fn nobody_elses(store: &Store, stages: &Stages<'_>, payment: &Payment) -> Result<()> {
    let outpoints = |payment: &Payment| -> Vec<OutPoint> {
        let inputs = payment.attempts.iter().flat_map(|attempt| attempt.spend.inputs());
        inputs.map(|input| input.outpoint).collect()
    };
    let ours = outpoints(payment);
    let taker = store.payments()?.into_iter().find(|other| {
        other.number != payment.number
            && other.attempts.iter().any(|attempt| stages.trace(attempt).is_some())
            && outpoints(other).iter().any(|coin| ours.contains(coin))
    });
    taker.map_or(Ok(()), |other| {
        let reason = format!("its coins are spent by {}, which is under way", other.name());
        Err(Error::NotReplaceable { payment: payment.name(), reason })
    })
}

/// The attempts that can still be mined. Errors: [`Error::NotReplaceable`] when one was, or none can.
fn rivals<'p>(
    stages: &Stages<'_>,
    wallet: &OpenWallet,
    payment: &'p Payment,
    is_to_self: bool,
) -> Result<Vec<&'p Attempt>> {
    let refuse = |reason: String| Err(Error::NotReplaceable { payment: payment.name(), reason });
    match stages.of(payment)? {
        (Stage::Confirmed(depth) | Stage::Settled(depth), attempt) => refuse(format!(
            "its transaction {} has {depth} confirmation{}",
            stages.txid(wallet, attempt).unwrap_or(attempt.unsigned_txid),
            if depth == 1 { "" } else { "s" }
        )),
        (Stage::Replaced(other), _) => refuse(format!("transaction {other} has spent its coins")),
        // A gatekeeper that permitted it holds its coins until they are back in the wallet.
        (Stage::Abandoned, _) if !is_to_self => {
            refuse("it was abandoned; only --to-self takes its coins back".to_owned())
        }
        _ => {
            let mut rivals = Vec::new();
            for attempt in &payment.attempts {
                if !matches!(stages.of_attempt(payment, attempt)?, Stage::Replaced(_)) {
                    rivals.push(attempt);
                }
            }
            Ok(rivals)
        }
    }
}

/// Every coin that one of them spends, each once, the anchor first.
fn bound(store: &Store, wallet: &OpenWallet, rivals: &[&Attempt], anchor: OutPoint) -> Result<Vec<Coin>> {
    let mut outpoints = vec![anchor];
    for input in rivals.iter().flat_map(|attempt| attempt.spend.inputs()) {
        if !outpoints.contains(&input.outpoint) {
            outpoints.push(input.outpoint);
        }
    }
    let rows = store.coins(Some(wallet.row.id))?;
    outpoints
        .into_iter()
        .map(|outpoint| {
            let row = rows.iter().find(|row| row.outpoint == outpoint);
            let row = row.ok_or(Error::CorruptStore("attempt without its coin"))?;
            if row.height.is_none() && !row.in_mempool {
                let reason = "its own transaction is neither in a block nor in the mempool".into();
                return Err(Error::CoinUnavailable { outpoint, reason });
            }
            Ok(Coin::bound(row))
        })
        .collect()
}

/// The last request, when it can serve another spend as it is: signed by a terminal, unless nobody has to sign it.
fn usable(
    store: &Store,
    wallet: &OpenWallet,
    last: &Attempt,
    recipients: &[Recipient],
) -> Result<Option<SignedRequest>> {
    if last.request.recipients != recipients {
        return Ok(None);
    }
    let signed = store.signed_request(last.request.id())?;
    Ok(match wallet.authority() {
        Some(_) => signed,
        None => signed.or_else(|| Some(SignedRequest { request: last.request.clone(), signature: None })),
    })
}

fn pace(dir: &Path, store: &Store, fee: &FeeOptions) -> Result<Pace> {
    if let Some(rate) = fee.feerate {
        return Ok(Pace::Exactly(rate));
    }
    match fee.rate(dir, store) {
        // Asked for nothing in particular, the least that replaces will do.
        Err(Error::NoFeerate(_)) if fee.target.is_none() => Ok(Pace::AtLeast(LEAST_RATE)),
        rate => rate.map(Pace::AtLeast),
    }
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
    let is_same =
        payment.attempts.iter().rev().nth(1).is_some_and(|before| before.request == attempt.request);
    let approvals = store.approvals(attempt.request.id())?.len();
    let leaving = Leaving { payment, attempt, wallet, facts, is_resumed, path: None, way: &args.way };
    let file = args.way.file().unwrap_or_else(|| "FILE".to_owned());
    let next = match wallet.authority() {
        Some(_) if is_same => {
            format!("gatekeeper submit {file} -o OUT; its signature and approvals ride along")
        }
        _ => leaving.first_step(),
    };
    let (mut output, left) = leaving.write(store, &next)?;
    if let Some(object) = output.json.as_object_mut() {
        object.insert("same_request".to_owned(), is_same.into());
        object.insert("approvals".to_owned(), (if is_same { approvals } else { 0 }).into());
        let replaced = payment.attempts.iter().filter(|earlier| earlier.nth < attempt.nth);
        let txids: Vec<_> = replaced.map(|earlier| earlier.unsigned_txid.to_string()).collect();
        object.insert("replaces".to_owned(), txids.into());
    }
    Ok((output, left))
}
