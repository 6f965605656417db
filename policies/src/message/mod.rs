//! Messages that are signed with a wallet's keys, by BIP322 or BIP137. Nothing here signs: it makes what is signed.
//!
//! **No message can be a transaction, and no raw hash is ever signed (check C32).** Three things hold together:
//!
//! - The only way to something signable is a [`Message`], which is text. A hash that someone computed elsewhere, of a
//!   transaction for instance, has no way in: it is hashed once more, behind a tag.
//! - BIP322 signs a virtual transaction ([`bip322::ToSign`]) whose first input spends `to_spend`, and `to_spend` spends
//!   the null outpoint. Only a coinbase may do that, and a coinbase's scriptSig begins with its block's height (BIP34):
//!   this one begins with `OP_0`, height zero, where the genesis block is and stays. So `to_spend` is never in a chain,
//!   and no transaction that spends it is ever valid. Every signature commits to all inputs (`SIGHASH_ALL`, or
//!   `SIGHASH_DEFAULT` in taproot), so that none of them fits a transaction without that input, also where the other
//!   inputs are real coins (proof of funds). The only output is `OP_RETURN` with nothing in it.
//! - BIP137 signs a double SHA-256 of text that begins with `\x18Bitcoin Signed Message:\n`. A legacy transaction with
//!   the same bytes would have 99 inputs (`c`), and the next 20 letters as the first bytes of the txid that it spends;
//!   for BIP143 they would begin the hash of its inputs. To find either is a preimage of 160 bits.

pub mod bip137;
pub mod bip322;

use crate::codec::deceives;

/// Longest message, in bytes of UTF-8. BIP322 recommends a few kilobytes and the hash of everything longer.
pub const MAX_LEN: usize = 64 * 1024;

/// What cannot be signed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Too long.
    #[error("the message has {0} bytes, at most {MAX_LEN} are signed")]
    TooLong(usize),
    /// No text: nobody could read what is signed.
    #[error("the message is no UTF-8 text")]
    NotText,
    /// The challenge is no script that a key or a rule could satisfy.
    #[error("the message's script is no address: {0}")]
    Challenge(&'static str),
    /// A coin that no transaction could spend.
    #[error("coin {at} of the proof of funds: {reason}")]
    Coin {
        /// Its place in the list, from zero.
        at: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Signatures for another number of inputs.
    #[error("{found} inputs are signed, the message has {expected}")]
    Inputs {
        /// Satisfactions that were given.
        found: usize,
        /// Inputs of the virtual transaction.
        expected: usize,
    },
}

/// How a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageForm {
    /// BIP322 "simple": the witness of a native segwit address without timelocks.
    Bip322Simple,
    /// BIP322 "full": the whole virtual transaction, for every other address.
    Bip322Full,
    /// BIP322 "full (proof of funds)": with coins as further inputs.
    Bip322ProofOfFunds,
    /// BIP137: a recoverable signature of one key.
    Bip137,
}

impl MessageForm {
    /// What people and programs call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            MessageForm::Bip322Simple => "bip322-simple",
            MessageForm::Bip322Full => "bip322-full",
            MessageForm::Bip322ProofOfFunds => "bip322-proof-of-funds",
            MessageForm::Bip137 => "bip137",
        }
    }
}

/// A text that may be signed: at most [`MAX_LEN`] bytes of UTF-8, exactly as it was given, also when it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Message {
    text: String,
}

impl Message {
    /// Takes a text as it is: no byte is trimmed or normalised, because all of them are signed.
    ///
    /// # Errors
    /// [`MessageError::TooLong`].
    pub fn new(text: impl Into<String>) -> Result<Self, MessageError> {
        let text = text.into();
        match text.len() {
            len if len > MAX_LEN => Err(MessageError::TooLong(len)),
            _ => Ok(Self { text }),
        }
    }

    /// The same for bytes.
    ///
    /// # Errors
    /// [`MessageError::TooLong`] and [`MessageError::NotText`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_LEN {
            return Err(MessageError::TooLong(bytes.len()));
        }
        Self::new(std::str::from_utf8(bytes).map_err(|_| MessageError::NotText)?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes that are signed.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// For a screen: every character that is invisible or reorders others as `\u{…}`, line ends too, and the backslash
    /// doubled, so that what is shown has one meaning (check C26).
    pub fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        for c in self.text.chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                c if deceives(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_bounded_text() {
        assert!(Message::new("").is_ok());
        assert!(Message::new("x".repeat(MAX_LEN)).is_ok());
        assert_eq!(Message::new("x".repeat(MAX_LEN + 1)), Err(MessageError::TooLong(MAX_LEN + 1)));
        assert_eq!(Message::from_bytes(&vec![0xff; MAX_LEN + 1]), Err(MessageError::TooLong(MAX_LEN + 1)));
        assert_eq!(Message::from_bytes(b"\xff"), Err(MessageError::NotText));
        assert_eq!(Message::from_bytes("ö".as_bytes()).unwrap().as_str(), "ö");
    }

    #[test]
    fn what_is_shown_has_one_meaning() {
        let message = Message::new("pay\n\u{202e}1\\n\u{1b}[2J 测试").unwrap();
        assert_eq!(message.shown(), "pay\\u{a}\\u{202e}1\\\\n\\u{1b}[2J 测试");
    }
}
