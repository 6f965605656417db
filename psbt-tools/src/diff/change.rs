//! One thing that is not as it was.

use crate::display::address_text;
use crate::money::amount_text;
use bitcoin::Amount;
use serde_json::{Value, json};
use std::fmt;

/// A value before or after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// An amount.
    Amount(Amount),
    /// An address; people read it in groups of four.
    Address(String),
    /// Anything else, in words and safe for a terminal.
    Text(String),
}

impl Shown {
    pub(super) fn text(value: impl fmt::Display) -> Option<Self> {
        Some(Shown::Text(value.to_string()))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Amount(amount) => f.write_str(&amount_text(*amount)),
            Shown::Address(address) => f.write_str(&address_text(address)),
            Shown::Text(text) => f.write_str(text),
        }
    }
}

/// One difference between two PSBTs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where: `transaction`, `global map`, `input 0`, `output 1`.
    pub place: String,
    /// What: `locktime`, `amount`, `signature by 02…`.
    pub what: String,
    /// What it was; `None` when it was not there.
    pub before: Option<Shown>,
    /// What it is; `None` when it is gone.
    pub after: Option<Shown>,
    /// Whether it is only a signature or a document that was added.
    pub grown: bool,
}

impl Change {
    /// `{"where", "what", "before", "after"}`; amounts are integers and called `value_sat`.
    pub fn to_json(&self) -> Value {
        let plain = |shown: &Option<Shown>| match shown {
            None => Value::Null,
            Some(Shown::Amount(amount)) => json!(amount.to_sat()),
            Some(Shown::Address(text) | Shown::Text(text)) => json!(text),
        };
        let is_amount = |shown: &Option<Shown>| matches!(shown, Some(Shown::Amount(_)));
        let what = if is_amount(&self.before) || is_amount(&self.after) { "value_sat" } else { &self.what };
        json!({
            "where": self.place, "what": what, "before": plain(&self.before), "after": plain(&self.after)
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { place, what, before, after, .. } = self;
        match (before, after) {
            (Some(before), Some(after)) => write!(f, "{place}: {what} was {before}, is {after}"),
            (None, Some(after)) => write!(f, "{place}: {what} added: {after}"),
            (Some(before), None) => write!(f, "{place}: {what} removed: {before}"),
            (None, None) => write!(f, "{place}: {what}"),
        }
    }
}
