//! Who of a wallet's keys has signed an attempt, and who is missing.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{Psbt, XOnlyPublicKey};
use policies::examine::key_name;
use policies::signature::InputSignature;
use policies::spend::Spend;
use policies::wallet::{Derived, Lock, Wallet};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::path::locks_at;
use crate::portrait::path_texts;

/// A wallet's key and the inputs that it has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Its index among [`Wallet::keys`].
    pub key: usize,
    /// `key 1 (73c5da0a)`.
    pub name: String,
    /// How many inputs it has signed.
    pub inputs: usize,
}

/// A path that is open to the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPath {
    /// As `wallet list` numbers it.
    pub number: usize,
    /// In words.
    pub text: String,
    /// Whether the signatures are enough for it, preimages aside.
    pub is_met: bool,
    /// Keys that count by it and have not signed every input, as indices among [`Wallet::keys`].
    pub missing: Vec<usize>,
    /// How many of those are still needed, where the path is a plain threshold.
    pub needed: Option<usize>,
}

/// Who has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigning {
    inputs: usize,
    /// Whether the signatures are enough for every input, preimages aside; one may take another path than the next.
    pub is_met: bool,
    /// Every key that has signed or could, in the wallet's order.
    cosigners: Vec<Cosigner>,
    /// Paths that are open to some input.
    pub paths: Vec<OpenPath>,
}

impl Cosigning {
    /// Sorts signatures by the wallet's keys. Those by other keys count for nothing.
    ///
    /// Errors: [`Error::CorruptStore`] when the spend's keypaths are not the wallet's.
    pub fn new(wallet: &Wallet, spend: &Spend, signatures: &[InputSignature]) -> Result<Self> {
        let mut places = vec![BTreeSet::new(); spend.inputs().len()];
        for (at, given) in by_input(signatures) {
            let (Some(input), Some(places)) = (spend.inputs().get(at), places.get_mut(at)) else { continue };
            let derived = wallet.derived(input.keypath).ok_or(Error::CorruptStore("keypath"))?;
            places.extend(given.into_iter().filter_map(|signature| place_of(&derived, signature)));
        }
        let key_at = |place: usize| wallet.places().get(place).and_then(|place| place.key);
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for places in &places {
            let keys: BTreeSet<usize> = places.iter().filter_map(|place| key_at(*place)).collect();
            for key in keys {
                *counts.entry(key).or_default() += 1;
            }
        }
        let locks: Vec<_> = spend.inputs().iter().map(|input| locks_at(spend, input)).collect();
        let inputs = places.len();
        let is_whole = |key: &usize| counts.get(key).copied().unwrap_or_default() == inputs;
        let mut paths = Vec::new();
        for ((number, path), text) in (1..).zip(wallet.paths()).zip(path_texts(wallet)) {
            if !locks.iter().any(|locks| path.is_open(locks)) {
                continue;
            }
            let counted: BTreeSet<usize> = locks.iter().flat_map(|locks| path.signers(locks)).collect();
            let keys: BTreeSet<usize> = counted.into_iter().filter_map(key_at).collect();
            let (signed, missing): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_whole);
            paths.push(OpenPath {
                number,
                text,
                is_met: places.iter().zip(&locks).all(|(places, locks)| path.is_met_by(places, locks)),
                missing,
                needed: path.threshold().map(|(needed, _)| needed.saturating_sub(signed.len())),
            });
        }
        let is_met = places
            .iter()
            .zip(&locks)
            .all(|(places, locks)| wallet.paths().iter().any(|path| path.is_met_by(places, locks)));
        let counted = locks.iter().flat_map(|locks| wallet.signers(locks)).chain(counts.keys().copied());
        let all: BTreeSet<usize> = counted.collect();
        let name = |key: usize| {
            let place = wallet.places().iter().position(|place| place.key == Some(key));
            place.map_or_else(|| format!("key {}", key.saturating_add(1)), |place| key_name(wallet, place))
        };
        let cosigners = all.into_iter().map(|key| Cosigner {
            key,
            name: name(key),
            inputs: counts.get(&key).copied().unwrap_or_default(),
        });
        Ok(Self { inputs, is_met, cosigners: cosigners.collect(), paths })
    }

    /// Who has signed, and per path who is missing.
    pub fn text(&self) -> String {
        let signed: Vec<_> =
            self.cosigners.iter().filter(|key| key.inputs > 0).map(|key| self.told(key)).collect();
        let mut text = match signed.is_empty() {
            true => "signed   nobody yet".to_owned(),
            false => format!("signed   {}", signed.join(", ")),
        };
        for path in self.paths.iter().filter(|path| !path.is_met) {
            let missing: Vec<_> = path.missing.iter().map(|key| self.name(*key)).collect();
            let needed = match path.needed {
                Some(needed) if needed < missing.len() => format!("{needed} of {}", missing.join(", ")),
                _ => missing.join(", "),
            };
            text.push_str(&format!("\nmissing  {needed}, for path {}: {}", path.number, path.text));
        }
        text
    }

    /// `{"signed": [{"key", "name", "inputs"}], "missing": […], "paths": [{"path", "met", "missing", "needed"}]}`.
    pub fn json(&self) -> Value {
        let number = |key: usize| key.saturating_add(1);
        let key = |cosigner: &Cosigner| json!({"key": number(cosigner.key), "name": cosigner.name, "inputs": cosigner.inputs});
        let is_whole = |cosigner: &&Cosigner| cosigner.inputs == self.inputs;
        let path = |path: &OpenPath| {
            json!({
                "path": path.number,
                "text": path.text,
                "met": path.is_met,
                "missing": path.missing.iter().map(|key| number(*key)).collect::<Vec<_>>(),
                "needed": path.needed,
            })
        };
        json!({
            "signed": self.cosigners.iter().filter(|key| key.inputs > 0).map(key).collect::<Vec<_>>(),
            "missing": self.cosigners.iter().filter(|key| !is_whole(key)).map(key).collect::<Vec<_>>(),
            "paths": self.paths.iter().map(path).collect::<Vec<_>>(),
        })
    }

    fn name(&self, key: usize) -> &str {
        let found = self.cosigners.iter().find(|cosigner| cosigner.key == key);
        found.map_or("a key that nobody has", |cosigner| &cosigner.name)
    }

    fn told(&self, cosigner: &Cosigner) -> String {
        match cosigner.inputs {
            inputs if inputs == self.inputs => cosigner.name.clone(),
            inputs => format!("{} for {inputs} of {} inputs", cosigner.name, self.inputs),
        }
    }
}

