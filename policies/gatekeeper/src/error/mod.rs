//! What can go wrong, for the person at the terminal and for programs.

mod json;

pub use json::{finding_json, needs_json};

use crate::assessment::Needs;
use crate::chain::ChainError;
use crate::file::Problems;
use crate::ledger::LedgerError;
use crate::ledger::alarm::IncidentId;
use crate::ledger::state::{FactsError, TrailTooLong};
use crate::payment::{Applying, Lacking};
use crate::report::Report;
use policies::check::{Finding, Rule};
use policies::identity::IdentityError;
use policies::permit::MAX_TRAIL;
use psbt_tools::display::escape;
use serde_json::{Map, Value};

/// Every failure of this package. The text says what was found and expected, [`Error::hint`] what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a PSBT.
    #[error(transparent)]
    Psbt(#[from] psbt_tools::Error),
    /// The policy file is refused.
    #[error("{0}")]
    Policy(Problems),
    /// The ledger is not used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A payment is refused.
    #[error("{}", refusals_text(.0))]
    Refused(Box<Refusal>),
    /// Several files, of which at least one is not permitted.
    #[error("{}", several_text(.0))]
    Several(Vec<(String, Result<Report, Error>)>),
    /// A document is not what it must be.
    #[error("{what}: {reason}")]
    Document {
        /// Which document.
        what: &'static str,
        /// Why it is none.
        reason: String,
    },
    /// A vault's export does not fit the policy or the ledger.
    #[error("{message}")]
    Vault {
        /// What was found and expected.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// A vault's key does not obey this gatekeeper's authority.
    #[error("{message}")]
    Authority {
        /// What was found and expected.
        message: String,
        /// What to do next.
        hint: &'static str,
    },
    /// What a terminal is to sign does not agree with its PSBT.
    #[error("{0}")]
    Request(String),
    /// A key cannot sign.
    #[error("{message}")]
    Signer {
        /// What failed.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// Facts are not proven.
    #[error("the facts are not believed: {0}")]
    Facts(#[from] FactsError),
    /// Something happened that no permit explains.
    #[error("{}", reasons.join("\n       "))]
    Unauthorised {
        /// What, a sentence each.
        reasons: Vec<String>,
        /// Everything else that is known.
        report: Box<Report>,
    },
    /// Nothing is permitted while an incident lasts.
    #[error("the gatekeeper is frozen: {}", reasons.join("\n       "))]
    Frozen {
        /// Why, a sentence each.
        reasons: Vec<String>,
        /// The first incident that lasts.
        incident: Option<IncidentId>,
    },
    /// There is no such incident, or it was ended.
    #[error("no incident {0} lasts")]
    Incident(IncidentId),
    /// Nothing refuses a payment, and people must agree to it.
    #[error("{}", needed_text(.0))]
    Needed(Box<Needed>),
    /// Nobody knows which of its permits a vault has seen.
    #[error(
        "vault {} was given {} permits since the last one that its receipts show, at most {MAX_TRAIL} may follow without",
        .0.vault, .0.permits
    )]
    Trail(TrailTooLong),
    /// An approval cannot be added.
    #[error("{message}")]
    Approval {
        /// What was found and expected.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// Nothing in the ledger has this name.
    #[error("{0}")]
    Unknown(String),
    /// The clock stands before what is known to have happened.
    #[error("the clock says {now}, but {what} {then}")]
    Clock {
        /// The clock, as a date.
        now: String,
        /// What happened.
        what: &'static str,
        /// When, as a date.
        then: String,
    },
    /// The chain was not looked at for too long.
    #[error("the latest known block is too old: {found}; at most {most} are allowed")]
    Stale {
        /// Which block and when.
        found: String,
        /// The policy's `headers_max_age`.
        most: String,
    },
    /// The command line asks for something that makes no sense.
    #[error("{message}")]
    Usage {
        /// What was found and expected.
        message: String,
        /// What to do instead.
        hint: String,
    },
}

/// A refused payment: every reason, and what was said of the payment beside them.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Every reason.
    pub findings: Vec<Finding>,
    /// The payment for JSON, without reasons.
    pub about: Map<String, Value>,
}

/// A payment that waits for approvals.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// What is missing and why.
    pub needs: Needs,
    /// The payment for JSON.
    pub about: Map<String, Value>,
    /// Its number.
    pub payment: String,
}

