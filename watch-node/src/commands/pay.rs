//! `pay`: builds a payment and writes it as a request.

use std::path::{Path, PathBuf};

use bitcoin::{Address, Amount, Network, OutPoint};
use policies::request::{MAX_PURPOSE_LEN, Recipient};
use psbt_tools::money::{Feerate, amount_text, parse_amount};
use psbt_tools::{display, files};
use serde_json::json;

use super::{address_of, now, open_chain, unix_time};
use crate::coins::{Balance, Coin, CoinState, unspent};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::{Order, evidence_for, heads};
use crate::select::Rate;
use crate::store::Store;
use crate::wallet::OpenWallet;

/// Longest list of recipients that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// Bitcoin Core's default minimum for relaying, in thousandths of a satoshi per virtual byte.
const LEAST_RATE: Rate = Rate(1_000);

/// Builds a payment and writes it as a request, which a terminal then signs.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node pay savings --to bc1q…=0.01btc --feerate 12 --purpose \"invoice 117\" \
-o pay-request.psbt"
)]
pub struct Args {
    /// The wallet that pays.
    name: String,
    /// Who is paid, and how much with its unit; may be repeated.
    #[arg(long, value_name = "ADDRESS=AMOUNT", required_unless_present = "csv")]
    to: Vec<String>,
    /// More recipients: lines of ADDRESS,AMOUNT.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Fee in sat/vB, with up to three decimals.
    #[arg(long, value_parser = parse_rate, value_name = "RATE", conflicts_with = "target")]
    feerate: Option<Rate>,
    /// Take the chain source's feerate to confirm within so many blocks.
    #[arg(long, value_name = "BLOCKS", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1008))]
    target: u16,
    /// Spend exactly these coins; may be repeated.
    #[arg(long, value_name = "TXID:VOUT")]
    coin: Vec<OutPoint>,
    /// What it is for; the gatekeeper and the signer show it.
    #[arg(long, default_value = "")]
    purpose: String,
    /// Highest fee [default: the fee itself].
    #[arg(long, value_name = "AMOUNT")]
    max_fee: Option<String>,
    /// How long the request is good.
    #[arg(long, value_name = "DURATION", default_value = "8 days", value_parser = parse_duration)]
    expires: u64,
    /// Where the request is written.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Makes the payment durable, then writes its file.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    let _lock = store.lock()?;
    let network = store.network()?;
    let wallet = OpenWallet::new(network, store.wallet(&args.name)?)?;
    let recipients = recipients(args, network)?;
    let max_fee = args.max_fee.as_deref().map(parse_amount).transpose()?;
    if args.purpose.len() > MAX_PURPOSE_LEN {
        return Err(Error::Usage {
            what: "--purpose".to_owned(),
            reason: format!("{} bytes, at most {MAX_PURPOSE_LEN}", args.purpose.len()),
        });
    }
    policies::codec::clean_text("purpose", &args.purpose, MAX_PURPOSE_LEN)
        .map_err(|error| Error::Usage { what: "--purpose".to_owned(), reason: error.to_string() })?;
    // Looked at before a number is given; writing refuses again.
    if args.output != Path::new("-") && args.output.exists() {
        return Err(psbt_tools::Error::Exists(args.output.display().to_string()).into());
    }
    let rate = match args.feerate {
        Some(rate) => rate,
        None => hinted_rate(dir, &store, args.target)?,
    };
    let all = unspent(&store, Some(wallet.row.id))?;
    let coins = if args.coin.is_empty() {
        all.iter().filter(|coin| coin.state == CoinState::Confirmed).cloned().collect()
    } else {
        named(&all, &args.coin)?
    };
    let now_seconds = unix_time();
    let order = Order {
        wallet: &wallet.rules,
        recipients,
        evidence: evidence_for(&store, &coins)?,
        coins,
        all_coins: !args.coin.is_empty(),
        rate,
        max_fee,
        purpose: args.purpose.clone(),
        now: now_seconds,
        expires: now_seconds.saturating_add(args.expires),
        heads: heads(&store)?,
        marks: wallet.marks(&store)?,
        shuffle: random()?,
    };
    let payment = store
        .create_payment(&wallet.row, now(), |number, change| order.draft(number, change))
        .map_err(|error| explained(error, &all))?;
    files::write_new(&args.output, &payment.file, 0o600).inspect_err(|_| {
        eprintln!("note: {} is kept; `watch-node payments export {0} -o FILE` writes it", payment.name());
    })?;

