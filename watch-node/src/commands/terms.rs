//! What `pay` and `bump` have in common: the fee, how long a request is good, facts that ride, and what is told.

use std::path::Path;

use bitcoin::{Address, Amount, Network, TxOut};
use policies::request::Recipient;
use policies::spend::Spend;
use policies::wallet::{Branch, Keypath, Wallet};
use psbt_tools::display;
use psbt_tools::files::is_dash;
use psbt_tools::money::{Feerate, amount_text};
use serde_json::{Value, json};

use super::way::{Left, Way};
use super::{open_chain, unix_time};
use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::facts::{Riding, riding};
use crate::outlook::Outlook;
use crate::output::Output;
use crate::path::Path as SpendingPath;
use crate::portrait::path_texts;
use crate::select::Rate;
use crate::store::{Attempt, Payment, Store};
use crate::wallet::OpenWallet;

/// Bitcoin Core's default minimum for relaying up to version 29, in thousandths of a satoshi per virtual byte.
pub const LEAST_RATE: Rate = Rate(1_000);

/// Blocks within which a payment is meant to confirm when nothing is said.
const TARGET: u16 = 6;

/// The options of a fee.
#[derive(Debug, clap::Args)]
pub struct FeeOptions {
    /// Fee in sat/vB, with up to three decimals.
    #[arg(long, value_parser = parse_rate, value_name = "RATE", conflicts_with = "target")]
    pub feerate: Option<Rate>,
    /// Take the chain source's feerate to confirm within so many blocks [default: 6].
    #[arg(long, value_name = "BLOCKS", value_parser = clap::value_parser!(u16).range(1..=1008))]
    pub target: Option<u16>,
}

impl FeeOptions {
    /// The feerate that was given, else the chain source's. Errors: [`Error::NoFeerate`] when it knows none.
    pub fn rate(&self, dir: &Path, store: &Store) -> Result<Rate> {
        if let Some(rate) = self.feerate {
            return Ok(rate);
        }
        let target = self.target.unwrap_or(TARGET);
        let hint =
            open_chain(dir, &store.config()?)?.feerate_hint(target)?.ok_or(Error::NoFeerate(target))?;
        // Satoshi per 1000 weight units are a quarter of satoshi per 1000 virtual bytes.
        let milli = hint.to_sat_per_kwu().checked_mul(4).ok_or(Error::Overflow)?;
        Ok(Rate(milli).max(LEAST_RATE))
    }
}

/// Facts that ride in a file, or why they do not.
#[derive(Default)]
pub struct Facts {
    /// Those that ride.
    pub riding: Option<Riding>,
    /// Why none do, where some should.
    pub left_out: Option<String>,
}

impl Facts {
    /// Facts for the gatekeeper of a wallet that has one: a payment can be asked for without them.
    pub fn gather(dir: &Path, store: &Store, wallet: &OpenWallet) -> Result<Self> {
        if wallet.authority().is_none() {
            return Ok(Self::default());
        }
        let config = store.config()?;
        match open_chain(dir, &config).and_then(|chain| riding(store, chain.as_ref())) {
            Ok(riding) => Ok(Self { riding: Some(riding), left_out: None }),
            Err(error @ (Error::Database(_) | Error::CorruptStore(_) | Error::SelfCheck(_))) => Err(error),
            Err(error) => {
                eprintln!("note: the file carries no facts: {error}");
                eprintln!("note: carry what `watch-node facts -o F` writes to the gatekeeper instead");
                Ok(Self { riding: None, left_out: Some(error.to_string()) })
            }
        }
    }

    /// Their bytes.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        self.riding.as_ref().map(|riding| riding.bytes.clone())
    }

    fn object(&self) -> Option<Value> {
        self.riding.as_ref().map(|Riding { facts, bytes }| {
            json!({
                "from": facts.from,
                "headers": facts.headers.len(),
                "transactions": facts.transactions.len(),
                "bytes": bytes.len(),
            })
        })
    }
}

