//! Bounded canonical bytes: the one encoding that is hashed and signed.
//!
//! Integers are big-endian, byte strings are prefixed by a `u32` length (the `uint32`/`uint64`/`string` of
//! RFC 4251 §5), and every document starts with its tag. [`Canonical::from_bytes`] refuses trailing bytes and
//! anything that would not encode back to the same bytes, so two different byte strings never mean the same.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Txid};

/// Longest script that is read, in bytes: Bitcoin Core's `MAX_SCRIPT_SIZE` (script/script.h).
pub const MAX_SCRIPT_LEN: usize = 10_000;

/// Why bytes are not a canonical document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a field.
    #[error("{what}: {needed} more bytes were expected")]
    Truncated {
        /// The field that was being read.
        what: &'static str,
        /// Bytes that are missing.
        needed: usize,
    },
    /// A length or a count is above what this field may have.
    #[error("{what}: {found} is more than the {max} that are allowed")]
    TooLong {
        /// The field that was being read.
        what: &'static str,
        /// What the bytes claim.
        found: usize,
        /// The cap of this field.
        max: usize,
    },
    /// The value of a field is outside its domain.
    #[error("{what}: {reason}")]
    Invalid {
        /// The field that was being read.
        what: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// Bytes follow the document.
    #[error("{0} bytes follow the end of the document")]
    Trailing(usize),
    /// The document is of another kind or version.
    #[error("expected a document `{expected}`, found `{found}`")]
    WrongTag {
        /// The tag that was asked for.
        expected: &'static str,
        /// The tag in the bytes, escaped.
        found: String,
    },
    /// The bytes decode, but are not the one encoding of their meaning.
    #[error("the bytes are not the canonical encoding of what they say")]
    NotCanonical,
}

impl CodecError {
    /// An [`CodecError::Invalid`] with a displayable reason.
    pub fn invalid(what: &'static str, reason: impl ToString) -> Self {
        Self::Invalid { what, reason: reason.to_string() }
    }
}

/// A value with exactly one encoding.
pub trait Canonical: Sized {
    /// Kind and version, first in the bytes: `airlock/spend/1`.
    const TAG: &'static str;

    /// Appends the fields, without the tag.
    fn encode_fields(&self, to: &mut Encoder);

    /// Reads the fields, without the tag.
    ///
    /// # Errors
    /// [`CodecError`] for anything that is no valid value.
    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError>;

    /// The one encoding of this value.
    fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.string(Self::TAG.as_bytes());
        self.encode_fields(&mut encoder);
        encoder.finish()
    }

    /// Reads a value; the whole of `bytes` must be its one encoding.
    ///
    /// # Errors
    /// [`CodecError`] when the bytes are truncated, trailed, of another kind, invalid or not canonical.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut decoder = Decoder::new(bytes);
        let tag = decoder.string("tag", 64)?;
        if tag != Self::TAG.as_bytes() {
            return Err(CodecError::WrongTag { expected: Self::TAG, found: tag.escape_ascii().to_string() });
        }
        let value = Self::decode_fields(&mut decoder)?;
        decoder.finish()?;
        if value.to_bytes() != bytes {
            return Err(CodecError::NotCanonical);
        }
        Ok(value)
    }
}

