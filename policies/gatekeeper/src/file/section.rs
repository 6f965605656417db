//! A table of the policy file that knows which of its keys were read: what is left over is a problem.

use super::problem::Problems;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// A value with its place.
pub type Value<'a> = &'a Spanned<DeValue<'a>>;

/// Why a key of the design is refused here.
pub const NOT_JUDGED: &str = "not judged by this version";
const NOT_JUDGED_HINT: &str = "remove it: a rule that is ignored would be a wrong yes";

/// One table, read key by key.
pub struct Section<'a> {
    /// How messages call it: `[[limit]]`.
    pub name: String,
    /// Where it stands.
    pub span: Range<usize>,
    left: BTreeMap<&'a str, (Range<usize>, Value<'a>)>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Starts to read a table.
    pub fn new(name: impl Into<String>, span: Range<usize>, table: &'a DeTable<'a>) -> Self {
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), (key.span(), value))).collect();
        Self { name: name.into(), span, left, known: Vec::new() }
    }

    /// The value of a key, when it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.known.push(key);
        self.left.remove(key).map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    pub fn require(&mut self, key: &'static str, problems: &mut Problems) -> Option<Value<'a>> {
        let value = self.take(key);
        if value.is_none() {
            problems.add(
                self.span.clone(),
                format!("{} has no `{key}`", self.name),
                match key {
                    "people" => "add `[people]` with a group: desk = \"ssh-ed25519 AAAA…\"".to_owned(),
                    "wallet" => "add `[wallet.NAME]`".to_owned(),
                    "allow" => "add `[[allow]]`: what no rule allows is refused".to_owned(),
                    _ => format!("add `{key} = …`"),
                },
            );
        }
        value
    }

    /// Refuses keys that the language of policies knows and this version does not judge.
    pub fn not_judged(&mut self, keys: &[&'static str], problems: &mut Problems) {
        for key in keys {
            if let Some((span, _)) = self.left.remove(key) {
                problems.add(span, format!("`{key}` is {NOT_JUDGED}"), NOT_JUDGED_HINT);
            }
        }
    }

    /// Everything that was not read, for tables whose keys are names.
    pub fn names(&mut self) -> BTreeMap<&'a str, (Range<usize>, Value<'a>)> {
        std::mem::take(&mut self.left)
    }

    /// Every key that nobody read is a problem.
    pub fn finish(self, problems: &mut Problems) {
        for (key, (span, _)) in self.left {
            let hint = nearest(key, self.known.iter().copied()).map_or_else(
                || format!("{} knows: {}", self.name, self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            problems.add(span, format!("unknown key `{}` in {}", key.escape_debug(), self.name), hint);
        }
    }
}

/// A table, or the problem that it is none.
pub fn table<'a>(name: &str, value: Value<'a>, problems: &mut Problems) -> Option<Section<'a>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(Section::new(name, value.span(), table)),
        other => {
            wrong_type(name, "a table", other, value, problems);
            None
        }
    }
}

/// A string, or the problem that it is none.
pub fn text<'a>(what: &str, value: Value<'a>, problems: &mut Problems) -> Option<&'a str> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.as_ref()),
        other => {
            wrong_type(what, "a string", other, value, problems);
            None
        }
    }
}

/// An array, or the problem that it is none.
pub fn array<'a>(what: &str, value: Value<'a>, problems: &mut Problems) -> Option<&'a DeArray<'a>> {
    match value.get_ref() {
        DeValue::Array(array) => Some(array),
        other => {
            wrong_type(what, "an array", other, value, problems);
            None
        }
    }
}

/// One string or an array of strings.
pub fn texts<'a>(what: &str, value: Value<'a>, problems: &mut Problems) -> Vec<(Range<usize>, &'a str)> {
    match value.get_ref() {
        DeValue::Array(items) => {
            items.iter().filter_map(|item| Some((item.span(), text(what, item, problems)?))).collect()
        }
        _ => text(what, value, problems).map(|text| (value.span(), text)).into_iter().collect(),
    }
}

/// A whole number that is not negative.
pub fn whole(what: &str, value: Value<'_>, problems: &mut Problems) -> Option<u64> {
    let number = match value.get_ref() {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    };
    if number.is_none() {
        problems.add(
            value.span(),
            format!("`{what}` is not a whole number"),
            format!("write it without quotes, sign or decimals: {what} = 3"),
        );
    }
    number
}

/// The name nearest to a misspelt one, when one is near.
pub fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let most = (typed.chars().count() / 3).max(1);
    names.map(|name| (distance(typed, name), name)).filter(|(d, _)| *d <= most).min().map(|(_, name)| name)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, c) in a.chars().enumerate() {
        let mut next = vec![at.saturating_add(1)];
        for ((other, above_left), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            let change = above_left.saturating_add(usize::from(c != *other));
            next.push(change.min(above.saturating_add(1)).min(left.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn wrong_type(what: &str, expected: &str, found: &DeValue<'_>, value: Value<'_>, problems: &mut Problems) {
    problems.add_plain(value.span(), format!("`{what}` is {} where {expected} is due", article(found)));
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number without a unit",
        DeValue::Float(_) => "a number without a unit",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        let names = ["desk", "zurich-terminals"];
        assert_eq!(nearest("dsek", names.into_iter()), None, "two letters of four");
        assert_eq!(nearest("des", names.into_iter()), Some("desk"));
        assert_eq!(nearest("zurich-terminal", names.into_iter()), Some("zurich-terminals"));
        assert_eq!(nearest("paris", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
