//! `Review`: what signing would come to, as the vault derives it.

use std::collections::BTreeSet;

use bitcoin::Amount;
use cold_wire::{Bundle, Fault, Replaced, ReplyBody, Review, ReviewApproval, ReviewChange, Voucher};
use policies::approval::approvers;
use policies::check::{Check, Finding};
use policies::clear::{Appraisal, Dossier, Journal as _, appraise, repeat};
use policies::examine::{FeeCeiling, key_name};
use policies::history::{Charge, History};
use policies::id::VaultId;
use policies::identity::PublicKey;
use policies::locktime::{Present, timing};
use policies::policy::{Limit, Person, Policy, Requester};
use policies::request::{Recipient, Request};
use policies::text::{amount_text, duration_text};
use policies::wallet::{SpendingPath, Wallet};

use super::{SayOf, Vault, dossier};
use crate::{clock, sign};

pub(super) fn handle(vault: &Vault, bundle: &Bundle) -> Result<ReplyBody, Fault> {
    let open = vault.open()?;
    let now = clock::checked(&vault.store)?;
    let (key, dossier) = dossier(open, VaultId::from_bytes(vault.store.vault_id()), bundle, now)?;
    let say = SayOf::of(open, key)?;
    let spend = &bundle.spend;
    let journalled = open.journal.signed(&spend.id());
    // A repeat is compared with no request again: another one than that of the first time counts for nothing.
    let request = bundle.request.as_ref().map(|signed| &signed.request);
    let request =
        request.filter(|request| journalled.is_none_or(|first| first.charge.request == Some(request.id())));
    let view = open.journal.view(&vault.store, key, dossier.wallet.id());
    let appraisal = match journalled {
        None => appraise(&dossier, say.as_say(), &view),
        Some(journalled) => Appraisal {
            findings: match repeat(&dossier, journalled.spend, None) {
                Ok(_) => vec![Finding::pass(
                    Check::SIGNED_BEFORE,
                    "this spend was signed before: the same signatures come out again",
                )],
                Err(refusals) => refusals,
            },
            requester: Some(journalled.charge.requester.clone()),
            approvers: request.map(|request| approvers(request, &bundle.approvals)).unwrap_or_default(),
            permit: journalled.permit.clone(),
            charge: None,
        },
    };
    let requester = appraisal.requester.clone().unwrap_or(Requester::Operator);
    Ok(ReplyBody::Review(Box::new(Review {
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        wallet: key.terms.wallet.clone(),
        network: key.terms.network,
        inputs: u32::try_from(spend.inputs().len()).unwrap_or(u32::MAX),
        input_sum: spend.input_sum(),
        recipients: spend
            .external_outputs()
            .map(|output| Recipient { script: output.script.clone(), amount: output.value })
            .collect(),
        change: change(dossier.wallet, bundle),
        fee: spend.fee(),
        vsize: spend.signed_vsize(dossier.wallet),
        path: path(&dossier),
        timing: timing(
            &spend.unsigned_transaction(),
            key.terms.network,
            Present { tip_height: None, now: Some(now) },
        ),
        voucher: voucher(&appraisal, say.policy(), request, &vault.store.vault_id()),
        approvals: approvals(say.policy(), &requester, &appraisal.approvers),
        replaces: appraisal
            .charge
            .as_ref()
            .map(|charge| replaced(view.history(), charge))
            .unwrap_or_default(),
        findings: appraisal.findings,
        authority: match &say {
            SayOf::Operator(_) => None,
            SayOf::Permits(authority) => Some(authority.company.clone()),
        },
        limits: say.policy().limits_for(&requester, &key.terms.wallet).map(limit_text).collect(),
        signed_before: journalled.is_some(),
    })))
}

/// Own outputs that the wallet really derives; a false claim is in the findings and not shown as ours.
fn change(wallet: &Wallet, bundle: &Bundle) -> Vec<ReviewChange> {
    let own = |output: &policies::spend::SpendOutput| {
        let keypath = output.own.filter(|keypath| wallet.owns(&output.script, *keypath))?;
        let recipient = Recipient { script: output.script.clone(), amount: output.value };
        Some(ReviewChange { recipient, keypath })
    };
    bundle.spend.outputs().iter().filter_map(own).collect()
}

