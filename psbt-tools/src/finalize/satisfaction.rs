//! What satisfies an input's script, from the signatures and preimages in the PSBT, as miniscript finds it: never
//! malleable, and of several ways the smallest.

use crate::checks::inside::Inside;
use crate::checks::signatures::output_key;
use bitcoin::hashes::{Hash, hash160};
use bitcoin::psbt::Input;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::taproot::{LeafVersion, TapLeafHash};
use bitcoin::{Psbt, PublicKey, Script, ScriptBuf, Witness, XOnlyPublicKey};
use miniscript::psbt::PsbtInputSatisfier;
use miniscript::{ExtParams, Legacy, Miniscript, ScriptContext, Segwitv0, Tap, Terminal};
use policies::wallet::secp;
use std::collections::{BTreeMap, BTreeSet};

/// An input's way to be final.
pub(super) enum Way {
    /// This satisfies it.
    Found(ScriptBuf, Witness),
    /// Signatures are missing; the keys that could still sign, where a script has several.
    Missing(BTreeSet<Key>),
    /// Everybody has signed, and locks or preimages still stand against it.
    Closed,
    /// Its script is none that is finalised here, for this reason.
    Unknown(&'static str),
}

/// A key of a script, before taproot or in a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Full(PublicKey),
    Point(XOnlyPublicKey),
}

/// The way of an input that spends this script.
pub(super) fn way(psbt: &Psbt, at: usize, input: &Input, script: &Script) -> Way {
    let inside = Inside::told(input);
    let inner = inside.inner(script);
    if inner.is_p2tr() {
        return taproot(psbt, at, input, script);
    }
    if inner.is_p2wpkh() || inner.is_p2pkh() {
        return one_key(input, script, inner);
    }
    if inner.is_p2wsh() {
        let Some(witness_script) = inside.witness_script else {
            return Way::Unknown("its witness script is not in the file");
        };
        return match satisfied::<Segwitv0>(psbt, at, witness_script, &full_keys(input), |key| {
            signed(input, key)
        }) {
            Ok(mut stack) => {
                stack.push(witness_script.to_bytes());
                Way::Found(nested(script, inner), Witness::from_slice(&stack))
            }
            Err(way) => way,
        };
    }
    if inner.is_witness_program() {
        return Way::Unknown("it is of a witness version that is not known here");
    }
    if script.is_p2sh() && inside.redeem_script.is_none() {
        return Way::Unknown("its redeem script is not in the file");
    }
    match satisfied::<Legacy>(psbt, at, inner, &full_keys(input), |key| signed(input, key)) {
        Ok(mut stack) => {
            if script.is_p2sh() {
                stack.push(inner.to_bytes());
            }
            pushed(&stack).map_or(Way::Unknown("its script is too long"), |script_sig| {
                Way::Found(script_sig, Witness::new())
            })
        }
        Err(way) => way,
    }
}

/// Whether the file tells every script that an input's script hashes.
pub(super) fn scripts_are_told(input: &Input, script: &Script) -> bool {
    let inside = Inside::told(input);
    let redeem = !script.is_p2sh() || inside.redeem_script.is_some();
    redeem && (!inside.inner(script).is_p2wsh() || inside.witness_script.is_some())
}

/// The hash of one key, which the signature's own field names.
fn one_key(input: &Input, script: &Script, inner: &Script) -> Way {
    let Some((key, signature)) = input.partial_sigs.first_key_value() else {
        return Way::Missing(BTreeSet::new());
    };
    if inner.is_p2wpkh() {
        return Way::Found(nested(script, inner), Witness::p2wpkh(signature, &key.inner));
    }
    let mut stack = vec![signature.to_vec(), key.to_bytes()];
    if script.is_p2sh() {
        stack.push(inner.to_bytes());
    }
    pushed(&stack)
        .map_or(Way::Unknown("its script is too long"), |script_sig| Way::Found(script_sig, Witness::new()))
}

/// Key path before script path; of the leaves the one with the smallest witness (BIP341).
fn taproot(psbt: &Psbt, at: usize, input: &Input, script: &Script) -> Way {
    if let Some(signature) = &input.tap_key_sig {
        return Way::Found(ScriptBuf::new(), Witness::p2tr_key_spend(signature));
    }
    let Some(output_key) = output_key(script) else { return Way::Unknown("its output key is no point") };
    let mut missing = BTreeSet::new();
    let points = points(input);
    let mut best: Option<Witness> = None;
    let mut closed = false;
    for (proof, (leaf, version)) in &input.tap_scripts {
        let hash = TapLeafHash::from_script(leaf, *version);
        let committed = proof.verify_taproot_commitment(secp(), output_key, leaf);
        if *version != LeafVersion::TapScript || !committed {
            continue;
        }
        let has_signed = |key: &XOnlyPublicKey| input.tap_script_sigs.contains_key(&(*key, hash));
        match satisfied::<Tap>(psbt, at, leaf, &points, has_signed) {
            Ok(mut stack) => {
                stack.push(leaf.to_bytes());
                stack.push(proof.serialize());
                let witness = Witness::from_slice(&stack);
                if best.as_ref().is_none_or(|best| witness.size() < best.size()) {
                    best = Some(witness);
                }
            }
            Err(Way::Missing(keys)) => missing.extend(keys),
            Err(Way::Closed) => closed = true,
            Err(Way::Found(..) | Way::Unknown(_)) => {}
        }
    }
    match best {
        Some(witness) => Way::Found(ScriptBuf::new(), witness),
        None if closed && missing.is_empty() => Way::Closed,
        None => {
            // Who alone can sign need not be named.
            let leaves = !missing.is_empty();
            missing.extend(input.tap_internal_key.filter(|_| leaves).map(Key::Point));
            Way::Missing(missing)
        }
    }
}

