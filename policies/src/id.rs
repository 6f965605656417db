//! Identifiers: tagged SHA-256 in the manner of BIP340, so that a hash of one kind is never one of another.

use bitcoin::hashes::{Hash, HashEngine, sha256};
use std::fmt;
use std::str::FromStr;

/// `SHA256(SHA256(tag) ‖ SHA256(tag) ‖ bytes)` (BIP340, "Design").
pub fn tagged_hash(tag: &str, bytes: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(tag.as_bytes());
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(bytes);
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// A string that is no identifier: 64 hexadecimal digits were expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, found {found} characters that are not that")]
pub struct IdError {
    /// How many characters were given.
    pub found: usize,
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $tag:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The tag of the hash.
            pub const TAG: &'static str = $tag;

            /// Hashes the canonical bytes of what this identifies.
            pub fn of(bytes: &[u8]) -> Self {
                Self(tagged_hash(Self::TAG, bytes))
            }

            /// An identifier that was made before.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                <[u8; 32] as bitcoin::hex::FromHex>::from_hex(text)
                    .map(Self)
                    .map_err(|_| IdError { found: text.chars().count() })
            }
        }
    };
}

identifier!(
    /// A wallet: its network and canonical descriptor pair with checksums.
    WalletId, "airlock/wallet/1"
);
identifier!(
    /// A spend: everything that decides or signs refers to it by this.
    SpendId, "airlock/spend/1"
);
identifier!(
    /// A request as a terminal signed it.
    RequestId, "airlock/request/1"
);
identifier!(
    /// A permit statement as the gatekeeper signed it.
    PermitId, "airlock/permit/1"
);
identifier!(
    /// A message to be signed: by which wallet and address, how, and with which coins.
    MessageId, "airlock/message/1"
);
identifier!(
    /// A vault store: the 32 bytes of its Ed25519 audit key.
    VaultId, "airlock/vault/1"
);
identifier!(
    /// A policy in its canonical encoding.
    PolicyId, "airlock/policy/1"
);
identifier!(
    /// An authority: permit keys and the first policy, as pinned in a vault.
    AuthorityId, "airlock/authority/1"
);

impl WalletId {
    /// The identifier as 24 words of BIP39, for people to compare. They open nothing.
    pub fn words(&self) -> String {
        bip39::Mnemonic::from_entropy(&self.0).map(|words| words.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_hash_is_that_of_bip340() {
        // TapLeaf of the empty string, computed with the reference code of BIP340.
        use bitcoin::taproot::{LeafVersion, TapLeafHash};
        let leaf = TapLeafHash::from_script(bitcoin::Script::new(), LeafVersion::TapScript);
        assert_eq!(tagged_hash("TapLeaf", &[0xc0, 0x00]), leaf.to_byte_array());
    }

    #[test]
    fn a_wallets_words_are_those_of_bip39() {
        let id = WalletId::from_bytes([0x7f; 32]);
        let all = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth title";
        assert_eq!(id.words(), all);
    }

    #[test]
    fn an_identifier_survives_its_text() {
        let id = SpendId::of(b"x");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("abc".parse::<SpendId>(), Err(IdError { found: 3 }));
        assert_ne!(SpendId::of(b"x").as_bytes(), WalletId::of(b"x").as_bytes());
    }
}
