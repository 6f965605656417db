//! What a command that succeeded says: lines for a person, one object for a program.

use serde_json::{Map, Value};

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
}
