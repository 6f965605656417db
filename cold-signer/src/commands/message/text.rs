//! `sign-message`

use super::{LockArgs, Seen, agreed, descriptors, live_network, missing_text, person, terminal};
use crate::cli::{Global, console_program};
use crate::commands::address::{Book, UP_TO};
use crate::output::{Output, undeceiving};
use crate::reader::{Finish, Finished, MessageAnswer, MessageOrder, Reader};
use crate::screens::{message_head, message_lines, part_lines};
use crate::{Error, Result};
use bitcoin::Address;
use clap::ValueEnum;
use cold_wire::{MessageReview, MessageTerms, SignMessage};
use policies::evidence::Evidence;
use policies::id::MessageId;
use policies::message::bip322::Locks;
use policies::message::{MAX_LEN, Message, MessageError, MessageForm};
use policies::wallet::{Branch, Keypath, MAX_INDEX, WalletKind};
use psbt_tools::display::{escape, hex};
use psbt_tools::files;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Sign a message by an address of a wallet (BIP322, BIP137): shown whole, then consented to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cold-signer sign-message --wallet main --index 0 --message \"this address is ours\"\n\
Example: cold-signer sign-message --wallet office --add first.json -o signature.txt\n\n\
A wallet of several keys: each cosigner signs, beginning with the message, going on with the file of the one before \
(--add). The last one's file is the signature. Verify it with `psbt-tools verify-message`.",
    group = clap::ArgGroup::new("place").args(["index", "address"]),
    group = clap::ArgGroup::new("what").required(true).multiple(true).args(["message", "message_file", "add"])
)]
pub struct Args {
    /// Which wallet.
    #[arg(long, value_name = "NAME")]
    wallet: String,
    /// The message.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// A file whose bytes are the message, also a last line's end; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "message")]
    message_file: Option<PathBuf>,
    /// Index of the address that signs.
    #[arg(long, value_name = "I", value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_INDEX)))]
    index: Option<u32>,
    /// It is on the branch of change addresses.
    #[arg(long, requires = "index")]
    change: bool,
    /// The address that signs, searched at index 0 to 1,000 of both branches.
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// How it is signed [default: the shortest form of BIP322].
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Format>,
    #[command(flatten)]
    locks: LockArgs,
    /// Go on with what another cosigner has signed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["index", "address", "format", "lock_time", "sequence"])]
    add: Option<PathBuf>,
    /// Where the signature goes, or the file for the next cosigner [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Consent by a script: the whole id of the message.
    #[arg(long, value_name = "MESSAGE_ID")]
    consent: Option<MessageId>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// The witness alone: native segwit without timelocks.
    Bip322Simple,
    /// The whole virtual transaction: for every address.
    Bip322Full,
    /// The older form, for the address of one key before taproot.
    Bip137,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let out = args.output.as_deref().filter(|out| !files::is_dash(out));
    out.map_or(Ok(()), files::require_free)?;
    let given = given(args)?;
    if args.add.is_none() && args.address.is_none() && args.index.is_none() {
        return Err(which());
    }
    let mut reader = Reader::spawn(&console_program()?)?;
    let earlier = match &args.add {
        Some(path) => {
            let bytes = files::read(path, files::DEFAULT_LIMIT)?;
            Some((looked(&mut reader, bytes.clone())?, bytes))
        }
        None => None,
    };
    let mut vault = global.vault()?;
    let keys = vault.keys()?;
    let key = keys.named(&args.wallet)?;
    let book = Book::new(key)?;
    let (terms, earlier) = match earlier {
        Some((terms, bytes)) => (terms, Some(bytes)),
        None => (fresh(args, &book, given.clone().unwrap_or(Message::new("").map_err(unfit)?))?, None),
    };
    if terms.wallet != book.wallet().id() {
        return Err(Error::Differs("the file is of another wallet"));
    }
    if given.is_some_and(|given| given != terms.message) {
        return Err(Error::Differs("the file is of another message than the one that was given"));
    }
    let mut wanted = SignMessage { terms, evidence: Evidence::default(), consent: None };
    let review = vault.sign_message(wanted.clone())?;
    let terms = wanted.terms.clone();
    let mut lines = part_lines(&terms, &review);
    lines.extend(message_lines(&terms.message, review.hash));
    let head = message_head(review.network, &live_network(global, &mut vault)?);
    let named: Vec<MessageId> = args.consent.into_iter().collect();
    let mut at = terminal(&named);
    let seen = match agreed(person(&mut at), review.network, &[review.id], &named, &head, &lines) {
        Ok(seen) => seen,
        Err(error @ Error::UnsignedMessage(_)) => {
            let mut output = Output::done(lines.join("\n"), to_json(&terms, &review, None));
            output.error = Some(error);
            return Ok(output);
        }
        Err(error) => return Err(error),
    };
    wanted.consent = Some(review.id);
    let signed = vault.sign_message(wanted)?.signed;
    let signed = signed.ok_or_else(|| Error::VaultNonsense("it gave no signature".to_owned()))?;
    let wallet = descriptors(key)?;
    let order = MessageOrder::Finish(Box::new(Finish { wallet, terms: terms.clone(), signed, earlier }));
    let MessageAnswer::Finished(finished) = reader.message(order)? else {
        return Err(Error::ReaderNonsense("an answer to another question".to_owned()));
    };
    written(&terms, &review, &finished, out, &seen, lines)
}

