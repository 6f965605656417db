//! `gatekeeper submit FILE…`: judges, reserves, permits; what lacks approvals is remembered. `issue` is the same for one
//! file, and remembers nothing.

use crate::Error;
use crate::approvals::names;
use crate::assessment::{Assessment, Needs, assess};
use crate::clock::{refuse_set_back, refuse_stale};
use crate::error::{Needed, Refusal};
use crate::folder::permit_signer;
use crate::intake::{refuse_while_frozen, take_facts};
use crate::ledger::Ledger;
use crate::ledger::event::{Event, EventKind, Permitted, Reserved, Waiting};
use crate::ledger::state::{Reservation, State};
use crate::report::Report;
use crate::submission::{Submission, claims, facts};
use policies::check::{Check, Finding};
use policies::codec::Canonical;
use policies::identity::Namespace;
use policies::permit::Permit;
use policies::text::utc_text;
use psbt_tools::display::{escape, hash_words};
use psbt_tools::document::Document;
use psbt_tools::envelope::Kind;
use psbt_tools::files::{DEFAULT_LIMIT, read, require_free, write_new};
use psbt_tools::manifest::{Manifest, Says, gatekeeper};
use psbt_tools::money::amount_text;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What becomes of a payment that lacks approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unapproved {
    /// It waits in the ledger with the approvals that it has.
    Waits,
    /// Nothing is written about it.
    IsForgotten,
}

