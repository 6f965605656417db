//! The version of a PSBT, and what only that version says. Inside, every PSBT has the shape of version 0; here is what
//! version 2 says beyond it, so that it is written again as it came.

pub(crate) mod locktime;
pub(crate) mod modifiable;
pub(crate) mod shape;
mod union;
mod write;

pub(crate) use union::united;

use crate::Error;
use bitcoin::Psbt;
use std::collections::BTreeMap;

/// How a PSBT was written, beyond what `bitcoin` keeps of it: the version it is of, and what only that version says. The
/// default is version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// What only version 2 says, when it is of version 2.
    pub(crate) version_2: Option<Version2>,
    /// Taproot trees whose branches `bitcoin` would write in another order.
    pub(crate) trees: Trees,
}

/// Values of `PSBT_OUT_TAP_TREE` by the output they stand in.
pub(crate) type Trees = BTreeMap<usize, Vec<u8>>;

/// What version 2 says that the unsigned transaction does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Version2 {
    /// `PSBT_GLOBAL_FALLBACK_LOCKTIME`: the locktime where no input requires one.
    pub(crate) fallback: Option<u32>,
    /// `PSBT_GLOBAL_TX_MODIFIABLE`.
    pub(crate) modifiable: Option<u8>,
    /// What each input says.
    pub(crate) inputs: Vec<InputForm>,
}

/// What an input of version 2 says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputForm {
    /// Whether `PSBT_IN_SEQUENCE` is there; without it the sequence is final.
    pub(crate) sequence: bool,
    /// `PSBT_IN_REQUIRED_TIME_LOCKTIME`, in seconds of Unix time.
    pub(crate) time: Option<u32>,
    /// `PSBT_IN_REQUIRED_HEIGHT_LOCKTIME`.
    pub(crate) height: Option<u32>,
}

impl Form {
    /// Version 0; what only version 2 says is forgotten.
    #[must_use]
    pub fn to_version_0(&self) -> Self {
        Self { version_2: None, trees: self.trees.clone() }
    }

    /// Version 2 for a PSBT that was not: its locktime as the fallback, every sequence written, nothing modifiable.
    ///
    /// # Errors
    /// [`Error::NotWritten`] for a transaction of version 1 or less, which version 2 does not allow.
    pub fn to_version_2(&self, psbt: &Psbt) -> Result<Self, Error> {
        if self.version_2.is_some() {
            return Ok(self.clone());
        }
        let version = psbt.unsigned_tx.version.0;
        if version < 2 {
            return Err(Error::NotWritten {
                what: format!(
                    "PSBT version 2 is for transactions of version 2 or more (BIP370), and this one is of version {version}"
                ),
                hint: "keep it in v0, or build the payment again as a transaction of version 2",
            });
        }
        let input = InputForm { sequence: true, ..InputForm::default() };
        let version_2 = Version2 {
            fallback: Some(psbt.unsigned_tx.lock_time.to_consensus_u32()),
            modifiable: None,
            inputs: vec![input; psbt.unsigned_tx.input.len()],
        };
        Ok(Self { version_2: Some(version_2), trees: self.trees.clone() })
    }

    /// The version's number: 0 or 2.
    pub fn version(&self) -> u32 {
        if self.version_2.is_some() { 2 } else { 0 }
    }

    /// What check C21 says of it when nothing is wrong.
    pub(crate) fn strictness(&self) -> &'static str {
        match self.version_2 {
            None => "strict BIP174, version 0",
            Some(_) => "strict BIP174 and BIP370, version 2",
        }
    }

    /// The binary PSBT in this form; it is always one of the very transaction in `psbt`. In version 2 the flags of
    /// what may still be added are cleared as the signatures demand (BIP370, "Signer"), and required locktimes are left
    /// out that would make another locktime than the transaction has.
    pub fn serialize(&self, psbt: &Psbt) -> Vec<u8> {
        write::binary(psbt, self)
    }
}
