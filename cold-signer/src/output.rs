//! What a command has to say, once: as lines for a person or as one JSON object for a program.

use crate::Error;
use crate::consent::leaf;
use crate::report;
use crate::screens::{paginate, wrap};
use crate::terminal::{Person, Terminal};
use policies::codec::deceives;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{ErrorKind, IsTerminal, Write};

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

    /// Prints it; gives the exit code. A reader of ours that has gone away is no fault; a full disk is.
    pub fn print(mut self, as_json: bool) -> u8 {
        let error = self.error.as_ref();
        if as_json && let (Some(object), Some(error)) = (self.json.as_object_mut(), error) {
            object.insert("error".to_owned(), error.to_json());
        }
        let written = if as_json {
            writeln!(std::io::stdout(), "{}", json_text(&self.json))
        } else if self.text.is_empty() {
            Ok(())
        } else {
            put(self.text.trim_end())
        };
        let lost = written.err().filter(|error| error.kind() != ErrorKind::BrokenPipe);
        if let Some(lost) = &lost {
            let _ = writeln!(
                std::io::stderr(),
                "error: cannot write standard output: {lost}\nhint: make room, then run it again"
            );
        }
        match error {
            None => u8::from(lost.is_some()),
            Some(error) => {
                complain(error);
                error.exit_code()
            }
        }
    }
}

/// Text on standard output: page by page where a person sits before it and it is longer than the screen.
pub fn show(text: &str) {
    // Whoever is gone needs no text.
    let _ = put(text);
}

fn put(text: &str) -> std::io::Result<()> {
    let watched = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let pages = Terminal::open().filter(|_| watched).and_then(|person| {
        let size = person.size();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let rows: usize = lines.iter().map(|line| wrap(line, size.columns).len()).sum();
        (rows >= size.rows).then(|| (paginate(&[], &lines, size), person))
    });
    match pages {
        // Whoever has seen enough may stop; the command is done all the same.
        Some((pages, mut person)) => drop(leaf(&mut person, &pages)),
        None => writeln!(std::io::stdout(), "{text}")?,
    }
    Ok(())
}

/// Prints a failure: two lines on stderr, and the object on stdout with `--json`; gives the exit code.
pub fn print_error(error: &Error, as_json: bool) -> u8 {
    if as_json {
        let mut object = json!({"error": error.to_json()});
        if let (Some(object), false) = (object.as_object_mut(), error.findings().is_empty()) {
            object.insert("verdict".to_owned(), json!(report::verdict_word(error.findings())));
            object.insert("checks".to_owned(), report::checks_json(error.findings()));
        }
        let _ = writeln!(std::io::stdout(), "{}", json_text(&object));
    }
    complain(error);
    error.exit_code()
}

/// The object on one line, as [`undeceiving`] writes it.
pub fn json_text(value: &Value) -> String {
    undeceiving(&value.to_string())
}

/// JSON in which characters that deceive a terminal are written as `\uNNNN`, which means the same to a program; outside of
/// strings JSON has none but the ends of lines, which stay.
pub fn undeceiving(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if deceives(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// A remark on stderr that is no failure.
pub fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

fn complain(error: &Error) {
    let _ = writeln!(std::io::stderr(), "error: {error}\nhint: {}", error.hint());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_deceives_no_terminal_and_keeps_its_meaning() {
        let value = json!({"a\u{202e}": "\u{1b}[2J \u{9b}31m \u{e0041} \u{7f} \\ \" é"});
        let text = json_text(&value);
        assert!(!text.chars().any(deceives) && text.contains('é'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
