//! Whom a vault obeys: permit keys and the policy that binds them. Pinned once, before a key is made.

use crate::armor::{armor, armored};
use crate::codec::{Canonical, CodecError, Decoder, Encoder, clean_text};
use crate::id::AuthorityId;
use crate::identity::{IdentityError, Namespace, PublicKey, SshSig};
use crate::permit::Permit;
use crate::policy::{MAX_NAME_LEN, Policy};
use crate::request::decode_signature;
use bitcoin::base64::Engine as _;
use bitcoin::base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN AIRLOCK AUTHORITY-----";
const END: &str = "-----END AIRLOCK AUTHORITY-----";

/// Most permit keys of an authority.
const MAX_KEYS: usize = 16;

/// Permit keys and policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Shown when it is pinned and at every review.
    pub company: String,
    /// Keys that may sign permits.
    pub permit_keys: Vec<PublicKey>,
    /// The policy that the vault judges by itself.
    pub policy: Policy,
}

impl Authority {
    /// Its identifier.
    pub fn id(&self) -> AuthorityId {
        AuthorityId::of(&self.to_bytes())
    }

    /// Verifies a permit, and only then says that one of these keys signed it.
    ///
    /// # Errors
    /// [`IdentityError`] when the signature does not verify or is by a key that is not listed.
    pub fn verify(&self, permit: &Permit) -> Result<PublicKey, IdentityError> {
        let key = permit.signer()?;
        if self.permit_keys.contains(&key) { Ok(key) } else { Err(IdentityError::Wrong(key)) }
    }
}

impl Canonical for Authority {
    const TAG: &'static str = AuthorityId::TAG;

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(self.company.as_bytes());
        to.list(&self.permit_keys, |to, key| key.encode(to));
        to.string(&self.policy.to_bytes());
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let authority = Self {
            company: from.text("company", MAX_NAME_LEN)?,
            permit_keys: from.list("permit keys", MAX_KEYS, PublicKey::decode)?,
            policy: Policy::from_bytes(from.string("policy", 4 << 20)?)?,
        };
        clean_text("company", &authority.company, MAX_NAME_LEN)?;
        if authority.permit_keys.is_empty() {
            return Err(CodecError::invalid("permit keys", "an authority without a key permits nothing"));
        }
        Ok(authority)
    }
}

/// An authority with a signature by each of its permit keys: nobody pins an authority that cannot permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAuthority {
    /// Keys and policy.
    pub authority: Authority,
    /// One signature for each permit key, in their order, namespace `airlock-authority`.
    pub signatures: Vec<SshSig>,
}

impl SignedAuthority {
    /// Verifies that every permit key signed, and only then gives the authority.
    ///
    /// # Errors
    /// [`IdentityError`] for a missing, surplus, wrong or foreign signature.
    pub fn verified(&self) -> Result<&Authority, IdentityError> {
        if self.signatures.len() != self.authority.permit_keys.len() {
            return Err(IdentityError::Text("the authority needs one signature by each of its permit keys"));
        }
        let message = self.authority.to_bytes();
        for (key, signature) in self.authority.permit_keys.iter().zip(&self.signatures) {
            let signer = signature.verify(Namespace::Authority, &message)?;
            if signer != *key {
                return Err(IdentityError::Wrong(signer));
            }
        }
        Ok(&self.authority)
    }

    /// The text of `authority.pub`.
    pub fn to_armor(&self) -> String {
        armor(BEGIN, &self.to_bytes(), END)
    }

    /// Reads the text of `authority.pub`. The signatures are not yet verified: see [`Self::verified`].
    ///
    /// # Errors
    /// [`CodecError`] for anything but one authority.
    pub fn from_armor(text: &str) -> Result<Self, CodecError> {
        let base64 = armored(BEGIN, text, END)
            .ok_or_else(|| CodecError::invalid("authority", "expected the text of an `authority.pub`"))?;
        let bytes = STANDARD.decode(base64).map_err(|error| CodecError::invalid("authority", error))?;
        Self::from_bytes(&bytes)
    }
}

impl Canonical for SignedAuthority {
    const TAG: &'static str = "airlock/signed-authority/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.string(&self.authority.to_bytes());
        to.list(&self.signatures, |to, signature| to.string(signature.as_blob()));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            authority: Authority::from_bytes(from.string("authority", 8 << 20)?)?,
            signatures: from.list("signatures", MAX_KEYS, decode_signature)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identity::tests::{public, sign};
    use crate::policy::tests::terms;

    pub fn authority() -> Authority {
        Authority {
            company: "Two Friends GmbH".to_owned(),
            permit_keys: vec![public(5)],
            policy: Policy::new(terms()).unwrap(),
        }
    }

    fn signed(by: u8) -> SignedAuthority {
        let authority = authority();
        let signatures = vec![sign(by, Namespace::Authority, &authority.to_bytes())];
        SignedAuthority { authority, signatures }
    }

    #[test]
    fn an_authority_survives_its_text() {
        let again = SignedAuthority::from_armor(&signed(5).to_armor()).unwrap();
        assert_eq!(again.verified(), Ok(&authority()));
    }

    #[test]
    fn an_authority_that_cannot_permit_is_refused() {
        assert!(signed(6).verified().is_err());
        let mut without = signed(5);
        without.signatures.clear();
        assert!(without.verified().is_err());
        let mut changed = signed(5);
        changed.authority.company.push('!');
        assert!(changed.verified().is_err());
    }
}
