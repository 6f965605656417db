//! What is wrong with a policy file, and where: file, line, column, the line itself and a caret.

use psbt_tools::display::escape;
use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which bytes of the file.
    pub span: Range<usize>,
    /// What was found and what was expected.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Everything that is wrong with one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file as it was named.
    pub file: String,
    source: String,
    list: Vec<Problem>,
}

impl Problems {
    /// Problems of this source; none yet.
    pub fn new(file: &str, source: &str) -> Self {
        Self { file: escape(file), source: source.to_owned(), list: Vec::new() }
    }

    /// Adds a problem.
    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.list.push(Problem { span, message: message.into(), hint: Some(hint.into()) });
    }

    /// Adds a problem that needs no hint.
    pub fn add_plain(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.list.push(Problem { span, message: message.into(), hint: None });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order of their places.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Sorts by place.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.list.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self
    }

    /// Line and column of a problem, both counted from 1; columns count characters.
    pub fn place(&self, problem: &Problem) -> (usize, usize) {
        let before = self.source.get(..problem.span.start).unwrap_or(&self.source);
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let column = before.get(start..).map_or(0, |text| text.chars().count()).saturating_add(1);
        (line, column)
    }

    fn write_one(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let (line, column) = self.place(problem);
        let text = self.source.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Escaping may widen what stands before the caret, so the caret is set under the escaped text.
        let shown = |text: &str| escape(&text.replace('\t', " "));
        let before: String = text.chars().take(column.saturating_sub(1)).collect();
        let marked: String = self
            .source
            .get(problem.span.clone())
            .unwrap_or_default()
            .chars()
            .take_while(|c| *c != '\n' && *c != '\r')
            .collect();
        let carets = "^".repeat(shown(&marked).chars().count().clamp(1, 60));
        writeln!(f, "{}", problem.message)?;
        writeln!(f, "{margin}--> {}:{line}:{column}", self.file)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", shown(text))?;
        write!(f, "{margin} | {}{carets}", " ".repeat(shown(&before).chars().count()))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.list.iter().enumerate() {
            if at > 0 {
                write!(f, "\n\nerror: ")?;
            }
            self.write_one(f, problem)?;
            // The last hint is the error's own, printed after it like every other hint.
            if let Some(hint) = problem.hint.as_ref().filter(|_| at.saturating_add(1) < self.list.len()) {
                write!(f, "\nhint: {hint}")?;
            }
        }
        Ok(())
    }
}
