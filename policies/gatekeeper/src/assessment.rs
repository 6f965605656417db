//! The gatekeeper's judgement of one file: a function of state, file and time.

use crate::ledger::event::Reserved;
use crate::ledger::state::{BoundWallet, Reservation, State};
use crate::submission::{Asked, Submission};
use policies::check::{Check, Code, Finding, Outcome};
use policies::evidence::Previous;
use policies::history::Charge;
use policies::judge::{Case, Verdict, judge};
use policies::permit::PermitStatement;
use policies::spend::Spend;

/// What it comes to.
#[must_use]
pub enum Assessment {
    /// The identical spend was reserved before: its permit is that one, and nothing more is charged.
    Standing(Box<Reservation>),
    /// Nothing refuses: this is to be reserved.
    Good(Box<Reserved>),
    /// Everything that refuses.
    Refused(Vec<Finding>),
}

/// Judges a file. Checks that ask refuse unless they are accepted by number.
pub fn assess(state: &State, submission: &Submission, accepted: &[Check], now: u64) -> Assessment {
    let imported = &submission.imported;
    let spend = imported.spend();
    let standing = spend.and_then(|spend| state.reservation(&spend.id()));
    let mut refusals = Vec::new();
    // What asked was accepted when a standing reservation was made.
    refusals.extend(imported.findings().iter().filter_map(|finding| match finding.outcome {
        Outcome::Refuse => Some(finding.clone()),
        Outcome::Ask if standing.is_none() && !is_accepted(finding, accepted) => Some(unaccepted(finding)),
        Outcome::Ask | Outcome::Pass | Outcome::NotApplicable => None,
    }));
    let asked = match &submission.asked {
        Ok(asked) => Some(asked),
        Err(finding) => {
            refusals.push(finding.clone());
            None
        }
    };
    let bound = spend.and_then(|spend| state.wallet(&spend.wallet()));
    let (Some(spend), Some(bound), Some(asked)) = (spend, bound, asked) else {
        if (spend.is_none() || bound.is_none()) && imported.verdict() != Outcome::Refuse {
            refusals.push(
                Finding::refuse(Check::FOREIGN_INPUT, "the payment is of no wallet that has a vault here")
                    .hint("add the wallet's vault: `gatekeeper vault add EXPORT.json`"),
            );
        }
        return Assessment::Refused(refusals);
    };
    if let Some(reservation) = standing {
        refusals.extend(standing_objections(reservation, asked, spend, now));
        return match refusals.is_empty() {
            true => Assessment::Standing(Box::new(reservation.clone())),
            false => Assessment::Refused(refusals),
        };
    }
    refusals.extend(asked.signed.request.differences(spend, now));
    refusals.extend(fulfilled(state, asked));
    refusals.extend(overlaps(state, spend));
    refusals.extend(unproven(submission, spend));
    match judge_case(state, bound, spend, asked, now) {
        Verdict::Permitted(charge) if refusals.is_empty() => {
            let accepted = asks(submission).filter(|check| accepted.contains(check)).collect();
            Assessment::Good(Box::new(Reserved {
                statement: statement(state, bound, spend, asked, &charge, now),
                spend: spend.clone(),
                request: asked.signed.clone(),
                charge,
                accepted,
            }))
        }
        Verdict::Permitted(_) => Assessment::Refused(refusals),
        Verdict::Refused(findings) => {
            refusals.extend(findings);
            Assessment::Refused(refusals)
        }
    }
}

fn judge_case(state: &State, bound: &BoundWallet, spend: &Spend, asked: &Asked, now: u64) -> Verdict {
    judge(&Case {
        policy: state.policy(),
        wallet: &bound.wallet,
        wallet_name: &bound.name,
        spend,
        requester: &asked.requester,
        request: Some(asked.signed.request.id()),
        history: state.history(),
        now,
    })
}

