//! A message that some of a wallet's keys have signed, as a file that goes from cosigner to cosigner.
//!
//! `{"format": "airlock-message-1", "wallet", "network", "address", "path": "0/5", "form", "message", "lock_time",
//! "sequence", "signatures": [{"input", "public_key", "leaf"?, "signature"}]}`; bytes are hexadecimal. In a proof of
//! reserves the same list stands in a holding, as its `partial`: `{"lock_time", "sequence", "signatures"}`.

use super::reserves::{Fields, ReservesError};
use bitcoin::absolute::LockTime;
use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::taproot::TapLeafHash;
use bitcoin::{Address, Network, ScriptBuf, Sequence};
use policies::id::WalletId;
use policies::message::bip322::Locks;
use policies::message::{Message, MessageForm};
use policies::signature::{InputSignature, MAX_SIGNATURES};
use policies::wallet::{Branch, Keypath, MAX_INDEX};
use serde_json::{Map, Value, json};
use std::str::FromStr;

const FORMAT: &str = "airlock-message-1";

/// What the file is called in messages.
const WHAT: &str = "partly signed message";

/// Forms that several keys can sign.
const FORMS: [MessageForm; 2] = [MessageForm::Bip322Simple, MessageForm::Bip322Full];

/// Signatures of some of a wallet's keys, with the locks under which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial {
    /// The locks; in a proof of reserves also those of the coins.
    pub locks: Locks,
    /// The signatures, none twice.
    pub signatures: Vec<InputSignature>,
}

impl Partial {
    /// Takes further signatures; one of the same key for the same input and leaf takes the place of the earlier one.
    pub fn add(&mut self, fresh: Vec<InputSignature>) {
        let place =
            |signature: &InputSignature| (signature.input, signature.public_key.clone(), signature.leaf);
        let known: std::collections::BTreeSet<_> = fresh.iter().map(place).collect();
        self.signatures.retain(|signature| !known.contains(&place(signature)));
        self.signatures.extend(fresh);
        self.signatures.sort_by_key(place);
    }

    pub(super) fn to_fields(&self) -> Map<String, Value> {
        let of = |signature: &InputSignature| {
            let mut value = json!({
                "input": signature.input,
                "public_key": signature.public_key.to_lower_hex_string(),
                "signature": signature.signature.to_lower_hex_string(),
            });
            if let (Some(leaf), Some(object)) = (&signature.leaf, value.as_object_mut()) {
                object.insert("leaf".to_owned(), json!(leaf.to_string()));
            }
            value
        };
        let mut fields = Map::new();
        fields.insert("lock_time".to_owned(), json!(self.locks.lock_time.to_consensus_u32()));
        fields.insert("sequence".to_owned(), json!(self.locks.sequence.to_consensus_u32()));
        fields.insert("signatures".to_owned(), self.signatures.iter().map(of).collect());
        fields
    }

    pub(super) fn from_fields(fields: &Fields<'_>) -> Result<Self, ReservesError> {
        let locks = Locks {
            lock_time: LockTime::from_consensus(fields.number("lock_time")?),
            sequence: Sequence::from_consensus(fields.number("sequence")?),
        };
        let mut partial = Self { locks, signatures: Vec::new() };
        let mut given = Vec::new();
        for value in fields.list("signatures", MAX_SIGNATURES)? {
            let of = fields.inside(value, &["input", "public_key", "leaf", "signature"])?;
            let bytes = |key: &str, most: usize| {
                let text = of.text(key)?;
                let read = Vec::from_hex(text).ok().filter(|bytes| bytes.len() <= most);
                read.ok_or_else(|| of.wrong(key, &format!("hexadecimal of at most {most} bytes")))
            };
            let leaf = match of.has("leaf") {
                true => Some(of.parsed::<TapLeafHash>("leaf", "a leaf's hash")?),
                false => None,
            };
            given.push(InputSignature {
                input: of.number("input")?,
                public_key: bytes("public_key", 33)?,
                leaf,
                signature: bytes("signature", 80)?,
            });
        }
        partial.add(given);
        Ok(partial)
    }
}

/// A message that is not signed by enough keys yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartlySigned {
    /// The wallet.
    pub wallet: WalletId,
    /// Its network.
    pub network: Network,
    /// The script of the address that signs.
    pub address: ScriptBuf,
    /// Where in the wallet that is.
    pub keypath: Keypath,
    /// The form that the signature will have.
    pub form: MessageForm,
    /// The text.
    pub message: Message,
    /// Locks and signatures so far.
    pub partial: Partial,
}

impl PartlySigned {
    /// The document as a file.
    pub fn encode(&self) -> String {
        let address = Address::from_script(&self.address, self.network).map(|address| address.to_string());
        let mut document = json!({
            "format": FORMAT,
            "wallet": self.wallet.to_string(),
            "network": self.network.to_string(),
            "address": address.unwrap_or_default(),
            "path": self.keypath.to_string(),
            "form": self.form.as_str(),
            "message": self.message.as_str(),
        });
        if let Some(object) = document.as_object_mut() {
            object.extend(self.partial.to_fields());
        }
        format!("{document:#}\n")
    }

    /// Reads a document. Its signatures are not verified by that.
    ///
    /// # Errors
    /// [`ReservesError`] for a key that is missing, unknown or of another type.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReservesError> {
        let keys = [
            "wallet",
            "network",
            "address",
            "path",
            "form",
            "message",
            "lock_time",
            "sequence",
            "signatures",
        ];
        let document = Fields::document(WHAT, bytes, FORMAT, &keys)?;
        let network = document.network()?;
        let address = Address::<NetworkUnchecked>::from_str(document.text("address")?)
            .ok()
            .and_then(|address| address.require_network(network).ok())
            .ok_or_else(|| document.wrong("address", &format!("an address of {network}")))?;
        let form = document.text("form")?;
        let form = FORMS.into_iter().find(|known| known.as_str() == form);
        Ok(Self {
            wallet: document.parsed("wallet", "a wallet's id")?,
            network,
            address: address.script_pubkey(),
            keypath: keypath(document.text("path")?)
                .ok_or_else(|| document.wrong("path", "0/INDEX or 1/INDEX"))?,
            form: form.ok_or_else(|| document.wrong("form", "bip322-simple or bip322-full"))?,
            message: Message::new(document.text("message")?)?,
            partial: Partial::from_fields(&document)?,
        })
    }
}

fn keypath(text: &str) -> Option<Keypath> {
    let (branch, index) = text.split_once('/')?;
    let branch = Branch::ALL.into_iter().find(|known| known.number().to_string() == branch)?;
    let index = index.parse().ok().filter(|index| *index <= MAX_INDEX)?;
    Some(Keypath { branch, index })
}
