//! Public parts of a key.

use bitcoin::Network;
use policies::codec::{CodecError, Decoder, Encoder};
use policies::id::AuthorityId;
use policies::identity::{MAX_SIGNATURE_LEN, SshSig};
use policies::policy::{MAX_NAME_LEN, Window};
use policies::wallet::ScriptKind;

/// Longest descriptor, in bytes.
const MAX_DESCRIPTOR_LEN: usize = 1_024;

/// Public parts of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// Script of its addresses.
    pub kind: ScriptKind,
    /// Fingerprint of the master key (BIP32).
    pub fingerprint: [u8; 4],
    /// External descriptor with checksum.
    pub external: String,
    /// Internal descriptor with checksum.
    pub internal: String,
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
    /// The audit key's signature over [`policies::wallet::export_text`], namespace `airlock-export`.
    pub signature: SshSig,
}

pub(crate) fn encode_key(to: &mut Encoder, key: &KeyInfo) {
    to.string(key.wallet.as_bytes());
    to.network(key.network);
    key.kind.encode(to);
    to.fixed(&key.fingerprint);
    to.string(key.external.as_bytes());
    to.string(key.internal.as_bytes());
    to.u64(key.created);
    to.u8(u8::from(key.restored));
    to.u8(u8::from(key.backed_up));
    encode_authority(to, key.authority.as_ref());
    to.option(key.limit.as_ref(), |to, limit| limit.encode(to));
    to.string(key.signature.as_blob());
}

pub(crate) fn decode_key(from: &mut Decoder<'_>) -> Result<KeyInfo, CodecError> {
    Ok(KeyInfo {
        wallet: from.text("wallet", MAX_NAME_LEN)?,
        network: from.network("network")?,
        kind: ScriptKind::decode(from)?,
        fingerprint: from.fixed("fingerprint")?,
        external: from.text("external", MAX_DESCRIPTOR_LEN)?,
        internal: from.text("internal", MAX_DESCRIPTOR_LEN)?,
        created: from.u64("created")?,
        restored: from.boolean("restored")?,
        backed_up: from.boolean("backed up")?,
        authority: decode_authority(from)?,
        limit: from.option("limit", Window::decode)?,
        signature: SshSig::from_blob(from.string("signature", MAX_SIGNATURE_LEN)?)
            .map_err(|error| CodecError::invalid("signature", error))?,
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
