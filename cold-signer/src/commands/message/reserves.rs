//! `sign-reserves`

use super::{LockArgs, Seen, agreed, descriptors, live_network, missing_text, person, terminal};
use crate::cli::{Global, console_program};
use crate::commands::address::{Book, MAX_UP_TO, UP_TO};
use crate::output::Output;
use crate::reader::{MAX_PREVIOUS, MessageAnswer, MessageOrder, ProvenHolding, Reader, ReservesOrder};
use crate::screens::{message_head, message_lines, part_lines};
use crate::{Error, Result};
use bitcoin::{Address, Amount};
use cold_wire::{MessageReview, MessageSignature, MessageTerms, SignMessage};
use policies::id::MessageId;
use policies::message::MessageForm;
use psbt_tools::display::{escape, hex};
use psbt_tools::files;
use psbt_tools::money::amount_text;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Sign a wallet's part of a proof of reserves: the statement is shown whole, then consented to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cold-signer sign-reserves --wallet savings reserves.json -o reserves-signed.json\n\n\
`watch-node reserves` makes the file. Each wallet signs in turn, each with the file of the one before; so do the \
cosigners of a wallet of several keys. Verify it with `psbt-tools verify-reserves`."
)]
pub struct Args {
    /// The proof of reserves; `-` is standard input.
    file: PathBuf,
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// Where the document goes with the signatures in it.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The transactions that made coins of legacy scripts (pkh, sh): raw, in hexadecimal, one a line.
    #[arg(long, value_name = "FILE")]
    previous: Vec<PathBuf>,
    /// How many indexes are searched for coins past the last that was found.
    #[arg(long, value_name = "N", default_value_t = UP_TO,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_UP_TO)))]
    gap: u32,
    #[command(flatten)]
    locks: LockArgs,
    /// Consent by a script: the whole id of the message; once for each part of the wallet.
    #[arg(long, value_name = "MESSAGE_ID")]
    consent: Vec<MessageId>,
}

