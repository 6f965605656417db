//! Which permits and receipts count: only verified ones, by those who were pinned.

use policies::approval::Approval;
use policies::authority::Authority;
use policies::codec::Canonical;
use policies::permit::{Permit, Receipt};
use policies::request::{Request, SignedRequest};
use policies::spend::Spend;
use psbt_tools::envelope::{Envelope, Kind};

use crate::error::Result;
use crate::store::{Attempt, Store};
use crate::wallet::OpenWallet;

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

/// Whether the vault that exported this wallet says so, about a spend of this wallet.
pub fn is_by_vault_of(receipt: &Receipt, wallet: &OpenWallet) -> Result<bool> {
    let Some(pinned) = wallet.audit_key()? else { return Ok(false) };
    let statement = &receipt.statement;
    Ok(statement.network == wallet.rules.network()
        && statement.wallet == wallet.rules.id()
        && receipt.audit_key().is_ok_and(|key| key == pinned))
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
                    && is_by_vault_of(&receipt, wallet)? =>
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
