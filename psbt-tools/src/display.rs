//! Foreign text and addresses on a screen that must not lie (check C26).

use crate::Error;
use bitcoin::Network;
use bitcoin::hashes::{Hash, sha256};
use policies::codec::deceives;
use std::fmt::Write;

/// An address in groups of four characters.
pub fn address_text(address: &str) -> String {
    let mut text = String::new();
    for (at, c) in address.chars().enumerate() {
        if at > 0 && at.is_multiple_of(4) {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

/// Foreign text with every control, bidirectional, invisible and private-use character as `\u{…}`, and the
/// backslash doubled, so that what is shown has one meaning.
pub fn escape(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c == '\\' {
            shown.push_str("\\\\");
        } else if deceives(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Foreign bytes as printable ASCII; everything else as `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The first six words of BIP39 that a SHA-256 makes, for people to compare on both sides of the gap. They open nothing.
pub fn hash_words(sha256: &[u8; 32]) -> String {
    bip39::Mnemonic::from_entropy(sha256)
        .map(|words| words.words().take(6).collect::<Vec<_>>().join(" "))
        .unwrap_or_default()
}

/// The [`hash_words`] of a file: of its bytes as they are carried.
pub fn words_of(bytes: &[u8]) -> String {
    hash_words(sha256::Hash::hash(bytes).as_byte_array())
}

/// The network of this word; `mainnet` is an alias of `bitcoin`.
///
/// # Errors
/// [`Error::Network`] for every other word.
pub fn network_from_word(word: &str) -> Result<Network, Error> {
    match word {
        "bitcoin" | "mainnet" => Ok(Network::Bitcoin),
        "testnet" => Ok(Network::Testnet),
        "testnet4" => Ok(Network::Testnet4),
        "signet" => Ok(Network::Signet),
        "regtest" => Ok(Network::Regtest),
        other => Err(Error::Network(escape(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_grouped_in_fours() {
        assert_eq!(
            address_text("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
            "bc1q cr8t e4kr 609g cawu tmrz a0j4 xv80 jy8z 306f yu"
        );
    }

    #[test]
    fn hash_words_are_the_first_six_of_bip39() {
        assert_eq!(hash_words(&[0x7f; 32]), "legal winner thank year wave sausage");
        // The SHA-256 of nothing is e3b0c442….
        let nothing = sha256::Hash::hash(b"").to_byte_array();
        assert_eq!((words_of(b""), words_of(b"").split(' ').count()), (hash_words(&nothing), 6));
    }

    #[test]
    fn nothing_foreign_reaches_the_terminal_raw() {
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c\\d"), "a\\u{1b}[2Jb\\u{202e}c\\\\d");
        assert_eq!(escape_bytes(b"hi\x1b\xff"), "hi\\x1b\\xff");
        assert_eq!(escape("Grüße 日本"), "Grüße 日本");
    }

    #[test]
    fn mainnet_is_an_alias_and_misspellings_are_no_network() {
        assert_eq!(network_from_word("mainnet").unwrap(), Network::Bitcoin);
        for network in
            [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest]
        {
            assert_eq!(network_from_word(&network.to_string()).unwrap(), network);
        }
        assert_eq!(network_from_word("Mainnet").unwrap_err().exit_code(), 2);
    }
}
