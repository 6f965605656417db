//! `payments`: what was asked for here, and where each payment is.

use std::path::Path;

use bitcoin::{Address, Amount};
use policies::request::parse_payment_number;
use psbt_tools::display;
use psbt_tools::money::amount_text;
use serde_json::{Value, json};

use super::now;
use super::way::{Left, Way};
use crate::assembly;
use crate::cosigning::Cosigning;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::stage::{Stage, Stages};
use crate::store::{Attempt, Payment, Store};
use crate::wallet::OpenWallet;

/// Lists payments as of the last sync.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: watch-node payments\nExample: watch-node payments export P-0042 -o again.psbt"
)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Shows one payment.
    #[command(after_help = "Example: watch-node payments show P-0042")]
    Show {
        /// Its number.
        #[arg(value_parser = parse_number, value_name = "P-0042")]
        payment: u32,
    },
    /// Writes an attempt's request file again, byte for byte; or with the signatures that came back so far.
    #[command(
        after_help = "Example: watch-node payments export P-0042 -o again.psbt\nExample: watch-node payments export P-0042 \
--attempt 1 -o first.psbt\nExample: watch-node payments export P-0042 --with-signatures -o for-ben.psbt    (for the next \
cosigner)\nExample: watch-node payments export P-0042 --qr"
    )]
    Export {
        /// Its number.
        #[arg(value_parser = parse_number, value_name = "P-0042")]
        payment: u32,
        /// Which attempt of it [default: the last].
        #[arg(long, value_name = "N")]
        attempt: Option<u32>,
        /// With the signatures, the permits and the receipts that came back so far, for the next cosigner.
        #[arg(long)]
        with_signatures: bool,
        #[command(flatten)]
        way: Way,
    },
    /// Gives up a payment of which nothing came back, and frees its coins.
    ///
    /// Refused while a permit, a receipt or a signed transaction of it is known here: take such a payment back with `bump
    /// --to-self`. A gatekeeper that permitted it all the same keeps holding its coins; `bump --to-self` frees them then
    /// too.
    #[command(after_help = "Example: watch-node payments abandon P-0042")]
    Abandon {
        /// Its number.
        #[arg(value_parser = parse_number, value_name = "P-0042")]
        payment: u32,
    },
}

/// Lists, shows or exports.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let mut store = Store::open(dir)?;
    match &args.command {
        None => {
            let stages = Stages::load(&store)?;
            let described = store
                .payments()?
                .iter()
                .map(|payment| describe(&store, &stages, payment))
                .collect::<Result<Vec<_>>>()?;
            let (texts, list): (Vec<_>, Vec<_>) = described.into_iter().unzip();
            let text = if texts.is_empty() { "no payments".to_owned() } else { texts.join("\n") };
            Ok(Output::done(text, json!({"payments": list})))
        }
        Some(Command::Show { payment }) => show(&store, &store.payment(*payment)?),
        Some(Command::Export { payment, attempt, with_signatures, way }) => {
            way.is_free()?;
            let (output, left) = export(&mut store, *payment, *attempt, *with_signatures, way)?;
            way.show(dir, output, Some(left))
        }
        Some(Command::Abandon { payment }) => {
            let _lock = store.lock()?;
            abandon(&mut store, *payment)
        }
    }
}

fn show(store: &Store, payment: &Payment) -> Result<Output> {
    let stages = Stages::load(store)?;
    let (mut text, json) = describe(store, &stages, payment)?;
    let (_, attempt) = stages.of(payment)?;
    let network = store.network()?;
    if attempt.request.recipients.is_empty() {
        text.push_str("\nto       itself");
    }
    for recipient in &attempt.request.recipients {
        let to = Address::from_script(&recipient.script, network)
            .map_or_else(|_| recipient.script.to_hex_string(), |address| address.to_string());
        text.push_str(&format!("\nto       {to}  {}", amount_text(recipient.amount)));
    }
    text.push_str(&format!(
        "\nfee      {}\nspend    {}\npurpose  {}",
        amount_text(attempt.spend.fee()),
        attempt.spend.id(),
        display::escape(&attempt.request.purpose)
    ));
    Ok(Output::done(text, json))
}

fn export(
    store: &mut Store,
    payment: u32,
    attempt: Option<u32>,
    with_signatures: bool,
    way: &Way,
) -> Result<(Output, Left)> {
    let _lock = store.lock()?;
    let payment = store.payment(payment)?;
    let attempt = payment.attempt(attempt)?;
    let bytes = match with_signatures {
        true => assembly::file(store, &OpenWallet::of(store, &payment)?, attempt)?,
        false => store.attempt_file(attempt)?,
    };
    let left = way.write(store, &payment, attempt, bytes)?;
    // Standard output carries the file itself when that is asked for.
    let words = left.words();
    let text = match way.file().filter(|file| file != "-") {
        Some(file) => format!("{} is written to {file}\nwords   {words}", payment.name()),
        None => String::new(),
    };
    let json =
        json!({"payment": payment.name(), "attempt": attempt.nth, "file": way.output(), "words": words});
    Ok((Output::done(text, json), left))
}