impl Error {
    /// A document that is refused.
    pub fn document(what: &'static str, reason: impl ToString) -> Self {
        Error::Document { what, reason: reason.to_string() }
    }

    /// The code in JSON: a check's number, `malformed`, or a short kebab-case word.
    pub fn code(&self) -> String {
        match self {
            Error::Psbt(error) => error.code(),
            Error::Policy(_) => "policy".to_owned(),
            Error::Ledger(LedgerError::Missing(_)) => "ledger-missing".to_owned(),
            Error::Ledger(LedgerError::Exists(_)) => "exists".to_owned(),
            Error::Ledger(LedgerError::Damaged { .. }) => "ledger-damaged".to_owned(),
            Error::Ledger(_) => "ledger".to_owned(),
            Error::Refused(refusal) => {
                refusal.findings.first().map_or_else(|| "refused".to_owned(), |first| first.code.to_string())
            }
            Error::Several(results) => first_failure(results).map_or_else(String::new, Error::code),
            Error::Document { .. } => "malformed".to_owned(),
            Error::Vault { .. } => "vault".to_owned(),
            Error::Authority { .. } => "authority".to_owned(),
            Error::Request(_) => "C34".to_owned(),
            Error::Signer { .. } => "signer".to_owned(),
            Error::Facts(_) => "facts".to_owned(),
            Error::Unauthorised { .. } => "unauthorised".to_owned(),
            Error::Frozen { .. } => "frozen".to_owned(),
            Error::Incident(_) => "incident".to_owned(),
            Error::Needed(_) => Rule::ApprovalsMissing.as_str().to_owned(),
            Error::Trail(_) => "receipts".to_owned(),
            Error::Approval { .. } => "C34".to_owned(),
            Error::Unknown(_) => "unknown".to_owned(),
            Error::Clock { .. } => "clock".to_owned(),
            Error::Stale { .. } => "stale".to_owned(),
            Error::Usage { .. } => "usage".to_owned(),
        }
    }

    /// What a command found before it refused.
    pub fn report(&self) -> Option<&Report> {
        match self {
            Error::Unauthorised { report, .. } => Some(report),
            _ => None,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Psbt(error) => return error.hint(),
            Error::Policy(problems) => {
                return problems.list().last().and_then(|problem| problem.hint.clone());
            }
            Error::Ledger(error) => ledger_hint(error),
            Error::Refused(refusal) => return refusal.findings.first().and_then(|first| first.hint.clone()),
            Error::Several(results) => return first_failure(results).and_then(Error::hint),
            Error::Document { .. } => "check that it is the right file, whole and unchanged",
            Error::Vault { hint, .. }
            | Error::Signer { hint, .. }
            | Error::Approval { hint, .. }
            | Error::Usage { hint, .. } => hint,
            Error::Needed(_) => {
                "let them approve the file (`gatekeeper approve FILE --key F -o OUT`), then `gatekeeper issue`"
            }
            Error::Trail(_) => {
                "bring the vault's receipts: `cold-signer receipts -o F`, then `gatekeeper reconcile --receipts F`"
            }
            Error::Unknown(_) => "`gatekeeper show` and `gatekeeper pending` name what the ledger knows",
            Error::Stale { .. } => {
                "bring the latest headers: `watch-node sync`, `watch-node facts -o F`, then `gatekeeper reconcile --facts F`"
            }
            Error::Authority { hint, .. } => hint,
            Error::Request(_) => "do not sign it; let `watch-node pay` make the request again",
            Error::Facts(FactsError::Chain(ChainError::Gap { .. } | ChainError::Start { .. })) => {
                "bring all headers since the last ones: `watch-node facts -o F`, then `gatekeeper reconcile --facts F`"
            }
            Error::Facts(_) => {
                "nothing of them was taken; find out what is wrong with the watch-node that made them"
            }
            Error::Unauthorised { .. } => {
                "nothing is permitted from now on. Whoever signed this has a key: find out who, move what is left to new \
                 keys; then `gatekeeper unfreeze --incident ID --reason TEXT`"
            }
            Error::Frozen { incident: Some(id), .. } => {
                return Some(format!(
                    "look into it (`gatekeeper show`); when that is done: gatekeeper unfreeze --incident {id} --reason TEXT"
                ));
            }
            Error::Frozen { incident: None, .. } => "look into it: `gatekeeper reconcile`",
            Error::Incident(_) => "`gatekeeper show` names those that last",
            Error::Clock { .. } => "set the clock; nothing is permitted while it is wrong",
        };
        Some(hint.to_owned())
    }

