//! Every spend of a watched coin is held against what was asked for, permitted and signed.

mod finding;
mod movement;

use std::collections::BTreeSet;

use bitcoin::{Transaction, Txid};
use policies::authority::Authority;
use policies::id::PermitId;
use policies::permit::{Permit, Receipt};
use psbt_tools::export::same_transaction;

use crate::documents::{governs, permits, vault_of};
use crate::error::{Error, Result};
use crate::payment::unsigned_txid;
use crate::stage::{Stage, Stages};
use crate::store::{Attempt, Conduct, Payment, SpendingTransaction, Store};
use crate::wallet::OpenWallet;

use movement::Coins;

pub use finding::{Finding, Proof, Verdict};
pub use movement::{Moved, Movement, Paid};

/// What whoever asks vouches for.
#[derive(Clone, Debug, Default)]
pub struct Vouched {
    /// Vaults whose receipts were all given, so that what they lack does not exist.
    pub vaults: BTreeSet<[u8; 32]>,
    /// Names of wallets that are meant to obey no authority.
    pub ungoverned: BTreeSet<String>,
}

/// Judges every transaction that spends a watched coin, every payment that came back signed, and every receipt without
/// either.
pub fn reconcile(store: &Store, vouched: &Vouched) -> Result<Vec<Finding>> {
    let known = Known {
        wallets: OpenWallet::all(store)?,
        payments: store.payments()?,
        authority: store.authority()?,
        permits: store.permits()?,
        receipts: store.receipts()?,
        coins: Coins::load(store)?,
        stages: Stages::load(store)?,
        vouched,
    };
    let transactions = store.spending_transactions()?;
    let mut findings = transactions.iter().map(|own| known.judge(own, true)).collect::<Result<Vec<_>>>()?;
    let unseen = known.unseen_payments(&findings)?;
    findings.extend(unseen);
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

/// An attempt of a payment, that this folder asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    payment: &'a Payment,
    attempt: &'a Attempt,
}

struct Known<'a> {
    wallets: Vec<OpenWallet>,
    payments: Vec<Payment>,
    authority: Option<Authority>,
    permits: Vec<Permit>,
    receipts: Vec<Receipt>,
    coins: Coins,
    stages: Stages<'a>,
    vouched: &'a Vouched,
}

