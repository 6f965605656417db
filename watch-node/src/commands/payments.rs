//! `payments`: what was asked for here, and where each payment is.

use std::path::{Path, PathBuf};

use bitcoin::{Address, Amount};
use policies::request::parse_payment_number;
use psbt_tools::money::amount_text;
use psbt_tools::{display, files};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::output::Output;
use crate::payment::{Stage, Stages};
use crate::store::{Payment, Store};

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
    /// Writes a payment's request file again, byte for byte.
    #[command(after_help = "Example: watch-node payments export P-0042 -o again.psbt")]
    Export {
        /// Its number.
        #[arg(value_parser = parse_number, value_name = "P-0042")]
        payment: u32,
        /// Where it is written.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Lists, shows or exports.
pub fn run(dir: &Path, args: &Args) -> Result<Output> {
    let store = Store::open(dir)?;
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
        Some(Command::Show { payment }) => {
            let payment = store.payment(*payment)?;
            let (mut text, json) = describe(&store, &Stages::load(&store)?, &payment)?;
            let network = store.network()?;
            for recipient in &payment.request.recipients {
                let to = Address::from_script(&recipient.script, network)
                    .map_or_else(|_| recipient.script.to_hex_string(), |address| address.to_string());
                text.push_str(&format!("\nto       {to}  {}", amount_text(recipient.amount)));
            }
            text.push_str(&format!(
                "\nfee      {}\nspend    {}\npurpose  {}",
                amount_text(payment.spend.fee()),
                payment.spend.id(),
                display::escape(&payment.request.purpose)
            ));
            Ok(Output::done(text, json))
        }
        Some(Command::Export { payment, output }) => {
            let payment = store.payment(*payment)?;
            files::write_new(output, &payment.file, 0o600)?;
            // Standard output carries the file itself when that is asked for.
            let text = match output.as_os_str() == "-" {
                true => String::new(),
                false => {
                    format!("{} is written to {}", payment.name(), display::escape(&output.to_string_lossy()))
                }
            };
            Ok(Output::done(text, json!({"payment": payment.name(), "file": output})))
        }
    }
}

fn describe(store: &Store, stages: &Stages<'_>, payment: &Payment) -> Result<(String, Value)> {
    let stage = stages.of(payment)?;
    let wallet = store.wallets()?.into_iter().find(|wallet| wallet.id == payment.wallet);
    let wallet = wallet.map(|wallet| wallet.imported.name).ok_or(Error::CorruptStore("payment's wallet"))?;
    let paid: Amount = payment.request.recipients.iter().map(|recipient| recipient.amount).sum();
    let depth = match stage.confirmations() {
        0 => String::new(),
        1 => ", 1 confirmation".to_owned(),
        depth => format!(", {depth} confirmations"),
    };
    let text = format!(
        "{}  {}  {}  {}{depth}\n        {}",
        payment.name(),
        wallet,
        amount_text(paid),
        stage.word(),
        payment.unsigned_txid
    );
    let replaced_by = match stage {
        Stage::Replaced(txid) => Some(txid.to_string()),
        _ => None,
    };
    let json = json!({
        "payment": payment.name(),
        "wallet": wallet,
        "state": stage.word(),
        "confirmations": stage.confirmations(),
        "txid": payment.unsigned_txid.to_string(),
        "spend_id": payment.spend.id().to_string(),
        "request_id": payment.request.id().to_string(),
        "amount_sat": paid.to_sat(),
        "fee_sat": payment.spend.fee().to_sat(),
        "purpose": payment.request.purpose,
        "created": payment.created,
        "expires": payment.request.expires,
        "replaced_by": replaced_by,
    });
    Ok((text, json))
}

fn parse_number(text: &str) -> Result<u32, String> {
    parse_payment_number(text).ok_or_else(|| "expected a payment's number, such as P-0042".to_owned())
}