/// An attempt whose file is to be written.
pub struct Leaving<'a> {
    /// Its payment.
    pub payment: &'a Payment,
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The wallet that pays.
    pub wallet: &'a OpenWallet,
    /// What rides in the file.
    pub facts: Facts,
    /// Whether it was made before, and its file perhaps never written.
    pub is_resumed: bool,
    /// The path that was chosen by its number [default: the first that the spend's locks are those of].
    pub path: Option<usize>,
    /// Where to.
    pub way: &'a Way,
}

impl Leaving<'_> {
    /// Writes the file, notes that it left, and says what is in it and where it goes next.
    pub fn write(&self, store: &mut Store, next: &str) -> Result<(Output, Option<Left>)> {
        if self.is_resumed {
            let name = self.payment.name();
            eprintln!("note: {name} was made before and its file perhaps not written: it is written now");
        }
        let bytes = store.attempt_file(self.attempt)?;
        let left = self.way.write(store, self.payment, self.attempt, bytes)?;
        let outlook = self.outlook(store)?;
        let words = left.words();
        let text = self.text(next, &outlook, &words)?;
        // Standard output carries the file itself when that is asked for.
        let is_stdout = self.way.output().is_some_and(is_dash);
        let output =
            Output::done(if is_stdout { String::new() } else { text }, self.object(&outlook, &words));
        Ok((output, Some(left)))
    }

    /// The command that a new request needs next.
    pub fn first_step(&self) -> String {
        match (self.wallet.authority(), self.way.file()) {
            (Some(_), Some(file)) => format!("gatekeeper request {file} --key KEY -o OUT, at a terminal"),
            (Some(_), None) => {
                "psbt-tools qr scan --camera -o FILE && gatekeeper request FILE --key KEY -o OUT, at a terminal"
                    .to_owned()
            }
            (None, Some(file)) => format!("cold-signer sign {file}, at the offline laptop"),
            (None, None) => "cold-signer sign --camera --qr, at the offline laptop".to_owned(),
        }
    }

    /// What each path of the wallet can do with the coins that are spent here.
    fn outlook(&self, store: &Store) -> Result<Outlook<'_>> {
        let inputs = self.attempt.spend.inputs();
        let rows = store.coins(Some(self.wallet.row.id))?;
        let spent = rows.iter().filter(|row| inputs.iter().any(|input| input.outpoint == row.outpoint));
        Outlook::of(store, &self.wallet.rules, &spent.map(Coin::bound).collect::<Vec<_>>())
    }

    fn path(&self) -> Option<usize> {
        let first = || SpendingPath::of(&self.wallet.rules, &self.attempt.spend).map(|path| path.number);
        self.path.or_else(first)
    }

    fn text(&self, next: &str, outlook: &Outlook<'_>, words: &str) -> Result<String> {
        let spend = &self.attempt.spend;
        let nth = match self.attempt.nth {
            1 => String::new(),
            nth => format!(", attempt {nth}"),
        };
        let mut text = format!("{}{nth} from {}\n", self.payment.name(), display::escape(self.wallet.name()));
        for to in &self.attempt.request.recipients {
            text.push_str(&format!("to      {}  {}\n", self.address(to), amount_text(to.amount)));
        }
        if self.attempt.request.recipients.is_empty() {
            let coins = spend.inputs().len();
            let noun = if coins == 1 { "coin" } else { "coins" };
            text.push_str(&format!("to      itself, {coins} {noun} into one\n"));
        }
        if let Some(number) = self.path().filter(|_| self.wallet.rules.paths().len() > 1) {
            let words = path_texts(&self.wallet.rules).swap_remove(number.saturating_sub(1));
            text.push_str(&format!("path    {number}: {words}\n"));
        }
        if outlook.is_timed() {
            text.push_str(&format!("what each path can spend of these coins:\n{}\n", outlook.text()));
        }
        text.push_str(&format!(
            "fee     {}, {} sat/vB\nchange  {}\nspend   {}\n",
            amount_text(spend.fee()),
            self.feerate().map_or_else(|| "?".to_owned(), |rate| rate.to_string()),
            amount_text(self.change()),
            spend.id(),
        ));
        // What is shown has its words under the codes.
        if let Some(file) = self.way.file() {
            text.push_str(&format!("file    {file}\nwords   {words}\n"));
        }
        text.push_str(&format!("Next: {next}"));
        Ok(text)
    }

    fn object(&self, outlook: &Outlook<'_>, words: &str) -> Value {
        let (attempt, spend) = (self.attempt, &self.attempt.spend);
        json!({
            "payment": self.payment.name(),
            "attempt": attempt.nth,
            "resumed": self.is_resumed,
            "spend_id": spend.id().to_string(),
            "request_id": attempt.request.id().to_string(),
            "unsigned_txid": attempt.unsigned_txid.to_string(),
            "file": self.way.output(),
            "words": words,
            "fee_sat": spend.fee().to_sat(),
            "max_fee_sat": attempt.request.max_fee.to_sat(),
            "feerate_sat_per_vb": self.feerate().map(Feerate::to_json),
            "change_sat": self.change().to_sat(),
            "inputs": spend.inputs().len(),
            "path": self.path(),
            "outlook": outlook.json(),
            "locktime": spend.lock_time().to_consensus_u32(),
            "facts": self.facts.object(),
            "facts_left_out": self.facts.left_out,
            "recipients": attempt.request.recipients.iter().map(|to| json!({
                "address": self.address(to), "amount_sat": to.amount.to_sat(),
            })).collect::<Vec<_>>(),
        })
    }

    fn change(&self) -> Amount {
        let own = self.attempt.spend.outputs().iter().filter(|output| output.own.is_some());
        own.map(|output| output.value).sum()
    }

    fn feerate(&self) -> Option<Feerate> {
        let spend = &self.attempt.spend;
        Feerate::of(spend.fee(), spend.signed_weight(&self.wallet.rules))
    }

    fn address(&self, to: &Recipient) -> String {
        let network: Network = self.wallet.rules.network();
        Address::from_script(&to.script, network)
            .map_or_else(|_| to.script.to_hex_string(), |address| address.to_string())
    }
}

