//! What a command that succeeded says: lines for a person, one object for a program.

use psbt_tools::display::{escape, words_of};
use serde_json::{Map, Value};
use std::path::Path;

/// Said by a command that succeeded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Lines.
    pub lines: Vec<String>,
    /// The same for programs.
    pub json: Map<String, Value>,
}

impl Report {
    /// A report of this object, without lines.
    pub fn new(json: Value) -> Self {
        let json = match json {
            Value::Object(object) => object,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        Self { lines: Vec::new(), json }
    }

    /// The same with another line.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// The same with the file that was written, and the words by which the next machine knows it.
    #[must_use]
    pub fn written(mut self, out: &Path, bytes: &[u8]) -> Self {
        let words = words_of(bytes);
        self.lines.push(format!("written to         {}", escape(&out.to_string_lossy())));
        self.lines.push(format!("its words          {words}"));
        self.json.insert("out".to_owned(), out.display().to_string().into());
        self.json.insert("out_words".to_owned(), words.into());
        self
    }
}