/// Frees the coins of a payment of which nothing is known but that it was asked for.
fn abandon(store: &mut Store, number: u32) -> Result<Output> {
    let payment = store.payment(number)?;
    let stages = Stages::load(store)?;
    if let Some(reason) = payment.attempts.iter().find_map(|attempt| stages.trace(attempt)) {
        return Err(Error::UnderWay { payment: payment.name(), reason });
    }
    let again = payment.abandoned.is_some();
    if !again {
        store.set_abandoned(number, Some(now()))?;
    }
    let mut coins: Vec<_> = payment.attempts.iter().flat_map(|attempt| attempt.spend.inputs()).collect();
    coins.sort_by_key(|input| input.outpoint);
    coins.dedup_by_key(|input| input.outpoint);
    let freed: Amount = coins.iter().map(|input| input.value).sum();
    let text = format!(
        "{} is abandoned{}: {} in {} coin{} {} free for other payments.\n\
         A permit for it may still be under way: have its files destroyed, the permitted one above all.\n\
         If the gatekeeper has permitted it, its budget stays charged, and the gatekeeper keeps holding these coins: \
         `watch-node bump {} --to-self` then frees them.",
        payment.name(),
        if again { " already" } else { "" },
        amount_text(freed),
        coins.len(),
        if coins.len() == 1 { "" } else { "s" },
        if coins.len() == 1 { "is" } else { "are" },
        payment.name(),
    );
    let json = json!({
        "payment": payment.name(),
        "state": Stage::Abandoned.word(),
        "again": again,
        "coins": coins.iter().map(|input| input.outpoint.to_string()).collect::<Vec<_>>(),
        "freed_sat": freed.to_sat(),
    });
    Ok(Output::done(text, json))
}

fn describe(store: &Store, stages: &Stages<'_>, payment: &Payment) -> Result<(String, Value)> {
    let (stage, leading) = stages.of(payment)?;
    let wallet = OpenWallet::of(store, payment)?;
    let txid = |attempt: &Attempt| {
        let txid = stages.txid(&wallet, attempt);
        txid.map_or_else(|| "its txid is known once it is signed".to_owned(), |txid| txid.to_string())
    };
    let mut text = format!(
        "{}  {}  {}  {}\n        {}",
        payment.name(),
        display::escape(wallet.name()),
        amount_text(paid(leading)),
        stage_text(stage),
        txid(leading)
    );
    let mut attempts = Vec::new();
    for attempt in &payment.attempts {
        let stage = stages.of_attempt(payment, attempt)?;
        if payment.attempts.len() > 1 {
            text.push_str(&format!(
                "\n        attempt {}  {}{}, fee {}\n          {}",
                attempt.nth,
                stage_text(stage),
                if attempt.request.recipients.is_empty() { ", back to itself" } else { "" },
                amount_text(attempt.spend.fee()),
                txid(attempt)
            ));
        }
        attempts.push(described(stages, &wallet, attempt, stage));
    }
    let cosigning = match wallet.rules.keys().len() {
        1 => None,
        _ => Some(Cosigning::new(&wallet.rules, &leading.spend, &store.signatures(leading)?)?),
    };
    if let (Some(cosigning), true) = (&cosigning, stage.awaits_signatures()) {
        text.push_str(&format!("\n{}", cosigning.text()));
    }
    let mut json = described(stages, &wallet, leading, stage);
    if let Some(object) = json.as_object_mut() {
        object.insert("payment".to_owned(), payment.name().into());
        object.insert("wallet".to_owned(), wallet.name().into());
        object.insert("abandoned".to_owned(), payment.abandoned.into());
        object.insert("attempts".to_owned(), attempts.into());
        object.insert("cosigning".to_owned(), cosigning.map_or(Value::Null, |cosigning| cosigning.json()));
    }
    Ok((text, json))
}

fn described(stages: &Stages<'_>, wallet: &OpenWallet, attempt: &Attempt, stage: Stage) -> Value {
    let replaced_by = match stage {
        Stage::Replaced(txid) => Some(txid.to_string()),
        _ => None,
    };
    json!({
        "attempt": attempt.nth,
        "state": stage.word(),
        "confirmations": stage.confirmations(),
        "txid": stages.txid(wallet, attempt).map(|txid| txid.to_string()),
        "unsigned_txid": attempt.unsigned_txid.to_string(),
        "spend_id": attempt.spend.id().to_string(),
        "request_id": attempt.request.id().to_string(),
        "amount_sat": paid(attempt).to_sat(),
        "fee_sat": attempt.spend.fee().to_sat(),
        "max_fee_sat": attempt.request.max_fee.to_sat(),
        "purpose": attempt.request.purpose,
        "created": attempt.created,
        "expires": attempt.request.expires,
        "replaced_by": replaced_by,
    })
}

fn paid(attempt: &Attempt) -> Amount {
    attempt.request.recipients.iter().map(|recipient| recipient.amount).sum()
}

fn stage_text(stage: Stage) -> String {
    match stage.confirmations() {
        0 => stage.word().to_owned(),
        1 => format!("{}, 1 confirmation", stage.word()),
        depth => format!("{}, {depth} confirmations", stage.word()),
    }
}

/// `P-0042` or `42`.
pub(super) fn parse_number(text: &str) -> Result<u32, String> {
    parse_payment_number(text).ok_or_else(|| "expected a payment's number, such as P-0042".to_owned())
}
