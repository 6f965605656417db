//! Our own documents in a PSBT: BIP174 proprietary fields of the global map. Their values are opaque here.
//!
//! Key: identifier `airlock`, subtype by kind, keydata the SHA-256 of the value, so that several of a kind merge as a
//! set, in any order, from any number of copies of a file.

use crate::Error;
use bitcoin::Psbt;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::psbt::raw::ProprietaryKey;
use policies::check::Check;
use std::collections::BTreeMap;

/// Identifier of our proprietary keys.
pub const IDENTIFIER: &[u8] = b"airlock";

/// Most documents of one kind (check C27).
pub const MAX_PER_KIND: usize = 64;

/// Largest document, in bytes (check C27).
pub const MAX_LEN: usize = 1024 * 1024;

/// All documents together, in bytes: `bitcoin` reads no global map above 4,000,000 bytes, and the unsigned
/// transaction takes up to 1,000,000 of them.
pub const MAX_TOTAL: usize = 2 * 1024 * 1024;

/// What a document is; the number is the field's subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What the file says of itself ([`crate::manifest`]).
    Manifest,
    /// Who asks for the payment.
    Request,
    /// Who agrees.
    Approval,
    /// The gatekeeper's permit.
    Permit,
    /// The vault's receipt.
    Receipt,
    /// What the chain proves, for the gatekeeper.
    Facts,
}

impl Kind {
    const ALL: [Kind; 6] =
        [Kind::Manifest, Kind::Request, Kind::Approval, Kind::Permit, Kind::Receipt, Kind::Facts];

    /// Its subtype.
    pub const fn subtype(self) -> u8 {
        match self {
            Kind::Manifest => 0,
            Kind::Request => 1,
            Kind::Approval => 2,
            Kind::Permit => 3,
            Kind::Receipt => 4,
            Kind::Facts => 5,
        }
    }

    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Request => "request",
            Kind::Approval => "approval",
            Kind::Permit => "permit",
            Kind::Receipt => "receipt",
            Kind::Facts => "facts",
        }
    }

    fn from_subtype(subtype: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.subtype() == subtype)
    }
}

/// The documents of a PSBT, as a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    documents: BTreeMap<(Kind, [u8; 32]), Vec<u8>>,
}

impl Envelope {
    /// Takes the documents out of a PSBT. Subtypes that are not known stay where they are and count as unknown fields.
    ///
    /// # Errors
    /// Check C21 when a key is not its value's hash, check C27 for too many or too large documents.
    pub fn read(psbt: &Psbt) -> Result<Self, Error> {
        let mut envelope = Envelope::default();
        for (key, value) in &psbt.proprietary {
            let Some(kind) = kind_of(key) else { continue };
            if key.key != sha256::Hash::hash(value).as_byte_array() {
                return Err(Error::Refused {
                    check: Check::STRICT_PSBT,
                    message: format!("the {kind:?} in the envelope does not hash to its key"),
                    hint: Some(
                        "the file was damaged or changed: take it again from where it came".to_owned(),
                    ),
                });
            }
            envelope.insert(kind, value.clone())?;
        }
        Ok(envelope)
    }

