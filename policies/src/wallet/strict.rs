//! What a descriptor's text must be before it is parsed. The parser lets through what the BIPs forbid, and its errors
//! repeat what they read.

use super::{MAX_DESCRIPTOR_LEN, MAX_PLACES, WalletError};
use bitcoin::base58;
use bitcoin::bip32::{ChildNumber, Xpub};
use miniscript::descriptor::checksum::desc_checksum;

/// Length of a descriptor's checksum (BIP380).
const CHECKSUM_LEN: usize = 8;

/// Length of a serialised extended key, and where in it the key begins (BIP32, "Serialization format").
const EXTENDED_LEN: usize = 78;
const KEY_AT: usize = 45;

/// Lengths of its text, generously; decoding takes time that grows with the square of the length.
const EXTENDED_TEXT: std::ops::RangeInclusive<usize> = 100..=120;

/// First characters and lengths of private keys in wallet import format, on mainnet and elsewhere.
const WIF_STARTS: [char; 5] = ['5', 'K', 'L', '9', 'c'];
const WIF_LENGTHS: std::ops::RangeInclusive<usize> = 51..=52;

/// Holds a descriptor's text to the BIPs, and gives it without its checksum: public keys only, no bytes that BIP380 knows
/// not, a checksum that fits where there is one, plain numbers in paths, extended keys that can be (BIP32), and multipath
/// steps of one length (BIP389).
///
/// # Errors
/// [`WalletError`] says what is wrong. A private key is not repeated.
pub fn require_strict(text: &str) -> Result<&str, WalletError> {
    if text.len() > MAX_DESCRIPTOR_LEN {
        return Err(WalletError::Length(text.len()));
    }
    if holds_private_key(text) {
        return Err(WalletError::PrivateKey);
    }
    let places = text.matches('*').count();
    if places > MAX_PLACES {
        return Err(WalletError::Places(places));
    }
    let body = without_checksum(text)?;
    let known = |c: char| c.is_ascii_alphanumeric() || "()[]{}<>;,/*'@:_".contains(c);
    if let Some(strange) = body.chars().find(|c| !known(*c)) {
        return Err(broken(format!("the character {} is in none", strange.escape_unicode())));
    }
    words(body).try_for_each(require_extended_key)?;
    require_one_length(body)?;
    Ok(body)
}

/// Whether a text holds a private key: an extended one of any prefix (BIP32, SLIP132), or one in wallet import format.
/// What only looks like one counts too: mistyped, it is still nearly the key.
pub fn holds_private_key(text: &str) -> bool {
    words(text).any(|word| {
        let long = word.len() > 16;
        let named = word.get(1..4) == Some("prv") || word.contains("xprv") || word.contains("tprv");
        let imported = WIF_LENGTHS.contains(&word.len()) && word.starts_with(WIF_STARTS) && is_base58(word);
        let extended = || {
            let bytes =
                EXTENDED_TEXT.contains(&word.len()).then(|| base58::decode_check(word).ok()).flatten();
            bytes.is_some_and(|bytes| bytes.len() == EXTENDED_LEN && bytes.get(KEY_AT) == Some(&0))
        };
        long && (named || imported || extended())
    })
}

fn is_base58(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() && !"0OIl".contains(c))
}

/// The descriptor before its checksum, which is verified where there is one (BIP380, "Checksum").
fn without_checksum(text: &str) -> Result<&str, WalletError> {
    let Some((body, given)) = text.split_once('#') else { return Ok(text) };
    let computed = desc_checksum(body).map_err(|_| broken("a character that no checksum covers"))?;
    if given.len() != CHECKSUM_LEN || given != computed {
        return Err(broken(format!(
            "the checksum after # does not fit: expected {CHECKSUM_LEN} characters that are those of the text"
        )));
    }
    Ok(body)
}

/// BIP32's rules for extended public keys: what has depth 0 is a master key, with neither parent nor number.
fn require_extended_key(word: &str) -> Result<(), WalletError> {
    if !EXTENDED_TEXT.contains(&word.len()) {
        return Ok(());
    }
    let Ok(key) = word.parse::<Xpub>() else { return Ok(()) };
    let numbered = key.child_number != ChildNumber::Normal { index: 0 };
    if key.depth == 0 && (numbered || key.parent_fingerprint != [0; 4].into()) {
        return Err(broken("an extended key of depth 0 with a parent or a number (BIP32)"));
    }
    Ok(())
}