impl Known<'_> {
    /// `is_seen`: the source has shown the transaction.
    fn judge(&self, own: &SpendingTransaction, is_seen: bool) -> Result<Finding> {
        let wallets = own
            .wallets
            .iter()
            .map(|id| self.wallets.iter().find(|wallet| wallet.row.id == *id))
            .collect::<Option<Vec<_>>>()
            .ok_or(Error::CorruptStore("coin without its wallet"))?;
        let mut finding = Finding {
            txid: own.transaction.compute_txid(),
            unsigned_txid: unsigned_txid(&own.transaction),
            height: own.height,
            wallets: wallets.iter().map(|wallet| wallet.name().to_owned()).collect(),
            payment: None,
            attempt: None,
            stage: None,
            spend: None,
            movement: self.coins.moved(&own.transaction, |_| None),
            permit: Proof::Missing,
            receipt: Proof::Missing,
            verdict: Verdict::Unauthorised,
        };
        // A payment spends coins of one wallet: a transaction that spends those of two was asked for by nobody.
        let [wallet] = wallets.as_slice() else { return Ok(finding) };
        let asked = self.asked(wallet).find(|asked| {
            same_transaction(&asked.attempt.spend.unsigned_transaction(), &own.transaction).is_ok()
        });
        let Some(asked) = asked else { return Ok(finding) };
        let stage = self.stages.of_attempt(asked.payment, asked.attempt)?;
        finding.payment = Some(asked.payment.name());
        finding.attempt = Some(asked.attempt.nth);
        finding.stage = Some(stage);
        finding.spend = Some(asked.attempt.spend.id());
        finding.movement = self.moved(asked, &own.transaction);
        finding.permit = self.permit(wallet, asked.attempt);
        finding.receipt = self.receipt(wallet, asked.attempt)?;
        let vaults = &wallet.row.imported.vaults;
        let is_whole =
            !vaults.is_empty() && vaults.iter().all(|vault| self.vouched.vaults.contains(&vault.id));
        let verdict = match (finding.permit, finding.receipt) {
            (_, Proof::Mismatched) | (Proof::Missing, Proof::Missing) => Verdict::Unauthorised,
            (_, Proof::Missing) if is_whole => Verdict::Unauthorised,
            (Proof::Verified | Proof::NotNeeded, Proof::Verified | Proof::NotNeeded) => Verdict::Authorised,
            _ => Verdict::Incomplete,
        };
        finding.verdict = self.settled(verdict, wallet, (asked, stage), is_seen);
        Ok(finding)
    }

    /// What was asked for from a wallet.
    fn asked(&self, wallet: &OpenWallet) -> impl Iterator<Item = Asked<'_>> {
        let row = wallet.row.id;
        let payments = self.payments.iter().filter(move |payment| payment.wallet == row);
        payments.flat_map(|payment| payment.attempts.iter().map(move |attempt| Asked { payment, attempt }))
    }

    /// The verdict on an attempt once it is known how far it went.
    fn settled(
        &self,
        verdict: Verdict,
        wallet: &OpenWallet,
        (asked, stage): (Asked<'_>, Stage),
        is_seen: bool,
    ) -> Verdict {
        // Money that did not move harms nobody yet.
        let has_moved = is_seen || asked.attempt.conduct == Conduct::Broadcast;
        // Nothing moves any more once another attempt has confirmed. Whoever else spent its coins is judged by himself.
        let has_lost = matches!(stage, Stage::Replaced(winner)
            if asked.payment.attempts.iter().any(|other| self.stages.is_of(winner, other)));
        match verdict {
            Verdict::Unauthorised => Verdict::Unauthorised,
            Verdict::Authorised if has_lost => Verdict::Replaced,
            Verdict::Authorised if !has_moved => Verdict::SignedNotBroadcast,
            _ if has_moved && !has_lost && self.is_ungoverned(wallet) => Verdict::Ungoverned,
            Verdict::Authorised if !is_seen => Verdict::Broadcast,
            other => other,
        }
    }

    fn is_ungoverned(&self, wallet: &OpenWallet) -> bool {
        self.authority.is_some()
            && wallet.authority().is_none()
            && !self.vouched.ungoverned.contains(wallet.name())
    }

    fn moved(&self, asked: Asked<'_>, transaction: &Transaction) -> Movement {
        let own = |script: &bitcoin::ScriptBuf| {
            let output = asked.attempt.spend.outputs().iter().find(|output| output.script == *script)?;
            output.own.map(|_| asked.payment.wallet)
        };
        self.coins.moved(transaction, own)
    }

    fn permit(&self, wallet: &OpenWallet, attempt: &Attempt) -> Proof {
        if wallet.authority().is_none() {
            return Proof::NotNeeded;
        }
        match &self.authority {
            Some(authority) if governs(authority, wallet) => {
                let is_there = !self.verified_permits(wallet, attempt).is_empty();
                if is_there { Proof::Verified } else { Proof::Missing }
            }
            _ => Proof::Unverifiable,
        }
    }

    fn verified_permits(&self, wallet: &OpenWallet, attempt: &Attempt) -> Vec<PermitId> {
        let Some(authority) = self.authority.as_ref().filter(|authority| governs(authority, wallet)) else {
            return Vec::new();
        };
        let verified = self.permits.iter().filter(|permit| permits(authority, permit, &attempt.spend));
        verified.map(|permit| permit.statement.id()).collect()
    }

    fn receipt(&self, wallet: &OpenWallet, attempt: &Attempt) -> Result<Proof> {
        if wallet.row.imported.vaults.is_empty() {
            return Ok(Proof::NotNeeded);
        }
        let permits = self.verified_permits(wallet, attempt);
        let mut proof = Proof::Missing;
        for receipt in &self.receipts {
            let statement = &receipt.statement;
            if statement.spend != attempt.spend.id() || statement.unsigned_txid != attempt.unsigned_txid {
                continue;
            }
            let Some(vault) = vault_of(receipt, wallet)? else { continue };
            let fits = match (vault.authority, statement.permit) {
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

    /// Attempts that came back signed, whose transaction the source has not shown.
    fn unseen_payments(&self, judged: &[Finding]) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for payment in &self.payments {
            for transaction in payment.attempts.iter().filter_map(|attempt| attempt.signed.as_ref()) {
                let unsigned: Txid = unsigned_txid(transaction);
                if judged.iter().any(|finding| finding.unsigned_txid == unsigned) {
                    continue;
                }
                let own = SpendingTransaction {
                    transaction: transaction.clone(),
                    height: None,
                    in_mempool: false,
                    wallets: vec![payment.wallet],
                };
                findings.push(self.judge(&own, false)?);
            }
        }
        Ok(findings)
    }

    /// What vaults signed and nobody has seen. It may still be broadcast, so it is judged as strictly as what was.
    fn unused_receipts(&self, judged: &[Finding]) -> Result<Vec<Finding>> {
        let mut seen = BTreeSet::new();
        let mut findings = Vec::new();
        for receipt in &self.receipts {
            let (txid, spend) = (receipt.statement.unsigned_txid, receipt.statement.spend);
            // A transaction that no payment asked for is unauthorised already.
            let is_judged = |finding: &Finding| {
                finding.unsigned_txid == txid && finding.spend.is_none_or(|its_spend| its_spend == spend)
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
            let asked = self.asked(wallet).find(|asked| {
                asked.attempt.spend.id() == statement.spend
                    && asked.attempt.unsigned_txid == statement.unsigned_txid
            })?;
            Some((wallet, asked))
        });
        let mut finding = Finding {
            txid: statement.unsigned_txid,
            unsigned_txid: statement.unsigned_txid,
            height: None,
            wallets: wallet.iter().map(|wallet| wallet.name().to_owned()).collect(),
            payment: None,
            attempt: None,
            stage: None,
            spend: Some(statement.spend),
            movement: Movement::default(),
            permit: Proof::Missing,
            receipt: Proof::Verified,
            verdict: Verdict::Unauthorised,
        };
        let Some((wallet, asked)) = asked else { return Ok(finding) };
        let stage = self.stages.of_attempt(asked.payment, asked.attempt)?;
        finding.payment = Some(asked.payment.name());
        finding.attempt = Some(asked.attempt.nth);
        finding.stage = Some(stage);
        finding.movement = self.moved(asked, &asked.attempt.spend.unsigned_transaction());
        finding.permit = self.permit(wallet, asked.attempt);
        finding.receipt = self.receipt(wallet, asked.attempt)?;
        finding.verdict = match (finding.permit, finding.receipt) {
            (Proof::Verified | Proof::NotNeeded, Proof::Verified) => {
                self.settled(Verdict::Authorised, wallet, (asked, stage), false)
            }
            // The vault names a permit, which was not brought yet. One that names none, or another one, is a mismatch.
            (Proof::Missing | Proof::Unverifiable, Proof::Verified) => Verdict::Incomplete,
            _ => Verdict::Unauthorised,
        };
        Ok(finding)
    }
}
