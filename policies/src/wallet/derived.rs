//! What a wallet is at one keypath: script, keys and what spending it needs.

use super::{WalletError, key::KeyPlace, secp};
use bitcoin::taproot::{ControlBlock, LeafVersion, TapLeafHash, TapNodeHash};
use bitcoin::{PublicKey, ScriptBuf, XOnlyPublicKey};
use miniscript::descriptor::ShInner;
use miniscript::{DefiniteDescriptorKey, Descriptor, ForEachKey};

/// A wallet's output at one keypath.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The output's script.
    pub script: ScriptBuf,
    /// The public key at each of the wallet's [`super::Wallet::places`], in their order.
    pub keys: Vec<PublicKey>,
    /// What is behind the script.
    pub lock: Lock,
}

/// What spends an output, and what its signatures commit to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lock {
    /// The hash of one key: `pkh`, `wpkh`, `sh(wpkh)`.
    Key {
        /// The redeem script of a nested output: the witness program (BIP141).
        redeem_script: Option<ScriptBuf>,
    },
    /// A script in the scriptSig: `sh(multi)`.
    Redeem {
        /// The redeem script (BIP16).
        redeem_script: ScriptBuf,
    },
    /// A script in the witness: `wsh`, `sh(wsh)`.
    Witness {
        /// The witness script (BIP141).
        witness_script: ScriptBuf,
        /// The redeem script of a nested output: the witness program.
        redeem_script: Option<ScriptBuf>,
    },
    /// Taproot (BIP341).
    Taproot(Taproot),
}

/// A taproot output's inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taproot {
    /// The key before the tweak.
    pub internal_key: XOnlyPublicKey,
    /// The root of the script tree; `None` for key path only.
    pub merkle_root: Option<TapNodeHash>,
    /// The leaves in the descriptor's order.
    pub leaves: Vec<Leaf>,
}

/// One leaf of a script tree, of leaf version 0xc0 (BIP342).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its depth in the tree.
    pub depth: u8,
    /// Its script.
    pub script: ScriptBuf,
    /// What signatures for it commit to.
    pub hash: TapLeafHash,
    /// Its proof.
    pub control_block: ControlBlock,
    /// Which of the wallet's places stand in it.
    pub places: std::ops::Range<usize>,
}

impl Derived {
    /// Derives everything from a descriptor whose keys stand at their places.
    pub(super) fn of(
        descriptor: &Descriptor<DefiniteDescriptorKey>,
        places: &[KeyPlace],
    ) -> Result<Self, WalletError> {
        let failed = |error: &dyn std::fmt::Display| WalletError::Descriptor(error.to_string());
        let derived = descriptor.derived_descriptor(secp()).map_err(|error| failed(&error))?;
        let mut keys = Vec::with_capacity(places.len());
        derived.for_each_key(|key| {
            keys.push(*key);
            true
        });
        if keys.len() != places.len() {
            return Err(WalletError::Descriptor("its keys have no places".to_owned()));
        }
        let explicit = || derived.explicit_script().map_err(|error| failed(&error));
        let lock = match &derived {
            Descriptor::Pkh(_) | Descriptor::Wpkh(_) => Lock::Key { redeem_script: None },
            Descriptor::Sh(sh) => match sh.as_inner() {
                ShInner::Wpkh(wpkh) => Lock::Key { redeem_script: Some(wpkh.script_pubkey()) },
                ShInner::Wsh(wsh) => Lock::Witness {
                    witness_script: wsh.inner_script(),
                    redeem_script: Some(wsh.script_pubkey()),
                },
                ShInner::SortedMulti(_) | ShInner::Ms(_) => Lock::Redeem { redeem_script: explicit()? },
            },
            Descriptor::Wsh(wsh) => Lock::Witness { witness_script: wsh.inner_script(), redeem_script: None },
            Descriptor::Tr(tr) => Lock::Taproot(taproot(tr)?),
            Descriptor::Bare(_) => return Err(WalletError::Unsupported("Bare".to_owned())),
        };
        Ok(Self { script: derived.script_pubkey(), keys, lock })
    }
}

fn taproot(tr: &miniscript::descriptor::Tr<PublicKey>) -> Result<Taproot, WalletError> {
    let info = tr.spend_info();
    let mut leaves = Vec::new();
    // The leaves' keys have the first places, in their order; the internal key has the last.
    let mut place = 0usize;
    for (depth, leaf) in tr.iter_scripts() {
        let script = leaf.encode();
        let control_block = info
            .control_block(&(script.clone(), LeafVersion::TapScript))
            .ok_or_else(|| WalletError::Descriptor("a leaf has no control block".to_owned()))?;
        let mut count = 0usize;
        leaf.for_each_key(|_| {
            count = count.saturating_add(1);
            true
        });
        let end = place.saturating_add(count);
        leaves.push(Leaf {
            depth,
            hash: TapLeafHash::from_script(&script, LeafVersion::TapScript),
            script,
            control_block,
            places: place..end,
        });
        place = end;
    }
    Ok(Taproot {
        internal_key: tr.internal_key().inner.x_only_public_key().0,
        merkle_root: info.merkle_root(),
        leaves,
    })
}