/// Submits files, each by itself; what one comes to does not keep the others from being judged.
///
/// # Errors
/// What the only file gives, or [`Error::Several`] when one of many is not permitted.
pub fn run(
    data: &Path,
    files: &[PathBuf],
    out: Option<&Path>,
    accepted: &[Check],
    unapproved: Unapproved,
    now: u64,
) -> Result<Report, Error> {
    if let ([file], _) = (files, out) {
        let out = out.map_or_else(|| permitted_name(file), Path::to_owned);
        return submit(data, file, &out, accepted, unapproved, now);
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
        .map(|file| {
            let out = permitted_name(file);
            (file.display().to_string(), submit(data, file, &out, accepted, unapproved, now))
        })
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

fn submit(
    data: &Path,
    file: &Path,
    out: &Path,
    accepted: &[Check],
    unapproved: Unapproved,
    now: u64,
) -> Result<Report, Error> {
    let mut ledger = Ledger::open(data)?;
    refuse_set_back(ledger.current()?, now)?;
    let document = Document::parse(read(file, DEFAULT_LIMIT)?)?;
    // Before anything is reserved.
    require_free(out)?;
    // What the chain proves is true whatever becomes of the payment.
    for facts in facts(&document)? {
        take_facts(&mut ledger, &facts, now)?;
    }
    let state = ledger.current()?;
    refuse_while_nothing_is_permitted(state, now)?;
    let submission = Submission::read(document, state, now)?;
    submission.addressed(state)?;
    let reservation = reserve(&mut ledger, &submission, accepted, unapproved, now)?;
    let permit = permit(data, &mut ledger, &reservation, now)?;
    let Reserved { request, approvals, .. } = &reservation.reserved;
    let mut envelope = submission.imported.envelope().clone();
    envelope.replace(Kind::Request, vec![request.to_bytes()])?;
    envelope.replace(Kind::Approval, approvals.iter().map(Canonical::to_bytes).collect())?;
    envelope.replace(Kind::Permit, vec![permit.to_bytes()])?;
    // They were for this gatekeeper: the vault would only carry them.
    envelope.replace(Kind::Facts, vec![])?;
    let sender = gatekeeper(&ledger.current()?.policy().terms().company);
    let says = Says::about(&sender, &request.request);
    let permitted = submission.imported.sent(&envelope, &says)?;
    write_new(out, &permitted, 0o600)?;
    Ok(report(ledger.current()?, &submission, &reservation, &permit).written(out, &permitted))
}

/// Frozen, or at a wrong time.
///
/// # Errors
/// [`Error::Clock`], [`Error::Frozen`], [`Error::Stale`].
pub fn refuse_while_nothing_is_permitted(state: &State, now: u64) -> Result<(), Error> {
    refuse_set_back(state, now)?;
    refuse_while_frozen(state)?;
    refuse_stale(state, now)
}

/// Judges as the only writer and reserves; durable when this returns.
fn reserve(
    ledger: &mut Ledger,
    submission: &Submission,
    accepted: &[Check],
    unapproved: Unapproved,
    now: u64,
) -> Result<Reservation, Error> {
    ledger.append(|state| {
        refuse_while_nothing_is_permitted(state, now)?;
        match assess(state, submission, accepted, now) {
            Assessment::Refused(findings) => Err(refused(submission, findings)),
            Assessment::Trail(error) => Err(Error::Trail(error)),
            Assessment::Standing(reservation) => Ok((None, Ok(*reservation))),
            Assessment::Needs(needs) => {
                let kind = if unapproved == Unapproved::Waits { waits(submission, &needs) } else { None };
                Ok((kind.map(|kind| Event { at: now, kind }), Err(needed(submission, *needs))))
            }
            Assessment::Good(reserved) => {
                let reservation = Reservation { reserved: (*reserved).clone(), signature: None };
                Ok((Some(Event { at: now, kind: EventKind::Reserved(reserved) }), Ok(reservation)))
            }
        }
    })?
}

/// What of a payment without its approvals the ledger was not told of.
fn waits(submission: &Submission, needs: &Needs) -> Option<EventKind> {
    if needs.is_known {
        return (!needs.fresh.is_empty()).then(|| EventKind::Approved(needs.fresh.clone()));
    }
    let asked = submission.asked.as_ref().ok()?;
    let spend = submission.imported.spend()?.clone();
    let (request, approvals) = (asked.signed.clone(), needs.fresh.clone());
    Some(EventKind::Waiting(Box::new(Waiting { spend, request, approvals })))
}

/// The permit of a reservation: the one in the ledger, or the reserved statement signed now.
fn permit(data: &Path, ledger: &mut Ledger, reservation: &Reservation, now: u64) -> Result<Permit, Error> {
    if let Some(permit) = reservation.permit() {
        return Ok(permit);
    }
    let Reserved { statement, trails, .. } = reservation.reserved.clone();
    let signer = permit_signer(data, ledger.current()?)?;
    let signature = signer.sign(Namespace::Permit, &statement.to_bytes())?;
    let fresh = Permit { statement, signature, trails };
    ledger.append(|state| {
        refuse_while_frozen(state)?;
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

fn report(state: &State, submission: &Submission, reservation: &Reservation, permit: &Permit) -> Report {
    let approved = approved_by(state, reservation);
    let statement = &permit.statement;
    let mut json = about(submission);
    json.insert("verdict".to_owned(), "permitted".into());
    json.insert("refusals".to_owned(), json!([]));
    json.insert("approved".to_owned(), json!(approved));
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
            "replaces": statement.replaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "bitcoin_time": statement.issued_mtp,
            "issued": statement.issued,
            "expires": statement.expires,
        }),
    );
    let number = submission.asked.as_ref().map(|asked| asked.signed.request.number()).unwrap_or_default();
    let mut lines = claims(&submission.imported);
    lines.extend([
        format!("{number} permitted until {}", utc_text(statement.expires)),
        format!("leaves the wallet  {}", amount_text(statement.outflow)),
        format!("of that the fee    {}", amount_text(statement.fee)),
        format!("spend              {}", statement.spend),
        format!("permit             {}", statement.id()),
    ]);
    lines.extend(statement.replaces.iter().map(|earlier| format!("in the place of    {earlier}")));
    if !approved.is_empty() {
        lines.push(format!("approved by        {}", escape(&approved.join(", "))));
    }
    Report { lines, json }
}

/// What is known of a payment, for JSON; `manifest` is what its file claims, `words` are the file's.
pub fn about(submission: &Submission) -> Map<String, Value> {
    let mut about = Map::new();
    about.insert("words".to_owned(), hash_words(&submission.imported.sha256()).into());
    about.insert("manifest".to_owned(), submission.imported.manifest().map(Manifest::to_json).into());
    if let Some(spend) = submission.imported.spend() {
        about.insert("spend_id".to_owned(), spend.id().to_string().into());
        about.insert("outflow_sat".to_owned(), spend.outflow().to_sat().into());
        about.insert("fee_sat".to_owned(), spend.fee().to_sat().into());
    }
    if let Ok(asked) = &submission.asked {
        about.insert("payment".to_owned(), asked.signed.request.number().into());
        about.insert("request".to_owned(), asked.signed.request.id().to_string().into());
    }
    about
}

/// The error of a refused payment.
pub fn refused(submission: &Submission, findings: Vec<Finding>) -> Error {
    Error::Refused(Box::new(Refusal { findings, about: about(submission) }))
}

/// The error of a payment that lacks approvals.
pub fn needed(submission: &Submission, needs: Needs) -> Error {
    let payment = submission.asked.as_ref().map(|asked| asked.signed.request.number()).unwrap_or_default();
    Error::Needed(Box::new(Needed { needs, about: about(submission), payment }))
}

/// What the people are called whose approvals a permit names.
pub fn approved_by(state: &State, reservation: &Reservation) -> Vec<String> {
    let Reserved { statement, request, approvals, .. } = &reservation.reserved;
    let counted = approvals.iter().filter(|approval| statement.approvals.contains(&approval.digest()));
    let keys: Vec<_> = counted.filter_map(|approval| approval.approver(&request.request).ok()).collect();
    names(state.policy(), keys.iter())
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
}
