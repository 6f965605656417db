//! SLIP-132: extended public keys whose first bytes say what script they are for. Descriptors never have them.

use bitcoin::base58;
use bitcoin::bip32::Xpub;
use policies::wallet::WalletKind;

/// Version bytes, prefix, what the key is for, and the version bytes of BIP32 for the same network (SLIP-132, "Registered
/// HD version bytes").
const PREFIXES: [([u8; 4], &str, WalletKind, [u8; 4]); 8] = [
    ([0x04, 0x9d, 0x7c, 0xb2], "ypub", WalletKind::ShWpkh, MAIN),
    ([0x04, 0xb2, 0x47, 0x46], "zpub", WalletKind::Wpkh, MAIN),
    ([0x02, 0x95, 0xb4, 0x3f], "Ypub", WalletKind::ShWsh, MAIN),
    ([0x02, 0xaa, 0x7e, 0xd3], "Zpub", WalletKind::Wsh, MAIN),
    ([0x04, 0x4a, 0x52, 0x62], "upub", WalletKind::ShWpkh, TEST),
    ([0x04, 0x5f, 0x1c, 0xf6], "vpub", WalletKind::Wpkh, TEST),
    ([0x02, 0x42, 0x89, 0xef], "Upub", WalletKind::ShWsh, TEST),
    ([0x02, 0x57, 0x54, 0x83], "Vpub", WalletKind::Wsh, TEST),
];

const MAIN: [u8; 4] = [0x04, 0x88, 0xb2, 0x1e];
const TEST: [u8; 4] = [0x04, 0x35, 0x87, 0xcf];

/// An extended public key, and what its prefix says: prefix and kind of script.
pub(super) fn read(text: &str) -> Option<(Xpub, Option<(&'static str, WalletKind)>)> {
    // An extended key has 111 characters; decoding takes time that grows with the square of the length.
    if text.len() > 120 {
        return None;
    }
    if let Ok(key) = text.parse() {
        return Some((key, None));
    }
    let mut bytes = base58::decode_check(text).ok()?;
    let version = bytes.first_chunk_mut::<4>()?;
    let (_, prefix, kind, plain) = PREFIXES.iter().find(|(known, ..)| known == version)?;
    *version = *plain;
    Some((Xpub::decode(&bytes).ok()?, Some((prefix, *kind))))
}

/// The first such prefix that a text has.
pub(super) fn prefix_in(text: &str) -> Option<&'static str> {
    let words = || text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 100);
    PREFIXES.iter().map(|(_, prefix, ..)| *prefix).find(|prefix| words().any(|word| word.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converted_key_is_the_same_key() {
        // BIP84's account key, and the same as in BIP32's own prefix.
        let (key, said) = read("zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs").unwrap();
        assert_eq!(said, Some(("zpub", WalletKind::Wpkh)));
        assert_eq!(
            key.to_string(),
            "xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V"
        );
        assert_eq!(read(&key.to_string()), Some((key, None)));
        assert_eq!(read("zpub6rFR7y4Q2"), None);
    }
}
