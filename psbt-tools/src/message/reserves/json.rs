//! The documents as files: JSON objects with exactly these keys, amounts as integers.
//!
//! `{"format": "airlock-reserves-1", "purpose", "network", "height", "block_hash", "holdings": [{"name", "address",
//! "coins": [{"outpoint", "value_sat", "script_hex"}], "signature"?, "partial"?}]}`, and for the unspent outputs of a block
//! `{"format": "airlock-utxos-1", "network", "height", "block_hash", "coins": […]}`.

use super::{Holding, Reserves, ReservesError, Statement};
use crate::message::partial::Partial;
use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, BlockHash, Network, OutPoint, ScriptBuf, TxOut};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::str::FromStr;

const RESERVES: &str = "airlock-reserves-1";
const UTXOS: &str = "airlock-utxos-1";

/// Most coins of a list of unspent outputs.
const MAX_UTXOS: usize = 1_000_000;

impl Reserves {
    /// The document as a file.
    pub fn encode(&self) -> String {
        let Statement { purpose, network, height, block_hash } = &self.statement;
        let holdings = self.holdings.iter().enumerate().map(|(at, holding)| {
            let address = Address::from_script(&holding.address, *network).map(|address| address.to_string());
            let mut value = json!({
                "name": holding.name,
                // A holding without an address is not made.
                "address": address.unwrap_or_default(),
                "coins": holding.coins.iter().map(coin_json).collect::<Vec<_>>(),
            });
            if let (Some(signature), Some(object)) = (&holding.signature, value.as_object_mut()) {
                object.insert("signature".to_owned(), json!(signature));
            }
            if let (Some(partial), Some(object)) = (self.partials.get(&at), value.as_object_mut()) {
                object.insert("partial".to_owned(), Value::Object(partial.to_fields()));
            }
            value
        });
        let document = json!({
            "format": RESERVES,
            "purpose": purpose,
            "network": network.to_string(),
            "height": height,
            "block_hash": block_hash.to_string(),
            "holdings": holdings.collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }

    /// Reads a document. Its signatures are not verified by that.
    ///
    /// # Errors
    /// Those of [`Reserves::new`], and [`ReservesError::Format`] for a key that is missing, unknown or of another type.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReservesError> {
        let what = "proof of reserves";
        let keys = ["purpose", "network", "height", "block_hash", "holdings"];
        let document = Fields::document(what, bytes, RESERVES, &keys)?;
        let (network, height, block_hash) = document.block()?;
        let purpose = document.text("purpose")?.to_owned();
        let mut holdings = Vec::new();
        let mut partials = BTreeMap::new();
        for (at, value) in document.list("holdings", super::MAX_HOLDINGS)?.iter().enumerate() {
            let holding = Fields::new(what, value, &["name", "address", "coins", "signature", "partial"])?;
            if let Some(partial) = holding.object.get("partial") {
                let partial = holding.inside(partial, &["lock_time", "sequence", "signatures"])?;
                partials.insert(at, Partial::from_fields(&partial)?);
            }
            let address = Address::<NetworkUnchecked>::from_str(holding.text("address")?)
                .ok()
                .and_then(|address| address.require_network(network).ok())
                .ok_or_else(|| holding.wrong("address", &format!("an address of {network}")))?;
            let signature = match holding.object.get("signature") {
                None => None,
                Some(_) => Some(holding.text("signature")?.to_owned()),
            };
            holdings.push(Holding {
                name: holding.text("name")?.to_owned(),
                address: address.script_pubkey(),
                coins: holding.coins(super::MAX_COINS)?,
                signature,
            });
        }
        let reserves = Reserves::new(Statement { purpose, network, height, block_hash }, holdings)?;
        Ok(Self { partials, ..reserves })
    }
}

/// The unspent outputs of a block, as far as they matter: what a proof of reserves is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utxos {
    /// The chain.
    pub network: Network,
    /// The block after which they were unspent.
    pub height: u32,
    /// Its hash.
    pub block_hash: BlockHash,
    /// The coins.
    pub coins: BTreeMap<OutPoint, TxOut>,
}

