//! Public keys that a reply need not repeat: where in a PSBT's input each one stands.

use bitcoin::hashes::Hash;
use bitcoin::psbt::Input;
use bitcoin::script::Instruction;
use bitcoin::taproot::TapLeafHash;
use bitcoin::{PublicKey, Script, ScriptBuf};
use policies::codec::{CodecError, Decoder, Encoder};
use std::collections::BTreeSet;

/// How much of a leaf's hash tells it from the others of its output, in bytes.
const PREFIX_LEN: usize = 4;

/// Longest public key, in bytes: compressed.
const MAX_KEY_LEN: usize = 33;

/// Length of a public key in a script before taproot.
const ECDSA_LEN: usize = 33;

/// Length of a public key in a leaf (BIP342).
const LEAF_LEN: usize = 32;

/// Which key signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The one of the output itself: a taproot output's own, or the one that a script hashes.
    Output,
    /// The n-th in the witness script or, without one, the redeem script, from zero.
    Script(u8),
    /// The n-th in the leaf whose hash begins so.
    Leaf([u8; PREFIX_LEN], u8),
    /// Whole, where the script does not hold it.
    Whole(Vec<u8>, Option<TapLeafHash>),
}

/// A key, and the leaf that it signs for.
pub(super) type Named = (Vec<u8>, Option<TapLeafHash>);

/// An input that spends an output with a script, and its leaves, which many signatures may ask for.
pub(super) struct Place<'a> {
    input: &'a Input,
    pub(super) script: &'a Script,
    leaves: BTreeSet<(TapLeafHash, &'a ScriptBuf)>,
}

impl<'a> Place<'a> {
    /// Hashes each leaf once.
    pub(super) fn new(input: &'a Input, script: &'a Script) -> Self {
        let leaves = input.tap_scripts.values();
        let leaves = leaves.map(|(script, version)| (TapLeafHash::from_script(script, *version), script));
        Self { input, script, leaves: leaves.collect() }
    }
}

impl Key {
    /// The shortest name by which this key is found again.
    pub(super) fn of(place: &Place<'_>, (key, leaf): &Named) -> Self {
        let found = |name: &Key| name.find(place).is_some_and(|found| found == (key.clone(), *leaf));
        let places = || 0..=u8::MAX;
        let guess = match leaf {
            None if found(&Key::Output) => Some(Key::Output),
            None => places().map(Key::Script).find(found),
            Some(leaf) => {
                let mut prefix = [0; PREFIX_LEN];
                prefix.iter_mut().zip(leaf.as_byte_array()).for_each(|(to, from)| *to = *from);
                places().map(|place| Key::Leaf(prefix, place)).find(found)
            }
        };
        guess.unwrap_or_else(|| Key::Whole(key.clone(), *leaf))
    }

    /// The key and its leaf there; `None` when it has none by this name.
    pub(super) fn find(&self, of: &Place<'_>) -> Option<Named> {
        let Place { input, script, leaves } = of;
        match self {
            Key::Output if script.is_p2tr() => Some((script.as_bytes().get(2..)?.to_vec(), None)),
            Key::Output => {
                let keys = input.bip32_derivation.keys().map(|key| PublicKey::new(*key));
                let inner = input.redeem_script.as_deref().filter(|_| script.is_p2sh()).unwrap_or(script);
                let is_hashed = |key: &PublicKey| {
                    *inner == *ScriptBuf::new_p2pkh(&key.pubkey_hash())
                        || key.wpubkey_hash().is_ok_and(|hash| *inner == *ScriptBuf::new_p2wpkh(&hash))
                };
                keys.into_iter().find(is_hashed).map(|key| (key.to_bytes(), None))
            }
            Key::Script(place) => {
                let script = input.witness_script.as_deref().or(input.redeem_script.as_deref())?;
                Some((push(script, ECDSA_LEN, *place)?, None))
            }
            Key::Leaf(prefix, place) => {
                let mut meant = leaves.iter().filter(|(hash, _)| hash.as_byte_array().starts_with(prefix));
                let (Some((hash, script)), None) = (meant.next(), meant.next()) else { return None };
                Some((push(script, LEAF_LEN, *place)?, Some(*hash)))
            }
            Key::Whole(key, leaf) => Some((key.clone(), *leaf)),
        }
    }

    /// Its number among the kinds.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Key::Output => 0,
            Key::Script(_) => 1,
            Key::Leaf(..) => 2,
            Key::Whole(..) => 3,
        }
    }

    pub(super) fn encode(&self, to: &mut Encoder) {
        match self {
            Key::Output => {}
            Key::Script(place) => to.u8(*place),
            Key::Leaf(prefix, place) => {
                to.fixed(prefix);
                to.u8(*place);
            }
            Key::Whole(key, leaf) => {
                to.string(key);
                to.option(leaf.as_ref(), |to, leaf| to.fixed(leaf.as_byte_array()));
            }
        }
    }

    pub(super) fn decode(kind: u8, from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match kind {
            0 => Ok(Key::Output),
            1 => Ok(Key::Script(from.u8("place of the key")?)),
            2 => Ok(Key::Leaf(from.fixed("leaf")?, from.u8("place of the key")?)),
            3 => Ok(Key::Whole(
                from.string("key", MAX_KEY_LEN)?.to_vec(),
                from.option("leaf", |from| from.fixed("leaf").map(TapLeafHash::from_byte_array))?,
            )),
            other => Err(CodecError::invalid("key", format!("there is no kind {other}"))),
        }
    }
}

/// The n-th push of this length in a script.
fn push(script: &Script, length: usize, place: u8) -> Option<Vec<u8>> {
    let pushes = script.instructions().filter_map(|instruction| match instruction {
        Ok(Instruction::PushBytes(bytes)) if bytes.len() == length => Some(bytes.as_bytes()),
        _ => None,
    });
    pushes.map(<[u8]>::to_vec).nth(usize::from(place))
}
