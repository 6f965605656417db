//! What freezes the gatekeeper, and what ends that.

use bitcoin::Txid;
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use policies::codec::{CodecError, Decoder, Encoder};
use policies::id::{VaultId, tagged_hash};
use psbt_tools::display::hex;
use std::fmt;
use std::str::FromStr;

/// Longest reason for unfreezing, in bytes.
pub const MAX_REASON_LEN: usize = 1_000;

/// Most alarms of one incident.
const MAX_ALARMS: usize = 200_000;

/// Something that no permit explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// A block of the best chain holds a transaction that spends a wallet's coins and is none that was reserved here.
    Transaction(Txid),
    /// A block of another branch holds such a transaction. It may never happen: when it does, that is another alarm.
    Stale(Txid),
    /// A vault signed without a permit of this ledger, or under another one: the receipt with this hash says so.
    Receipt([u8; 32]),
    /// Two receipts put different records at one place of a vault's store: it was forked or set back.
    Fork {
        /// The vault.
        vault: VaultId,
        /// The place.
        sequence: u64,
    },
}

impl Alarm {
    fn encode(&self, to: &mut Encoder) {
        match self {
            Alarm::Transaction(txid) => {
                to.u8(0);
                to.fixed(txid.as_byte_array());
            }
            Alarm::Stale(txid) => {
                to.u8(3);
                to.fixed(txid.as_byte_array());
            }
            Alarm::Receipt(hash) => {
                to.u8(1);
                to.fixed(hash);
            }
            Alarm::Fork { vault, sequence } => {
                to.u8(2);
                to.fixed(vault.as_bytes());
                to.u64(*sequence);
            }
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(match from.u8("alarm kind")? {
            0 => Alarm::Transaction(Txid::from_byte_array(from.fixed("txid")?)),
            1 => Alarm::Receipt(from.fixed("receipt")?),
            2 => Alarm::Fork {
                vault: VaultId::from_bytes(from.fixed("vault")?),
                sequence: from.u64("sequence")?,
            },
            3 => Alarm::Stale(Txid::from_byte_array(from.fixed("txid")?)),
            other => return Err(CodecError::invalid("alarm kind", format!("{other} is unknown"))),
        })
    }
}

/// The gatekeeper froze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// Why.
    pub alarms: Vec<Alarm>,
}

impl Frozen {
    /// Names the incident, so that nobody ends what they have not read.
    pub fn incident(&self, at: u64) -> IncidentId {
        let mut to = Encoder::default();
        to.u64(at);
        self.encode(&mut to);
        IncidentId(tagged_hash("airlock/incident/1", &to.finish()))
    }

    /// Appends every alarm.
    pub fn encode(&self, to: &mut Encoder) {
        to.list(&self.alarms, |to, alarm| alarm.encode(to));
    }

    /// Reads every alarm.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self { alarms: from.list("alarms", MAX_ALARMS, Alarm::decode)? })
    }
}

/// An incident was looked into and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfrozen {
    /// Which.
    pub incident: IncidentId,
    /// Who decided it and why.
    pub reason: String,
}

impl Unfrozen {
    /// Appends every field.
    pub fn encode(&self, to: &mut Encoder) {
        to.fixed(&self.incident.0);
        to.string(self.reason.as_bytes());
    }

    /// Reads every field.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            incident: IncidentId(from.fixed("incident")?),
            reason: from.text("reason", MAX_REASON_LEN)?,
        })
    }
}

/// Hash of when and why the gatekeeper froze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IncidentId([u8; 32]);

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for IncidentId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <[u8; 32]>::from_hex(text).map(Self).map_err(|_| "an incident has 64 hexadecimal digits")
    }
}