/// What was given as the message.
fn given(args: &Args) -> Result<Option<Message>> {
    match (&args.message, &args.message_file) {
        (Some(text), _) => Message::new(text.as_str()).map(Some).map_err(unfit),
        (None, Some(path)) => {
            let most = u64::try_from(MAX_LEN).unwrap_or(u64::MAX);
            Message::from_bytes(&files::read(path, most)?).map(Some).map_err(unfit)
        }
        (None, None) => Ok(None),
    }
}

fn unfit(error: MessageError) -> Error {
    Error::Usage(error.to_string())
}

fn looked(reader: &mut Reader, bytes: Vec<u8>) -> Result<MessageTerms> {
    match reader.message(MessageOrder::Look(bytes))? {
        MessageAnswer::Looked(terms) => Ok(*terms),
        _ => Err(Error::ReaderNonsense("an answer to another question".to_owned())),
    }
}

fn which() -> Error {
    Error::Usage("which address signs? Give --index I or --address ADDRESS".to_owned())
}

/// A message that nobody has signed yet.
fn fresh(args: &Args, book: &Book<'_>, message: Message) -> Result<MessageTerms> {
    let keypath = match (&args.address, args.index) {
        (Some(address), _) => book.place(address, UP_TO)?.1,
        (None, Some(index)) => {
            let branch = if args.change { Branch::Internal } else { Branch::External };
            Keypath { branch, index }
        }
        (None, None) => return Err(which()),
    };
    let locks = args.locks.locks().unwrap_or(Locks::NONE);
    let native = matches!(
        book.wallet().kind(),
        WalletKind::Wpkh | WalletKind::Wsh | WalletKind::Tr | WalletKind::TrTree
    );
    let form = match args.format {
        Some(Format::Bip322Simple) => MessageForm::Bip322Simple,
        Some(Format::Bip322Full) => MessageForm::Bip322Full,
        Some(Format::Bip137) => MessageForm::Bip137,
        None if native && locks == Locks::NONE => MessageForm::Bip322Simple,
        None => MessageForm::Bip322Full,
    };
    Ok(MessageTerms { wallet: book.wallet().id(), form, message, keypath, locks, coins: vec![] })
}