/// Builds canonical bytes.
#[derive(Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Four bytes, big-endian.
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// Bytes whose length the format fixes.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Length, then bytes.
    pub fn string(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.fixed(bytes);
    }

    /// How many items follow. Nothing that exists in memory here comes near `u32::MAX` items; a value that did
    /// would saturate and then fail to decode, never be read as something shorter.
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// A count, then each item.
    pub fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.count(items.len());
        for item in items {
            each(self, item);
        }
    }

    /// A presence byte, then the value when there is one.
    pub fn option<T>(&mut self, value: Option<&T>, each: impl FnOnce(&mut Self, &T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            each(self, value);
        }
    }

    /// An amount in satoshi.
    pub fn amount(&mut self, amount: Amount) {
        self.u64(amount.to_sat());
    }

    /// Txid in internal byte order, then the output's index.
    pub fn outpoint(&mut self, outpoint: &OutPoint) {
        self.fixed(outpoint.txid.as_byte_array());
        self.u32(outpoint.vout);
    }

    /// A network by its number in this codec.
    pub fn network(&mut self, network: Network) {
        self.u8(network_number(network));
    }

    /// The bytes so far.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads canonical bytes; every length is compared with what is there before anything is allocated.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn take(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], CodecError> {
        match self.rest.split_at_checked(len) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(CodecError::Truncated { what, needed: len.saturating_sub(self.rest.len()) }),
        }
    }

    /// Bytes whose length the format fixes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn fixed<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CodecError> {
        let bytes = self.take(what, N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| CodecError::Truncated { what, needed: N })
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u8(&mut self, what: &'static str) -> Result<u8, CodecError> {
        Ok(u8::from_be_bytes(self.fixed(what)?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, CodecError> {
        Ok(u32::from_be_bytes(self.fixed(what)?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u64(&mut self, what: &'static str) -> Result<u64, CodecError> {
        Ok(u64::from_be_bytes(self.fixed(what)?))
    }

    /// A count of at most `max`.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::TooLong`].
    pub fn count(&mut self, what: &'static str, max: usize) -> Result<usize, CodecError> {
        let found = usize::try_from(self.u32(what)?).unwrap_or(usize::MAX);
        if found > max {
            return Err(CodecError::TooLong { what, found, max });
        }
        Ok(found)
    }

    /// Length, then bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::TooLong`].
    pub fn string(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
        let len = self.count(what, max)?;
        self.take(what, len)
    }

    /// Text fit for a screen: see [`clean_text`].
    ///
    /// # Errors
    /// [`CodecError`] when it is too long, no UTF-8, or could deceive a reader.
    pub fn text(&mut self, what: &'static str, max: usize) -> Result<String, CodecError> {
        let bytes = self.string(what, max)?;
        let text = std::str::from_utf8(bytes).map_err(|error| CodecError::invalid(what, error))?;
        clean_text(what, text, max)?;
        Ok(text.to_owned())
    }

    /// A count of at most `max`, then each item; memory grows only with items that were really there.
    ///
    /// # Errors
    /// What the count or an item gives.
    pub fn list<T>(
        &mut self,
        what: &'static str,
        max: usize,
        mut each: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let count = self.count(what, max)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(each(self)?);
        }
        Ok(items)
    }

    /// A presence byte, then the value when there is one.
    ///
    /// # Errors
    /// What the value gives, or [`CodecError::Invalid`] for a presence byte above 1.
    pub fn option<T>(
        &mut self,
        what: &'static str,
        each: impl FnOnce(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Option<T>, CodecError> {
        match self.u8(what)? {
            0 => Ok(None),
            1 => each(self).map(Some),
            other => Err(CodecError::invalid(what, format!("presence byte {other}, not 0 or 1"))),
        }
    }

    /// A presence byte on its own.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::Invalid`] for a byte above 1.
    pub fn boolean(&mut self, what: &'static str) -> Result<bool, CodecError> {
        Ok(self.option(what, |_| Ok(()))?.is_some())
    }

    /// An amount in satoshi, at most 21 million BTC.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::Invalid`].
    pub fn amount(&mut self, what: &'static str) -> Result<Amount, CodecError> {
        let sat = self.u64(what)?;
        if sat > Amount::MAX_MONEY.to_sat() {
            return Err(CodecError::invalid(what, format!("{sat} sat is above 21 million BTC")));
        }
        Ok(Amount::from_sat(sat))
    }

    /// Txid in internal byte order, then the output's index.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn outpoint(&mut self, what: &'static str) -> Result<OutPoint, CodecError> {
        Ok(OutPoint { txid: Txid::from_byte_array(self.fixed(what)?), vout: self.u32(what)? })
    }

    /// An input's sequence number.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn sequence(&mut self, what: &'static str) -> Result<Sequence, CodecError> {
        self.u32(what).map(Sequence)
    }

    /// A script of at most [`MAX_SCRIPT_LEN`] bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::TooLong`].
    pub fn script(&mut self, what: &'static str) -> Result<ScriptBuf, CodecError> {
        self.string(what, MAX_SCRIPT_LEN).map(|bytes| ScriptBuf::from_bytes(bytes.to_vec()))
    }

    /// A network by its number in this codec.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], [`CodecError::Invalid`].
    pub fn network(&mut self, what: &'static str) -> Result<Network, CodecError> {
        let number = self.u8(what)?;
        NETWORKS
            .into_iter()
            .find(|network| network_number(*network) == number)
            .ok_or_else(|| CodecError::invalid(what, format!("no network has the number {number}")))
    }

    /// Ends the document.
    ///
    /// # Errors
    /// [`CodecError::Trailing`].
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CodecError::Trailing(self.rest.len())) }
    }
}

/// Refuses text that could deceive whoever reads it on a screen: control characters, bidirectional overrides,
/// invisible and private-use characters (check C26), and more than `max_len` bytes.
///
/// # Errors
/// [`CodecError::TooLong`], [`CodecError::Invalid`].
pub fn clean_text(what: &'static str, text: &str, max_len: usize) -> Result<(), CodecError> {
    if text.len() > max_len {
        return Err(CodecError::TooLong { what, found: text.len(), max: max_len });
    }
    match text.chars().find(|c| deceives(*c)) {
        Some(c) => Err(CodecError::invalid(
            what,
            format!("the character U+{:04X} is not allowed in text", u32::from(c)),
        )),
        None => Ok(()),
    }
}

/// Whether a character is invisible, reorders its neighbours, or belongs to no script: such characters are refused in
/// our own documents and escaped wherever foreign text is shown.
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
            | '\u{2800}' | '\u{E000}'..='\u{F8FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFC}'
            | '\u{13430}'..='\u{1345F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{10FFFF}')
}

