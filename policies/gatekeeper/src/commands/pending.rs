//! `gatekeeper pending`: requests that wait, and for whom.

use crate::Error;
use crate::error::finding_json;
use crate::ledger::Ledger;
use crate::ledger::state::{State, Waiting};
use crate::payment::{Lacking, Payment};
use crate::people::requester_text;
use crate::report::Report;
use crate::submission::Asked;
use policies::check::Finding;
use policies::evidence::script_text;
use policies::judge::{Verdict, judge};
use policies::policy::Requester;
use policies::text::{amount_text, utc_text};
use psbt_tools::display::escape;
use serde_json::{Value, json};
use std::path::Path;

/// Lists them, the one that expires first at the top.
///
/// # Errors
/// [`Error::Ledger`].
pub fn run(data: &Path, now: u64) -> Result<Report, Error> {
    let mut ledger = Ledger::open(data)?;
    let state = ledger.current()?;
    let mut waiting: Vec<&Waiting> = open(state, now).collect();
    waiting.sort_by_key(|waiting| (waiting.request.request.expires, waiting.request.request.payment));
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for waiting in waiting {
        let Some(standing) = Standing::of(state, waiting, now) else { continue };
        lines.extend(standing.lines.clone());
        objects.push(standing.json());
    }
    if lines.is_empty() {
        lines.push("nothing waits for approvals".to_owned());
    }
    Ok(Report { lines, ..Report::new(json!({ "pending": objects })) })
}

/// Payments that wait: not permitted yet, and not expired.
pub fn open(state: &State, now: u64) -> impl Iterator<Item = &Waiting> {
    state.waiting().filter(move |waiting| {
        let request = &waiting.request.request;
        let id = Some(request.id());
        now <= request.expires && !state.history().charges().iter().any(|charge| charge.request == id)
    })
}

/// Where a waiting payment stands now.
pub struct Standing {
    /// For a person.
    pub lines: Vec<String>,
    object: Value,
}

impl Standing {
    /// Judged anew: sums and approvals may have changed since it was met first. None when its request is not what was
    /// recorded.
    pub fn of(state: &State, waiting: &Waiting, now: u64) -> Option<Self> {
        let requester = Requester::Key(waiting.request.requester().ok()?);
        let asked = Asked { signed: waiting.request.clone(), requester };
        let bound = state.wallet(&waiting.spend.wallet())?;
        let payment = Payment::new(state, bound, &waiting.spend, &asked, &[]);
        let case = payment.case(now);
        let (verdict, lacking, refusals) = match judge(&case) {
            Verdict::Permitted(_) => ("ready", vec![], vec![]),
            Verdict::Needs(missing) => ("needs-approvals", payment.lacking(missing), vec![]),
            Verdict::Refused(findings) => ("refused", vec![], findings),
        };
        let request = &asked.signed.request;
        let who = requester_text(state.policy(), &asked.requester);
        let approved = payment.names();
        let applying = payment.applying(&case);
        let text = |script| script_text(script, request.network);
        let mut lines = vec![format!("{} from `{}`, asked for by {who}", request.number(), bound.name)];
        for to in &request.recipients {
            lines.push(format!("  pays      {} to {}", amount_text(to.amount), text(&to.script)));
        }
        lines.push(format!("  purpose   {}", escape(&request.purpose)));
        lines.push(format!("  leaves    {}, fee included", amount_text(waiting.spend.outflow())));
        lines.extend(applying.iter().map(|applying| format!("  needs     {}", applying.text())));
        if !approved.is_empty() {
            lines.push(format!("  approved  {}", approved.join(", ")));
        }
        lines.extend(lacking.iter().map(|lacking| format!("  missing   {}", lacking.text())));
        lines.extend(refusals.iter().map(|finding: &Finding| format!("  refused   {}", finding.message)));
        if verdict == "ready" {
            lines.push("  ready     gatekeeper issue FILE -o OUT".to_owned());
        }
        lines.push(format!("  expires   {}", utc_text(request.expires)));
        let recipients: Vec<_> = request
            .recipients
            .iter()
            .map(|to| json!({ "address": text(&to.script), "amount_sat": to.amount.to_sat() }))
            .collect();
        let object = json!({
            "payment": request.number(),
            "request": request.id().to_string(),
            "spend_id": waiting.spend.id().to_string(),
            "state": verdict,
            "wallet": bound.name,
            "requester": who,
            "recipients": recipients,
            "purpose": request.purpose,
            "outflow_sat": waiting.spend.outflow().to_sat(),
            "fee_sat": waiting.spend.fee().to_sat(),
            "approved": approved,
            "missing": lacking.iter().map(Lacking::json).collect::<Value>(),
            "requirements": applying.iter().map(crate::payment::Applying::json).collect::<Value>(),
            "refusals": refusals.iter().map(finding_json).collect::<Value>(),
            "since": waiting.since,
            "expires": request.expires,
        });
        Some(Self { lines, object })
    }

    /// For a program.
    pub fn json(&self) -> Value {
        self.object.clone()
    }
}