fn written(
    terms: &MessageTerms,
    review: &MessageReview,
    finished: &Finished,
    out: Option<&Path>,
    seen: &Seen,
    mut lines: Vec<String>,
) -> Result<Output> {
    let mut json = to_json(terms, review, Some(finished));
    let Some(out) = out else {
        // A signature, or the JSON of a file that the message of others stands in: by a reader, for a terminal.
        return Ok(Output::done(undeceiving(finished.text.trim_end()), json));
    };
    let text = match finished.missing {
        None => format!("{}\n", finished.text),
        Some(_) => finished.text.clone(),
    };
    files::write_new(out, text.as_bytes(), 0o600)?;
    let name = escape(&out.to_string_lossy());
    if let Some(object) = json.as_object_mut() {
        object.insert("out".to_owned(), json!(name));
    }
    if matches!(seen, Seen::Shown) {
        lines.clear();
    }
    lines.push(format!("wrote {name}"));
    lines.push(
        finished
            .missing
            .as_ref()
            .map_or_else(|| "signed: the file is the whole signature".to_owned(), |keys| missing_text(keys)),
    );
    Ok(Output::done(lines.join("\n"), json))
}

/// `{"wallet", "network", "address", "path", "form", "message_hash", "message_id", "signed", "complete", "missing",
/// "signature"?, "partial"?}`.
fn to_json(terms: &MessageTerms, review: &MessageReview, finished: Option<&Finished>) -> Value {
    let address = Address::from_script(&review.script, review.network).map(|address| address.to_string());
    let missing = finished.and_then(|finished| finished.missing.clone());
    let mut json = json!({
        "wallet": review.wallet,
        "network": review.network.to_string(),
        "address": address.unwrap_or_default(),
        "path": terms.keypath.to_string(),
        "form": terms.form.as_str(),
        "message_hash": hex(&review.hash),
        "message_id": review.id.to_string(),
        "signed": finished.is_some(),
        "complete": finished.is_some() && missing.is_none(),
        "missing": missing.unwrap_or_default(),
    });
    if let (Some(finished), Some(object)) = (finished, json.as_object_mut()) {
        match finished.missing {
            None => object.insert("signature".to_owned(), json!(finished.text)),
            Some(_) => object.insert(
                "partial".to_owned(),
                serde_json::from_str(&finished.text).unwrap_or_else(|_| json!(finished.text)),
            ),
        };
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::{Amount, Network, ScriptBuf};
    use policies::codec::deceives;
    use policies::id::{MessageId, WalletId};

    #[test]
    fn what_a_reader_wrote_deceives_no_terminal_and_keeps_its_meaning() {
        let terms = MessageTerms {
            wallet: WalletId::from_bytes([1; 32]),
            form: MessageForm::Bip322Simple,
            message: Message::new("").unwrap(),
            keypath: Keypath { branch: Branch::External, index: 0 },
            locks: Locks::NONE,
            coins: vec![],
        };
        let review = MessageReview {
            id: MessageId::from_bytes([1; 32]),
            wallet: "main".to_owned(),
            network: Network::Regtest,
            script: ScriptBuf::new(),
            hash: [0; 32],
            coins: 0,
            total: Amount::ZERO,
            authority: None,
            signed: None,
        };
        // JSON escapes neither the second control nor the order of writing.
        let document = json!({"message": "\u{1b}[2J \u{9b}2J \u{202e} \\ é"});
        let finished = Finished { text: format!("{document:#}\n"), missing: Some(vec![]) };
        let output = written(&terms, &review, &finished, None, &Seen::Named, vec![]).unwrap();
        assert!(!output.text.chars().any(|c| deceives(c) && c != '\n'), "{:?}", output.text);
        assert_eq!(serde_json::from_str::<Value>(&output.text).unwrap(), document);
        let lie = Finished { text: "\u{1b}[2Jsigned".to_owned(), missing: None };
        let output = written(&terms, &review, &lie, None, &Seen::Named, vec![]).unwrap();
        assert_eq!(output.text, "\\u001b[2Jsigned");
    }
}
