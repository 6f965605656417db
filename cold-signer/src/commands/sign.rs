//! `sign`

use crate::cli::{Global, console_program};
use crate::consent::{self, Given};
use crate::output::{Output, print_error};
use crate::screens::Shown;
use crate::session::Session;
use crate::terminal::{Person, Terminal};
use crate::{Error, Result};
use policies::check::Check;
use policies::id::SpendId;
use psbt_tools::display::{escape, hex};
use psbt_tools::files;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Review a payment, take consent, and let the vault sign it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer sign salaries-permitted.psbt\n\n\
Without -o, NAME-request.psbt and NAME-permitted.psbt become NAME-signed.psbt beside them.\n\
With --json, one file gives one object; several give {\"files\": [...]}.")]
pub struct Args {
    /// Files to sign, one after the other; a failure stops none of the others.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the signed file goes; only with one file.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Consent by a script: the whole spend id that `review` gave.
    #[arg(long, value_name = "SPEND_ID")]
    consent: Option<SpendId>,
    /// Checks whose question is answered with yes, for scripts: C19,C20.
    #[arg(long, value_delimiter = ',', value_name = "CHECKS")]
    accept: Vec<Check>,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    if args.files.len() > 1 && (args.output.is_some() || args.consent.is_some()) {
        return Err(Error::Usage("-o and --consent go with one file".to_owned()));
    }
    if args.output.as_deref().is_some_and(|out| out.as_os_str() == "-") {
        if global.json {
            return Err(Error::Usage("-o - and --json both want standard output".to_owned()));
        }
        if std::io::stdout().is_terminal() {
            return Err(Error::Usage(
                "-o - writes the file itself, which is nothing for a terminal: name a file".to_owned(),
            ));
        }
    }
    let mut session = Session::start(console_program()?, &global.launch()?)?;
    let given = Given { spend: args.consent, accepted: args.accept.clone() };
    if let [file] = args.files.as_slice() {
        let (text, json) = sign(&mut session, file, args.output.as_deref(), &given)?;
        return Ok(Output::done(text, json));
    }
    let mut text = Vec::new();
    let mut entries = Vec::new();
    let mut worst: Option<Error> = None;
    for file in &args.files {
        match sign(&mut session, file, None, &given) {
            Ok((line, json)) => {
                text.push(line);
                entries.push(json);
            }
            Err(error) => {
                entries.push(json!({"file": escape(&file.to_string_lossy()), "error": error.to_json()}));
                let replaced = match worst.take() {
                    Some(before) if before.exit_code() >= error.exit_code() => {
                        worst = Some(before);
                        Some(error)
                    }
                    before => {
                        worst = Some(error);
                        before
                    }
                };
                // The worst is told at the end, each of the others here.
                if let Some(other) = replaced {
                    print_error(&other, false);
                }
            }
        }
    }
    Ok(Output { text: text.join("\n"), json: json!({"files": entries}), error: worst })
}

fn sign(session: &mut Session, file: &Path, out: Option<&Path>, given: &Given) -> Result<(String, Value)> {
    let out = match out {
        Some(out) => out.to_owned(),
        None => signed_name(file)?,
    };
    // Before anything is signed that could then not be written.
    if out.as_os_str() != "-" && out.symlink_metadata().is_ok() {
        return Err(psbt_tools::Error::Exists(escape(&out.to_string_lossy())).into());
    }
    let document = session.open(file)?;
    document.acceptable()?;
    let review = session.review(&document)?;
    let shown = Shown {
        file: document.name(),
        sha256: document.sha256(),
        review: &review,
        live_network: session.live_network(),
    };
    let mut terminal = if given.spend.is_none() { Terminal::open() } else { None };
    let person = terminal.as_mut().map(|terminal| terminal as &mut dyn Person);
    let accepted = consent::obtain(&shown, given, person)?;
    let (name, sha256) = (document.name().to_owned(), document.sha256());
    let (signed, bytes) = session.sign(document, review.spend, accepted)?;
    files::write_new(&out, &bytes, 0o600)?;
    let out = escape(&out.to_string_lossy());
    let head = &signed.receipt.statement.head;
    let json = json!({
        "file": name,
        "sha256": hex(&sha256),
        "out": out,
        "spend_id": review.spend.to_string(),
        "unsigned_txid": review.unsigned_txid.to_string(),
        "signatures": signed.signatures.len(),
        "signed_before": review.signed_before,
        "receipt": {"vault_id": head.vault.to_string(), "sequence": head.sequence, "head": hex(&head.hash)},
    });
    // Standard output carries the file itself when that is asked for.
    let text = if out == "-" { String::new() } else { format!("signed {name}\nwrote {out}") };
    Ok((text, json))
}

/// `NAME-signed.psbt` for `NAME-request.psbt`, `NAME-permitted.psbt` and `NAME.psbt`.
fn signed_name(file: &Path) -> Result<PathBuf> {
    let stem = file.file_stem().filter(|_| file.as_os_str() != "-");
    let stem = stem.ok_or_else(|| Error::Usage("-o is needed: the input has no name".to_owned()))?;
    let stem =
        stem.to_str().ok_or_else(|| Error::Usage("-o is needed: the input's name is no UTF-8".to_owned()))?;
    let name = ["-request", "-permitted"].iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem);
    Ok(file.with_file_name(format!("{name}-signed.psbt")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_file_lies_beside_its_origin() {
        let name = |file: &str| signed_name(Path::new(file)).unwrap();
        assert_eq!(name("/usb/salaries-permitted.psbt"), Path::new("/usb/salaries-signed.psbt"));
        assert_eq!(name("salaries-request.psbt"), Path::new("salaries-signed.psbt"));
        assert_eq!(name("x.txt"), Path::new("x-signed.psbt"));
        assert_eq!(signed_name(Path::new("-")).unwrap_err().exit_code(), 2);
    }
}
