//! Payments that lack approvals, and everybody who agreed so far.

use super::State;
use crate::ledger::event;
use policies::approval::{Approval, MAX_APPROVALS};
use policies::id::RequestId;
use policies::request::SignedRequest;
use policies::spend::Spend;

/// A payment that nothing refused when it was met first, and that lacked approvals.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What would be paid.
    pub spend: Spend,
    /// Who asked, with the signature.
    pub request: SignedRequest,
    /// Who agreed, as far as the ledger was told.
    pub approvals: Vec<Approval>,
    /// Wall clock when it was met first, unix seconds.
    pub since: u64,
}

impl State {
    /// Every payment that waits or waited.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// The payment of a request that waits or waited.
    pub fn waiting_for(&self, request: &RequestId) -> Option<&Waiting> {
        self.waiting.get(request)
    }

    /// Every approval of a request that the ledger was told of, whatever became of the payment.
    pub fn approvals_of<'a>(&'a self, request: &'a RequestId) -> impl Iterator<Item = &'a Approval> {
        let permitted = self.reservations.values().flat_map(|held| &held.reserved.approvals);
        let waiting = self.waiting.get(request).into_iter().flat_map(|waiting| &waiting.approvals);
        waiting.chain(permitted.filter(|approval| approval.request == *request))
    }

    pub(super) fn wait(&mut self, waiting: event::Waiting, since: u64) -> Result<(), String> {
        let event::Waiting { spend, request, approvals } = waiting;
        let id = request.request.id();
        let differs =
            self.waiting.contains_key(&id) || approvals.iter().any(|approval| approval.request != id);
        if differs || !self.wallets.contains_key(&spend.wallet()) {
            return Err(format!("request {id} waits twice, for other approvals or at an unknown wallet"));
        }
        self.waiting.insert(id, Waiting { spend, request, approvals, since });
        Ok(())
    }

    pub(super) fn agree(&mut self, approvals: Vec<Approval>) -> Result<(), String> {
        for approval in approvals {
            let waiting = self.waiting.get_mut(&approval.request);
            let waiting = waiting.ok_or("an approval of a request that does not wait")?;
            if waiting.approvals.contains(&approval) || waiting.approvals.len() >= MAX_APPROVALS {
                return Err("an approval is recorded twice, or there are too many".to_owned());
            }
            waiting.approvals.push(approval);
        }
        Ok(())
    }
}
