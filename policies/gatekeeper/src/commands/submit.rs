//! `gatekeeper submit FILE…`: judges, reserves, permits. `issue` is the same for one file.

use crate::Error;
use crate::assessment::{Assessment, assess};
use crate::error::Refusal;
use crate::folder::permit_signer;
use crate::ledger::Ledger;
use crate::ledger::event::{Event, EventKind, Permitted};
use crate::ledger::state::{Reservation, State};
use crate::report::Report;
use crate::submission::Submission;
use policies::check::{Check, Finding};
use policies::codec::Canonical;
use policies::identity::Namespace;
use policies::permit::Permit;
use policies::text::utc_text;
use psbt_tools::display::escape;
use psbt_tools::envelope::Kind;
use psbt_tools::files::{DEFAULT_LIMIT, read, write_new};
use psbt_tools::money::amount_text;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// How far the clock may stand before the ledger's last event, in seconds: machines are adjusted by less.
const CLOCK_TOLERANCE: u64 = 2 * 3_600;

/// Submits files, each by itself; what one comes to does not keep the others from being judged.
///
/// # Errors
/// What the only file gives, or [`Error::Several`] when one of many is not permitted.
pub fn run(
    data: &Path,
    files: &[PathBuf],
    out: Option<&Path>,
    accepted: &[Check],
    now: u64,
) -> Result<Report, Error> {
    if let ([file], _) = (files, out) {
        let out = out.map_or_else(|| permitted_name(file), Path::to_owned);
        return submit(data, file, &out, accepted, now);
    }
    if out.is_some() {
        return Err(Error::Usage {
            message: "-o names one file, and several are submitted".to_owned(),
            hint: "leave -o out: each permitted file is written beside its own as NAME-permitted.psbt"
                .to_owned(),
        });
    }
    let results: Vec<_> = files
        .iter()
        .map(|file| (file.display().to_string(), submit(data, file, &permitted_name(file), accepted, now)))
        .collect();
    if results.iter().any(|(_, result)| result.is_err()) {
        return Err(Error::Several(results));
    }
    let mut lines = Vec::new();
    let mut objects = Vec::new();
    for (file, report) in results.into_iter().filter_map(|(file, result)| Some((file, result.ok()?))) {
        lines.push(format!("{}:", escape(&file)));
        lines.extend(report.lines);
        objects.push(Value::Object(report.json));
    }
    let mut report = Report::new(json!({ "verdict": "permitted", "files": objects }));
    report.lines = lines;
    Ok(report)
}

fn submit(data: &Path, file: &Path, out: &Path, accepted: &[Check], now: u64) -> Result<Report, Error> {
    let mut ledger = Ledger::open(data)?;
    let state = ledger.state()?;
    refuse_a_clock_set_back(&state, now)?;
    let submission = Submission::read(read(file, DEFAULT_LIMIT)?, &state, now)?;
    // Asked before anything is reserved; the writing itself never replaces either.
    if out.as_os_str() != "-" && out.symlink_metadata().is_ok() {
        return Err(psbt_tools::Error::Exists(out.display().to_string()).into());
    }
    let reservation = reserve(&mut ledger, &submission, accepted, now)?;
    let permit = permit(data, &mut ledger, &reservation, now)?;
    let mut envelope = submission.imported.envelope().clone();
    envelope.replace(Kind::Request, vec![reservation.reserved.request.to_bytes()])?;
    envelope.replace(Kind::Permit, vec![permit.to_bytes()])?;
    write_new(out, &submission.imported.with_envelope(&envelope), 0o600)?;
    Ok(report(&submission, &permit, out))
}

/// Judges as the only writer and reserves; durable when this returns.
fn reserve(
    ledger: &mut Ledger,
    submission: &Submission,
    accepted: &[Check],
    now: u64,
) -> Result<Reservation, Error> {
    ledger.append(|state| match assess(state, submission, accepted, now) {
        Assessment::Refused(findings) => Err(refused(submission, findings)),
        Assessment::Standing(reservation) => Ok((None, *reservation)),
        Assessment::Good(reserved) => {
            let reservation = Reservation { reserved: (*reserved).clone(), signature: None };
            Ok((Some(Event { at: now, kind: EventKind::Reserved(reserved) }), reservation))
        }
    })
}

