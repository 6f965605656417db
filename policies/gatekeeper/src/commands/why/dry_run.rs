//! What would become of a file, and the nearest change that would pass.

use crate::Error;
use crate::assessment::{Assessment, assess};
use crate::commands::submit::{about, refuse_while_nothing_is_permitted};
use crate::error::{finding_json, needs_json};
use crate::file::allow_text;
use crate::headroom::Room;
use crate::intake::with_facts;
use crate::ledger::Ledger;
use crate::ledger::state::State;
use crate::payment::{Applying, Lacking, Payment};
use crate::report::Report;
use crate::submission::{Submission, facts};
use bitcoin::Amount;
use policies::check::{Check, Code, Finding, Rule};
use policies::text::{amount_text, utc_text};
use psbt_tools::display::escape;
use psbt_tools::document::Document;
use psbt_tools::files::{DEFAULT_LIMIT, read};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Judges as `check` does, and says more. Nothing is written.
///
/// # Errors
/// [`Error::Psbt`], [`Error::Facts`] and [`Error::Document`] for a file that cannot be judged.
pub fn run(mut ledger: Ledger, file: &Path, accepted: &[Check], now: u64) -> Result<Report, Error> {
    let document = Document::parse(read(file, DEFAULT_LIMIT)?)?;
    let state = with_facts(ledger.state()?, &facts(&document)?, now)?;
    let submission = Submission::read(document, &state, now)?;
    let mut report = Report { lines: vec![], json: about(&submission) };
    report.json.insert("dry_run".to_owned(), true.into());
    let blocked = refuse_while_nothing_is_permitted(&state, now).err();
    let mut findings = Vec::new();
    let verdict = match assess(&state, &submission, accepted, now) {
        Assessment::Standing(held) => {
            let number = held.reserved.request.request.number();
            report.lines.push(format!("{number} was permitted before; `gatekeeper why {number}` says why"));
            "permitted"
        }
        Assessment::Good(_) => "permitted",
        Assessment::Needs(needs) => {
            report.lines.extend(needs.applying.iter().map(Applying::text));
            report
                .lines
                .extend(needs.lacking.iter().map(|lacking| format!("missing: {}", Lacking::text(lacking))));
            report.json.extend(needs_json(&needs));
            "needs-approvals"
        }
        Assessment::Trail(error) => {
            report.lines.push(Error::Trail(error).to_string());
            "needs-receipts"
        }
        Assessment::Refused(refusals) => {
            findings = refusals;
            "refused"
        }
    };
    let nearest = Nearest::of(&state, &submission, now);
    let mut refusals = Vec::new();
    for finding in &findings {
        report.lines.push(format!("{}: {}", finding.code, escape(&finding.message)));
        let near = nearest.as_ref().map(|nearest| nearest.to(&state, finding)).unwrap_or_default();
        report.lines.extend(near.iter().map(|near| format!("  nearest that passes: {near}")));
        let mut object = finding_json(finding);
        if let Some(object) = object.as_object_mut() {
            object.insert("nearest".to_owned(), json!(near));
        }
        refusals.push(object);
    }
    if let Some(blocked) = &blocked {
        report.lines.push(format!("nothing at all is permitted now: {blocked}"));
        let object =
            json!({ "code": blocked.code(), "message": blocked.to_string(), "hint": blocked.hint() });
        report.json.insert("blocked".to_owned(), object);
    }
    if let Some(nearest) = nearest {
        report.lines.extend(nearest.rooms.iter().map(Room::text));
        report.json.extend(nearest.json());
    }
    let verdict = if blocked.is_some() { "refused" } else { verdict };
    report.lines.insert(0, format!("{verdict}; nothing was written"));
    report.json.insert("verdict".to_owned(), verdict.into());
    report.json.insert("refusals".to_owned(), refusals.into());
    Ok(report)
}

/// What would pass in the place of a payment.
struct Nearest {
    rooms: Vec<Room>,
    fee: Amount,
    wallet: String,
    time: u64,
}

impl Nearest {
    fn of(state: &State, submission: &Submission, now: u64) -> Option<Self> {
        let spend = submission.imported.spend()?;
        let asked = submission.asked.as_ref().ok()?;
        let bound = state.wallet(&spend.wallet())?;
        let payment = Payment::new(state, bound, spend, asked, &submission.approvals);
        let case = payment.case(now);
        let charge = case.charge();
        let limits = case.policy.limits_for(case.requester, case.wallet_name);
        let rooms = limits.map(|limit| Room::of(&case, &charge, limit)).collect();
        Some(Self { rooms, fee: spend.fee(), wallet: bound.name.clone(), time: case.time })
    }

    /// The largest outflow that every limit lets through now.
    fn largest(&self) -> Option<Amount> {
        self.rooms.iter().map(|room| room.largest).reduce(|a, b| Some(a?.min(b?))).flatten()
    }

    /// From which bitcoin time on all limits let it through as it is.
    fn fits_from(&self) -> Option<u64> {
        self.rooms.iter().map(|room| room.fits_from).reduce(|a, b| Some(a?.max(b?))).flatten()
    }

    fn to(&self, state: &State, finding: &Finding) -> Vec<String> {
        match finding.code {
            Code::Rule(Rule::LimitPerPayment | Rule::LimitPerWindow) => self.to_amounts(),
            Code::Rule(Rule::LimitFee) => {
                let fees = self.rooms.iter().filter_map(|room| room.largest_fee);
                fees.min().map(|most| format!("a fee of at most {}", amount_text(most))).into_iter().collect()
            }
            Code::Rule(Rule::NotAllowed) => {
                let rules = state.policy().terms().allows.iter().filter(|allow| allow.wallet == self.wallet);
                rules.map(|allow| allow_text(allow, state.network())).collect()
            }
            Code::Rule(_) | Code::Check(_) => vec![],
        }
    }

    fn to_amounts(&self) -> Vec<String> {
        let mut near = Vec::new();
        match self.largest().filter(|most| *most > self.fee) {
            Some(most) => near.push(format!(
                "at most {} leaves now, the fee included: {} to recipients",
                amount_text(most),
                amount_text(most.checked_sub(self.fee).unwrap_or(Amount::ZERO))
            )),
            None => near.push("no amount passes now".to_owned()),
        }
        match self.fits_from() {
            Some(from) if from > self.time => near.push(format!(
                "the whole amount from bitcoin time {} on, if nothing else is permitted",
                utc_text(from)
            )),
            Some(_) => {}
            None => near.push(
                "no time from which the whole amount passes is known: payments that are not settled stay in the window"
                    .to_owned(),
            ),
        }
        near
    }

    fn json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("limits".to_owned(), self.rooms.iter().map(Room::json).collect());
        object.insert("largest_sat".to_owned(), json!(self.largest().map(Amount::to_sat)));
        object.insert("fits_from".to_owned(), json!(self.fits_from()));
        object.insert("bitcoin_time".to_owned(), json!(self.time));
        object
    }
}
