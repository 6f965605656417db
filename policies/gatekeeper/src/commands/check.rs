//! `gatekeeper check FILE`: the judgement of `submit`, and nothing is written.

use crate::Error;
use crate::assessment::{Assessment, assess};
use crate::commands::submit::{about, needed, refuse_while_nothing_is_permitted, refused};
use crate::intake::with_facts;
use crate::ledger::Ledger;
use crate::report::Report;
use crate::submission::{Submission, claims, facts};
use policies::check::Check;
use psbt_tools::document::Document;
use psbt_tools::files::{DEFAULT_LIMIT, read};
use std::path::Path;

/// Judges a file as `submit` would.
///
/// # Errors
/// [`Error::Refused`] with everything that refuses, [`Error::Needed`] when approvals are missing, [`Error::Frozen`] and
/// [`Error::Stale`] where nothing is permitted.
pub fn run(data: &Path, file: &Path, accepted: &[Check], now: u64) -> Result<Report, Error> {
    let state = Ledger::open(data)?.state()?;
    let document = Document::parse(read(file, DEFAULT_LIMIT)?)?;
    let state = with_facts(state, &facts(&document)?, now)?;
    refuse_while_nothing_is_permitted(&state, now)?;
    let submission = Submission::read(document, &state, now)?;
    submission.addressed(&state)?;
    let standing = match assess(&state, &submission, accepted, now) {
        Assessment::Refused(findings) => return Err(refused(&submission, findings)),
        Assessment::Needs(needs) => return Err(needed(&submission, *needs)),
        Assessment::Trail(error) => return Err(Error::Trail(error)),
        Assessment::Standing(_) => true,
        Assessment::Good(_) => false,
    };
    let mut json = about(&submission);
    json.insert("verdict".to_owned(), "permitted".into());
    json.insert("dry_run".to_owned(), true.into());
    json.insert("standing".to_owned(), standing.into());
    let line = match standing {
        true => "was permitted before; `gatekeeper submit` gives the same permit again",
        false => "would be permitted; nothing was reserved",
    };
    let lines = claims(&submission.imported).into_iter().chain([line.to_owned()]).collect();
    Ok(Report { lines, json })
}
