//! BIP137: a message signed by one key, with a signature from which the key is recovered.

use super::Message;
use bitcoin::PublicKey;
use bitcoin::consensus::encode::VarInt;
use bitcoin::consensus::serialize;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use bitcoin::{Script, ScriptBuf};

/// Length of a signature: a header byte, and the numbers r and s.
pub const SIGNATURE_LEN: usize = 65;

/// What begins everything that is signed.
const PREFIX: &[u8] = b"\x18Bitcoin Signed Message:\n";

/// What is signed: the double SHA-256 of the prefix, the message's length and the message.
pub fn digest(message: &Message) -> [u8; 32] {
    let bytes = message.as_bytes();
    let len = serialize(&VarInt::from(bytes.len()));
    let mut engine = sha256d::Hash::engine();
    for part in [PREFIX, &len, bytes] {
        engine.input(part);
    }
    sha256d::Hash::from_engine(engine).to_byte_array()
}

/// The kinds of address that the header byte tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAddress {
    /// `p2pkh` of an uncompressed key: headers 27 to 30.
    P2pkhUncompressed,
    /// `p2pkh` of a compressed key: 31 to 34.
    P2pkh,
    /// `p2wpkh` nested in `p2sh`: 35 to 38.
    ShWpkh,
    /// `p2wpkh`: 39 to 42.
    Wpkh,
}

impl KeyAddress {
    const ALL: [KeyAddress; 4] =
        [KeyAddress::P2pkhUncompressed, KeyAddress::P2pkh, KeyAddress::ShWpkh, KeyAddress::Wpkh];

    /// The kind for signing with a compressed key; `None` for scripts that BIP137 has no header for. Whether a `p2sh`
    /// script is that of a key shows when [`KeyAddress::script`] is compared.
    pub fn of_script(script: &Script) -> Option<Self> {
        match () {
            () if script.is_p2pkh() => Some(KeyAddress::P2pkh),
            () if script.is_p2sh() => Some(KeyAddress::ShWpkh),
            () if script.is_p2wpkh() => Some(KeyAddress::Wpkh),
            () => None,
        }
    }

    /// The header byte for a recovery id of 0 to 3; `None` for any other.
    pub fn header(self, recovery_id: u8) -> Option<u8> {
        (recovery_id < 4).then(|| self.first_header().saturating_add(recovery_id))
    }

    /// The kind and the recovery id of a header byte; `None` below 27 and above 42.
    pub fn from_header(header: u8) -> Option<(Self, u8)> {
        Self::ALL.into_iter().find_map(|kind| {
            let recovery_id = header.checked_sub(kind.first_header())?;
            (recovery_id < 4).then_some((kind, recovery_id))
        })
    }

    /// The address's script for a key; `None` when the key is not compressed and has to be.
    pub fn script(self, key: &PublicKey) -> Option<ScriptBuf> {
        let wpkh = || key.wpubkey_hash().ok().map(|hash| ScriptBuf::new_p2wpkh(&hash));
        match self {
            KeyAddress::P2pkhUncompressed | KeyAddress::P2pkh => {
                Some(ScriptBuf::new_p2pkh(&key.pubkey_hash()))
            }
            KeyAddress::ShWpkh => wpkh().map(|script| script.to_p2sh()),
            KeyAddress::Wpkh => wpkh(),
        }
    }

    /// Whether its key is compressed.
    pub fn is_compressed(self) -> bool {
        self != KeyAddress::P2pkhUncompressed
    }

    fn first_header(self) -> u8 {
        match self {
            KeyAddress::P2pkhUncompressed => 27,
            KeyAddress::P2pkh => 31,
            KeyAddress::ShWpkh => 35,
            KeyAddress::Wpkh => 39,
        }
    }
}

/// The signature's bytes: the header, then r and s (what secp256k1 calls the compact form). `None` for an impossible
/// recovery id.
pub fn signature_bytes(kind: KeyAddress, recovery_id: u8, compact: &[u8; 64]) -> Option<[u8; SIGNATURE_LEN]> {
    let mut bytes = [0; SIGNATURE_LEN];
    let (header, rest) = bytes.split_first_mut()?;
    *header = kind.header(recovery_id)?;
    rest.copy_from_slice(compact);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_kinds_are_one_to_one() {
        let mut known = 0;
        for header in 0..=u8::MAX {
            let Some((kind, recovery_id)) = KeyAddress::from_header(header) else { continue };
            assert_eq!(kind.header(recovery_id), Some(header));
            known += 1;
        }
        assert_eq!(known, 16);
        assert_eq!(KeyAddress::from_header(26), None);
        assert_eq!(KeyAddress::from_header(27), Some((KeyAddress::P2pkhUncompressed, 0)));
        assert_eq!(KeyAddress::from_header(42), Some((KeyAddress::Wpkh, 3)));
        assert_eq!(KeyAddress::from_header(43), None);
        assert_eq!(KeyAddress::P2pkh.header(4), None);
    }

    #[test]
    fn the_digest_is_the_one_of_the_bitcoin_crate() {
        for text in ["", "Hello World", &"ö".repeat(200), &"x".repeat(super::super::MAX_LEN)] {
            let theirs = bitcoin::sign_message::signed_msg_hash(text).to_byte_array();
            assert_eq!(digest(&Message::new(text).unwrap()), theirs);
        }
    }
}
