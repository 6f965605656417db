//! `SignMessage`: say what would be signed; with consent journal → fdatasync → sign → verify.
//!
//! What is signed is made here, from the text and from scripts that this vault's own wallet derives (check C32).

use std::collections::BTreeSet;

use cold_wire::{
    Fault, FaultKind, MessageReview, MessageSignature, MessageTerms, OwnCoin, ReplyBody, SignMessage,
};
use policies::check::{Check, Finding};
use policies::codec::Canonical;
use policies::evidence::{Evidence, Previous};
use policies::message::MessageForm;
use policies::message::bip322::{Locks as MessageLocks, ToSign, message_hash};
use policies::wallet::{Locks, Wallet, WalletKind};

use super::{Open, Vault, in_time, signing_key};
use crate::derive::Account;
use crate::journal::Key;
use crate::key_record::open_content;
use crate::record::Kind;
use crate::store::{Content, Store};
use crate::{Error, clock, sign};

const LIAR: &str = "do not trust the machine that wrote it";

pub(super) fn handle(vault: &mut Vault, wanted: &SignMessage, deadline: u64) -> Result<ReplyBody, Fault> {
    let (store, open) = vault.open_mut()?;
    let now = clock::checked(store)?;
    let (terms, id) = (&wanted.terms, wanted.terms.id());
    let (key, wallet, own) = signing_key(open, terms.wallet)?;
    let to_sign = examined(terms, wallet, &wanted.evidence, own)?;
    let (key, wallet) = (key.clone(), wallet.clone());
    let mut review = MessageReview {
        id,
        wallet: key.terms.wallet.clone(),
        network: key.terms.network,
        script: to_sign.prevouts().first().map(|output| output.script_pubkey.clone()).unwrap_or_default(),
        hash: message_hash(&terms.message),
        coins: u32::try_from(terms.coins.len()).unwrap_or(u32::MAX),
        total: terms.total(),
        authority: key
            .terms
            .authority
            .and_then(|id| open.journal.authority(&id))
            .map(|authority| authority.company.clone()),
        signed: None,
    };
    if let Some(consent) = wanted.consent {
        if consent != id {
            return Err(Fault::new(
                FaultKind::Refused,
                "consent",
                format!("the consent is for message {consent}, this is message {id}"),
                "look at the message and consent to what it really is",
            ));
        }
        in_time(now, deadline)?;
        journalled(store, open, terms, now)?;
        review.signed = Some(signed(store, open, terms, &to_sign, &key, &wallet)?);
    }
    Ok(ReplyBody::Message(Box::new(review)))
}

/// What is signed, when everything that it claims is the wallet's.
fn examined(terms: &MessageTerms, wallet: &Wallet, evidence: &Evidence, own: usize) -> Result<ToSign, Fault> {
    let script = wallet.script(terms.keypath).ok_or_else(|| {
        no(Check::GAP, format!("{} is no keypath of the wallet", terms.keypath), "choose another index")
    })?;
    for (at, OwnCoin { coin, keypath }) in terms.coins.iter().enumerate() {
        if !wallet.owns(&coin.output.script_pubkey, *keypath) {
            let message = format!("coin {at}, {}, is not the wallet's at {keypath}", coin.outpoint);
            return Err(no(Check::SIGNED_INPUTS, message, "claim the wallet's own coins only"));
        }
        match evidence.output(&coin.outpoint) {
            Previous::Output(proven) if *proven == coin.output => {}
            Previous::Absent if !wallet.kind().is_legacy() => {}
            Previous::Absent => {
                let message = format!(
                    "coin {at}, {}, is of a legacy script: nothing but its transaction says its amount",
                    coin.outpoint
                );
                return Err(no(Check::PREVIOUS_TRANSACTION, message, "give the transaction that made it"));
            }
            Previous::Output(_) => {
                let message = format!("coin {at}, {}, is not what its transaction says", coin.outpoint);
                return Err(no(Check::WITNESS_UTXO, message, LIAR));
            }
            Previous::NoSuchOutput(count) => {
                let message = format!("coin {at}, {}: its transaction has {count} outputs", coin.outpoint);
                return Err(no(Check::OUTPUT_INDEX, message, LIAR));
            }
        }
    }
    let to_sign = terms.to_sign(&script).map_err(|error| {
        no(Check::MESSAGE, error.to_string(), "ask for the message again, from its origin")
    })?;
    let fits = match terms.form {
        MessageForm::Bip137 => {
            matches!(wallet.kind(), WalletKind::Pkh | WalletKind::ShWpkh | WalletKind::Wpkh)
                && terms.coins.is_empty()
                && terms.locks == MessageLocks::NONE
        }
        MessageForm::Bip322Simple => to_sign.is_simple(),
        MessageForm::Bip322Full => terms.coins.is_empty(),
        MessageForm::Bip322ProofOfFunds => !terms.coins.is_empty(),
    };
    if !fits {
        return Err(Fault::new(
            FaultKind::Refused,
            "message-form",
            format!("{} is not for this address, these coins or these locks", terms.form.as_str()),
            "sign it by BIP322: `bip322-full` is for every address; bip137 for one key's before taproot",
        ));
    }
    let transaction = to_sign.transaction();
    let (version, lock_time) = (transaction.version, transaction.lock_time);
    let sequences: BTreeSet<_> = transaction.input.iter().map(|input| input.sequence).collect();
    for sequence in sequences {
        if sign::places(wallet, own, &Locks { version, lock_time, sequence }).is_empty() {
            return Err(no(
                Check::LOCKTIME,
                "no path of the wallet that is open under these locks needs this vault's key".to_owned(),
                "choose the locks of a path that it signs: --lock-time, --sequence",
            ));
        }
    }
    Ok(to_sign)
}

fn no(check: Check, message: String, hint: &str) -> Fault {
    Fault::from_findings(vec![Finding::refuse(check, message).hint(hint)])
}

/// The record is durable before anything is signed. A repeat has its record already.
fn journalled(store: &mut Store, open: &mut Open, terms: &MessageTerms, now: u64) -> Result<(), Fault> {
    if open.journal.has_message(&terms.id()) {
        return Ok(());
    }
    let bytes = terms.to_bytes();
    // What is durable must be readable: a record that a later unlock refuses would lock the whole store.
    MessageTerms::from_bytes(&bytes).map_err(Error::Record)?;
    store.append(&open.data_key, now, &Content { kind: Kind::Message, clear: &[], sealed: Some(&bytes) })?;
    open.journal.add_message(terms.id());
    Ok(())
}

fn signed(
    store: &Store,
    open: &Open,
    terms: &MessageTerms,
    to_sign: &ToSign,
    key: &Key,
    wallet: &Wallet,
) -> Result<MessageSignature, Fault> {
    let (seed, content) = open_content(&store.unseal(&open.data_key, &store.record(key.sequence)?)?)?;
    let account = Account::at(&seed, content.network.into(), key.own.origin.as_ref())?;
    Ok(match terms.form {
        MessageForm::Bip137 => {
            MessageSignature::Bip137(sign::bip137(&terms.message, terms.keypath, wallet, &account)?)
        }
        MessageForm::Bip322Simple | MessageForm::Bip322Full | MessageForm::Bip322ProofOfFunds => {
            MessageSignature::Inputs(sign::sign_message(to_sign, terms.keypaths(), wallet, &account)?)
        }
    })
}

#[cfg(test)]
mod tests;
