//! What the ledger says of a payment: by which rules it was permitted, or for whom it waits.

use crate::Error;
use crate::commands::pending::{Standing, open};
use crate::commands::submit::approved_by;
use crate::headroom::Room;
use crate::ledger::Ledger;
use crate::ledger::state::{Reservation, State};
use crate::payment::{Applying, Payment};
use crate::people::requester_text;
use crate::report::Report;
use crate::submission::Asked;
use policies::history::Charge;
use policies::judge::Case;
use policies::policy::Destination;
use policies::request::parse_payment_number;
use policies::text::{amount_text, utc_text};
use psbt_tools::display::escape;
use serde_json::{Value, json};

/// Shortest beginning of an id.
const MIN_PREFIX: usize = 8;

/// Everything of this name: `P-0042`, or the beginning of a request's or spend's id.
///
/// # Errors
/// [`Error::Unknown`].
pub fn run(mut ledger: Ledger, what: &str, now: u64) -> Result<Report, Error> {
    let name = Name::parse(what)?;
    let state = ledger.state()?;
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    let named = |held: &&Reservation| {
        let charge = &held.reserved.charge;
        name.is(
            held.reserved.request.request.payment,
            &[charge.spend.to_string(), held.reserved.statement.request.to_string()],
        )
    };
    for held in state.reservations().filter(named) {
        // The figures are those of that moment.
        let before = ledger.before(&held.reserved.charge.spend)?.unwrap_or_else(|| state.clone());
        let (more, object) = permitted(&state, &before, held);
        lines.extend(more);
        objects.push(object);
    }
    for waiting in open(&state, now) {
        let request = &waiting.request.request;
        let ids = [waiting.spend.id().to_string(), request.id().to_string()];
        let standing = if name.is(request.payment, &ids) { Standing::of(&state, waiting, now) } else { None };
        if let Some(standing) = standing {
            lines.extend(standing.lines.clone());
            objects.push(standing.json());
        }
    }
    if objects.is_empty() {
        let unknown = format!("nothing here is called `{}`, and there is no file of that name", escape(what));
        return Err(Error::Unknown(unknown));
    }
    Ok(Report { lines, ..Report::new(json!({ "payments": objects })) })
}

enum Name {
    Payment(u32),
    Prefix(String),
}

impl Name {
    fn parse(what: &str) -> Result<Self, Error> {
        let is_hex = what.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (MIN_PREFIX..=64).contains(&what.len()) {
            return Ok(Name::Prefix(what.to_ascii_lowercase()));
        }
        let unknown = || {
            let what = escape(what);
            Error::Unknown(format!(
                "`{what}` is no file, no number of a payment (P-0042), and not the first {MIN_PREFIX} or more digits of an id"
            ))
        };
        parse_payment_number(what).map(Name::Payment).ok_or_else(unknown)
    }

    fn is(&self, payment: u32, ids: &[String]) -> bool {
        match self {
            Name::Payment(number) => *number == payment,
            Name::Prefix(prefix) => ids.iter().any(|id| id.starts_with(prefix)),
        }
    }
}

fn permitted(state: &State, before: &State, held: &Reservation) -> (Vec<String>, Value) {
    let reserved = &held.reserved;
    let (statement, charge) = (&reserved.statement, &reserved.charge);
    let request = &reserved.request.request;
    let asked = Asked { signed: reserved.request.clone(), requester: charge.requester.clone() };
    let who = requester_text(state.policy(), &charge.requester);
    let progress = state.progress(held).as_str();
    let mut lines = vec![format!("{} {progress}, asked for by {who}", request.number())];
    lines.push(format!("  permitted  {}, as spend {}", utc_text(statement.issued), charge.spend));
    lines.push(format!("  leaves     {} from `{}`", amount_text(charge.outflow), charge.wallet));
    let approved = approved_by(state, held);
    let (mut allowed, mut rooms, mut applying) = (vec![], vec![], vec![]);
    if let Some(bound) = before.wallet(&statement.wallet) {
        let payment = Payment::new(before, bound, &reserved.spend, &asked, &reserved.approvals);
        let case = payment.case(statement.issued);
        allowed = allowed_by(&case);
        let limits = case.policy.limits_for(case.requester, case.wallet_name);
        rooms = limits.map(|limit| Room::of(&case, charge, limit)).collect();
        applying = payment.applying(&case);
    }
    lines.extend(allowed.iter().map(|name| format!("  allowed    by `{name}`")));
    lines.extend(rooms.iter().map(|room| format!("  within     {}", room.text())));
    lines.extend(applying.iter().map(|applying| format!("  needed     {}", applying.text())));
    lines.push(match approved.is_empty() {
        true if applying.is_empty() => "  approved   nobody had to".to_owned(),
        true => "  approved   by nobody".to_owned(),
        false => format!("  approved   by {}", approved.join(", ")),
    });
    lines.push(format!("  expires    {}", utc_text(statement.expires)));
    let object = json!({
        "payment": request.number(),
        "request": statement.request.to_string(),
        "spend_id": charge.spend.to_string(),
        "permit": statement.id().to_string(),
        "state": progress,
        "wallet": charge.wallet,
        "requester": who,
        "outflow_sat": charge.outflow.to_sat(),
        "fee_sat": statement.fee.to_sat(),
        "bitcoin_time": charge.at,
        "issued": statement.issued,
        "expires": statement.expires,
        "replaces": statement.replaces.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "allowed_by": allowed,
        "limits": rooms.iter().map(Room::json).collect::<Value>(),
        "requirements": applying.iter().map(Applying::json).collect::<Value>(),
        "approved": approved,
    });
    (lines, object)
}

/// Names of the rules that cover a recipient, or the payment back.
fn allowed_by(case: &Case<'_>) -> Vec<String> {
    let charge: Charge = case.charge();
    let covers = |to: &Destination| match to {
        Destination::Anyone => !charge.paid.is_empty(),
        Destination::Back => charge.paid.is_empty(),
        Destination::Script(script) => charge.paid.iter().any(|paid| paid.script == *script),
    };
    let rules = case.policy.terms().allows.iter().filter(|allow| {
        allow.wallet == case.wallet_name && case.policy.is_member(case.requester, &allow.requesters)
    });
    rules.filter(|allow| allow.to.iter().any(covers)).map(|allow| allow.name.clone()).collect()
}
