//! `review`

use crate::cli::{Global, console_program};
use crate::output::Output;
use crate::report::review_json;
use crate::screens::{self, Shown};
use crate::session::Session;
use crate::{Error, Result, terminal};
use policies::check::{Outcome, verdict};
use std::path::PathBuf;

/// Show what `sign` would show, and sign nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cold-signer review salaries-permitted.psbt --json")]
pub struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
}

/// Runs it.
pub fn run(global: &Global, args: &Args) -> Result<Output> {
    let mut session = Session::start(console_program()?, &global.launch()?)?;
    let document = session.open(&args.file)?;
    let review = session.review(&document)?;
    let shown = Shown {
        file: document.name(),
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