const NETWORKS: [Network; 5] =
    [Network::Bitcoin, Network::Testnet, Network::Testnet4, Network::Signet, Network::Regtest];

/// Networks have fixed numbers here, so that a reordering in a library changes no hash.
fn network_number(network: Network) -> u8 {
    match network {
        Network::Bitcoin => 0,
        Network::Testnet => 1,
        Network::Signet => 2,
        Network::Regtest => 3,
        Network::Testnet4 => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq)]
    struct Sample(u64, Vec<u8>, Option<u32>);

    impl Canonical for Sample {
        const TAG: &'static str = "airlock/sample/1";
        fn encode_fields(&self, to: &mut Encoder) {
            to.u64(self.0);
            to.string(&self.1);
            to.option(self.2.as_ref(), |to, v| to.u32(*v));
        }
        fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
            Ok(Self(
                from.u64("a")?,
                from.string("b", 1000)?.to_vec(),
                from.option("c", |from| from.u32("c"))?,
            ))
        }
    }

    proptest! {
        #[test]
        fn every_value_survives_a_round_trip(a: u64, b in proptest::collection::vec(any::<u8>(), 0..100), c: Option<u32>) {
            let sample = Sample(a, b, c);
            prop_assert_eq!(Sample::from_bytes(&sample.to_bytes()).unwrap(), sample);
        }

        #[test]
        fn no_prefix_and_no_extension_of_a_document_is_a_document(a: u64, b in proptest::collection::vec(any::<u8>(), 0..40), cut in 0usize..30, extra in 1usize..5) {
            let bytes = Sample(a, b, None).to_bytes();
            let cut = cut.min(bytes.len() - 1);
            prop_assert!(Sample::from_bytes(&bytes[..cut]).is_err());
            let mut longer = bytes;
            longer.extend(vec![0; extra]);
            prop_assert!(Sample::from_bytes(&longer).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Sample::from_bytes(&bytes);
        }
    }

    #[test]
    fn a_claimed_length_is_compared_before_anything_is_allocated() {
        let mut decoder = Decoder::new(&[0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(
            decoder.string("script", 10),
            Err(CodecError::TooLong { what: "script", found: 0xffff_ffff, max: 10 })
        );
    }

    #[test]
    fn text_with_a_bidirectional_override_is_refused() {
        for bad in ["a\u{202e}b", "a\u{200b}b", "a\x1b[31m", "a\nb", "a\u{e0041}"] {
            assert!(clean_text("purpose", bad, 100).is_err(), "{bad:?}");
        }
        assert!(clean_text("purpose", "Büro Zürich – invoice 12, 請求書", 100).is_ok());
    }

    #[test]
    fn each_network_has_its_own_number() {
        for network in NETWORKS {
            let mut encoder = Encoder::default();
            encoder.network(network);
            assert_eq!(Decoder::new(&encoder.finish()).network("network"), Ok(network));
        }
        assert!(Decoder::new(&[5]).network("network").is_err());
    }
}