/// Of a wallet of several keys: every path, whether the spend's locks open it, and what this vault's key gives.
fn path(dossier: &Dossier<'_>) -> Vec<String> {
    let Dossier { spend, wallet, .. } = dossier;
    if wallet.kind().is_single() {
        return vec![];
    }
    let locks: Vec<_> = spend.inputs().iter().map(|input| sign::locks(spend, input)).collect();
    let name = |place| key_name(wallet, place);
    let path = |path: &SpendingPath| {
        let open =
            if locks.iter().all(|locks| path.is_open(locks)) { "open" } else { "not open to this spend" };
        format!("{open}: {}", path.text(&name))
    };
    let given: Vec<_> = locks.iter().map(|locks| sign::places(wallet, dossier.key, locks)).collect();
    let signatures = given.iter().map(BTreeSet::len).fold(0, usize::saturating_add);
    let own = given.iter().flatten().next().map_or("no key of it".to_owned(), |place| name(*place));
    let mut lines: Vec<_> = wallet.paths().iter().map(path).collect();
    lines.push(format!("this vault: {own}, signatures: {signatures}"));
    lines
}

/// Those whose approvals may count: people of the policy other than who asks.
fn approvals(policy: &Policy, asker: &Requester, keys: &[PublicKey]) -> Vec<ReviewApproval> {
    let counts = |key: &PublicKey| {
        let listed = policy.terms().people.values().flatten();
        listed.into_iter().any(|listed| *listed == Requester::Key(key.clone()))
            && policy.holder(key) != policy.person(asker)
    };
    let approval = |key: &PublicKey| ReviewApproval {
        by: name(policy, key).unwrap_or_else(|| key.fingerprint()),
        fingerprint: key.fingerprint(),
    };
    keys.iter().filter(|key| counts(key)).map(approval).collect()
}

/// A name that stands for this key's holder and nobody else.
fn name(policy: &Policy, key: &PublicKey) -> Option<String> {
    match policy.holder(key) {
        Person::Named(name) => Some(name.to_owned()),
        Person::Operator | Person::Key(_) => {
            let own = [Requester::Key(key.clone())];
            policy.terms().people.iter().find(|(_, keys)| **keys == own).map(|(name, _)| name.clone())
        }
    }
}

fn replaced(history: &History, charge: &Charge) -> Vec<Replaced> {
    let same = |earlier: &&Charge| earlier.wallet == charge.wallet && earlier.anchor == charge.anchor;
    let fee = |earlier: &Charge| {
        let paid = earlier.paid.iter().try_fold(Amount::ZERO, |sum, to| sum.checked_add(to.amount))?;
        earlier.outflow.checked_sub(paid)
    };
    let earlier = history.charges().iter().filter(same);
    earlier.filter_map(|earlier| Some(Replaced { spend: earlier.spend, fee: fee(earlier)? })).collect()
}

fn voucher(
    appraisal: &Appraisal,
    policy: &Policy,
    request: Option<&Request>,
    vault: &[u8; 32],
) -> Option<Voucher> {
    let permit = &appraisal.permit.as_ref()?.statement;
    let Some(requester @ Requester::Key(key)) = &appraisal.requester else { return None };
    let request = request?;
    let groups = policy.terms().people.keys().chain(policy.terms().groups.keys());
    Some(Voucher {
        company: policy.terms().company.clone(),
        requester: key.fingerprint(),
        groups: groups
            .filter(|group| policy.is_member(requester, std::slice::from_ref(*group)))
            .cloned()
            .collect(),
        payment: request.payment,
        purpose: request.purpose.clone(),
        permit: permit.id(),
        sequence: permit
            .vaults
            .iter()
            .find(|place| place.vault.as_bytes() == vault)
            .map_or(0, |place| place.sequence),
        bitcoin_time: permit.issued_mtp,
        expires: permit.expires,
        policy_version: permit.policy_version,
    })
}

/// A limit in words.
fn limit_text(limit: &Limit) -> String {
    let mut parts = Vec::new();
    if let Some(most) = limit.per_payment {
        parts.push(format!("at most {} a payment", amount_text(most)));
    }
    if let Some(window) = limit.per_window {
        if let Some(most) = window.amount {
            parts.push(format!("at most {} in {}", amount_text(most), duration_text(window.seconds)));
        }
        if let Some(most) = window.count {
            parts.push(format!("at most {most} payments in {}", duration_text(window.seconds)));
        }
    }
    if let Some(fee) = limit.fee {
        if fee.amount < FeeCeiling::UNLIMITED.amount {
            parts.push(format!("a fee of at most {}", amount_text(fee.amount)));
        }
        if fee.percent < FeeCeiling::UNLIMITED.percent {
            parts.push(format!("a fee of at most {}% of what is paid", fee.percent));
        }
        if fee.sat_per_vb < FeeCeiling::UNLIMITED.sat_per_vb {
            parts.push(format!("a fee of at most {} sat/vB", fee.sat_per_vb));
        }
    }
    format!("{}: {}", limit.name, parts.join("; "))
}

#[cfg(test)]
mod tests;
