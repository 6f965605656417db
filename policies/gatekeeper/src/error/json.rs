//! Errors for programs: one JSON object each.

use super::Error;
use crate::assessment::Needs;
use crate::file::Problems;
use crate::payment::{Applying, Lacking};
use crate::report::Report;
use policies::check::Finding;
use serde_json::{Map, Value, json};

impl Error {
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
            Error::Needed(needed) => {
                object.insert("verdict".to_owned(), "needs-approvals".into());
                object.extend(needed.about.clone());
                object.extend(needs_json(&needed.needs));
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
            Error::Unauthorised { report, .. } => object.extend(report.json.clone()),
            _ => {}
        }
        object.insert("error".to_owned(), error);
        Value::Object(object)
    }
}

/// `approved`, `missing` and `requirements`.
pub fn needs_json(needs: &Needs) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("approved".to_owned(), json!(needs.approved));
    object.insert("missing".to_owned(), needs.lacking.iter().map(Lacking::json).collect());
    object.insert("requirements".to_owned(), needs.applying.iter().map(Applying::json).collect());
    object
}

/// `{"code", "message", "hint"?}`.
pub fn finding_json(finding: &Finding) -> Value {
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
