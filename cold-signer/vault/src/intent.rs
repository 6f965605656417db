//! What an INTENT record holds: the vault will sign this spend. Durable before the signature exists.

use cold_wire::MAX_PERMIT_LEN;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::history::Charge;
use policies::permit::Permit;
use policies::spend::Spend;

/// A spend that the vault signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The spend, whole: outpoints and high-water marks are remembered from it.
    pub spend: Spend,
    /// What it charges against limits.
    pub charge: Charge,
    /// The permit under which it is signed, whole: an auditor verifies it again.
    pub permit: Option<Permit>,
}

impl Canonical for Intent {
    const TAG: &'static str = "airlock/intent/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.spend.to_bytes());
        self.charge.encode(to);
        to.option(self.permit.as_ref(), |to, permit| to.string(&permit.to_bytes()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let spend = Spend::from_bytes(from.string("spend", 8 << 20)?)?;
        let charge = Charge::decode(from, &spend)?;
        let permit =
            from.option("permit", |from| Permit::from_bytes(from.string("permit", MAX_PERMIT_LEN)?))?;
        Ok(Self { spend, charge, permit })
    }
}
