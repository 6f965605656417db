//! `RegisterWallet`: a descriptor is bound to a name, for ever. Said first, written with consent (check C09).

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::bip32::ChildNumber;
use cold_wire::{Fault, FaultKind, KeyInfo, RegisterWallet, ReplyBody};
use policies::check::{Check, Finding};
use policies::codec::Canonical;
use policies::policy::Policy;
use policies::wallet::{Branch, Wallet, WalletKey};

use super::{Open, Vault, is_in_policy, key_info};
use crate::derive::Account;
use crate::journal::Key;
use crate::key_record::open_content;
use crate::record::Kind;
use crate::secret::Secret;
use crate::store::{Content, Store};
use crate::wallet_record::Registration;
use crate::{Error, clock};

const EXPORTED: &str = "take the key and its origin as `cold-signer export` gives them";

pub(super) fn handle(vault: &mut Vault, wanted: &RegisterWallet) -> Result<ReplyBody, Fault> {
    let (store, open) = vault.open_mut()?;
    let named = open.journal.keys().iter().find(|key| key.terms.wallet == wanted.name);
    if let Some((key, known)) = named.and_then(|key| key.wallet.as_ref().map(|wallet| (key, wallet))) {
        let same = Wallet::new(known.network(), &wanted.descriptors).is_ok_and(|wallet| wallet == *known);
        return if same {
            Ok(ReplyBody::Key(key_info(open, key)?))
        } else {
            let message = format!("`{}` is registered with another descriptor", wanted.name);
            Err(refused(message, "a name means one wallet for ever: choose another name"))
        };
    }
    let (parent, wallet, own) = find(store, open, wanted, named)?;
    let registration = Registration {
        name: wanted.name.clone(),
        key: parent.sequence,
        own: u32::try_from(own).unwrap_or(u32::MAX),
        descriptors: Branch::ALL.map(|branch| wallet.descriptor(branch)),
    };
    let key = parent.registered(&registration)?;
    // Proves the name: it becomes part of the key's policy.
    Policy::standalone(&wanted.name, key.terms.limit).map_err(Error::Record)?;
    let authority = key.terms.authority.and_then(|id| open.journal.authority(&id));
    is_in_policy(authority, &wanted.name, Some(&wallet))?;
    let Some(consent) = wanted.consent else {
        let unsigned = KeyInfo { signature: None, ..key_info(open, &key)? };
        return Ok(ReplyBody::Key(unsigned));
    };
    if consent != wallet.id() {
        return Err(Fault::new(
            FaultKind::Refused,
            "consent",
            format!("the consent is for wallet {consent}, the descriptors are of wallet {}", wallet.id()),
            "look at the wallet and consent to what it really is",
        ));
    }
    let now = clock::checked(store)?;
    let bytes = registration.to_bytes();
    // What is durable must be readable: a record that a later unlock refuses would lock the whole store.
    Registration::from_bytes(&bytes).map_err(Error::Record)?;
    let content = Content { kind: Kind::Wallet, clear: &[], sealed: Some(&bytes) };
    store.append(&open.data_key, now, &content)?;
    open.journal.add_wallet(&bytes)?;
    Ok(ReplyBody::Key(key_info(open, &key)?))
}

/// The key of this store that stands in the descriptors exactly once, and its number there.
fn find<'a>(
    store: &Store,
    open: &'a Open,
    wanted: &RegisterWallet,
    named: Option<&'a Key>,
) -> Result<(&'a Key, Wallet, usize), Fault> {
    let keys = open.journal.keys();
    let mut reason = "no key of this store stands in the descriptor by its own origin".to_owned();
    let mut ours = BTreeMap::new();
    let mut seeds = BTreeSet::new();
    // The named key first: with its seed on two networks, it decides which is meant.
    for key in named.into_iter().chain(keys).filter(|key| seeds.insert(key.sequence)) {
        match Wallet::new(key.terms.network, &wanted.descriptors) {
            Ok(wallet) => {
                let (seed, _) = open_content(&store.unseal(&open.data_key, &store.record(key.sequence)?)?)?;
                for (own, place) in wallet.keys().iter().enumerate() {
                    if key.own.fingerprint == place.fingerprint && derives(&seed, key, place)? {
                        ours.entry(own).or_insert((key, wallet.clone()));
                    }
                }
            }
            Err(error) => reason = format!("the descriptor is no wallet: {error}"),
        }
    }
    let ours_are_several = ours.len() > 1;
    let Some((own, (key, wallet))) = ours.pop_first() else {
        return Err(refused(reason, EXPORTED));
    };
    let point = |key: &WalletKey| key.xpub.public_key;
    // A key of ours under somebody else's origin is ours all the same.
    let mut others = wallet.keys().iter().enumerate().filter(|(at, _)| *at != own);
    let is_disguised = others.any(|(_, other)| keys.iter().any(|key| point(&key.own) == point(other)));
    if ours_are_several || is_disguised {
        let message = "several keys of this store stand in the descriptor: expected the own key exactly once";
        return Err(refused(message, "keep cosigners' keys in vaults of their own"));
    }
    if !wallet.counts(own) {
        let message = "this vault's key stands in the descriptor, but no way of spending needs it";
        return Err(refused(message, "its coins would be the others' alone: ask who made the descriptor"));
    }
    let owner = keys.iter().find(|key| wallet.keys().get(own).map(point) == Some(point(&key.own)));
    if owner.map(|key| &key.terms.wallet) != named.map(|key| &key.terms.wallet) {
        let what = owner.map_or("another account of its seed".to_owned(), |key| {
            format!("the key of wallet `{}`", key.terms.wallet)
        });
        let message = format!("what stands in the descriptor for `{}` is {what}", wanted.name);
        return Err(refused(message, "one key is for one wallet; make a new key for another"));
    }
    Ok((key, wallet, own))
}

/// Whether a wallet's key is the one that a seed derives at its origin.
fn derives(seed: &Secret, key: &Key, place: &WalletKey) -> Result<bool, Fault> {
    let origin: &[ChildNumber] = place.origin.as_ref();
    // A key below an unhardened step is one of another wallet's addresses.
    if origin.is_empty() || !origin.iter().all(ChildNumber::is_hardened) {
        return Ok(false);
    }
    let derived = Account::at(seed, key.terms.network.into(), origin)?.key().xpub;
    Ok((derived.public_key, derived.chain_code) == (place.xpub.public_key, place.xpub.chain_code))
}

fn refused(message: impl Into<String>, hint: &str) -> Fault {
    Fault::from_findings(vec![Finding::refuse(Check::REGISTRATION, message).hint(hint)])
}

#[cfg(test)]
mod tests;