    /// The documents of a kind, in the order of their hashes.
    pub fn get(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.documents.range((kind, [0; 32])..=(kind, [0xff; 32])).map(|(_, value)| value.as_slice())
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Adds a document; one that is already there is the same.
    ///
    /// # Errors
    /// Check C27 for a document too large or one too many.
    pub fn insert(&mut self, kind: Kind, value: Vec<u8>) -> Result<(), Error> {
        let key = (kind, sha256::Hash::hash(&value).to_byte_array());
        if self.documents.contains_key(&key) {
            return Ok(());
        }
        if value.len() > MAX_LEN {
            return Err(too_much(format!("a {kind:?} of {} bytes, at most {MAX_LEN}", value.len())));
        }
        if self.get(kind).count() >= MAX_PER_KIND {
            return Err(too_much(format!("more than {MAX_PER_KIND} documents of the kind {kind:?}")));
        }
        let total = self.documents.values().map(Vec::len).fold(value.len(), usize::saturating_add);
        if total > MAX_TOTAL {
            return Err(too_much(format!("{total} bytes of documents, at most {MAX_TOTAL}")));
        }
        self.documents.insert(key, value);
        Ok(())
    }

    /// Puts these documents in the place of all of their kind; after an error nothing has changed.
    ///
    /// # Errors
    /// Those of [`Envelope::insert`].
    pub fn replace(&mut self, kind: Kind, values: Vec<Vec<u8>>) -> Result<(), Error> {
        let mut replaced = self.clone();
        replaced.documents.retain(|(of, _), _| *of != kind);
        for value in values {
            replaced.insert(kind, value)?;
        }
        *self = replaced;
        Ok(())
    }

    /// Adds all documents of another copy.
    ///
    /// # Errors
    /// Those of [`Envelope::insert`].
    pub fn merge(&mut self, other: &Envelope) -> Result<(), Error> {
        other.documents.iter().try_for_each(|((kind, _), value)| self.insert(*kind, value.clone()))
    }

    /// Makes these the documents of a PSBT; other fields stay as they are.
    pub fn write(&self, psbt: &mut Psbt) {
        psbt.proprietary.retain(|key, _| kind_of(key).is_none());
        for ((kind, hash), value) in &self.documents {
            let key =
                ProprietaryKey { prefix: IDENTIFIER.to_vec(), subtype: kind.subtype(), key: hash.to_vec() };
            psbt.proprietary.insert(key, value.clone());
        }
    }
}

/// The kind of one of our own fields; `None` for everybody else's.
pub(crate) fn kind_of(key: &ProprietaryKey) -> Option<Kind> {
    if key.prefix == IDENTIFIER { Kind::from_subtype(key.subtype) } else { None }
}

fn too_much(message: String) -> Error {
    Error::Refused {
        check: Check::BOUNDS,
        message: format!("the envelope holds {message}"),
        hint: Some("start again from the file as it was requested, with the documents it needs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Psbt {
        crate::strict::parse(
            &bitcoin::hex::FromHex::from_hex("70736274ff01000a0200000000000000000000")
                .map(|v: Vec<u8>| v)
                .unwrap(),
        )
        .unwrap()
    }

    fn envelope(documents: &[(Kind, &[u8])]) -> Envelope {
        let mut envelope = Envelope::default();
        for (kind, value) in documents {
            envelope.insert(*kind, value.to_vec()).unwrap();
        }
        envelope
    }

    #[test]
    fn a_document_survives_the_file() {
        let put = envelope(&[(Kind::Request, b"r"), (Kind::Approval, b"a"), (Kind::Approval, b"b")]);
        let mut psbt = empty();
        put.write(&mut psbt);
        let back = Envelope::read(&crate::strict::parse(&psbt.serialize()).unwrap()).unwrap();
        assert_eq!(back, put);
        assert_eq!(back.get(Kind::Request).collect::<Vec<_>>(), [b"r"]);
        assert_eq!(back.get(Kind::Approval).count(), 2);
        assert_eq!(back.get(Kind::Permit).count(), 0);
    }

    #[test]
    fn a_document_under_a_wrong_hash_is_refused_and_its_twin_is_read() {
        let mut psbt = empty();
        envelope(&[(Kind::Permit, b"permit")]).write(&mut psbt);
        assert!(Envelope::read(&psbt).is_ok());
        *psbt.proprietary.values_mut().next().unwrap() = b"Permit".to_vec();
        assert_eq!(Envelope::read(&psbt).unwrap_err().code(), "C21");
    }

    #[test]
    fn foreign_and_future_fields_are_left_alone() {
        let mut psbt = empty();
        for (prefix, subtype) in [("airlock", 9), ("other", 1)] {
            let key = ProprietaryKey { prefix: prefix.as_bytes().to_vec(), subtype, key: vec![1] };
            psbt.proprietary.insert(key, vec![2]);
        }
        let before = psbt.clone();
        assert!(Envelope::read(&psbt).unwrap().is_empty());
        envelope(&[(Kind::Receipt, b"x")]).write(&mut psbt);
        assert_eq!(psbt.proprietary.len(), 3);
        Envelope::default().write(&mut psbt);
        assert_eq!(psbt, before);
    }

    #[test]
    fn counts_and_sizes_are_capped() {
        let mut full = Envelope::default();
        for n in 0..MAX_PER_KIND {
            full.insert(Kind::Approval, vec![0; n + 1]).unwrap();
        }
        assert_eq!(full.insert(Kind::Approval, vec![1]).unwrap_err().code(), "C27");
        full.insert(Kind::Approval, vec![0]).unwrap();
        full.insert(Kind::Permit, vec![1]).unwrap();
        assert_eq!(full.insert(Kind::Permit, vec![0; MAX_LEN + 1]).unwrap_err().code(), "C27");
        full.insert(Kind::Permit, vec![0; MAX_LEN]).unwrap();
        assert_eq!(full.insert(Kind::Permit, vec![2; MAX_LEN]).unwrap_err().code(), "C27");
    }

    #[test]
    fn replacing_drops_the_others_of_its_kind_only() {
        let mut envelope = envelope(&[(Kind::Permit, b"old"), (Kind::Request, b"r")]);
        envelope.replace(Kind::Permit, vec![b"new".to_vec()]).unwrap();
        assert_eq!(envelope.get(Kind::Permit).collect::<Vec<_>>(), [b"new"]);
        let before = envelope.clone();
        assert!(envelope.replace(Kind::Permit, vec![vec![0; MAX_LEN + 1]]).is_err());
        assert_eq!(envelope, before);
    }

    proptest! {
        #[test]
        fn copies_merge_in_any_order(a in documents(), b in documents()) {
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b).unwrap();
            ba.merge(&a).unwrap();
            prop_assert_eq!(&ab, &ba);
            ab.merge(&a).unwrap();
            prop_assert_eq!(ab, ba);
        }
    }

    prop_compose! {
        fn documents()(all in proptest::collection::vec((0u8..5, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)) -> Envelope {
            let mut envelope = Envelope::default();
            for (subtype, value) in all {
                envelope.insert(Kind::from_subtype(subtype).unwrap(), value).unwrap();
            }
            envelope
        }
    }
}
