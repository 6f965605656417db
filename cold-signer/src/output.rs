//! What a command has to say, once: as lines for a person or as one JSON object for a program.

use crate::Error;
use crate::report;
use serde_json::{Value, json};
use std::io::Write;

/// The result of a command.
#[derive(Debug)]
#[must_use]
pub struct Output {
    /// Lines for a person.
    pub text: String,
    /// The object for `--json`.
    pub json: Value,
    /// What was wrong, for stderr and the exit code.
    pub error: Option<Error>,
}

impl Output {
    /// A result with exit code 0.
    pub fn done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, error: None }
    }

    /// Prints it; gives the exit code. A reader of ours that has gone away is no fault.
    pub fn print(mut self, as_json: bool) -> u8 {
        let mut out = std::io::stdout().lock();
        let error = self.error.as_ref();
        if as_json {
            if let (Some(object), Some(error)) = (self.json.as_object_mut(), error) {
                object.insert("error".to_owned(), error.to_json());
            }
            let _ = writeln!(out, "{}", self.json);
        } else if !self.text.is_empty() {
            let _ = writeln!(out, "{}", self.text.trim_end());
        }
        let _ = out.flush();
        match error {
            None => 0,
            Some(error) => {
                complain(error);
                error.exit_code()
            }
        }
    }
}

/// Prints a failure: two lines on stderr, and the object on stdout with `--json`; gives the exit code.
pub fn print_error(error: &Error, as_json: bool) -> u8 {
    if as_json {
        let mut object = json!({"error": error.to_json()});
        if let (Some(object), false) = (object.as_object_mut(), error.findings().is_empty()) {
            object.insert("verdict".to_owned(), json!(report::verdict_word(error.findings())));
            object.insert("checks".to_owned(), report::checks_json(error.findings()));
        }
        let _ = writeln!(std::io::stdout(), "{object}");
    }
    complain(error);
    error.exit_code()
}

/// A remark on stderr that is no failure.
pub fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "error: {error}\nhint: {}", error.hint());
}
