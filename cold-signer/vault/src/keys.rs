//! New keys: machine entropy, the operator's dice, BIP39 words.
//!
//! The operator can recompute the mix with any SHA-256 tool:
//!
//! - machine part: 32 bytes of getrandom(2); its commitment SHA-256(machine) is shown before the dice
//! - mixed = SHA-256(machine || dice), dice being the typed digits in ASCII without spaces, empty when none
//! - entropy = mixed for 24 words, its first 16 bytes for 12 words

use bip39::{Language, Mnemonic};
use bitcoin::hashes::{Hash, sha256};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::secret::Secret;

/// How many BIP39 words back up a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits of entropy.
    Twelve,
    /// 256 bits of entropy.
    #[default]
    TwentyFour,
}

impl WordCount {
    /// Length of the entropy in bytes.
    #[must_use]
    pub fn entropy_len(self) -> usize {
        match self {
            Self::Twelve => 16,
            Self::TwentyFour => 32,
        }
    }

    /// Number of words.
    #[must_use]
    pub fn words(self) -> usize {
        match self {
            Self::Twelve => 12,
            Self::TwentyFour => 24,
        }
    }
}

/// The operator's dice (digits 1 to 6) or coins (0 and 1), as typed, without spaces.
pub struct Dice {
    digits: Secret,
}

impl Dice {
    /// Takes typed text; white space is left out, so that rolls may be grouped.
    ///
    /// # Errors
    /// [`Error::Dice`] for any other character.
    pub fn new(typed: &[u8]) -> Result<Self, Error> {
        let count = typed.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
        let mut digits = Secret::zeroed(count)?;
        let solid = typed.iter().filter(|byte| !byte.is_ascii_whitespace());
        for (place, byte) in digits.expose_mut().iter_mut().zip(solid) {
            if !(b'0'..=b'6').contains(byte) {
                return Err(Error::Dice(char::from(*byte)));
            }
            *place = *byte;
        }
        Ok(Self { digits })
    }

    /// Number of rolls.
    #[must_use]
    pub fn rolls(&self) -> usize {
        self.digits.expose().len()
    }
}

/// The machine's part of a new key, drawn before the operator's part is known.
pub struct MachineEntropy(Secret);

impl MachineEntropy {
    /// Draws 32 bytes from getrandom(2).
    ///
    /// # Errors
    /// [`Error::Randomness`]; there is no fallback.
    pub fn draw() -> Result<Self, Error> {
        Secret::random(32).map(Self)
    }

    /// SHA-256 of the machine part: shown before the dice, so that the machine cannot answer to them.
    #[must_use]
    pub fn commitment(&self) -> [u8; 32] {
        sha256::Hash::hash(self.0.expose()).to_byte_array()
    }

    /// The machine part itself, for the vault's own terminal only; never stored.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// The entropy of the new key, as the module says.
    ///
    /// # Errors
    /// [`Error::System`] when memory cannot be locked.
    pub fn mix(&self, dice: Option<&Dice>, count: WordCount) -> Result<Entropy, Error> {
        let mut hasher = Sha256::new();
        hasher.update(self.0.expose());
        hasher.update(dice.map(|dice| dice.digits.expose()).unwrap_or_default());
        let mut mixed: [u8; 32] = hasher.finalize().into();
        let entropy = Secret::take(mixed.get_mut(..count.entropy_len()).unwrap_or_default());
        mixed.zeroize();
        Ok(Entropy(entropy?))
    }
}

/// The entropy behind BIP39 words. It is not stored: the store keeps the seed, which gives no words.
pub struct Entropy(Secret);

impl Entropy {
    /// From words typed by a person: any case, any white space between them.
    ///
    /// # Errors
    /// [`Error::Words`] for unknown words, a wrong count or a wrong checksum; 12 or 24 words only.
    pub fn from_words(typed: &str) -> Result<Self, Error> {
        let lower = Zeroizing::new(typed.to_lowercase());
        let mnemonic = Mnemonic::parse_in(Language::English, lower.as_str()).map_err(reason)?;
        if ![12, 24].contains(&mnemonic.word_count()) {
            return Err(Error::Words("there must be 12 or 24 of them"));
        }
        let (mut bytes, len) = mnemonic.to_entropy_array();
        let entropy = Secret::take(bytes.get_mut(..len).unwrap_or_default());
        bytes.zeroize();
        entropy.map(Self)
    }

    /// The words, in order, from the official English list.
    ///
    /// # Errors
    /// [`Error::Words`]; cannot happen for entropy of this module's making.
    pub fn words(&self) -> Result<Words, Error> {
        Ok(Words(self.mnemonic()?.words().collect()))
    }

    /// The BIP39 seed under an optional passphrase (NFKD is applied; empty is BIP39's default).
    ///
    /// # Errors
    /// [`Error::System`] when memory cannot be locked.
    pub fn seed(&self, passphrase: &str) -> Result<Secret, Error> {
        let mut seed = self.mnemonic()?.to_seed(passphrase);
        Secret::take(&mut seed)
    }

    fn mnemonic(&self) -> Result<Mnemonic, Error> {
        Mnemonic::from_entropy_in(Language::English, self.0.expose()).map_err(reason)
    }
}

