//! JSON without double meaning, and which wallet format it is.

use super::{
    Error, Fault, Format, Found, bip388, core, electrum, export, private, sparrow, specter, unknown,
};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Names under which wallets keep what must not be here.
const SECRETS: [&str; 7] =
    ["seed", "mnemonic", "xprv", "passphrase", "masterPrivateExtendedKey", "privateKey", "private_key"];

/// A format, and what its reader says.
pub(super) type Recognised = (Format, Result<Found, Fault>);

/// Reads JSON by its format; `None` when the text is none.
pub(super) fn format(text: &str) -> Result<Option<Recognised>, Error> {
    let is_object = text.starts_with('{');
    let is_list = text.starts_with('[') && text.ends_with(']');
    if !is_object && !is_list {
        return Ok(None);
    }
    let value = match serde_json::from_str::<Unambiguous>(text) {
        Ok(value) => value.0,
        Err(error) => {
            return Err(unknown(format!(
                "this begins like JSON and is none at line {}, column {}{}",
                error.line(),
                error.column(),
                if error.is_data() { ": a name stands twice in one object" } else { "" }
            )));
        }
    };
    if holds_secret(&value) {
        return Err(private());
    }
    let has = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
    let found = match () {
        () if has("wallet") && has("vault_id") || has("external") && has("internal") => {
            (Format::Export, export::read(&value))
        }
        () if has("keys_info") || has("keys") => (Format::Policy, bip388::read(&value)),
        () if has("descriptors") || value.is_array() => (Format::Core, core::read(&value)),
        () if has("wallet_type") => (Format::Electrum, electrum::read(&value)),
        () if has("policyType") => (Format::Sparrow, sparrow::read(&value)),
        () if has("descriptor") || has("recv_descriptor") => (Format::Specter, specter::read(&value)),
        () => return Err(unknown("this is JSON of no wallet that is read here")),
    };
    Ok(Some(found))
}

/// The text at a name; `None` where it is absent or null.
///
/// # Errors
/// [`Fault`] for another type.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Result<Option<&'a str>, Fault> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::broken(format!("`{name}` is no text"))),
    }
}

/// The text at a name that must be there.
pub(super) fn required<'a>(object: &'a Value, name: &str) -> Result<&'a str, Fault> {
    text(object, name)?.ok_or_else(|| Fault::broken(format!("`{name}` is missing")))
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(holds_secret),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
            SECRETS.contains(&name.as_str()) && !empty || holds_secret(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A value in which no name of an object stands twice: programs differ in which of the two they take.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Builder).map(Self)
    }
}

struct Builder;

impl<'de> Visitor<'de> for Builder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unambiguous(value)) = from.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Unambiguous(value))) = from.next_entry::<String, _>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}
