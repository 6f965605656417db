//! What is behind an input's script: from the file, whose scripts hash to it, or from the wallet that derives it.

use bitcoin::psbt::Input;
use bitcoin::taproot::{ControlBlock, LeafVersion, TapLeafHash};
use bitcoin::{Script, XOnlyPublicKey};
use policies::wallet::{Derived, Leaf, Lock, secp};
use std::collections::BTreeMap;

/// Most control blocks that are tried for one leaf (check C27): an honest tree has a leaf once.
const MAX_PROOFS: usize = 4;

/// The scripts that an input's signatures commit to.
#[derive(Debug, Clone)]
pub(crate) struct Inside<'a> {
    /// The script that a P2SH output hashes (BIP16).
    pub redeem_script: Option<&'a Script>,
    /// The script that a P2WSH output hashes (BIP141).
    pub witness_script: Option<&'a Script>,
    /// The key before taproot's tweak (BIP341).
    pub internal_key: Option<XOnlyPublicKey>,
    leaves: Leaves<'a>,
}

#[derive(Debug, Clone)]
enum Leaves<'a> {
    /// Nobody vouches for them but their control blocks. Each is hashed once.
    Told(BTreeMap<TapLeafHash, Vec<(&'a ControlBlock, &'a Script)>>),
    /// The wallet derived them.
    Own(&'a [Leaf]),
}

impl<'a> Inside<'a> {
    /// As the file tells.
    pub(crate) fn told(input: &'a Input) -> Self {
        let mut leaves: BTreeMap<TapLeafHash, Vec<_>> = BTreeMap::new();
        for (proof, (script, version)) in &input.tap_scripts {
            if *version == LeafVersion::TapScript {
                let hash = TapLeafHash::from_script(script, *version);
                leaves.entry(hash).or_default().push((proof, script.as_script()));
            }
        }
        Self {
            redeem_script: input.redeem_script.as_deref(),
            witness_script: input.witness_script.as_deref(),
            internal_key: input.tap_internal_key,
            leaves: Leaves::Told(leaves),
        }
    }

    /// As the wallet derives.
    pub(crate) fn own(derived: &'a Derived) -> Self {
        let nothing =
            Self { redeem_script: None, witness_script: None, internal_key: None, leaves: Leaves::Own(&[]) };
        match &derived.lock {
            Lock::Key { redeem_script } => Self { redeem_script: redeem_script.as_deref(), ..nothing },
            Lock::Redeem { redeem_script } => Self { redeem_script: Some(redeem_script), ..nothing },
            Lock::Witness { witness_script, redeem_script } => Self {
                redeem_script: redeem_script.as_deref(),
                witness_script: Some(witness_script),
                ..nothing
            },
            Lock::Taproot(taproot) => Self {
                internal_key: Some(taproot.internal_key),
                leaves: Leaves::Own(&taproot.leaves),
                ..nothing
            },
        }
    }

    /// The script that a signature refers to: the redeem script of a P2SH output, else the output's own.
    pub(crate) fn inner(&self, script: &'a Script) -> &'a Script {
        match self.redeem_script {
            Some(redeem) if script.is_p2sh() => redeem,
            _ => script,
        }
    }

    /// The leaf of this hash, when the output commits to it.
    pub(crate) fn leaf(&self, output_key: XOnlyPublicKey, hash: &TapLeafHash) -> Option<&'a Script> {
        match &self.leaves {
            Leaves::Own(leaves) => leaves.iter().find(|leaf| leaf.hash == *hash).map(|leaf| &*leaf.script),
            Leaves::Told(leaves) => leaves
                .get(hash)?
                .iter()
                .take(MAX_PROOFS)
                .find(|(proof, script)| proof.verify_taproot_commitment(secp(), output_key, script))
                .map(|(_, script)| *script),
        }
    }
}