/// Words to be shown. The references are wiped on drop, so that their order does not stay in memory.
pub struct Words(Vec<&'static str>);

impl Words {
    /// The words in order.
    #[must_use]
    pub fn as_slice(&self) -> &[&'static str] {
        &self.0
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        for word in &mut self.0 {
            *word = "";
        }
        std::hint::black_box(&self.0);
    }
}

/// Whether typed bytes are a word of the English list, in any case; white space around it does not matter.
#[must_use]
pub fn is_word(typed: &[u8]) -> bool {
    let typed = typed.trim_ascii();
    Language::English.word_list().iter().any(|word| typed.eq_ignore_ascii_case(word.as_bytes()))
}

/// Says what is wrong without naming a word.
fn reason(error: bip39::Error) -> Error {
    Error::Words(match error {
        bip39::Error::BadWordCount(_) => "there must be 12 or 24 of them",
        bip39::Error::UnknownWord(_) => "one of them is not in the English list",
        bip39::Error::InvalidChecksum => "their checksum is wrong",
        bip39::Error::BadEntropyBitCount(_) => "the entropy has a wrong length",
        bip39::Error::AmbiguousLanguages(_) => "their language is ambiguous",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::vectors;

    fn hex(text: &str) -> Vec<u8> {
        bitcoin::hex::FromHex::from_hex(text).unwrap()
    }

    fn entropy(text: &str) -> Entropy {
        Entropy(Secret::take(&mut hex(text)).unwrap())
    }

    #[test]
    fn the_mix_can_be_recomputed_by_hand() {
        let machine = MachineEntropy(Secret::take(&mut [7; 32]).unwrap());
        let dice = Dice::new(b"1234 56\n01").ok().unwrap();
        assert_eq!(dice.rolls(), 8);
        let expected = sha256::Hash::hash(&[&[7; 32][..], b"12345601"].concat()).to_byte_array();
        assert_eq!(machine.commitment(), sha256::Hash::hash(&[7; 32]).to_byte_array());
        let long = machine.mix(Some(&dice), WordCount::TwentyFour).ok().unwrap();
        assert_eq!(long.0.expose(), expected);
        let short = machine.mix(Some(&dice), WordCount::Twelve).ok().unwrap();
        assert_eq!(short.0.expose(), &expected[..16]);
        let alone = machine.mix(None, WordCount::TwentyFour).ok().unwrap();
        assert_eq!(alone.0.expose(), sha256::Hash::hash(&[7; 32]).to_byte_array());
    }

    #[test]
    fn dice_refuse_other_characters() {
        for typed in [&b"7"[..], b"1a", b"-1", b"\xff"] {
            assert!(matches!(Dice::new(typed), Err(Error::Dice(_))));
        }
    }

    #[test]
    fn two_draws_differ() {
        let (one, two) = (MachineEntropy::draw().ok().unwrap(), MachineEntropy::draw().ok().unwrap());
        assert_ne!(one.commitment(), two.commitment());
    }

    #[test]
    fn words_and_seed_follow_bip39() {
        let zeros = entropy("00000000000000000000000000000000");
        let words = zeros.words().ok().unwrap();
        assert_eq!(words.as_slice()[..11], ["abandon"; 11]);
        assert_eq!(words.as_slice()[11], "about");
        let expected = "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04";
        assert_eq!(zeros.seed("TREZOR").ok().unwrap().expose(), hex(expected));
    }

    #[test]
    fn typed_words_are_checked_and_never_echoed() {
        let good = " ABANDON ".to_owned() + &"abandon\n".repeat(10) + "about";
        assert_eq!(Entropy::from_words(&good).ok().unwrap().0.expose(), [0; 16]);
        for bad in ["abandon ".repeat(12), "abandon ".repeat(11) + "hunter2", "abandon".to_owned()] {
            let error = Entropy::from_words(&bad).err().unwrap();
            assert!(matches!(error, Error::Words(_)));
            assert!(!error.to_string().contains("abandon") && !error.to_string().contains("hunter2"));
        }
        let fifteen = Mnemonic::from_entropy(&[0; 20]).unwrap().to_string();
        assert!(matches!(Entropy::from_words(&fifteen), Err(Error::Words(_))));
    }

    #[test]
    fn a_word_of_the_list_is_known_in_any_case_and_nothing_else_is() {
        for word in [&b"abandon"[..], b" Zoo", b"ABOUT\t"] {
            assert!(is_word(word));
        }
        for other in [&b""[..], b" ", b"aban", b"abandn", b"abandon about", b"\xff", "\u{e9}".as_bytes()] {
            assert!(!is_word(other), "{other:?}");
        }
    }

    #[test]
    fn trezor_vectors_give_their_words_and_seeds() {
        let Some(file) = vectors("bip39_trezor.json") else { return };
        let rows = file["english"].as_array().or(file["vectors"]["english"].as_array());
        let mut seen = 0;
        for row in rows.expect("english rows") {
            let field = |index: usize, name: &str| {
                row.get(index).or(row.get(name)).unwrap().as_str().unwrap().to_owned()
            };
            let (entropy_hex, words, seed) = (field(0, "entropy"), field(1, "mnemonic"), field(2, "seed"));
            let entropy = entropy(&entropy_hex);
            assert_eq!(entropy.words().ok().unwrap().as_slice().join(" "), words);
            assert_eq!(entropy.seed("TREZOR").ok().unwrap().expose(), hex(&seed));
            seen += 1;
        }
        assert!(seen >= 24);
    }
}
