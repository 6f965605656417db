//! The gatekeeper's judgement of one file: a function of state, file and time.

use crate::approvals::fresh;
use crate::ledger::event::Reserved;
use crate::ledger::state::{Reservation, Spent, State, TrailTooLong};
use crate::payment::{Applying, Lacking, Payment};
use crate::submission::{Asked, Submission};
use policies::approval::Approval;
use policies::check::{Check, Code, Finding, Outcome, Rule};
use policies::evidence::Previous;
use policies::history::Charge;
use policies::id::{PermitId, SpendId};
use policies::judge::{Case, Verdict, judge, replacement};
use policies::permit::{MAX_NAMED, PermitStatement};
use policies::spend::Spend;
use std::collections::BTreeSet;

/// What it comes to.
#[must_use]
pub enum Assessment {
    /// The identical spend was reserved before: its permit is that one, and nothing more is charged.
    Standing(Box<Reservation>),
    /// Nothing refuses: this is to be reserved.
    Good(Box<Reserved>),
    /// Nothing refuses, and people must agree first.
    Needs(Box<Needs>),
    /// A vault must show first which permits it used.
    Trail(TrailTooLong),
    /// Everything that refuses.
    Refused(Vec<Finding>),
}

/// Approvals that are missing, and everything there is to say about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// What is missing.
    pub lacking: Vec<Lacking>,
    /// The rules that want approvals.
    pub applying: Vec<Applying>,
    /// Who agreed.
    pub approved: Vec<String>,
    /// Approvals that the ledger was not told of.
    pub fresh: Vec<Approval>,
    /// Whether the ledger knows that the payment waits.
    pub is_known: bool,
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
    let payment = Payment::new(state, bound, spend, asked, &submission.approvals);
    let case = payment.case(now);
    let charge = case.charge();
    refusals.extend(asked.signed.request.differences(spend, now));
    refusals.extend(changed_since_permits(state, submission, asked, spend));
    refusals.extend(spent(state, spend, &charge));
    refusals.extend(overlaps(state, spend, &charge));
    refusals.extend(unproven(submission, spend));
    let predecessors = predecessors(state, &case, &charge);
    if predecessors.len() > MAX_NAMED {
        let message =
            format!("it would replace {} permits, at most {MAX_NAMED} are named", predecessors.len());
        refusals.push(Finding::refuse(Rule::NotReplaceable, message).hint("wait until one of them is mined"));
    }
    let verdict = judge(&case);
    if let Verdict::Refused(findings) = &verdict {
        refusals.extend(findings.iter().cloned());
    }
    match verdict {
        _ if !refusals.is_empty() => Assessment::Refused(refusals),
        Verdict::Needs(missing) => Assessment::Needs(Box::new(Needs {
            lacking: payment.lacking(missing),
            applying: payment.applying(&case),
            approved: payment.names(),
            fresh: fresh(state, asked, &payment.agreed),
            is_known: state.waiting_for(&asked.signed.request.id()).is_some(),
        })),
        Verdict::Permitted(charge) => match state.trails(bound) {
            Err(error) => Assessment::Trail(error),
            Ok(trails) => {
                let statement = statement(&payment, &case, &charge, predecessors);
                let accepted = asks(submission).filter(|check| accepted.contains(check)).collect();
                let approvals = payment.agreed.iter().map(|agreed| agreed.approval.clone()).collect();
                let (spend, request) = (spend.clone(), asked.signed.clone());
                Assessment::Good(Box::new(Reserved {
                    spend,
                    request,
                    charge: *charge,
                    statement,
                    trails,
                    approvals,
                    accepted,
                }))
            }
        },
        // Its reasons are among the refusals.
        Verdict::Refused(_) => Assessment::Refused(refusals),
    }
}