/// The signatures in a PSBT by keys of the wallet for inputs of the spend; whether they hold is not asked here.
///
/// Errors: [`Error::CorruptStore`] when the spend's keypaths are not the wallet's.
pub fn signatures_in(psbt: &Psbt, wallet: &Wallet, spend: &Spend) -> Result<Vec<InputSignature>> {
    let mut found = Vec::new();
    for ((number, input), ours) in (0u32..).zip(&psbt.inputs).zip(spend.inputs()) {
        let derived = wallet.derived(ours.keypath).ok_or(Error::CorruptStore("keypath"))?;
        let mut push = |public_key: Vec<u8>, leaf, signature: Vec<u8>| {
            let signature = InputSignature { input: number, public_key, leaf, signature };
            if place_of(&derived, &signature).is_some() {
                found.push(signature);
            }
        };
        for (key, signature) in &input.partial_sigs {
            push(key.to_bytes(), None, signature.to_vec());
        }
        if let (Some(signature), Lock::Taproot(taproot)) = (&input.tap_key_sig, &derived.lock) {
            push(taproot.internal_key.serialize().to_vec(), None, signature.to_vec());
        }
        for ((key, leaf), signature) in &input.tap_script_sigs {
            push(key.serialize().to_vec(), Some(*leaf), signature.to_vec());
        }
    }
    Ok(found)
}

fn by_input(signatures: &[InputSignature]) -> BTreeMap<usize, Vec<&InputSignature>> {
    let mut sorted: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for signature in signatures {
        sorted.entry(usize::try_from(signature.input).unwrap_or(usize::MAX)).or_default().push(signature);
    }
    sorted
}

/// The wallet's place whose key signed; `None` for a key that is not the wallet's there.
fn place_of(derived: &Derived, signature: &InputSignature) -> Option<usize> {
    let Lock::Taproot(taproot) = &derived.lock else {
        return derived.keys.iter().position(|key| key.to_bytes() == signature.public_key);
    };
    let named = XOnlyPublicKey::from_slice(&signature.public_key).ok()?;
    let is_named =
        |place: &usize| derived.keys.get(*place).is_some_and(|key| key.inner.x_only_public_key().0 == named);
    match signature.leaf {
        None if named == taproot.internal_key => derived.keys.len().checked_sub(1),
        None => None,
        Some(hash) => {
            let leaf = taproot.leaves.iter().find(|leaf| leaf.hash == hash)?;
            leaf.places.clone().find(is_named)
        }
    }
}
