//! What can go wrong, for the person at the terminal and for programs.

use crate::file::Problems;
use crate::ledger::LedgerError;
use crate::report::Report;
use policies::check::Finding;
use policies::identity::IdentityError;
use psbt_tools::display::escape;
use serde_json::{Map, Value, json};

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
    /// The clock stands before the ledger's last event.
    #[error("the clock says {now}, but the ledger's last event was at {latest}")]
    Clock {
        /// The clock, as a date.
        now: String,
        /// The latest event, as a date.
        latest: String,
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
            Error::Clock { .. } => "clock".to_owned(),
            Error::Usage { .. } => "usage".to_owned(),
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
            Error::Vault { hint, .. } | Error::Signer { hint, .. } | Error::Usage { hint, .. } => hint,
            Error::Authority { hint, .. } => hint,
            Error::Request(_) => "do not sign it; let `watch-node pay` make the request again",
            Error::Clock { .. } => "set the clock; nothing is permitted while it is wrong",
        };
        Some(hint.to_owned())
    }

    /// The exit code: 1 fault, 2 usage, 3 refused, 5 stale.
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
            | Error::Request(_) => 3,
            Error::Ledger(_) | Error::Signer { .. } => 1,
            Error::Clock { .. } => 5,
            Error::Usage { .. } => 2,
            Error::Several(results) => first_failure(results).map_or(1, Error::exit_code),
        }
    }

    /// One JSON object with `error`, and what is known beside it.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code(), "message": self.to_string() });
        if let (Some(hint), Some(error)) = (self.hint(), error.as_object_mut()) {
            error.insert("hint".to_owned(), hint.into());
        }
        let mut object = Map::new();
        match self {
            Error::Refused(refusal) => {
                object.insert("verdict".to_owned(), "refused".into());
                object.extend(refusal.about.clone());
                object.insert("refusals".to_owned(), refusal.findings.iter().map(finding_json).collect());
            }
            Error::Several(results) => {
                object.insert("verdict".to_owned(), "refused".into());
                object.insert("files".to_owned(), results.iter().map(result_json).collect());
            }
            Error::Policy(problems) => {
                object.insert(
                    "problems".to_owned(),
                    problems.list().iter().map(|p| problem_json(problems, p)).collect(),
                );
            }
            _ => {}
        }
        object.insert("error".to_owned(), error);
        Value::Object(object)
    }
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        Error::Document { what: "the signature", reason: error.to_string() }
    }
}

/// `{"code", "message", "hint"?}`.
fn finding_json(finding: &Finding) -> Value {
    let mut object = json!({ "code": finding.code.to_string(), "message": finding.message });
    if let (Some(hint), Some(object)) = (&finding.hint, object.as_object_mut()) {
        object.insert("hint".to_owned(), hint.as_str().into());
    }
    object
}

fn problem_json(problems: &Problems, problem: &crate::file::Problem) -> Value {
    let (line, column) = problems.place(problem);
    json!({ "line": line, "column": column, "message": problem.message, "hint": problem.hint })
}

fn first_failure(results: &[(String, Result<Report, Error>)]) -> Option<&Error> {
    results.iter().find_map(|(_, result)| result.as_ref().err())
}

fn result_json((file, result): &(String, Result<Report, Error>)) -> Value {
    let mut object = match result {
        Ok(report) => Value::Object(report.json.clone()),
        Err(error) => error.to_json(),
    };
    if let Some(object) = object.as_object_mut() {
        object.insert("file".to_owned(), file.as_str().into());
    }
    object
}

fn several_text(results: &[(String, Result<Report, Error>)]) -> String {
    let text = |(file, result): &(String, Result<Report, Error>)| match result {
        Ok(report) => format!("{}: {}", escape(file), report.lines.join("\n  ")),
        Err(error) => format!("{}: {error}", escape(file)),
    };
    results.iter().map(text).collect::<Vec<_>>().join("\n")
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