/// Whether what was made before has the fee that is asked for now. Errors: [`Error::DraftDiffers`].
pub fn has_typed_fee(
    payment: &Payment,
    wallet: &Wallet,
    fee: &FeeOptions,
    max_fee: Option<Amount>,
) -> Result<()> {
    let spend = &payment.last()?.spend;
    let differs = |reason: String| {
        Err(Error::DraftDiffers { payment: payment.name(), fee: amount_text(spend.fee()), reason })
    };
    if let Some(ceiling) = max_fee.filter(|ceiling| spend.fee() > *ceiling) {
        return differs(format!("above --max-fee {}", amount_text(ceiling)));
    }
    match fee.feerate {
        Some(rate) if !is_fee_of(spend, wallet, rate)? => {
            differs(format!("not what --feerate {rate} gives for its size"))
        }
        _ => Ok(()),
    }
}

/// Without change the fee also has what was too little for change.
fn is_fee_of(spend: &Spend, wallet: &Wallet, rate: Rate) -> Result<bool> {
    let fee = spend.fee().to_sat();
    let vsize = spend.signed_vsize(wallet);
    let least = rate.fee_sat(vsize).ok_or(Error::Overflow)?;
    if spend.outputs().iter().any(|output| output.own.is_some()) {
        return Ok(fee == least);
    }
    let change = Keypath { branch: Branch::Internal, index: 0 };
    let script = wallet.script(change).ok_or(Error::CorruptStore("change index"))?;
    let dust = script.minimal_non_dust();
    let change_wu = TxOut { value: dust, script_pubkey: script }.weight().to_wu();
    let with_change = vsize.checked_add(change_wu.div_ceil(4)).and_then(|vsize| rate.fee_sat(vsize));
    let most = with_change.and_then(|fee| fee.checked_add(dust.to_sat())).ok_or(Error::Overflow)?;
    Ok((least..most).contains(&fee))
}

/// Unix time after which a request made now is void.
pub fn expiry(seconds: u64) -> u64 {
    unix_time().saturating_add(seconds)
}

/// A number that nobody can foresee.
pub fn random() -> Result<u64> {
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
pub fn parse_duration(text: &str) -> Result<u64, String> {
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
