//! Every spend of a watched coin is held against what was asked for, permitted and signed.

use std::collections::BTreeSet;

use bitcoin::Txid;
use policies::authority::Authority;
use policies::id::{PermitId, SpendId};
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
    /// The vault says that it signed what was asked for and permitted; no such transaction is known.
    SignedNotBroadcast,
    /// Asked for here; a permit or a receipt was not brought yet, or a permit cannot be verified here.
    Incomplete,
    /// Nobody here asked for it, or it has neither permit nor receipt, or the vault's own list does not name it, or the
    /// vault signed it without the permit.
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
    /// The wallet obeys no authority, or no vault of it is known.
    NotNeeded,
    /// Verified, for exactly this spend.
    Verified,
    /// Not there.
    Missing,
    /// The wallet obeys an authority that is not pinned here.
    Unverifiable,
    /// A receipt by the vault that names another permit than a verified one, or none.
    Mismatched,
}

impl Proof {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Proof::NotNeeded => "not-needed",
            Proof::Verified => "verified",
            Proof::Missing => "missing",
            Proof::Unverifiable => "unverifiable",
            Proof::Mismatched => "mismatched",
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
    let unused = known.unused_receipts(&findings)?;
    findings.extend(unused);
    Ok(findings)
}

/// Wallets whose keys obey no authority, while one is pinned: what they spend, nobody permits.
pub fn ungoverned(store: &Store) -> Result<Vec<String>> {
    if store.authority()?.is_none() {
        return Ok(Vec::new());
    }
    let wallets = OpenWallet::all(store)?;
    Ok(wallets.iter().filter(|w| w.authority().is_none()).map(|w| w.name().to_owned()).collect())
}

/// The first wallet whose permits cannot be verified, because the authority that it obeys is not pinned, as an error.
pub fn needed_authority(store: &Store) -> Result<Option<Error>> {
    let pinned = store.authority()?.map(|authority| authority.id());
    let foreign = |wallet: OpenWallet| {
        let authority = wallet.authority().filter(|obeyed| Some(*obeyed) != pinned)?;
        Some(Error::AuthorityNeeded { wallet: wallet.name().to_owned(), authority })
    };
    Ok(OpenWallet::all(store)?.into_iter().find_map(foreign))
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
            (_, Proof::Mismatched) | (Proof::Missing, Proof::Missing) => Verdict::Unauthorised,
            (_, Proof::Missing) if whole => Verdict::Unauthorised,
            (Proof::Verified | Proof::NotNeeded, Proof::Verified | Proof::NotNeeded) => Verdict::Authorised,
            _ => Verdict::Incomplete,
        };
        Ok(finding)
    }

    fn permit(&self, wallet: &OpenWallet, payment: &Payment) -> Proof {
        if wallet.authority().is_none() {
            return Proof::NotNeeded;
        }
        match &self.authority {
            Some(authority) if governs(authority, wallet) => {
                let is_there = !self.verified_permits(wallet, payment).is_empty();
                if is_there { Proof::Verified } else { Proof::Missing }
            }
            _ => Proof::Unverifiable,
        }
    }

    fn verified_permits(&self, wallet: &OpenWallet, payment: &Payment) -> Vec<PermitId> {
        let Some(authority) = self.authority.as_ref().filter(|authority| governs(authority, wallet)) else {
            return Vec::new();
        };
        let verified = self.permits.iter().filter(|permit| permits(authority, permit, &payment.spend));
        verified.map(|permit| permit.statement.id()).collect()
    }

    fn receipt(&self, wallet: &OpenWallet, payment: &Payment) -> Result<Proof> {
        if wallet.audit_key()?.is_none() {
            return Ok(Proof::NotNeeded);
        }
        let permits = self.verified_permits(wallet, payment);
        let mut proof = Proof::Missing;
        for receipt in &self.receipts {
            let statement = &receipt.statement;
            if statement.spend != payment.spend.id()
                || statement.unsigned_txid != payment.unsigned_txid
                || !is_by_vault_of(receipt, wallet)?
            {
                continue;
            }
            let fits = match (wallet.authority(), statement.permit) {
                (None, _) => true,
                (Some(_), None) => false,
                // Before a permit is brought, none can be compared: that it is missing is said of the permit.
                (Some(_), Some(named)) => permits.is_empty() || permits.contains(&named),
            };
            if !fits {
                // One signature without the permit is one too many, whatever else the vault signed.
                return Ok(Proof::Mismatched);
            }
            proof = Proof::Verified;
        }
        Ok(proof)
    }

    /// What vaults signed and nobody has seen. It may still be broadcast, so it is judged as strictly as what was.
    fn unused_receipts(&self, judged: &[Finding]) -> Result<Vec<Finding>> {
        let mut seen = BTreeSet::new();
        let mut findings = Vec::new();
        for receipt in &self.receipts {
            let (txid, spend) = (receipt.statement.unsigned_txid, receipt.statement.spend);
            // A transaction that no payment asked for is unauthorised already.
            let is_judged = |finding: &Finding| {
                finding.txid == txid && finding.spend.is_none_or(|its_spend| its_spend == spend)
            };
            if !judged.iter().any(is_judged) && seen.insert((txid, spend)) {
                findings.push(self.unused(receipt)?);
            }
        }
        Ok(findings)
    }

    fn unused(&self, receipt: &Receipt) -> Result<Finding> {
        let statement = &receipt.statement;
        let wallet = self.wallets.iter().find(|wallet| wallet.rules.id() == statement.wallet);
        let asked = wallet.and_then(|wallet| {
            let payment = self.payments.iter().find(|payment| {
                payment.wallet == wallet.row.id
                    && payment.spend.id() == statement.spend
                    && payment.unsigned_txid == statement.unsigned_txid
            })?;
            Some((wallet, payment))
        });
        let (permit, receipt) = match asked {
            Some((wallet, payment)) => (self.permit(wallet, payment), self.receipt(wallet, payment)?),
            None => (Proof::Missing, Proof::Verified),
        };
        let verdict = match (asked, permit, receipt) {
            (Some(_), Proof::Verified | Proof::NotNeeded, Proof::Verified) => Verdict::SignedNotBroadcast,
            (Some(_), Proof::Unverifiable, Proof::Verified) => Verdict::Incomplete,
            _ => Verdict::Unauthorised,
        };
        Ok(Finding {
            txid: statement.unsigned_txid,
            height: None,
            wallets: wallet.iter().map(|wallet| wallet.name().to_owned()).collect(),
            payment: asked.map(|(_, payment)| payment.name()),
            spend: Some(statement.spend),
            permit,
            receipt,
            verdict,
        })
    }
}