    /// The exit code: 1 fault, 2 usage, 3 refused, 4 more is needed, 5 frozen or stale.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Psbt(error) => error.exit_code(),
            Error::Ledger(
                LedgerError::Exists(_) | LedgerError::NotALedger(_) | LedgerError::Damaged { .. },
            )
            | Error::Policy(_)
            | Error::Refused(_)
            | Error::Document { .. }
            | Error::Vault { .. }
            | Error::Authority { .. }
            | Error::Facts(_)
            | Error::Unauthorised { .. }
            | Error::Incident(_)
            | Error::Approval { .. }
            | Error::Unknown(_)
            | Error::Request(_) => 3,
            Error::Ledger(_) | Error::Signer { .. } => 1,
            Error::Needed(_) | Error::Trail(_) => 4,
            Error::Clock { .. } | Error::Stale { .. } | Error::Frozen { .. } => 5,
            Error::Usage { .. } => 2,
            Error::Several(results) => first_failure(results).map_or(1, Error::exit_code),
        }
    }
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        Error::Document { what: "the signature", reason: error.to_string() }
    }
}

fn first_failure(results: &[(String, Result<Report, Error>)]) -> Option<&Error> {
    results.iter().find_map(|(_, result)| result.as_ref().err())
}

fn several_text(results: &[(String, Result<Report, Error>)]) -> String {
    let text = |(file, result): &(String, Result<Report, Error>)| match result {
        Ok(report) => format!("{}: {}", escape(file), report.lines.join("\n  ")),
        Err(error) => format!("{}: {error}", escape(file)),
    };
    results.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Rule by rule who is missing, and because of which sums.
fn needed_text(needed: &Needed) -> String {
    let needs = &needed.needs;
    let mut lines = vec![format!("approvals are missing for {}", needed.payment)];
    lines.extend(needs.lacking.iter().map(Lacking::text));
    lines.extend(needs.applying.iter().map(Applying::text));
    if !needs.approved.is_empty() {
        lines.push(format!("approved by {}", needs.approved.join(", ")));
    }
    escape_lines(&lines).join("\n       ")
}

fn escape_lines(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| escape(line)).collect()
}

/// Every refusal with its hint; the first one's hint is the error's own.
fn refusals_text(refusal: &Refusal) -> String {
    let mut lines = Vec::new();
    for (at, finding) in refusal.findings.iter().enumerate() {
        let text = format!("{}: {}", finding.code, escape(&finding.message));
        // The error's own hint, that of the first refusal, is printed at the end.
        match finding.hint.as_ref().filter(|_| at > 0) {
            Some(hint) => lines.push(format!("{text}\n  ({hint})")),
            None => lines.push(text),
        }
    }
    lines.join("\n       ")
}

fn ledger_hint(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Missing(_) => {
            "name the folder with --data, or make a new ledger with `gatekeeper init`; a lost ledger is restored, never \
             made anew: its permits count"
        }
        LedgerError::Exists(_) => "choose another folder with --data",
        LedgerError::Folder { .. } => "check the folder's name, permissions and free space",
        LedgerError::Database(_) => {
            "another program may hold it, or the disk may be full; nothing was permitted"
        }
        LedgerError::NotALedger(_) => "name the right folder with --data",
        LedgerError::Damaged { .. } => {
            "somebody or something changed it: permit nothing, keep a copy, investigate"
        }
    }
}
