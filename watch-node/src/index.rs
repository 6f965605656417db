//! Which scripts are watched, and where each comes from.
//!
//! A script is derived once and looked up by its bytes. The window of each branch reaches [`GAP_LIMIT`] scripts
//! past the last one handed out or used on the chain, so that addresses shown by the signer alone are seen too.

use std::collections::HashMap;
use std::str::FromStr;

use bitcoin::bip32::DerivationPath;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{Script, ScriptBuf};
use miniscript::descriptor::{Descriptor, DescriptorPublicKey, DescriptorXKey};
use miniscript::{TranslateErr, TranslatePk, Translator, translate_hash_clone};

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
    /// With the keys of its branch, so that one step leads to each script.
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
                let descriptor = at_branch(&parse(wallet.descriptor(branch))?)?;
                index.windows.insert((wallet.id, branch), Window { descriptor, end: 0 });
                index.extend(wallet.id, branch, wanted(store, &wallet, branch, gap_limit)?)?;
            }
        }
        Ok(index)
    }

    /// Makes the windows those that the store's wallets need now, as after [`ScriptIndex::load`], but keeps what was
    /// derived.
    pub fn reload(&mut self, store: &Store) -> Result<()> {
        for wallet in store.wallets()? {
            for branch in Branch::BOTH {
                let end = wanted(store, &wallet, branch, self.gap_limit)?;
                let Some(window) = self.windows.get_mut(&(wallet.id, branch)) else { continue };
                if end < window.end {
                    window.end = end;
                    let is_beyond = |place: &Place| {
                        (place.wallet, place.branch) == (wallet.id, branch) && place.index >= end
                    };
                    self.places.retain(|_, place| !is_beyond(place));
                } else {
                    self.extend(wallet.id, branch, end)?;
                }
            }
        }
        Ok(())
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

/// Where the window of a branch ends.
fn wanted(store: &Store, wallet: &WatchedWallet, branch: Branch, gap_limit: u32) -> Result<u32> {
    let used = store.last_used(wallet.id, branch)?.map_or(0, |last| last.saturating_add(1));
    Ok(wallet.issued(branch).max(used).saturating_add(gap_limit))
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

/// The same descriptor with each extended key taken down its unhardened path once instead of for every script.
fn at_branch(descriptor: &Descriptor<DescriptorPublicKey>) -> Result<Descriptor<DescriptorPublicKey>> {
    descriptor.translate_pk(&mut ToBranch(Secp256k1::verification_only())).map_err(|error| match error {
        TranslateErr::TranslatorErr(error) => Error::Descriptor(error.to_string()),
        TranslateErr::OuterError(error) => Error::Descriptor(error.to_string()),
    })
}

struct ToBranch(Secp256k1<VerifyOnly>);

impl Translator<DescriptorPublicKey, DescriptorPublicKey, bitcoin::bip32::Error> for ToBranch {
    fn pk(&mut self, key: &DescriptorPublicKey) -> Result<DescriptorPublicKey, bitcoin::bip32::Error> {
        Ok(match key {
            DescriptorPublicKey::XPub(extended) => DescriptorPublicKey::XPub(DescriptorXKey {
                // An origin says where keys come from and has no part in scripts.
                origin: None,
                xkey: extended.xkey.derive_pub(&self.0, &extended.derivation_path)?,
                derivation_path: DerivationPath::master(),
                wildcard: extended.wildcard,
            }),
            DescriptorPublicKey::Single(_) | DescriptorPublicKey::MultiXPub(_) => key.clone(),
        })
    }

    translate_hash_clone!(DescriptorPublicKey, DescriptorPublicKey, bitcoin::bip32::Error);
}

fn derive(descriptor: &Descriptor<DescriptorPublicKey>, index: u32) -> Result<ScriptBuf> {
    let definite =
        descriptor.at_derivation_index(index).map_err(|error| Error::Descriptor(error.to_string()))?;
    Ok(definite.script_pubkey())
}

#[cfg(test)]
mod tests {
    use super::*;

    const XPUB: &str = "tpubDC5FSnBiZDMmhiuCmWAYsLwgLYrrT9rAqvTySfuCCrgsWz8wxMXUS9Tb9iVMvcRbvFcAHGkMD5Kx8koh4GquNGNTfohfk7pgjhaPCdXpoba";

    #[test]
    fn every_kind_of_wallet_is_watched_at_the_scripts_that_its_rules_derive() {
        let a = format!("[73c5da0a/48h/1h/0h/2h]{XPUB}/<0;1>/*");
        let b = "[11111111/48h/1h/0h/2h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M/<0;1>/*";
        let nobody = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";
        for text in [
            format!("pkh({a})"),
            format!("sh(wpkh({a}))"),
            format!("wpkh({a})"),
            format!("tr({a})"),
            format!("sh(multi(2,{a},{b}))"),
            format!("sh(wsh(sortedmulti(1,{a},{b})))"),
            format!("wsh(or_d(pk({a}),and_v(v:pkh({b}),older(10))))"),
            format!(
                "tr({nobody},{{multi_a(2,{a},{b}),and_v(v:pk({}),older(9))}})",
                a.replace("<0;1>", "<2;3>")
            ),
        ] {
            let wallet = policies::wallet::Wallet::new(bitcoin::Network::Regtest, &[&text]).unwrap();
            for (branch, rules) in Branch::BOTH.into_iter().zip(policies::wallet::Branch::ALL) {
                let watched = at_branch(&parse(&wallet.descriptor(rules)).unwrap()).unwrap();
                for index in [0, 7] {
                    let keypath = policies::wallet::Keypath { branch: rules, index };
                    let script = derive(&watched, index).unwrap();
                    assert_eq!(Some(script), wallet.script(keypath), "{text} {}", branch.name());
                }
            }
        }
    }

    #[test]
    fn the_keys_of_a_branch_lead_to_the_same_scripts() {
        for text in [
            format!("wpkh([73c5da0a/84h/1h/0h]{XPUB}/1/*)"),
            format!("tr({XPUB}/0/7/*)"),
            format!("sh(wsh(sortedmulti(2,{XPUB}/0/*,{XPUB}/1/*,{XPUB}/*)))"),
        ] {
            let descriptor = parse(&text).unwrap();
            let branch = at_branch(&descriptor).unwrap();
            for index in [0, 1, 1_000, (1 << 31) - 1] {
                assert_eq!(
                    derive(&branch, index).unwrap(),
                    derive(&descriptor, index).unwrap(),
                    "{text} {index}"
                );
            }
        }
    }
}
