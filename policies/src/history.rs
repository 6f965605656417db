//! What was charged before: the gatekeeper's ledger, or the vault's own journal, as input of the judgement.

use crate::codec::{CodecError, Decoder, Encoder};
use crate::id::{RequestId, SpendId};
use crate::policy::{MAX_NAME_LEN, Requester, decode_requester, encode_requester};
use bitcoin::Amount;

/// One payment that counts against limits: permitted (gatekeeper) or signed (vault).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The spend.
    pub spend: SpendId,
    /// The request that it fulfils; `None` for a standalone payment.
    pub request: Option<RequestId>,
    /// Name of the wallet in the policy.
    pub wallet: String,
    /// Who asked.
    pub requester: Requester,
    /// What it takes from the wallet, the fee included.
    pub outflow: Amount,
    /// Unix time of the charge, in seconds.
    pub at: u64,
}

impl Charge {
    /// Appends every field.
    pub fn encode(&self, to: &mut Encoder) {
        to.fixed(self.spend.as_bytes());
        to.option(self.request.as_ref(), |to, id| to.fixed(id.as_bytes()));
        to.string(self.wallet.as_bytes());
        encode_requester(to, &self.requester);
        to.amount(self.outflow);
        to.u64(self.at);
    }

    /// Reads every field.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            spend: SpendId::from_bytes(from.fixed("spend")?),
            request: from.option("request", |from| from.fixed("request").map(RequestId::from_bytes))?,
            wallet: from.text("wallet", MAX_NAME_LEN)?,
            requester: decode_requester(from)?,
            outflow: from.amount("outflow")?,
            at: from.u64("time")?,
        })
    }
}

/// All charges, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    charges: Vec<Charge>,
}

impl History {
    /// A history of these charges.
    pub fn new(charges: Vec<Charge>) -> Self {
        Self { charges }
    }

    /// Adds a charge.
    pub fn push(&mut self, charge: Charge) {
        self.charges.push(charge);
    }

    /// All charges.
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// Sum and number of the charges later than `now − seconds` that pass the filter. A charge from the future counts:
    /// no clock that is set back frees budget. The sum is `None` when it overflows, which denies.
    pub fn charged(&self, now: u64, seconds: u64, counts: impl Fn(&Charge) -> bool) -> (Option<Amount>, u64) {
        let since = now.saturating_sub(seconds);
        // A window that reaches back to the epoch holds everything, also what was charged at time 0.
        let everything = seconds >= now;
        let inside = self.charges.iter().filter(|c| (everything || c.at > since) && counts(c));
        inside.fold((Some(Amount::ZERO), 0u64), |(sum, count), charge| {
            (sum.and_then(|sum| sum.checked_add(charge.outflow)), count.saturating_add(1))
        })
    }

    /// The spend by which a request was already fulfilled.
    pub fn fulfilled(&self, request: &RequestId) -> Option<SpendId> {
        self.charges.iter().find(|charge| charge.request.as_ref() == Some(request)).map(|charge| charge.spend)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn charge(sat: u64, at: u64) -> Charge {
        Charge {
            spend: SpendId::of(&at.to_be_bytes()),
            request: Some(RequestId::of(&at.to_be_bytes())),
            wallet: "savings".to_owned(),
            requester: Requester::Operator,
            outflow: Amount::from_sat(sat),
            at,
        }
    }

    #[test]
    fn a_window_is_open_at_its_far_end() {
        let history = History::new(vec![charge(1, 100), charge(2, 101), charge(4, 250)]);
        assert_eq!(history.charged(200, 100, |_| true), (Some(Amount::from_sat(6)), 2));
    }

    #[test]
    fn an_overflowing_sum_is_no_sum() {
        let history = History::new(vec![charge(u64::MAX, 100), charge(1, 101)]);
        assert_eq!(history.charged(200, 150, |_| true).0, None);
    }

    #[test]
    fn a_request_is_fulfilled_once() {
        let history = History::new(vec![charge(1, 100)]);
        assert_eq!(history.fulfilled(&RequestId::of(&100u64.to_be_bytes())), Some(charge(1, 100).spend));
        assert_eq!(history.fulfilled(&RequestId::of(b"x")), None);
    }
}
