//! Which scripts are watched, and where each comes from.
//!
//! A script is derived once and looked up by its bytes. The window of each branch reaches [`GAP_LIMIT`] scripts
//! past the last one handed out or used on the chain, so that addresses shown by the signer alone are seen too.

use std::collections::HashMap;
use std::str::FromStr;

use bitcoin::{Script, ScriptBuf};
use miniscript::descriptor::{Descriptor, DescriptorPublicKey};

use crate::error::{Error, Result};
use crate::store::{Branch, Place, Store, WatchedWallet};

/// Scripts watched past the last one known to be in use.
pub const GAP_LIMIT: u32 = 1_000;

/// The watched scripts of all wallets. Held in memory and rebuilt from the store: no row per unused address.
pub struct ScriptIndex {
    places: HashMap<ScriptBuf, Place>,
    windows: HashMap<(i64, Branch), Window>,
    gap_limit: u32,
}

struct Window {
    descriptor: Descriptor<DescriptorPublicKey>,
    /// Scripts below this index are watched.
    end: u32,
}

impl ScriptIndex {
    /// Derives the windows that the store's wallets need now.
    pub fn load(store: &Store, gap_limit: u32) -> Result<Self> {
        let mut index = Self { places: HashMap::new(), windows: HashMap::new(), gap_limit };
        for wallet in store.wallets()? {
            for branch in Branch::BOTH {
                let descriptor = parse(wallet.descriptor(branch))?;
                index.windows.insert((wallet.id, branch), Window { descriptor, end: 0 });
                let used = store.last_used(wallet.id, branch)?.map_or(0, |last| last.saturating_add(1));
                let wanted = wallet.issued(branch).max(used).saturating_add(gap_limit);
                index.extend(wallet.id, branch, wanted)?;
            }
        }
        Ok(index)
    }

    /// Where a script of ours comes from.
    pub fn find(&self, script: &Script) -> Option<Place> {
        self.places.get(script).copied()
    }

    /// Notes that a place was used on the chain; returns whether more scripts are watched now.
    pub fn note_use(&mut self, place: Place) -> Result<bool> {
        let wanted = place.index.saturating_add(1).saturating_add(self.gap_limit);
        self.extend(place.wallet, place.branch, wanted)
    }

    /// Number of watched scripts.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn extend(&mut self, wallet: i64, branch: Branch, wanted: u32) -> Result<bool> {
        let Some(window) = self.windows.get_mut(&(wallet, branch)) else { return Ok(false) };
        // BIP32: indices from 2^31 are hardened.
        let wanted = wanted.min(1 << 31);
        let grows = window.end < wanted;
        while window.end < wanted {
            let script = derive(&window.descriptor, window.end)?;
            self.places.insert(script, Place { wallet, branch, index: window.end });
            window.end += 1;
        }
        Ok(grows)
    }
}

/// The script of one place in a wallet.
pub fn script_at(wallet: &WatchedWallet, branch: Branch, index: u32) -> Result<ScriptBuf> {
    derive(&parse(wallet.descriptor(branch))?, index)
}

fn parse(descriptor: &str) -> Result<Descriptor<DescriptorPublicKey>> {
    let parsed = Descriptor::from_str(descriptor)
        .map_err(|error| Error::Descriptor(format!("{descriptor}: {error}")))?;
    if parsed.is_multipath() || !parsed.has_wildcard() {
        return Err(Error::Descriptor(format!(
            "{descriptor}: a single-path descriptor ending in /* is needed"
        )));
    }
    Ok(parsed)
}

fn derive(descriptor: &Descriptor<DescriptorPublicKey>, index: u32) -> Result<ScriptBuf> {
    let definite =
        descriptor.at_derivation_index(index).map_err(|error| Error::Descriptor(error.to_string()))?;
    Ok(definite.script_pubkey())
}
