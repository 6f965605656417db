//! Which permits and receipts count: only verified ones, by those who were pinned.

use policies::approval::Approval;
use policies::authority::Authority;
use policies::codec::Canonical;
use policies::permit::{Permit, Receipt};
use policies::request::{Request, SignedRequest};
use policies::spend::Spend;
use psbt_tools::envelope::{Envelope, Kind};

use crate::error::Result;
use crate::store::{Attempt, Store, WatchedVault};
use crate::wallet::{OpenWallet, audit_key};

/// How many documents of a file were kept, and how many meant nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Verified permits, new or known.
    pub permits: usize,
    /// Verified receipts, new or known.
    pub receipts: usize,
    /// Documents that are not by whom they should be, or not for this spend.
    pub ignored: usize,
}

impl Taken {
    /// Those of two files together.
    pub fn and(self, other: Self) -> Self {
        Self {
            permits: self.permits.saturating_add(other.permits),
            receipts: self.receipts.saturating_add(other.receipts),
            ignored: self.ignored.saturating_add(other.ignored),
        }
    }
}

/// Whether the wallet's key obeys this authority. Its name here and in the policy says nothing about that.
pub fn governs(authority: &Authority, wallet: &OpenWallet) -> bool {
    wallet.authority() == Some(authority.id())
}

/// Whether a permit of this authority permits exactly this spend.
pub fn permits(authority: &Authority, permit: &Permit, spend: &Spend) -> bool {
    let statement = &permit.statement;
    authority.verify(permit).is_ok()
        && statement.network == spend.network()
        && statement.wallet == spend.wallet()
        && statement.spend == spend.id()
        && statement.unsigned_txid == spend.unsigned_txid()
}

/// The vault of this wallet that says so, about a spend of this wallet; `None` when none of those that were pinned does.
pub fn vault_of<'w>(receipt: &Receipt, wallet: &'w OpenWallet) -> Result<Option<&'w WatchedVault>> {
    let statement = &receipt.statement;
    if statement.network != wallet.rules.network() || statement.wallet != wallet.rules.id() {
        return Ok(None);
    }
    let Ok(signer) = receipt.audit_key() else { return Ok(None) };
    for vault in &wallet.row.imported.vaults {
        if audit_key(vault)? == signer {
            return Ok(Some(vault));
        }
    }
    Ok(None)
}

/// Keeps what a file carries for this attempt: permits and receipts by those who were pinned, the request as a terminal
/// signed it, and its approvals.
pub fn take(store: &mut Store, wallet: &OpenWallet, attempt: &Attempt, envelope: &Envelope) -> Result<Taken> {
    let mut taken = Taken::default();
    let spend = &attempt.spend;
    let authority = store.authority()?;
    let mut named = Vec::new();
    for bytes in envelope.get(Kind::Permit) {
        match (Permit::from_bytes(bytes), &authority) {
            (Ok(permit), Some(authority)) if permits(authority, &permit, spend) => {
                store.add_permit(&permit)?;
                named.extend(permit.statement.approvals);
                taken.permits = taken.permits.saturating_add(1);
            }
            _ => taken.ignored = taken.ignored.saturating_add(1),
        }
    }
    for bytes in envelope.get(Kind::Receipt) {
        match Receipt::from_bytes(bytes) {
            Ok(receipt)
                if receipt.statement.spend == spend.id()
                    && receipt.statement.unsigned_txid == spend.unsigned_txid()
                    && vault_of(&receipt, wallet)?.is_some() =>
            {
                store.add_receipt(&receipt)?;
                taken.receipts = taken.receipts.saturating_add(1);
            }
            _ => taken.ignored = taken.ignored.saturating_add(1),
        }
    }
    take_request(store, &attempt.request, envelope, (taken.permits > 0, &named))?;
    Ok(taken)
}

/// Keeps signatures over exactly this request. Whether the signers may ask and agree is for those who judge it again.
/// Beside them: whether a verified permit is in the file, and which approvals it names.
fn take_request(
    store: &mut Store,
    asked: &Request,
    envelope: &Envelope,
    (is_permitted, named): (bool, &[[u8; 32]]),
) -> Result<()> {
    for bytes in envelope.get(Kind::Request) {
        let Ok(signed) = SignedRequest::from_bytes(bytes) else { continue };
        if signed.request == *asked && signed.requester().is_ok() {
            store.keep_signed_request(&signed, is_permitted)?;
        }
    }
    for bytes in envelope.get(Kind::Approval) {
        let Ok(approval) = Approval::from_bytes(bytes) else { continue };
        if approval.approver(asked).is_ok() {
            store.keep_approval(&approval, named.contains(&approval.digest()))?;
        }
    }
    Ok(())
}
