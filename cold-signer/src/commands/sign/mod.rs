//! `sign`

mod across;
mod batch;
mod files;

use crate::cli::{Global, console_program};
use crate::consent::{self, Given};
use crate::output::Output;
use crate::screens::Shown;
use crate::session::{Answer, Document, Session};
use crate::terminal::{Person, Terminal};
use crate::{Error, Result};
use bitcoin::hashes::{Hash, sha256};
use files::{Found, Task};
use policies::check::Check;
use policies::id::SpendId;
use psbt_tools::display::{escape, hash_words, hex};
use psbt_tools::files::{is_dash, require_free, write_new};
use psbt_tools::manifest::Manifest;
use psbt_tools::scanner::From;
use psbt_tools::show::To;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Review payments, take consent, and let the vault sign them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer sign salaries-permitted.psbt\n\
Example: cold-signer sign /media/stick -o /media/stick\n\
Example: cold-signer sign salaries-permitted.psbt --reply\n\
Example: cold-signer sign --camera --qr\n\n\
Without -o, NAME-request.psbt and NAME-permitted.psbt become NAME-signed.psbt beside them, \
with --reply NAME-reply.airlock.\n\
Of a folder every *.psbt is taken in the order of names, but for signed ones, for those that are signed already, and \
for drafts and requests whose permitted file is there.\n\
With --json, one file gives one object; several and folders give {\"files\": [...], \"left_out\": [...], \
\"totals\": [...]}.")]
pub struct Args {
    /// Files to sign and folders of such files, one after the other; a failure stops none of the others.
    #[arg(required_unless_present = "qr_source", conflicts_with = "qr_source", value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Where the signed file goes; a folder when there are several. What comes by QR codes, or is shown as such, is written
    /// only with it.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Write only signatures and receipt, as NAME-reply.airlock: small enough for QR codes. `watch-node submit` merges it into
    /// the file that it made; `psbt-tools combine FILE REPLY -o OUT` gives what would have been written whole.
    #[arg(long)]
    reply: bool,
    /// Consent by a script: the whole spend id that `review` gave. Again for each further file.
    #[arg(long, value_name = "SPEND_ID")]
    consent: Vec<SpendId>,
    /// Checks whose question is answered with yes, for scripts: C19,C20.
    #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
    accept: Vec<Check>,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    to: To,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let answer = if args.reply { Answer::Reply } else { Answer::Whole };
    if args.output.as_deref().is_some_and(is_dash) {
        if global.json {
            return Err(Error::Usage("-o - and --json both want standard output".to_owned()));
        }
        if std::io::stdout().is_terminal() {
            return Err(Error::Usage(
                "-o - writes the file itself, which is nothing for a terminal: name a file".to_owned(),
            ));
        }
    }
    // A yes is meant for one payment: the question of another may be another one under the same number.
    if args.consent.len() > 1 && !args.accept.is_empty() {
        return Err(Error::Usage("--accept is for one --consent: sign such a file by itself".to_owned()));
    }
    let given = Given { spends: args.consent.clone(), accepted: args.accept.clone() };
    if args.from.is_given() || args.to.is_wanted() {
        return across::run(global, args, answer, &given);
    }
    let found = files::find(&args.files, args.output.as_deref(), answer)?;
    let mut terminal = if given.spends.is_empty() { Terminal::open() } else { None };
    let start = || Session::start(console_program()?, &global.launch()?);
    match found {
        Found::One(_) if given.spends.len() > 1 => {
            Err(Error::Usage("one file holds one spend: give --consent once".to_owned()))
        }
        Found::One(task) => {
            let (text, json) = sign(&mut start()?, &task, &given, person(&mut terminal))?;
            Ok(Output::done(text, json))
        }
        Found::Many { tasks, left_out } => {
            // Nothing to unlock the store for.
            let mut session = if tasks.is_empty() { None } else { Some(start()?) };
            // A wrong passphrase is told once, not for each file.
            session.as_mut().map_or(Ok(()), Session::unlock)?;
            Ok(batch::run(session.as_mut(), tasks, left_out, &given, person(&mut terminal)))
        }
    }
}

fn person(terminal: &mut Option<Terminal>) -> Option<&mut dyn Person> {
    terminal.as_mut().map(|terminal| terminal as &mut dyn Person)
}

fn sign(
    session: &mut Session,
    task: &Task,
    given: &Given,
    person: Option<&mut dyn Person>,
) -> Result<(String, Value)> {
    require_free(&task.out)?;
    let document = session.open(&task.file)?;
    let mut made = make(session, document, task.answer, given, person)?;
    write_new(&task.out, &made.bytes, 0o600)?;
    let wrote = made.written(&task.out);
    // Standard output carries the file itself when that is asked for.
    let is_stdout = is_dash(&task.out);
    let text = if is_stdout { String::new() } else { format!("signed {}\n{wrote}", made.name) };
    Ok((text, made.json))
}

/// A signed payment that has not left yet.
struct Made {
    /// The name of what was signed.
    name: String,
    /// The signed file, or the reply.
    bytes: Vec<u8>,
    /// What a program is told, but for where it went.
    json: Value,
}

impl Made {
    /// Adds to what a program is told.
    fn tell(&mut self, key: &str, value: Value) {
        if let Some(object) = self.json.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    }

    /// Tells a program where it was written and by which hash the next machine knows it; the same in lines for a person.
    fn written(&mut self, out: &Path) -> String {
        let out = escape(&out.to_string_lossy());
        let sha256 = sha256::Hash::hash(&self.bytes).to_byte_array();
        let words = hash_words(&sha256);
        let lines = format!("wrote {out}\nwords {words}");
        self.tell("out", json!(out));
        self.tell("out_sha256", json!(hex(&sha256)));
        self.tell("out_words", json!(words));
        lines
    }
}

/// Reviews, takes consent and signs.
fn make(
    session: &mut Session,
    document: Document,
    answer: Answer,
    given: &Given,
    person: Option<&mut dyn Person>,
) -> Result<Made> {
    document.acceptable()?;
    let review = session.review(&document)?;
    let shown = Shown {
        file: document.name(),
        manifest: document.manifest(),
        sha256: document.sha256(),
        review: &review,
        live_network: session.live_network(),
    };
    let accepted = consent::obtain(&shown, given, person)?;
    let (name, sha256) = (document.name().to_owned(), document.sha256());
    let claimed = document.manifest().map(Manifest::to_json);
    let (signed, bytes) = session.sign(document, review.spend, accepted, answer)?;
    let head = &signed.receipt.statement.head;
    let json = json!({
        "file": name,
        "sha256": hex(&sha256),
        "words": hash_words(&sha256),
        "manifest": claimed,
        "out": null,
        "out_sha256": null,
        "out_words": null,
        "reply": answer == Answer::Reply,
        "bytes": bytes.len(),
        "spend_id": review.spend.to_string(),
        "unsigned_txid": review.unsigned_txid.to_string(),
        "signatures": signed.signatures.len(),
        "signed_before": review.signed_before,
        "receipt": {"vault_id": head.vault.to_string(), "sequence": head.sequence, "head": hex(&head.hash)},
    });
    Ok(Made { name, bytes, json })
}