/// All multipath steps of a descriptor have one length (BIP389).
fn require_one_length(body: &str) -> Result<(), WalletError> {
    let mut steps = body
        .split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().map_or(0, |numbers| numbers.split(';').count()));
    let first = steps.next();
    if steps.any(|count| Some(count) != first) {
        return Err(broken("steps in <> of different lengths (BIP389)"));
    }
    Ok(())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn broken(reason: impl Into<String>) -> WalletError {
    WalletError::Descriptor(reason.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TPRV: &str = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK";

    #[test]
    fn private_keys_of_every_form_are_seen_and_public_ones_are_not() {
        for private in [
            TPRV,
            "wpkh([73c5da0a/84h]zprvAWgYBBk7JR8Gjrh4UJQ2uJdG1r3WNRRfURiABBE3RvMXYSrRJL62XuezvGdPvG6GFBZduosCc1YP5wixPox7zhZLfiUm8aunE96BBa4Kei5/0/*)",
            "pk(5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss)",
            "{\"key\": \"L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY1\"}",
            "cULrpoZGXiuC19Uhvykx7NugygA3k86b3hmdCeyvHYQZSxojGyXJ",
            // Mistyped, and still nothing to show.
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPP",
            "L4rK1yDtCWekvXuE6oXD9jCYfFNV2cWRpVuPLBcCU2z8TrisoyY2",
        ] {
            assert!(holds_private_key(private), "{private}");
            assert_eq!(require_strict(private), Err(WalletError::PrivateKey));
        }
        for public in super::super::tests::cosigners() {
            assert!(!holds_private_key(&public));
        }
        assert!(!holds_private_key("03a34b99f22c790c4e36b2b3c2c35a36db06226e41c692fc82b8b56ac1c540c5bd"));
    }

    #[test]
    fn numbers_are_plain_and_nothing_hides_between_them() {
        let [a, _, _] = super::super::tests::cosigners();
        for (text, why) in [
            (format!("wpkh({a}/+0/*)"), "{2b}"),
            (format!("wpkh({a} /0/*)"), "{20}"),
            (format!("wpkh({a}/0/*)\n"), "{a}"),
            (format!("wpkh({a}/0/*)#"), "checksum"),
            (format!("wsh(multi(1,{a}/<0;1>/*,{a}/<2;3;4>/*))"), "BIP389"),
        ] {
            let error = require_strict(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_only_nearly_is_a_private_key_is_none_and_what_nearly_shows_one_is() {
        let serialised = base58::decode_check(TPRV).unwrap();
        let text = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = serialised.clone();
            edit(&mut bytes);
            base58::encode_check(&bytes)
        };
        // A prefix of no BIP; what tells a private key is the zero before it.
        let foreign = |bytes: &mut Vec<u8>| bytes[..4].copy_from_slice(&[4, 0x88, 0xb2, 0x1e]);
        assert!(holds_private_key(&text(&foreign)));
        for (at, other) in [(KEY_AT, 2), (KEY_AT, 3)] {
            assert!(!holds_private_key(&text(&|bytes| {
                foreign(bytes);
                bytes[at] = other;
            })));
        }
        assert!(!holds_private_key(&text(&|bytes| {
            foreign(bytes);
            bytes.pop();
        })));
        // Mistyped, so that no checksum fits: the prefix alone tells, at the beginning or inside a word.
        for private in ["zprvAWgYBBk7JR8Gj", "qqqqqxprvAWgYBBk7", "qqqqqtprvAWgYBBk7"] {
            assert_eq!(private.len(), 17);
            assert!(holds_private_key(private), "{private}");
            assert!(!holds_private_key(&private[..16]), "too short to be worth anything");
        }
        // As long as a key in wallet import format, and with its first character, but no base 58.
        assert!(holds_private_key(&"cd".repeat(26)) && !holds_private_key(&"c0".repeat(26)));
        assert!(!holds_private_key(&"dc".repeat(26)));
        for shorter in [50, 53] {
            assert!(!holds_private_key(&"c".repeat(shorter)));
        }
    }

    #[test]
    fn a_key_of_depth_0_has_neither_parent_nor_number() {
        let [a, _, _] = super::super::tests::cosigners();
        let account: Xpub = a.split(']').nth(1).unwrap().parse().unwrap();
        let master = Xpub {
            depth: 0,
            parent_fingerprint: [0; 4].into(),
            child_number: ChildNumber::Normal { index: 0 },
            ..account
        };
        let strict = |key: Xpub| require_strict(&format!("wpkh({key}/<0;1>/*)")).is_ok();
        assert!(strict(account) && strict(master));
        assert!(!strict(Xpub { parent_fingerprint: [1, 0, 0, 0].into(), ..master }));
        assert!(!strict(Xpub { child_number: ChildNumber::Normal { index: 1 }, ..master }));
        assert!(!strict(Xpub { child_number: ChildNumber::Hardened { index: 0 }, ..master }));
        assert!(strict(Xpub { depth: 1, ..account }));
    }

    #[test]
    fn a_text_may_be_as_long_and_have_as_many_places_as_the_bounds_say() {
        assert!(require_strict(&"(".repeat(MAX_DESCRIPTOR_LEN)).is_ok());
        let longer = MAX_DESCRIPTOR_LEN + 1;
        assert_eq!(require_strict(&"(".repeat(longer)), Err(WalletError::Length(longer)));
        assert!(require_strict(&"*".repeat(MAX_PLACES)).is_ok());
        assert_eq!(require_strict(&"*".repeat(MAX_PLACES + 1)), Err(WalletError::Places(MAX_PLACES + 1)));
    }
}