/// The stack that satisfies a script; else who has not signed. Keys that stand in it as a hash are among the known ones.
fn satisfied<C: ScriptContext>(
    psbt: &Psbt,
    at: usize,
    script: &Script,
    known: &BTreeMap<hash160::Hash, C::Key>,
    has_signed: impl Fn(&C::Key) -> bool,
) -> Result<Vec<Vec<u8>>, Way>
where
    C::Key: Named,
{
    let parsed = Miniscript::<C::Key, C>::parse_with_ext(script, &ExtParams::sane().raw_pkh())
        .map_err(|_| Way::Unknown("its script is no miniscript that is safe to finalise"))?;
    parsed.satisfy(PsbtInputSatisfier::new(psbt, at)).map_err(|_| {
        let hashes = || {
            parsed.iter().filter_map(|part| {
                if let Terminal::RawPkH(hash) = &part.node { Some(known.get(hash).cloned()) } else { None }
            })
        };
        let keys = parsed.iter_pk().chain(hashes().flatten());
        let missing: BTreeSet<_> = keys.filter(|key| !has_signed(key)).map(|key| key.named()).collect();
        // A key that the file does not tell cannot be named, and has not signed.
        if missing.is_empty() && hashes().all(|key| key.is_some()) {
            Way::Closed
        } else {
            Way::Missing(missing)
        }
    })
}

/// A miniscript's key as a [`Key`].
trait Named {
    fn named(&self) -> Key;
}

impl Named for PublicKey {
    fn named(&self) -> Key {
        Key::Full(*self)
    }
}

impl Named for XOnlyPublicKey {
    fn named(&self) -> Key {
        Key::Point(*self)
    }
}

/// The keys that the file tells of, by what stands for them in a script.
fn full_keys(input: &Input) -> BTreeMap<hash160::Hash, PublicKey> {
    let told = input.bip32_derivation.keys().map(|key| PublicKey::new(*key));
    told.chain(input.partial_sigs.keys().copied())
        .map(|key| (hash160::Hash::hash(&key.to_bytes()), key))
        .collect()
}

fn points(input: &Input) -> BTreeMap<hash160::Hash, XOnlyPublicKey> {
    let signed = input.tap_script_sigs.keys().map(|(key, _)| key);
    let told = input.tap_key_origins.keys().chain(signed);
    told.map(|key| (hash160::Hash::hash(&key.serialize()), *key)).collect()
}

fn signed(input: &Input, key: &PublicKey) -> bool {
    input.partial_sigs.contains_key(key)
}

/// The scriptSig of a nested output: one push of the witness program (BIP141).
fn nested(script: &Script, inner: &Script) -> ScriptBuf {
    if !script.is_p2sh() {
        return ScriptBuf::new();
    }
    pushed(&[inner.to_bytes()]).unwrap_or_default()
}

/// A scriptSig that pushes these, each in the shortest way (BIP62, "minimal push").
fn pushed(stack: &[Vec<u8>]) -> Option<ScriptBuf> {
    let mut builder = Builder::new();
    for item in stack {
        builder = match item.as_slice() {
            [] => builder.push_int(0),
            [small @ 1..=16] => builder.push_int(i64::from(*small)),
            bytes => builder.push_slice(PushBytesBuf::try_from(bytes.to_vec()).ok()?),
        };
    }
    Some(builder.into_script())
}

/// A key as a person finds it: the fingerprint of its master key where the file tells it, else the key itself.
pub(super) fn name(key: Key, input: &Input) -> String {
    let fingerprint = match key {
        Key::Full(full) => input.bip32_derivation.get(&full.inner).map(|(fingerprint, _)| *fingerprint),
        Key::Point(point) => input.tap_key_origins.get(&point).map(|(_, (fingerprint, _))| *fingerprint),
    };
    match (fingerprint, key) {
        (Some(fingerprint), _) => fingerprint.to_string(),
        (None, Key::Full(full)) => full.to_string(),
        (None, Key::Point(point)) => point.to_string(),
    }
}
