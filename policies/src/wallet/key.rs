//! The keys of a wallet: who may sign, told apart by extended public key.

use super::{Branch, WalletError};
use bitcoin::bip32::{ChildNumber, DerivationPath, Fingerprint, Xpub};
use bitcoin::{Network, NetworkKind};
use miniscript::descriptor::{DescriptorXKey, SinglePubKey, Wildcard};
use miniscript::{Descriptor, DescriptorPublicKey, ForEachKey};
use std::fmt;

/// A point whose discrete logarithm nobody knows (BIP341, "Constructing and spending Taproot outputs": H), x coordinate.
const UNSPENDABLE: [u8; 32] = [
    0x50, 0x92, 0x9b, 0x74, 0xc1, 0xa0, 0x49, 0x54, 0xb7, 0x8b, 0x4b, 0x60, 0x35, 0xe9, 0x7a, 0x5e, 0x07,
    0x8a, 0x5a, 0x0f, 0x28, 0xec, 0x96, 0xd5, 0x47, 0xbf, 0xee, 0x9a, 0xce, 0x80, 0x3a, 0xc0,
];

/// One extended public key of a wallet, with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletKey {
    /// Fingerprint of the master key; of the key itself where the descriptor names no origin (BIP174).
    pub fingerprint: Fingerprint,
    /// Path from the master key to this one; empty where the descriptor names no origin.
    pub origin: DerivationPath,
    /// The key.
    pub xpub: Xpub,
}

impl WalletKey {
    /// Whether nobody can sign by it: its point is H of BIP341, so a taproot output has no key path.
    pub fn is_unspendable(&self) -> bool {
        is_h(&self.xpub)
    }
}

/// `[73c5da0a/48'/1'/0'/2']tpub…`, as in a descriptor.
impl fmt::Display for WalletKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.origin.as_ref().is_empty() || self.fingerprint != self.xpub.fingerprint() {
            write!(f, "[{}", self.fingerprint)?;
            for step in &self.origin {
                write!(f, "/{step}")?;
            }
            f.write_str("]")?;
        }
        write!(f, "{}", self.xpub)
    }
}

/// A place in the descriptor where a key stands: which key, and its unhardened steps on either branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// Index of the key among [`super::Wallet::keys`]; `None` for BIP341's H written as a point.
    pub key: Option<usize>,
    /// Steps from the key to the external branch, without the index.
    pub external: Vec<ChildNumber>,
    /// Steps from the key to the internal branch, without the index.
    pub internal: Vec<ChildNumber>,
}

impl KeyPlace {
    /// Steps from the key to a branch, without the index.
    pub fn steps(&self, branch: Branch) -> &[ChildNumber] {
        match branch {
            Branch::External => &self.external,
            Branch::Internal => &self.internal,
        }
    }
}

/// Every place of a descriptor pair, in the descriptor's order, and the distinct keys in the order of their first place.
pub(super) fn places(
    network: Network,
    external: &Descriptor<DescriptorPublicKey>,
    internal: &Descriptor<DescriptorPublicKey>,
    single: bool,
) -> Result<(Vec<KeyPlace>, Vec<WalletKey>), WalletError> {
    let (outside, inside) = (all_keys(external), all_keys(internal));
    if outside.len() != inside.len() {
        return Err(WalletError::NotAPair);
    }
    let mut keys: Vec<WalletKey> = Vec::new();
    let mut places = Vec::new();
    for (outside, inside) in outside.iter().zip(&inside) {
        let (DescriptorPublicKey::XPub(out_key), DescriptorPublicKey::XPub(in_key)) = (outside, inside)
        else {
            if outside == inside && is_point_h(outside) {
                places.push(KeyPlace { key: None, external: Vec::new(), internal: Vec::new() });
                continue;
            }
            return Err(path_error(Branch::External, outside));
        };
        let (out_steps, in_steps) =
            (steps(out_key, outside, Branch::External)?, steps(in_key, inside, Branch::Internal)?);
        require_pair(&out_steps, &in_steps, single, outside, inside)?;
        if (&out_key.origin, out_key.xkey) != (&in_key.origin, in_key.xkey) {
            return Err(WalletError::NotAPair);
        }
        require_network(network, &out_key.xkey)?;
        let (fingerprint, origin) =
            out_key.origin.clone().unwrap_or_else(|| (out_key.xkey.fingerprint(), DerivationPath::master()));
        let key = WalletKey { fingerprint, origin, xpub: out_key.xkey };
        let at = match keys.iter().position(|known| same_point(&known.xpub, &key.xpub)) {
            Some(at) if keys.get(at) == Some(&key) => at,
            Some(_) => return Err(WalletError::RepeatedKey(key.to_string())),
            None => {
                keys.push(key);
                keys.len().saturating_sub(1)
            }
        };
        places.push(KeyPlace { key: Some(at), external: out_steps, internal: in_steps });
    }
    distinct(&places)?;
    Ok((places, keys))
}

