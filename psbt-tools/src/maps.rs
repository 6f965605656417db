//! A PSBT as BIP174 writes it: maps of keys to values, whatever the fields mean.

use crate::document::MAGIC;
use crate::strict::Pair;
use crate::strict::fields::Map;
use crate::{Error, strict};
use bitcoin::Psbt;
use bitcoin::consensus::serialize;
use std::collections::BTreeMap;
use std::fmt;

/// One map: keys with their type byte, and values.
pub(crate) type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a field stands; inputs and outputs count from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Global,
    Input(usize),
    Output(usize),
}

impl Place {
    /// The kind of map.
    pub(crate) fn map(self) -> Map {
        match self {
            Place::Global => Map::Global,
            Place::Input(_) => Map::Input,
            Place::Output(_) => Map::Output,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Global => f.write_str("global map"),
            Place::Input(at) => write!(f, "input {at}"),
            Place::Output(at) => write!(f, "output {at}"),
        }
    }
}

/// All maps of a PSBT.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Maps {
    pub(crate) global: Fields,
    pub(crate) inputs: Vec<Fields>,
    pub(crate) outputs: Vec<Fields>,
}

impl Maps {
    /// The maps of a PSBT.
    ///
    /// # Errors
    /// Check C27 for more than is read.
    pub(crate) fn of(psbt: &Psbt) -> Result<Self, Error> {
        let bytes = psbt.serialize();
        let scan = strict::scan(&bytes)?;
        let owned = |pairs: Vec<Pair<'_>>| -> Fields {
            pairs.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
        };
        Ok(Maps {
            global: owned(scan.global),
            inputs: scan.inputs.into_iter().map(owned).collect(),
            outputs: scan.outputs.into_iter().map(owned).collect(),
        })
    }

    /// The PSBT of these maps, read as strictly as one from outside.
    ///
    /// # Errors
    /// Those of [`strict::parse`].
    pub(crate) fn to_psbt(&self) -> Result<Psbt, Error> {
        strict::parse(&self.serialize())
    }

    /// The file of these maps, the keys of each in their order.
    pub(crate) fn serialize(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for (_, fields) in self.iter() {
            for (key, value) in fields {
                bytes.extend(serialize(key));
                bytes.extend(serialize(value));
            }
            bytes.push(0);
        }
        bytes
    }

    /// The maps without some of their fields.
    pub(crate) fn without(mut self, unwanted: impl Fn(Place, &[u8]) -> bool) -> Self {
        let inputs = self.inputs.iter_mut().enumerate().map(|(at, fields)| (Place::Input(at), fields));
        let outputs = self.outputs.iter_mut().enumerate().map(|(at, fields)| (Place::Output(at), fields));
        for (place, fields) in std::iter::once((Place::Global, &mut self.global)).chain(inputs).chain(outputs)
        {
            fields.retain(|key, _| !unwanted(place, key));
        }
        self
    }

    /// Every map with its place, in the order of the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &Fields)> {
        let inputs = self.inputs.iter().enumerate().map(|(at, fields)| (Place::Input(at), fields));
        let outputs = self.outputs.iter().enumerate().map(|(at, fields)| (Place::Output(at), fields));
        std::iter::once((Place::Global, &self.global)).chain(inputs).chain(outputs)
    }

    /// The map at a place, to be changed.
    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut Fields> {
        match place {
            Place::Global => Some(&mut self.global),
            Place::Input(at) => self.inputs.get_mut(at),
            Place::Output(at) => self.outputs.get_mut(at),
        }
    }
}