/// The permit of a reservation: the one in the ledger, or the reserved statement signed now.
fn permit(data: &Path, ledger: &mut Ledger, reservation: &Reservation, now: u64) -> Result<Permit, Error> {
    if let Some(permit) = reservation.permit() {
        return Ok(permit);
    }
    let statement = reservation.reserved.statement.clone();
    let signer = permit_signer(data, &ledger.state()?)?;
    let signature = signer.sign(Namespace::Permit, &statement.to_bytes())?;
    let fresh = Permit { statement, signature };
    ledger.append(|state| {
        // Another process may have finished the same reservation meanwhile: then its permit is the one.
        let earlier = state.reservation(&fresh.statement.spend).and_then(Reservation::permit);
        Ok(match earlier {
            Some(permit) => (None, permit),
            None => {
                let permitted =
                    Permitted { permit: fresh.statement.id(), signature: fresh.signature.clone() };
                (Some(Event { at: now, kind: EventKind::Permitted(permitted) }), fresh)
            }
        })
    })
}

fn report(submission: &Submission, permit: &Permit, out: &Path) -> Report {
    let statement = &permit.statement;
    let mut json = about(submission);
    json.insert("verdict".to_owned(), "permitted".into());
    json.insert("out".to_owned(), out.display().to_string().into());
    json.insert("refusals".to_owned(), json!([]));
    let vaults: Vec<_> = statement
        .vaults
        .iter()
        .map(|place| json!({ "vault": place.vault.to_string(), "sequence": place.sequence }))
        .collect();
    json.insert(
        "permit".to_owned(),
        json!({
            "id": statement.id().to_string(),
            "vaults": vaults,
            "policy_version": statement.policy_version,
            "policy": format!("sha256:{}", statement.policy),
            "issued": statement.issued,
            "expires": statement.expires,
        }),
    );
    let number = submission.asked.as_ref().map(|asked| asked.signed.request.number()).unwrap_or_default();
    let lines = vec![
        format!("{number} permitted until {}", utc_text(statement.expires)),
        format!("leaves the wallet  {}", amount_text(statement.outflow)),
        format!("of that the fee    {}", amount_text(statement.fee)),
        format!("spend              {}", statement.spend),
        format!("permit             {}", statement.id()),
        format!("written to         {}", escape(&out.to_string_lossy())),
    ];
    Report { lines, json }
}

/// What is known of a payment, for JSON.
pub fn about(submission: &Submission) -> Map<String, Value> {
    let mut about = Map::new();
    if let Some(spend) = submission.imported.spend() {
        about.insert("spend_id".to_owned(), spend.id().to_string().into());
        about.insert("outflow_sat".to_owned(), spend.outflow().to_sat().into());
        about.insert("fee_sat".to_owned(), spend.fee().to_sat().into());
    }
    if let Ok(asked) = &submission.asked {
        about.insert("payment".to_owned(), asked.signed.request.number().into());
    }
    about
}

/// The error of a refused payment.
pub fn refused(submission: &Submission, findings: Vec<Finding>) -> Error {
    Error::Refused(Box::new(Refusal { findings, about: about(submission) }))
}

/// A clock that stands before the ledger would make requests and policies valid again.
///
/// # Errors
/// [`Error::Clock`].
pub fn refuse_a_clock_set_back(state: &State, now: u64) -> Result<(), Error> {
    if now.saturating_add(CLOCK_TOLERANCE) < state.latest() {
        return Err(Error::Clock { now: utc_text(now), latest: utc_text(state.latest()) });
    }
    Ok(())
}

/// `NAME-permitted.psbt` beside `NAME-request.psbt` or `NAME.psbt`.
fn permitted_name(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.strip_suffix("-request").unwrap_or(&stem);
    file.with_file_name(format!("{name}-permitted.psbt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permitted_file_stands_beside_its_request() {
        let name = |file: &str| permitted_name(Path::new(file)).display().to_string();
        assert_eq!(name("a/P-0042-request.psbt"), "a/P-0042-permitted.psbt");
        assert_eq!(name("pay.psbt"), "pay-permitted.psbt");
    }

    #[test]
    fn a_clock_far_before_the_ledger_is_refused() {
        let state = State::founded(crate::ledger::tests::founding(1_000_000)).unwrap();
        assert!(refuse_a_clock_set_back(&state, 1_000_000 - CLOCK_TOLERANCE).is_ok());
        let error = refuse_a_clock_set_back(&state, 1_000_000 - CLOCK_TOLERANCE - 1).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("clock", 5));
    }
}
