//! Every spend of a watched coin is held against what was asked for, permitted and signed.

use std::collections::BTreeSet;

use bitcoin::Txid;
use policies::authority::Authority;
use policies::id::SpendId;
use policies::permit::{Permit, Receipt};
use psbt_tools::export::same_transaction;

use crate::documents::{governs, is_by_vault_of, permits};
use crate::error::{Error, Result};
use crate::store::{Payment, SpendingTransaction, Store};
use crate::wallet::OpenWallet;

/// What became of one spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Asked for here, permitted and signed by those who were pinned.
    Authorised,
    /// A vault says that it signed; no such transaction is known.
    SignedNotBroadcast,
    /// Asked for here; a permit or a receipt was not brought yet.
    Incomplete,
    /// Nobody here asked for it, or it has neither permit nor receipt, or the vault's own list does not name it.
    Unauthorised,
}

impl Verdict {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Authorised => "authorised",
            Verdict::SignedNotBroadcast => "signed-not-broadcast",
            Verdict::Incomplete => "incomplete",
            Verdict::Unauthorised => "unauthorised",
        }
    }
}

/// What is known of a document that a spend may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nobody is pinned who could give it.
    NotNeeded,
    /// Verified, for exactly this spend.
    Verified,
    /// Not there.
    Missing,
}

impl Proof {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Proof::NotNeeded => "not-needed",
            Proof::Verified => "verified",
            Proof::Missing => "missing",
        }
    }
}

/// One spend and what is known of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The transaction.
    pub txid: Txid,
    /// Height of its block.
    pub height: Option<u32>,
    /// Names of the wallets whose coins it spends.
    pub wallets: Vec<String>,
    /// The payment that asked for it: `P-0042`.
    pub payment: Option<String>,
    /// The payment's spend.
    pub spend: Option<SpendId>,
    /// The gatekeeper's permit.
    pub permit: Proof,
    /// The vault's receipt.
    pub receipt: Proof,
    /// What follows.
    pub verdict: Verdict,
}

/// Which lists were brought whole, so that what they lack does not exist.
#[derive(Clone, Debug, Default)]
pub struct Complete {
    /// Vaults whose receipts were all given.
    pub vaults: BTreeSet<Vec<u8>>,
}

/// Judges every transaction that spends a watched coin, and every receipt without one.
pub fn reconcile(store: &Store, complete: &Complete) -> Result<Vec<Finding>> {
    let known = Known {
        wallets: OpenWallet::all(store)?,
        payments: store.payments()?,
        authority: store.authority()?,
        permits: store.permits()?,
        receipts: store.receipts()?,
        complete,
    };
    let transactions = store.spending_transactions()?;
    let mut findings = transactions.iter().map(|own| known.judge(own)).collect::<Result<Vec<_>>>()?;
    let on_chain: BTreeSet<Txid> = findings.iter().map(|finding| finding.txid).collect();
    findings.extend(known.unused_receipts(&on_chain));
    Ok(findings)
}

struct Known<'a> {
    wallets: Vec<OpenWallet>,
    payments: Vec<Payment>,
    authority: Option<Authority>,
    permits: Vec<Permit>,
    receipts: Vec<Receipt>,
    complete: &'a Complete,
}

impl Known<'_> {
    fn judge(&self, own: &SpendingTransaction) -> Result<Finding> {
        let wallets = own
            .wallets
            .iter()
            .map(|id| self.wallets.iter().find(|wallet| wallet.row.id == *id))
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::CorruptStore("coin without its wallet"))?;
        let mut finding = Finding {
            txid: own.transaction.compute_txid(),
            height: own.height,
            wallets: wallets.iter().map(|wallet| wallet.name().to_owned()).collect(),
            payment: None,
            spend: None,
            permit: Proof::Missing,
            receipt: Proof::Missing,
            verdict: Verdict::Unauthorised,
        };
        // A payment spends coins of one wallet: a transaction that spends those of two was asked for by nobody.
        let [wallet] = wallets.as_slice() else { return Ok(finding) };
        let asked = self.payments.iter().find(|payment| {
            payment.wallet == wallet.row.id
                && same_transaction(&payment.spend.unsigned_transaction(), &own.transaction).is_ok()
        });
        let Some(payment) = asked else { return Ok(finding) };
        finding.payment = Some(payment.name());
        finding.spend = Some(payment.spend.id());
        finding.permit = self.permit(wallet, payment);
        finding.receipt = self.receipt(wallet, payment)?;
        let whole = wallet.row.imported.vault_id.as_ref().is_some_and(|id| self.complete.vaults.contains(id));
        finding.verdict = match (finding.permit, finding.receipt) {
            (Proof::Missing, Proof::Missing) => Verdict::Unauthorised,
            (_, Proof::Missing) if whole => Verdict::Unauthorised,
            (Proof::Missing, _) | (_, Proof::Missing) => Verdict::Incomplete,
            _ => Verdict::Authorised,
        };
        Ok(finding)
    }

    fn permit(&self, wallet: &OpenWallet, payment: &Payment) -> Proof {
        let Some(authority) = self.authority.as_ref().filter(|authority| governs(authority, wallet)) else {
            return Proof::NotNeeded;
        };
        let found = self.permits.iter().any(|permit| permits(authority, permit, &payment.spend));
        if found { Proof::Verified } else { Proof::Missing }
    }

    fn receipt(&self, wallet: &OpenWallet, payment: &Payment) -> Result<Proof> {
        if wallet.audit_key()?.is_none() {
            return Ok(Proof::NotNeeded);
        }
        for receipt in &self.receipts {
            let statement = &receipt.statement;
            if statement.spend == payment.spend.id()
                && statement.unsigned_txid == payment.unsigned_txid
                && is_by_vault_of(receipt, wallet)?
            {
                return Ok(Proof::Verified);
            }
        }
        Ok(Proof::Missing)
    }

    /// What vaults signed and nobody has seen. It may still be broadcast.
    fn unused_receipts(&self, on_chain: &BTreeSet<Txid>) -> Vec<Finding> {
        let mut seen = BTreeSet::new();
        let unused = self.receipts.iter().filter(|receipt| {
            let txid = receipt.statement.unsigned_txid;
            !on_chain.contains(&txid) && seen.insert(txid)
        });
        unused
            .map(|receipt| {
                let statement = &receipt.statement;
                let payment = self.payments.iter().find(|payment| payment.spend.id() == statement.spend);
                let wallet = self.wallets.iter().find(|wallet| wallet.rules.id() == statement.wallet);
                let permit = wallet.zip(payment).map_or(Proof::Missing, |(w, p)| self.permit(w, p));
                Finding {
                    txid: statement.unsigned_txid,
                    height: None,
                    wallets: wallet.iter().map(|wallet| wallet.name().to_owned()).collect(),
                    payment: payment.map(Payment::name),
                    spend: Some(statement.spend),
                    permit,
                    receipt: Proof::Verified,
                    verdict: Verdict::SignedNotBroadcast,
                }
            })
            .collect()
    }
}
