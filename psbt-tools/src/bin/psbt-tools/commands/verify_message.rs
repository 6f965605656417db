//! `verify-message`: whether an address signed a message, by BIP322 or BIP137.

use crate::output::{print, say};
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount};
use clap::Args;
use policies::message::Message;
use policies::message::bip322::ClaimedCoin;
use psbt_tools::display::{escape, network_from_word};
use psbt_tools::message::partial::PartlySigned;
use psbt_tools::message::{Valid, Verdict, verify_text};
use psbt_tools::money::amount_text;
use psbt_tools::{Error, files};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

/// Says whether an address signed a message (BIP322, BIP137); exit code 3 when not, 4 when it cannot be said.
///
/// A proof of funds is shown with its coins; whether they exist and are unspent, only the chain says.
///
/// Example: psbt-tools verify-message bc1q… --message "Hello World" --signature smpAkcw…
#[derive(Debug, Args)]
pub struct Arguments {
    /// The address that signed
    address: String,
    /// The message
    #[arg(long, value_name = "TEXT", required_unless_present = "message_file")]
    message: Option<String>,
    /// A file whose bytes are the message, also a last line's end; `-` is standard input
    #[arg(long, value_name = "F", conflicts_with = "message")]
    message_file: Option<PathBuf>,
    /// The signature
    #[arg(long, value_name = "TEXT", required_unless_present = "signature_file")]
    signature: Option<String>,
    /// A file that holds the signature; `-` is standard input
    #[arg(long, value_name = "F", conflicts_with = "signature")]
    signature_file: Option<PathBuf>,
    /// bitcoin (or mainnet), testnet, testnet4, signet, regtest
    #[arg(long, value_name = "N", default_value = "mainnet")]
    network: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let network = network_from_word(&arguments.network)?;
    let address = Address::<NetworkUnchecked>::from_str(&arguments.address)
        .ok()
        .and_then(|address| address.require_network(network).ok())
        .ok_or_else(|| {
            let found = format!("`{}` is no address of {network}", escape(&arguments.address));
            Error::malformed(found, "check the address, and name its network with --network")
        })?;
    let message = match (&arguments.message, &arguments.message_file) {
        (Some(text), _) => Message::new(text.as_str()),
        (None, Some(path)) => Message::from_bytes(&files::read(path, files::DEFAULT_LIMIT)?),
        (None, None) => Message::new(""),
    };
    let message = message
        .map_err(|error| Error::malformed(error.to_string(), "sign and verify the hash of a long message"))?;
    let signature = match (&arguments.signature, &arguments.signature_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => String::from_utf8_lossy(&files::read(path, files::DEFAULT_LIMIT)?).into_owned(),
        (None, None) => String::new(),
    };
    let signature = signature.trim_ascii();
    if signature.starts_with('{') {
        return partly_signed(arguments.json, &message, &address, signature);
    }
    let verdict = verify_text(&message, &address.script_pubkey(), signature);
    let text = if arguments.json { format!("{}\n", verdict_json(&verdict)) } else { words(&verdict) };
    print(&text)?;
    Ok(exit_code(&verdict))
}

/// What is no signature yet: the file that goes from cosigner to cosigner.
fn partly_signed(as_json: bool, message: &Message, address: &Address, text: &str) -> Result<ExitCode, Error> {
    let partly = PartlySigned::decode(text.as_bytes()).map_err(|error| {
        let found = format!("this is no signature; {error}");
        Error::malformed(found, "give the signature that the last signer got")
    })?;
    if partly.message != *message || partly.address != address.script_pubkey() {
        return Err(Error::malformed(
            "this is no signature, but a partly signed message of another text or address",
            "give the signature of this message by this address",
        ));
    }
    let signed = match partly.partial.signatures.len() {
        1 => "1 signature".to_owned(),
        count => format!("{count} signatures"),
    };
    let reason = format!("more signatures are needed: this is a partly signed message with {signed}");
    let hint = "let the next one sign: `cold-signer sign-message --wallet W --add FILE -o signature.txt`";
    if as_json {
        let error = json!({ "code": "signatures-missing", "message": reason, "hint": hint });
        print(&format!("{}\n", json!({ "verdict": "inconclusive", "error": error })))?;
    } else {
        print("inconclusive\n")?;
        say(format_args!("error: {reason}\nhint: {hint}"));
    }
    Ok(ExitCode::from(4))
}

/// `{"verdict", "form"?, "lock_time"?, "sequence"?, "coins"?, "total_sat"?, "error"?}`.
pub(super) fn verdict_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Valid(valid) => json!({
            "verdict": verdict.as_str(),
            "form": valid.form.as_str(),
            "lock_time": valid.locks.lock_time.to_consensus_u32(),
            "sequence": valid.locks.sequence.to_consensus_u32(),
            "coins": valid.coins.iter().map(coin_json).collect::<Vec<_>>(),
            "total_sat": total(valid).to_sat(),
        }),
        Verdict::Inconclusive(reason) | Verdict::Invalid(reason) => json!({
            "verdict": verdict.as_str(),
            "error": { "code": code(verdict), "message": reason, "hint": hint(verdict) },
        }),
    }
}

fn coin_json(coin: &ClaimedCoin) -> Value {
    json!({
        "outpoint": coin.outpoint.to_string(),
        "value_sat": coin.output.value.to_sat(),
        "script_hex": coin.output.script_pubkey.to_hex_string(),
        "sequence": coin.sequence.to_consensus_u32(),
    })
}

fn words(verdict: &Verdict) -> String {
    let mut out = String::new();
    match verdict {
        Verdict::Valid(valid) => {
            // Writing to a string does not fail.
            let _ = write!(out, "valid: the address signed this message ({})", valid.form.as_str());
            if !valid.is_unlocked() {
                let (time, age) = (valid.locks.lock_time, valid.locks.sequence.to_consensus_u32());
                let _ = write!(out, "\nat time {} and age {age}", time.to_consensus_u32());
            }
            if !valid.coins.is_empty() {
                let _ = write!(
                    out,
                    "\nwhoever signed can spend {} coins of together {}, if the chain has them unspent:",
                    valid.coins.len(),
                    amount_text(total(valid))
                );
                for coin in &valid.coins {
                    let _ = write!(out, "\n  {}  {}", coin.outpoint, amount_text(coin.output.value));
                }
            }
            out.push('\n');
        }
        Verdict::Inconclusive(reason) | Verdict::Invalid(reason) => {
            let _ = writeln!(out, "{}", verdict.as_str());
            say(format_args!("error: {reason}\nhint: {}", hint(verdict)));
        }
    }
    out
}

fn total(valid: &Valid) -> Amount {
    valid
        .coins
        .iter()
        .fold(Amount::ZERO, |total, coin| total.checked_add(coin.output.value).unwrap_or(Amount::MAX_MONEY))
}

fn code(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid(_) => "valid",
        Verdict::Inconclusive(_) => "inconclusive",
        Verdict::Invalid(_) => "invalid-signature",
    }
}

fn hint(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Valid(_) => "nothing more is needed",
        Verdict::Inconclusive(_) => {
            "it is neither proven nor disproven: let another program verify it as well"
        }
        Verdict::Invalid(_) => {
            "compare address, message (every space and line end counts) and signature with what was sent"
        }
    }
}

fn exit_code(verdict: &Verdict) -> ExitCode {
    match verdict {
        Verdict::Valid(_) => ExitCode::SUCCESS,
        Verdict::Inconclusive(_) => ExitCode::from(4),
        Verdict::Invalid(_) => ExitCode::from(3),
    }
}