fn statement(
    payment: &Payment<'_>,
    case: &Case<'_>,
    charge: &Charge,
    replaces: Vec<PermitId>,
) -> PermitStatement {
    let (state, bound, spend) = (payment.state, payment.bound, payment.spend);
    let policy = state.policy();
    PermitStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        vaults: state.next_places(bound),
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        outflow: charge.outflow,
        fee: spend.fee(),
        request: payment.asked.signed.request.id(),
        approvals: payment.counted(case, charge),
        policy_version: policy.terms().version,
        policy: policy.id(),
        revocation_version: 0,
        anchor: charge.anchor,
        replaces,
        dead: dead(state, spend),
        heads: state.heads(bound),
        issued_mtp: case.time,
        issued: case.now,
        // What the request no longer wants is not permitted either.
        expires: case
            .now
            .saturating_add(policy.terms().permit_valid_for)
            .min(payment.asked.signed.request.expires),
    }
}

/// The permits in whose place this one comes.
fn predecessors(state: &State, case: &Case<'_>, charge: &Charge) -> Vec<PermitId> {
    let earlier = replacement::predecessors(case, charge);
    let held = earlier.filter_map(|earlier| state.reservation(&earlier.spend));
    held.map(|held| held.reserved.statement.id()).collect()
}

/// Permitted spends of these coins that can never be mined: a vault that signed them must not refuse this one for it.
fn dead(state: &State, spend: &Spend) -> Vec<SpendId> {
    let coins: BTreeSet<_> = spend.inputs().iter().map(|input| input.outpoint).collect();
    let held = state.dead().iter().filter_map(|id| Some((id, &state.reservation(id)?.reserved.charge.coins)));
    let sharing = held.filter(|(_, held)| !coins.is_disjoint(held));
    sharing.map(|(id, _)| *id).take(MAX_NAMED).collect()
}

/// A permit of ours in the file that is for another spend of the same request: somebody changed the file since.
fn changed_since_permits(
    state: &State,
    submission: &Submission,
    asked: &Asked,
    spend: &Spend,
) -> Vec<Finding> {
    let request = asked.signed.request.id();
    let ours = submission.permits.iter().filter(|permit| {
        let statement = &permit.statement;
        let is_other = statement.request == request && statement.spend != spend.id();
        is_other && permit.signer().is_ok_and(|signer| signer == *state.permit_key())
    });
    let differences = ours.filter_map(|permit| {
        let statement = &permit.statement;
        Some(statement.differences(spend, statement.vaults.first()?.vault, statement.issued))
    });
    differences.flatten().collect()
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
            .hint("its budget stays reserved, because a vault may have signed; ask for it anew: `watch-node bump`"),
        );
    }
    objections
}

/// A coin that a block of the best chain shows to be spent pays nothing else: of a group of replacements one is mined.
fn spent(state: &State, spend: &Spend, charge: &Charge) -> Vec<Finding> {
    let mut met = BTreeSet::new();
    let once = state.spent_already(spend).filter(|spent| met.insert(spent.by));
    let found = once.map(|Spent { coin, by, confirmed }| {
        let member = state.reservation_by_txid(&by).filter(|held| {
            let held = &held.reserved.charge;
            (&held.wallet, held.anchor) == (&charge.wallet, charge.anchor)
        });
        let place = format!("transaction {by} in block {}", confirmed.height);
        match member {
            Some(held) => Finding::refuse(
                Rule::NotReplaceable,
                format!(
                    "{} is confirmed already, as {place}: nothing can take its place",
                    held.reserved.request.request.number()
                ),
            )
            .hint("it is paid; ask for another payment"),
            None => Finding::refuse(Check::SIGNED_BEFORE, format!("the coin {coin} was spent by {place}"))
                .hint("let the watch-node look at the chain (`watch-node sync`) and build the payment again"),
        }
    });
    found.collect()
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

/// C05: a coin that a permit of another group reserves pays nothing else.
fn overlaps(state: &State, spend: &Spend, charge: &Charge) -> Vec<Finding> {
    let overlapping = state.reserved_elsewhere(spend, charge);
    let found = overlapping.map(|(coin, held)| {
        let (number, other) = (held.reserved.request.request.number(), held.reserved.charge.spend);
        Finding::refuse(
            Check::SIGNED_BEFORE,
            format!("the coin {coin} is reserved by spend {other}, which is permitted for {number}"),
        )
        .hint("pay with other coins; `watch-node pay` leaves reserved ones out")
    });
    found.collect()
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
