//! What a command has to say, once: as sentences for a person or as one JSON object for a program.

use std::io::{ErrorKind, Write};

use serde_json::{Value, json};

use crate::error::Error;

/// The result of a command.
#[derive(Debug)]
#[must_use]
pub struct Output {
    /// Lines for a person.
    pub text: String,
    /// The object for `--json`.
    pub json: Value,
    /// What is wrong, when the result is at the same time a refusal.
    pub refusal: Option<Error>,
}

impl Output {
    /// A result with exit code 0.
    pub fn done(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, refusal: None }
    }

    /// A result that is also a refusal: both are printed, and the exit code is the refusal's.
    pub fn refused(text: impl Into<String>, mut json: Value, refusal: Error) -> Self {
        if let Some(object) = json.as_object_mut() {
            object.insert("error".to_owned(), error_object(&refusal));
        }
        Self { text: text.into(), json, refusal: Some(refusal) }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.refusal.as_ref().map_or(0, Error::exit_code)
    }

    /// Prints it; gives the exit code. A reader that has gone away is no fault of ours; a full disk is.
    pub fn print(&self, as_json: bool) -> u8 {
        let mut out = std::io::stdout().lock();
        let written = if as_json { writeln!(out, "{}", self.json) } else { write_text(&mut out, &self.text) };
        let lost = written.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        if let Some(lost) = &lost {
            let _ = writeln!(
                std::io::stderr(),
                "error: cannot write standard output: {lost}\nhint: make room, then run it again"
            );
        }
        if let Some(refusal) = &self.refusal {
            let _ = writeln!(std::io::stderr(), "error: {refusal}\nhint: {}", refusal.hint());
        }
        self.code().max(u8::from(lost.is_some()))
    }
}

/// Prints an error: two lines on stderr, and the object on stdout with `--json`.
pub fn print_error(error: &Error, as_json: bool) {
    let hint = error.hint();
    if as_json {
        let object = json!({"error": error_object(error)});
        let _ = writeln!(std::io::stdout(), "{object}");
    }
    let _ = writeln!(std::io::stderr(), "error: {error}\nhint: {hint}");
}

fn error_object(error: &Error) -> Value {
    json!({"code": error.code(), "message": error.to_string(), "hint": error.hint()})
}

fn write_text(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    match text {
        "" => Ok(()),
        text => writeln!(out, "{}", text.trim_end()),
    }
}