fn statement(
    state: &State,
    bound: &BoundWallet,
    spend: &Spend,
    asked: &Asked,
    charge: &Charge,
    now: u64,
) -> PermitStatement {
    let policy = state.policy();
    PermitStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        vaults: state.next_places(bound),
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        outflow: charge.outflow,
        fee: spend.fee(),
        request: asked.signed.request.id(),
        approvals: vec![],
        policy_version: policy.terms().version,
        policy: policy.id(),
        revocation_version: 0,
        anchor: asked.signed.request.anchor,
        replaces: vec![],
        // No headers are read in this version.
        issued_mtp: 0,
        issued: now,
        expires: now.saturating_add(policy.terms().permit_valid_for),
    }
}

/// An expired request is no objection: what it asked for was reserved in time.
fn standing_objections(reservation: &Reservation, asked: &Asked, spend: &Spend, now: u64) -> Vec<Finding> {
    let statement = &reservation.reserved.statement;
    if asked.signed.request.id() != statement.request {
        let number = reservation.reserved.request.request.number();
        return vec![
            Finding::refuse(
                Check::AUTHORISATION,
                format!("this very spend is already permitted for {number}"),
            )
            .hint("a payment is permitted once; submit the file of that payment"),
        ];
    }
    let mut objections = asked.signed.request.differences(spend, asked.signed.request.created);
    if now > statement.expires {
        objections.push(
            Finding::refuse(
                Check::AUTHORISATION,
                format!("its permit expired at {}", policies::text::utc_text(statement.expires)),
            )
            .hint("its budget stays reserved: a vault may have signed; renewing comes with a later version"),
        );
    }
    objections
}

fn fulfilled(state: &State, asked: &Asked) -> Option<Finding> {
    let request = &asked.signed.request;
    let other = state.history().fulfilled(&request.id())?;
    Some(
        Finding::refuse(
            Check::AUTHORISATION,
            format!("request {} was already permitted as spend {other}", request.number()),
        )
        .hint("a request is paid once; ask again for another payment"),
    )
}

/// C01 without the exception for taproot: a permit reserves coins for ever, so their amounts and owner must be proven
/// before there is a signature to commit to them. Otherwise a lie about somebody's coins would lock them.
fn unproven(submission: &Submission, spend: &Spend) -> Option<Finding> {
    let evidence = submission.imported.evidence();
    let input = spend.inputs().iter().find(|input| evidence.output(&input.outpoint) == Previous::Absent)?;
    Some(
        Finding::refuse(
            Check::PREVIOUS_TRANSACTION,
            format!(
                "the previous transaction of {} is missing: a permit needs proven amounts",
                input.outpoint
            ),
        )
        .hint("let the watch-node build the payment: it adds every previous transaction"),
    )
}

/// C05: a coin that a permit reserves pays nothing else.
fn overlaps(state: &State, spend: &Spend) -> Vec<Finding> {
    spend
        .inputs()
        .iter()
        .filter_map(|input| {
            let other = state.reserved_by(&input.outpoint)?;
            Some(
                Finding::refuse(
                    Check::SIGNED_BEFORE,
                    format!("the coin {} is reserved by spend {other}, which is permitted", input.outpoint),
                )
                .hint("pay with other coins; `watch-node pay` leaves reserved ones out"),
            )
        })
        .collect()
}

fn asks(submission: &Submission) -> impl Iterator<Item = Check> {
    submission.imported.findings().iter().filter_map(|finding| match (finding.outcome, finding.code) {
        (Outcome::Ask, Code::Check(check)) => Some(check),
        _ => None,
    })
}

fn is_accepted(finding: &Finding, accepted: &[Check]) -> bool {
    match finding.code {
        Code::Check(check) => accepted.contains(&check),
        Code::Rule(_) => false,
    }
}

fn unaccepted(finding: &Finding) -> Finding {
    Finding::refuse(finding.code, finding.message.clone())
        .hint(format!("look at it; if it is meant, accept it by its number: --accept {}", finding.code))
}