    let spend = &payment.spend;
    let change: Amount =
        spend.outputs().iter().filter(|output| output.own.is_some()).map(|output| output.value).sum();
    let feerate = Feerate::of(spend.fee(), spend.signed_weight(&wallet.rules));
    let address = |recipient: &Recipient| {
        Address::from_script(&recipient.script, network)
            .map_or_else(|_| recipient.script.to_hex_string(), |address| address.to_string())
    };
    let to = &payment.request.recipients;
    let mut text = format!("{} from {}\n", payment.name(), display::escape(&args.name));
    for recipient in to {
        text.push_str(&format!("to      {}  {}\n", address(recipient), amount_text(recipient.amount)));
    }
    let file = display::escape(&args.output.to_string_lossy());
    let next = match wallet.row.imported.authority {
        Some(_) => format!("gatekeeper request {file} --key KEY -o OUT, at a terminal"),
        None => format!("cold-signer sign {file}, at the offline laptop"),
    };
    text.push_str(&format!(
        "fee     {}, {} sat/vB\nchange  {}\nspend   {}\nNext: {next}",
        amount_text(spend.fee()),
        feerate.map_or_else(|| "?".to_owned(), |rate| rate.to_string()),
        amount_text(change),
        spend.id(),
    ));
    let json = json!({
        "payment": payment.name(),
        "spend_id": spend.id().to_string(),
        "unsigned_txid": payment.unsigned_txid.to_string(),
        "file": args.output,
        "fee_sat": spend.fee().to_sat(),
        "feerate_sat_per_vb": feerate.map(Feerate::to_json),
        "change_sat": change.to_sat(),
        "inputs": spend.inputs().len(),
        "recipients": to.iter().map(|recipient| json!({
            "address": address(recipient), "amount_sat": recipient.amount.to_sat(),
        })).collect::<Vec<_>>(),
    });
    // Standard output carries the file itself when that is asked for.
    let is_stdout = args.output == Path::new("-");
    Ok(Output::done(if is_stdout { String::new() } else { text }, json))
}

fn recipients(args: &Args, network: Network) -> Result<Vec<Recipient>> {
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
    pairs
        .iter()
        .map(|(address, amount)| {
            let script = address_of(address, network)?.script_pubkey();
            Ok(Recipient { script, amount: parse_amount(amount)? })
        })
        .collect()
}

fn hinted_rate(dir: &Path, store: &Store, target: u16) -> Result<Rate> {
    let hint = open_chain(dir, &store.config()?)?.feerate_hint(target)?.ok_or(Error::NoFeerate(target))?;
    // Satoshi per 1000 weight units are a quarter of satoshi per 1000 virtual bytes.
    let milli = hint.to_sat_per_kwu().checked_mul(4).ok_or(Error::Overflow)?;
    Ok(Rate(milli).max(LEAST_RATE))
}

fn named(all: &[Coin], wanted: &[OutPoint]) -> Result<Vec<Coin>> {
    let mut coins: Vec<Coin> = Vec::new();
    for outpoint in wanted {
        let unavailable = |reason| Error::CoinUnavailable { outpoint: *outpoint, reason };
        if coins.iter().any(|coin| coin.outpoint == *outpoint) {
            return Err(unavailable("it is named twice"));
        }
        let coin = all
            .iter()
            .find(|coin| coin.outpoint == *outpoint)
            .ok_or_else(|| unavailable("it is no unspent coin of this wallet"))?;
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
fn explained(error: Error, all: &[Coin]) -> Error {
    let (Error::InsufficientFunds { needed, spendable, .. }, Ok(balance)) = (&error, Balance::of(all)) else {
        return error;
    };
    let held: String = [
        (balance.reserved, "is reserved for other payments"),
        (balance.immature, "is in block rewards younger than 100 blocks"),
        (balance.pending, "is not confirmed"),
    ]
    .into_iter()
    .filter(|(amount, _)| *amount > Amount::ZERO)
    .map(|(amount, why)| format!("; {} {why}", amount_text(amount)))
    .collect();
    Error::InsufficientFunds { needed: needed.clone(), spendable: spendable.clone(), held }
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Error::File { path: "getrandom".into(), source: error.into() })?;
    Ok(u64::from_ne_bytes(bytes))
}

fn parse_rate(text: &str) -> Result<Rate, String> {
    let wrong = || "expected sat/vB with up to three decimals, such as 12 or 1.5".to_owned();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 3 {
        return Err(wrong());
    }
    let rate = format!("{whole}{fraction:0<3}").parse().map(Rate).map_err(|_| wrong())?;
    if rate < LEAST_RATE {
        return Err("below 1 sat/vB: nodes would not relay it".to_owned());
    }
    Ok(rate)
}

/// Seconds of `8 days`, `24h`, `30 minutes`.
fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || "expected a number and a unit, such as 8 days, 24h or 30 minutes".to_owned();
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(end);
    let seconds: u64 = match unit.trim() {
        "s" | "second" | "seconds" => 1,
        "m" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3_600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feerates_are_read_exactly() {
        for (text, milli) in [("12", 12_000), ("1.5", 1_500), ("1.001", 1_001), ("1.0", 1_000)] {
            assert_eq!(parse_rate(text), Ok(Rate(milli)), "{text}");
        }
        for text in ["", "0.999", "-1", "1e3", "1.0001", "1.", ".5", "99999999999999999999"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("8 days"), Ok(691_200));
        assert_eq!(parse_duration("24h"), Ok(86_400));
        for text in ["8", "days", "0h", "-1h", "1 fortnight", "999999999999999999 weeks"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
