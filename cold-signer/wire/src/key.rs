//! Public parts of a key.

use bitcoin::Network;
use policies::codec::{CodecError, Decoder, Encoder};
use policies::id::AuthorityId;
use policies::identity::{MAX_SIGNATURE_LEN, SshSig};
use policies::message::bip137::SIGNATURE_LEN;
use policies::policy::{MAX_NAME_LEN, Window};
use policies::wallet::{MAX_DESCRIPTOR_LEN, ScriptKind, Wallet};

/// Public parts of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// What its account is for.
    pub kind: ScriptKind,
    /// Fingerprint of the master key (BIP32).
    pub fingerprint: [u8; 4],
    /// The vault's own key, as descriptors name it: `[73c5da0a/48'/1'/0'/2']tpub…`.
    pub key: String,
    /// External and internal descriptor with checksum; `None` for a cosigner's key that waits for its wallet.
    pub descriptors: Option<[String; 2]>,
    /// Unix time of creation, in seconds.
    pub created: u64,
    /// Whether it was restored from words.
    pub restored: bool,
    /// Whether its words were shown and asked back.
    pub backed_up: bool,
    /// The authority under which it was made, with its company; `None` for a standalone key.
    pub authority: Option<(AuthorityId, String)>,
    /// Own limit.
    pub limit: Option<Window>,
    /// The audit key's signature over [`policies::wallet::export_text`], namespace `airlock-export`; `None` until there
    /// is a registered wallet.
    pub signature: Option<SshSig>,
    /// A cosigner's signature over [`KeyInfo::bsms_text`] by `key` (BIP137).
    pub bsms: Option<[u8; SIGNATURE_LEN]>,
}

impl KeyInfo {
    /// The wallet of its descriptors; `None` where it has none yet.
    pub fn registered(&self) -> Option<Wallet> {
        Wallet::new(self.network, self.descriptors.as_ref()?).ok()
    }

    /// The first four lines of a cosigner's key record (BIP129, round 1), without encryption and so without a token.
    pub fn bsms_text(key: &str, name: &str) -> String {
        format!("BSMS 1.0\n00\n{key}\n{name}")
    }
}

pub(crate) fn encode_key(to: &mut Encoder, key: &KeyInfo) {
    to.string(key.wallet.as_bytes());
    to.network(key.network);
    key.kind.encode(to);
    to.fixed(&key.fingerprint);
    to.string(key.key.as_bytes());
    to.option(key.descriptors.as_ref(), |to, pair| {
        pair.iter().for_each(|text| to.string(text.as_bytes()));
    });
    to.u64(key.created);
    to.u8(u8::from(key.restored));
    to.u8(u8::from(key.backed_up));
    encode_authority(to, key.authority.as_ref());
    to.option(key.limit.as_ref(), |to, limit| limit.encode(to));
    to.option(key.signature.as_ref(), |to, signature| to.string(signature.as_blob()));
    to.option(key.bsms.as_ref(), |to, signature| to.fixed(signature));
}

pub(crate) fn decode_key(from: &mut Decoder<'_>) -> Result<KeyInfo, CodecError> {
    Ok(KeyInfo {
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        kind: ScriptKind::decode(from)?,
        fingerprint: from.fixed("fingerprint")?,
        key: from.text("key", MAX_DESCRIPTOR_LEN)?,
        descriptors: from.option("descriptors", |from| {
            Ok([from.text("external", MAX_DESCRIPTOR_LEN)?, from.text("internal", MAX_DESCRIPTOR_LEN)?])
        })?,
        created: from.u64("created")?,
        restored: from.boolean("restored")?,
        backed_up: from.boolean("backed up")?,
        authority: decode_authority(from)?,
        limit: from.option("limit", Window::decode)?,
        signature: from.option("signature", |from| {
            SshSig::from_blob(from.string("signature", MAX_SIGNATURE_LEN)?)
                .map_err(|error| CodecError::invalid("signature", error))
        })?,
        bsms: from.option("bsms", |from| from.fixed("bsms"))?,
    })
}

pub(crate) fn encode_authority(to: &mut Encoder, authority: Option<&(AuthorityId, String)>) {
    to.option(authority, |to, (id, company)| {
        to.fixed(id.as_bytes());
        to.string(company.as_bytes());
    });
}

pub(crate) fn decode_authority(from: &mut Decoder<'_>) -> Result<Option<(AuthorityId, String)>, CodecError> {
    from.option("authority", |from| {
        Ok((AuthorityId::from_bytes(from.fixed("authority")?), from.text("company", MAX_NAME_LEN)?))
    })
}
