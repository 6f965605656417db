//! One payment that comes by QR codes, or leaves by them, or both.

use super::files::{self, Found};
use super::{Args, make, person};
use crate::cli::{Global, console_program};
use crate::consent::Given;
use crate::output::Output;
use crate::session::{Answer, Session};
use crate::terminal::Terminal;
use crate::{Error, Result};
use psbt_tools::display::{hash_words, hex};
use psbt_tools::files::{is_dash, require_free, write_new};
use psbt_tools::scanner::{Received, watched};
use psbt_tools::show::Content;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where the payment is.
enum Source {
    /// In a file.
    File(PathBuf),
    /// It was seen.
    Seen(Received),
}

/// Reads codes where it is wanted, signs, and writes and shows what came of it. The codes are read before the store is
/// unlocked, and shown after it is locked again.
pub fn run(global: &Global, args: &Args, answer: Answer, given: &Given) -> Result<Output> {
    if given.spends.len() > 1 {
        return Err(Error::Usage("one payment is one spend: give --consent once".to_owned()));
    }
    args.to.is_ready()?;
    let (file, out) = named(args, answer)?;
    out.as_deref().map_or(Ok(()), require_free)?;
    let source = match file {
        Some(file) => Source::File(file),
        None => Source::Seen(watched(&args.from)?),
    };
    let mut terminal = if given.spends.is_empty() { Terminal::open() } else { None };
    let mut session = Session::start(console_program()?, &global.launch()?)?;
    let (document, seen) = match source {
        Source::File(file) => (session.open(&file)?, None),
        Source::Seen(received) => {
            let told = (received.payload.format, to_json(&received));
            let name = format!("QR codes ({})", received.payload.format);
            (session.take(received.payload.bytes, name)?, Some(told))
        }
    };
    let mut made = make(&mut session, document, answer, given, person(&mut terminal))?;
    drop(session);
    let mut lines = vec![format!("signed {}", made.name)];
    if let Some(out) = &out {
        write_new(out, &made.bytes, 0o600)?;
        lines.push(made.written(out));
    }
    let format = seen.map(|(format, told)| {
        made.tell("scanned", told);
        format
    });
    let mut error = None;
    if args.to.is_wanted() {
        match Content::made(made.bytes.clone()).and_then(|content| args.to.show(&content, format)) {
            Ok(shown) => {
                lines.push(shown.text());
                made.tell("qr", shown.to_json());
            }
            // It is signed all the same, and that is to be known.
            Err(failure) => {
                if out.is_none() {
                    lines.push("it was not written: sign it again with -o, which changes nothing".to_owned());
                }
                error = Some(failure.into());
            }
        }
    }
    // Standard output carries the file itself when that is asked for.
    let is_stdout = out.as_deref().is_some_and(is_dash);
    let text = if is_stdout { String::new() } else { lines.join("\n") };
    Ok(Output { text, json: made.json, error })
}

/// The only file, unless codes are read, and where the answer is written, if anywhere.
fn named(args: &Args, answer: Answer) -> Result<(Option<PathBuf>, Option<PathBuf>)> {
    if args.from.is_given() {
        return match &args.output {
            Some(out) if out.is_dir() => {
                Err(Error::Usage("-o must be a file: what is seen has no name of its own".to_owned()))
            }
            None if !args.to.is_wanted() => {
                Err(Error::Usage("-o or --qr is needed: what is seen has no name of its own".to_owned()))
            }
            out => Ok((None, out.clone())),
        };
    }
    match files::find(&args.files, args.output.as_deref(), answer) {
        Ok(Found::One(task)) => Ok((Some(task.file), args.output.is_some().then_some(task.out))),
        // Without -o no name is needed, as for standard input.
        Err(_) if args.output.is_none() && args.files.len() == 1 => Ok((args.files.first().cloned(), None)),
        Ok(Found::Many { .. }) => Err(Error::Usage("QR codes carry one payment: name one file".to_owned())),
        Err(error) => Err(error),
    }
}

/// How it came, for a program.
fn to_json(received: &Received) -> Value {
    let payload = &received.payload;
    let sha256 = received.sha256();
    json!({
        "format": payload.format.to_string().to_lowercase(),
        "integrity": payload.integrity.to_string(),
        "bytes": payload.bytes.len(),
        "sha256": hex(&sha256),
        "words": hash_words(&sha256),
        "frames": received.frames,
    })
}
