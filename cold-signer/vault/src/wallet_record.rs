//! What a WALLET record holds: a descriptor pair, bound to a name for ever, and which key of the store signs for it.

use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::policy::MAX_NAME_LEN;
use policies::wallet::MAX_DESCRIPTOR_LEN;

/// A registered wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its name: that of a cosigner's key, or one of its own.
    pub name: String,
    /// Sequence number of the KEY record whose seed derives the own key.
    pub key: u64,
    /// Index of the own key among [`policies::wallet::Wallet::keys`].
    pub own: u32,
    /// Canonical descriptors with checksum, external and internal.
    pub descriptors: [String; 2],
}

impl Canonical for Registration {
    const TAG: &'static str = "airlock/registration/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(self.name.as_bytes());
        to.u64(self.key);
        to.u32(self.own);
        self.descriptors.iter().for_each(|text| to.string(text.as_bytes()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            name: from.text("wallet", MAX_NAME_LEN)?,
            key: from.u64("key")?,
            own: from.u32("own key")?,
            descriptors: [
                from.text("external", MAX_DESCRIPTOR_LEN)?,
                from.text("internal", MAX_DESCRIPTOR_LEN)?,
            ],
        })
    }
}
