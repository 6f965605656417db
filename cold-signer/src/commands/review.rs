//! `review`

use crate::cli::{Global, console_program};
use crate::output::Output;
use crate::report::review_json;
use crate::screens::{self, Shown};
use crate::session::Session;
use crate::{Error, Result, terminal};
use policies::check::{Outcome, verdict};
use psbt_tools::scanner::{From, watched};
use std::path::PathBuf;

/// Show what `sign` would show, and sign nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer review salaries-permitted.psbt --json\n\
Example: cold-signer review --camera")]
pub struct Args {
    /// The file; `-` is standard input.
    #[arg(required_unless_present = "qr_source", conflicts_with = "qr_source")]
    file: Option<PathBuf>,
    #[command(flatten)]
    from: From,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let received = if args.from.is_given() { Some(watched(&args.from)?) } else { None };
    let mut session = Session::start(console_program()?, &global.launch()?)?;
    let document = match (received, &args.file) {
        (Some(received), _) => {
            let name = format!("QR codes ({})", received.payload.format);
            session.take(received.payload.bytes, name)?
        }
        (None, Some(file)) => session.open(file)?,
        (None, None) => return Err(Error::Usage("name a file".to_owned())),
    };
    let review = session.review(&document)?;
    let shown = Shown {
        file: document.name(),
        manifest: document.manifest(),
        sha256: document.sha256(),
        review: &review,
        live_network: session.live_network(),
    };
    let mut output = Output::done(screens::text(&shown, terminal::columns()), review_json(&shown));
    if verdict(&review.findings) == Outcome::Refuse {
        output.error = Some(Error::Refused(review.findings));
    }
    Ok(output)
}
