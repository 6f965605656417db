//! Where the lines come from: the line editor at a terminal, else standard input.

use super::completion::Completion;
use super::words::MAX_LINE_LEN;
use crate::{Error, Result};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Behavior, CompletionType, Config, Editor};
use std::io::{self, BufRead, Read};

/// Most lines that are remembered, in memory only.
const MAX_HISTORY: usize = 200;

/// A source of lines.
pub trait Lines {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Terminal`], and [`Error::Line`] for one that cannot be read.
    fn next(&mut self, prompt: &str) -> Result<Option<String>>;

    /// Remembers a line for the arrow keys. Only what can hold no secret may come here.
    fn remember(&mut self, line: &str);
}

/// The line editor on `/dev/tty`.
pub struct Typed(Editor<Completion, MemHistory>);

impl Typed {
    /// An editor with an empty history that no file ever holds.
    ///
    /// # Errors
    /// [`Error::Terminal`].
    pub fn new(completion: Completion) -> Result<Self> {
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .max_history_size(MAX_HISTORY)
            .map_err(failed)?
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).map_err(failed)?;
        editor.set_helper(Some(completion));
        Ok(Self(editor))
    }
}

impl Lines for Typed {
    fn next(&mut self, prompt: &str) -> Result<Option<String>> {
        loop {
            match self.0.readline(prompt) {
                Ok(line) => return Ok(Some(line)),
                // Ctrl-C clears the line.
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn remember(&mut self, line: &str) {
        // A line that is not remembered is only missed.
        let _ = self.0.add_history_entry(line);
    }
}

/// Lines of a script on standard input.
pub struct Script;

impl Lines for Script {
    fn next(&mut self, _prompt: &str) -> Result<Option<String>> {
        let most = u64::try_from(MAX_LINE_LEN).unwrap_or(u64::MAX).saturating_add(2);
        let mut line = Vec::new();
        // Locked for one line only: a command may read the rest.
        io::stdin().lock().take(most).read_until(b'\n', &mut line).map_err(Error::Terminal)?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8(line).map_err(|_| Error::Line("the line is no UTF-8"))?;
        let line = line.strip_suffix('\n').unwrap_or(&line);
        Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned()))
    }

    fn remember(&mut self, _line: &str) {}
}

fn failed(error: ReadlineError) -> Error {
    Error::Terminal(match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })
}