impl Utxos {
    /// The list as a file.
    pub fn encode(&self) -> String {
        let coins = self.coins.iter().map(|(outpoint, output)| coin_json(&(*outpoint, output.clone())));
        let document = json!({
            "format": UTXOS,
            "network": self.network.to_string(),
            "height": self.height,
            "block_hash": self.block_hash.to_string(),
            "coins": coins.collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`ReservesError::Format`], also for a coin that stands twice.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReservesError> {
        let keys = ["network", "height", "block_hash", "coins"];
        let document = Fields::document("list of unspent outputs", bytes, UTXOS, &keys)?;
        let (network, height, block_hash) = document.block()?;
        let mut coins = BTreeMap::new();
        for (outpoint, output) in document.coins(MAX_UTXOS)? {
            if coins.insert(outpoint, output).is_some() {
                return Err(document.wrong("coins", "each coin once"));
            }
        }
        Ok(Self { network, height, block_hash, coins })
    }
}

fn coin_json((outpoint, output): &(OutPoint, TxOut)) -> Value {
    json!({
        "outpoint": outpoint.to_string(),
        "value_sat": output.value.to_sat(),
        "script_hex": output.script_pubkey.to_hex_string(),
    })
}

/// An object whose keys are all known.
pub(in crate::message) struct Fields<'a> {
    what: &'static str,
    object: std::borrow::Cow<'a, Map<String, Value>>,
}

impl<'a> Fields<'a> {
    pub(in crate::message) fn document(
        what: &'static str,
        bytes: &[u8],
        format: &str,
        keys: &[&str],
    ) -> Result<Fields<'static>, ReservesError> {
        let wrong = |reason: String| ReservesError::Format { what, reason };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(mut object) = value else { return Err(wrong("it is no JSON object".to_owned())) };
        match object.remove("format") {
            Some(Value::String(found)) if found == format => {}
            _ => return Err(wrong(format!("its format is not `{format}`"))),
        }
        require_known(what, &object, keys)?;
        Ok(Fields { what, object: std::borrow::Cow::Owned(object) })
    }

    fn new(what: &'static str, value: &'a Value, keys: &[&str]) -> Result<Self, ReservesError> {
        let Value::Object(object) = value else {
            return Err(ReservesError::Format { what, reason: "an item is no JSON object".to_owned() });
        };
        require_known(what, object, keys)?;
        Ok(Self { what, object: std::borrow::Cow::Borrowed(object) })
    }

    pub(in crate::message) fn wrong(&self, key: &str, expected: &str) -> ReservesError {
        ReservesError::Format { what: self.what, reason: format!("`{key}` is wrong, expected {expected}") }
    }

    pub(in crate::message) fn text(&self, key: &str) -> Result<&str, ReservesError> {
        self.object.get(key).and_then(Value::as_str).ok_or_else(|| self.wrong(key, "a text"))
    }

    pub(in crate::message) fn list(&self, key: &str, most: usize) -> Result<&[Value], ReservesError> {
        match self.object.get(key).and_then(Value::as_array) {
            Some(list) if list.len() <= most => Ok(list),
            _ => Err(self.wrong(key, &format!("a list of at most {most}"))),
        }
    }

    pub(in crate::message) fn parsed<T: FromStr>(
        &self,
        key: &str,
        expected: &str,
    ) -> Result<T, ReservesError> {
        self.text(key)?.parse().map_err(|_| self.wrong(key, expected))
    }

    pub(in crate::message) fn number(&self, key: &str) -> Result<u32, ReservesError> {
        let number = self.object.get(key).and_then(Value::as_u64).and_then(|number| number.try_into().ok());
        number.ok_or_else(|| self.wrong(key, "a number below 2^32"))
    }

    pub(in crate::message) fn network(&self) -> Result<Network, ReservesError> {
        crate::display::network_from_word(self.text("network")?)
            .map_err(|_| self.wrong("network", "the name of a network"))
    }

    pub(in crate::message) fn has(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// An object inside this one.
    pub(in crate::message) fn inside<'b>(
        &self,
        value: &'b Value,
        keys: &[&str],
    ) -> Result<Fields<'b>, ReservesError> {
        Fields::new(self.what, value, keys)
    }

    fn block(&self) -> Result<(Network, u32, BlockHash), ReservesError> {
        Ok((self.network()?, self.number("height")?, self.parsed("block_hash", "a block's hash")?))
    }

    fn coins(&self, most: usize) -> Result<Vec<(OutPoint, TxOut)>, ReservesError> {
        let of = |value: &Value| {
            let coin = Fields::new(self.what, value, &["outpoint", "value_sat", "script_hex"])?;
            let value = coin.object.get("value_sat").and_then(Value::as_u64).map(Amount::from_sat);
            let value = value.ok_or_else(|| coin.wrong("value_sat", "an integer"))?;
            let script_pubkey = ScriptBuf::from_hex(coin.text("script_hex")?)
                .map_err(|_| coin.wrong("script_hex", "hexadecimal"))?;
            Ok((coin.parsed("outpoint", "TXID:INDEX")?, TxOut { value, script_pubkey }))
        };
        self.list("coins", most)?.iter().map(of).collect()
    }
}

fn require_known(
    what: &'static str,
    object: &Map<String, Value>,
    keys: &[&str],
) -> Result<(), ReservesError> {
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(ReservesError::Format {
            what,
            reason: format!("the key `{}` is not known", crate::display::escape(unknown)),
        }),
    }
}