/// One of the document's holdings, as the vault sees it.
struct Part {
    holding: u32,
    wanted: SignMessage,
    review: MessageReview,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let to_stdout = files::is_dash(&args.output);
    if to_stdout && global.json {
        return Err(Error::Usage("-o - and --json both want standard output".to_owned()));
    }
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Error::Usage(
            "-o - writes the file itself, which is nothing for a terminal: name a file".to_owned(),
        ));
    }
    files::require_free(&args.output)?;
    if args.previous.len() > MAX_PREVIOUS {
        return Err(Error::Usage(format!("at most {MAX_PREVIOUS} files with transactions")));
    }
    let mut reader = Reader::spawn(&console_program()?)?;
    let read = |path: &PathBuf| files::read(path, files::DEFAULT_LIMIT);
    let document = read(&args.file)?;
    let previous = args.previous.iter().map(read).collect::<Result<_, _>>()?;
    let mut vault = global.vault()?;
    let keys = vault.keys()?;
    let key = keys.named(&args.wallet)?;
    let (wallet, id) = (descriptors(key)?, Book::new(key)?.wallet().id());
    let network = wallet.network;
    let order = ReservesOrder { document, previous, wallet, gap: args.gap, locks: args.locks.locks() };
    let (holdings, evidence) = match reader.message(MessageOrder::Reserves(Box::new(order)))? {
        MessageAnswer::Holdings { holdings, evidence } if !holdings.is_empty() => (holdings, evidence),
        _ => return Err(nonsense()),
    };
    let mut parts = Vec::new();
    for (holding, terms) in holdings {
        if terms.wallet != id || terms.form != MessageForm::Bip322ProofOfFunds {
            return Err(nonsense());
        }
        let wanted = SignMessage { terms, evidence: evidence.clone(), consent: None };
        let review = vault.sign_message(wanted.clone())?;
        parts.push(Part { holding, wanted, review });
    }
    // One text is shown for all of them.
    let first = parts.first().map(|part| part.wanted.terms.message.clone());
    if parts.iter().any(|part| Some(&part.wanted.terms.message) != first.as_ref()) {
        return Err(nonsense());
    }
    let mut lines = Vec::new();
    for Part { wanted, review, .. } in &parts {
        lines.extend(part_lines(&wanted.terms, review));
        lines.push(String::new());
    }
    if let Some(part) = parts.first() {
        lines.extend(message_lines(&part.wanted.terms.message, part.review.hash));
    }
    let ids: Vec<MessageId> = parts.iter().map(|part| part.review.id).collect();
    let head = message_head(network, &live_network(global, &mut vault)?);
    let mut at = terminal(&args.consent);
    let seen = match agreed(person(&mut at), network, &ids, &args.consent, &head, &lines) {
        Ok(seen) => seen,
        Err(error @ Error::UnsignedMessage(_)) => {
            let mut output = Output::done(lines.join("\n"), to_json(args, &parts, None));
            output.error = Some(error);
            return Ok(output);
        }
        Err(error) => return Err(error),
    };
    let mut signed = Vec::new();
    for part in &parts {
        let wanted = SignMessage { consent: Some(part.review.id), ..part.wanted.clone() };
        match vault.sign_message(wanted)?.signed {
            Some(MessageSignature::Inputs(signatures)) => signed.push((part.holding, signatures)),
            Some(MessageSignature::Bip137(_)) | None => {
                return Err(Error::VaultNonsense("it gave no signatures of the coins".to_owned()));
            }
        }
    }
    let MessageAnswer::Proven { file, holdings } = reader.message(MessageOrder::Prove(signed))? else {
        return Err(nonsense());
    };
    files::write_new(&args.output, &file, 0o600)?;
    let json = to_json(args, &parts, Some(&holdings));
    if to_stdout {
        return Ok(Output::done(String::new(), json));
    }
    if matches!(seen, Seen::Shown) {
        lines.clear();
    }
    lines.push(format!("wrote {}", escape(&args.output.to_string_lossy())));
    for ProvenHolding { holding, missing } in &holdings {
        let part = parts.iter().find(|part| part.holding == *holding);
        let total = part.map_or(Amount::ZERO, |part| part.review.total);
        let what = missing.as_ref().map_or_else(|| "signed".to_owned(), |keys| missing_text(keys));
        lines.push(format!("{} of {}: {what}", amount_text(total), escape(&args.wallet)));
    }
    Ok(Output::done(lines.join("\n"), json))
}

fn nonsense() -> Error {
    Error::ReaderNonsense("an answer to another question".to_owned())
}

/// `{"wallet", "out", "signed", "complete", "total_sat", "holdings": [{"holding", "message_id", "message_hash", "address",
/// "coins", "total_sat", "complete", "missing"}]}`.
fn to_json(args: &Args, parts: &[Part], done: Option<&[ProvenHolding]>) -> Value {
    let holding = |part: &Part| {
        let MessageTerms { keypath, .. } = part.wanted.terms;
        let of_part = done.and_then(|done| done.iter().find(|done| done.holding == part.holding));
        let address = Address::from_script(&part.review.script, part.review.network);
        json!({
            "holding": part.holding,
            "message_id": part.review.id.to_string(),
            "message_hash": hex(&part.review.hash),
            "address": address.map(|address| address.to_string()).unwrap_or_default(),
            "path": keypath.to_string(),
            "coins": part.review.coins,
            "total_sat": part.review.total.to_sat(),
            "complete": of_part.is_some_and(|done| done.missing.is_none()),
            "missing": of_part.and_then(|done| done.missing.clone()).unwrap_or_default(),
        })
    };
    let total = parts
        .iter()
        .fold(Amount::ZERO, |sum, part| sum.checked_add(part.review.total).unwrap_or(Amount::MAX_MONEY));
    let complete = |done: &[ProvenHolding]| done.iter().all(|done| done.missing.is_none());
    json!({
        "wallet": args.wallet,
        "out": escape(&args.output.to_string_lossy()),
        "signed": done.is_some(),
        "complete": done.is_some_and(complete),
        "total_sat": total.to_sat(),
        "holdings": parts.iter().map(holding).collect::<Vec<_>>(),
    })
}
