//! `gatekeeper policy check FILE`: what a policy says, or everything that is wrong with it.

use crate::Error;
use crate::file::{MAX_FILE_LEN, PolicyFile, explain, parse};
use crate::report::Report;
use serde_json::json;
use std::path::Path;

/// Reads a policy and explains it.
///
/// # Errors
/// [`Error::Policy`] with every problem.
pub fn run(path: &Path) -> Result<Report, Error> {
    let file = read(path)?;
    let lines = explain(&file);
    let terms = file.policy.terms();
    let mut report = Report::new(json!({
        "company": terms.company,
        "version": terms.version,
        "policy": format!("sha256:{}", file.policy.id()),
        "network": file.network.to_string(),
        "wallets": terms.wallets.keys().collect::<Vec<_>>(),
        "explanation": lines,
    }));
    report.lines = lines;
    Ok(report)
}

/// Reads a policy file.
///
/// # Errors
/// [`Error::Policy`], or [`Error::Psbt`] when the file cannot be read.
pub fn read(path: &Path) -> Result<PolicyFile, Error> {
    let bytes = psbt_tools::files::read(path, MAX_FILE_LEN)?;
    let source = String::from_utf8(bytes).map_err(|error| Error::document("the policy file", error))?;
    // Problems quote the lines where they are: not those of a key that was named by mistake.
    if source.contains("PRIVATE KEY-----") {
        return Err(Error::document("the policy file", "this is a private key, and nothing of it is shown"));
    }
    parse(&path.to_string_lossy(), &source).map_err(Error::Policy)
}