/// Whether two extended keys derive the same children.
pub(super) fn same_point(a: &Xpub, b: &Xpub) -> bool {
    a.public_key == b.public_key
}

fn all_keys(descriptor: &Descriptor<DescriptorPublicKey>) -> Vec<DescriptorPublicKey> {
    let mut keys = Vec::new();
    descriptor.for_each_key(|key| {
        keys.push(key.clone());
        true
    });
    keys
}

/// Whether a key expression is H of BIP341, or an extended key over it.
pub(super) fn is_unspendable(key: &DescriptorPublicKey) -> bool {
    match key {
        DescriptorPublicKey::XPub(xpub) => is_h(&xpub.xkey),
        DescriptorPublicKey::Single(_) => is_point_h(key),
        DescriptorPublicKey::MultiXPub(_) => false,
    }
}

fn is_h(xpub: &Xpub) -> bool {
    xpub.public_key.x_only_public_key().0.serialize() == UNSPENDABLE
}

fn is_point_h(key: &DescriptorPublicKey) -> bool {
    match key {
        DescriptorPublicKey::Single(single) => match single.key {
            SinglePubKey::XOnly(point) => point.serialize() == UNSPENDABLE,
            SinglePubKey::FullKey(_) => false,
        },
        DescriptorPublicKey::XPub(_) | DescriptorPublicKey::MultiXPub(_) => false,
    }
}

/// The unhardened steps before the wildcard.
fn steps(
    key: &DescriptorXKey<Xpub>,
    text: &DescriptorPublicKey,
    branch: Branch,
) -> Result<Vec<ChildNumber>, WalletError> {
    let path: &[ChildNumber] = key.derivation_path.as_ref();
    let ends_well = key.wildcard == Wildcard::Unhardened && path.iter().all(|step| step.is_normal());
    if !ends_well || path.is_empty() {
        return Err(path_error(branch, text));
    }
    Ok(path.to_vec())
}

/// The two branches of a place differ in their last step only, the external one first. A wallet of one key has 0 and 1,
/// so that two descriptors of one account are never two wallets.
fn require_pair(
    external: &[ChildNumber],
    internal: &[ChildNumber],
    single: bool,
    outside: &DescriptorPublicKey,
    inside: &DescriptorPublicKey,
) -> Result<(), WalletError> {
    let (Some((out_last, out_before)), Some((in_last, in_before))) =
        (external.split_last(), internal.split_last())
    else {
        return Err(WalletError::NotAPair);
    };
    if out_before != in_before {
        return Err(WalletError::NotAPair);
    }
    if single && *out_last != Branch::External.number().into() {
        return Err(path_error(Branch::External, outside));
    }
    if single && *in_last != Branch::Internal.number().into() || out_last >= in_last {
        return Err(path_error(Branch::Internal, inside));
    }
    Ok(())
}

/// No two places derive the same public key: neither on one branch nor across the two.
fn distinct(places: &[KeyPlace]) -> Result<(), WalletError> {
    let mut seen = std::collections::BTreeSet::new();
    for place in places {
        for branch in Branch::ALL {
            let steps: Vec<u32> = place.steps(branch).iter().map(|step| u32::from(*step)).collect();
            if place.key.is_some() && !seen.insert((place.key, steps)) {
                return Err(WalletError::RepeatedKey(
                    "two places derive the same addresses' keys".to_owned(),
                ));
            }
        }
    }
    Ok(())
}

fn require_network(network: Network, xpub: &Xpub) -> Result<(), WalletError> {
    if xpub.network == NetworkKind::from(network) {
        return Ok(());
    }
    let found = if xpub.network.is_mainnet() { "mainnet" } else { "test networks" };
    Err(WalletError::Network { expected: network, found })
}

fn path_error(branch: Branch, found: &DescriptorPublicKey) -> WalletError {
    let (expected, expected_path) = match branch {
        Branch::External => ("external", "0/*"),
        Branch::Internal => ("internal", "1/*"),
    };
    WalletError::Path { expected, expected_path, found: found.to_string() }
}
