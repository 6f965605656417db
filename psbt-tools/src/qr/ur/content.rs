//! The types of content (BCR-2020-006), and what is inside each.

use super::{cbor, keys, output};
use crate::qr::fault::Fault;
use crate::qr::payload::Kind;
use minicbor::Encoder;

/// The types that are read. The first of two names is that of version 1 of the type, which most devices write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Type {
    /// `crypto-psbt`
    CryptoPsbt,
    /// `psbt`
    Psbt,
    /// `bytes`
    Bytes,
    /// `crypto-output`
    CryptoOutput,
    /// `output-descriptor`
    OutputDescriptor,
    /// `crypto-account`
    CryptoAccount,
    /// `account-descriptor`
    AccountDescriptor,
    /// `crypto-hdkey`
    CryptoHdkey,
    /// `hdkey`
    Hdkey,
}

/// Every type.
const ALL: [Type; 9] = [
    Type::CryptoPsbt,
    Type::Psbt,
    Type::Bytes,
    Type::CryptoOutput,
    Type::OutputDescriptor,
    Type::CryptoAccount,
    Type::AccountDescriptor,
    Type::CryptoHdkey,
    Type::Hdkey,
];

impl Type {
    /// Its name in a frame, in lower case.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::CryptoPsbt => "crypto-psbt",
            Type::Psbt => "psbt",
            Type::Bytes => "bytes",
            Type::CryptoOutput => "crypto-output",
            Type::OutputDescriptor => "output-descriptor",
            Type::CryptoAccount => "crypto-account",
            Type::AccountDescriptor => "account-descriptor",
            Type::CryptoHdkey => "crypto-hdkey",
            Type::Hdkey => "hdkey",
        }
    }

    /// The type of a name in either case.
    pub(super) fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|ty| ty.name().eq_ignore_ascii_case(name))
    }

    /// What it carries, as far as its name says.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Type::CryptoPsbt | Type::Psbt => Kind::Psbt,
            Type::Bytes => Kind::Bytes,
            Type::CryptoOutput | Type::OutputDescriptor | Type::CryptoAccount | Type::AccountDescriptor => {
                Kind::Descriptor
            }
            Type::CryptoHdkey | Type::Hdkey => Kind::Text,
        }
    }

    /// The type in which content of a kind is written, and its message. PSBTs go out as `crypto-psbt`, because Jade
    /// reads no `psbt`; descriptors as `output-descriptor`, which takes their text as it is, unless it has the `@` that stands
    /// for a key there.
    pub(crate) fn wrap(kind: Kind, bytes: &[u8]) -> (Self, Vec<u8>) {
        match (kind, std::str::from_utf8(bytes)) {
            (Kind::Psbt, _) => (Type::CryptoPsbt, cbor::byte_string(bytes)),
            (Kind::Descriptor, Ok(text)) if !text.trim().contains(['\n', '@']) => {
                let mut message = Vec::with_capacity(bytes.len().saturating_add(12));
                // Writing into memory does not fail.
                let _ = Encoder::new(&mut message).map(1).and_then(|e| e.u8(1)?.str(text.trim()).map(|_| ()));
                (Type::OutputDescriptor, message)
            }
            (Kind::Descriptor | Kind::Transaction | Kind::Json | Kind::Text | Kind::Bytes, _) => {
                (Type::Bytes, cbor::byte_string(bytes))
            }
        }
    }
}

/// The content of a message of a type.
///
/// # Errors
/// [`Fault::Content`] when it is not what its type says.
pub(crate) fn read(ty: Type, message: &[u8]) -> Result<(Kind, Vec<u8>), Fault> {
    let bytes = match ty {
        Type::CryptoPsbt | Type::Psbt | Type::Bytes => cbor::whole(message, |decoder| {
            decoder.bytes().map(<[u8]>::to_vec).map_err(|_| "there are no bytes where some belong")
        }),
        Type::CryptoOutput => {
            cbor::whole(message, |decoder| output::expression(decoder, None)).map(String::into_bytes)
        }
        Type::OutputDescriptor => cbor::whole(message, output::text).map(String::into_bytes),
        Type::CryptoAccount | Type::AccountDescriptor => {
            cbor::whole(message, output::account).map(String::into_bytes)
        }
        Type::CryptoHdkey | Type::Hdkey => {
            cbor::whole(message, |decoder| keys::hdkey(decoder, None)).map(String::into_bytes)
        }
    };
    bytes
        .map_err(|what| Fault::Content { expected: ty.name(), what })
        .and_then(|bytes| ty.kind().checked(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_either_case() {
        for ty in ALL {
            assert_eq!(Type::of(&ty.name().to_uppercase()), Some(ty));
        }
        assert_eq!(Type::of("crypto-seed"), None);
    }

    #[test]
    fn what_is_wrapped_is_read() {
        for (kind, bytes, ty) in [
            (Kind::Psbt, &b"psbt\xff\x01\x02"[..], Type::CryptoPsbt),
            (Kind::Bytes, &[1, 2, 3], Type::Bytes),
            (Kind::Descriptor, b"wpkh(xpub)", Type::OutputDescriptor),
            (Kind::Json, b"{}", Type::Bytes),
            (Kind::Descriptor, b"wpkh(@0/**)", Type::Bytes),
        ] {
            let (wrapped, message) = Type::wrap(kind, bytes);
            assert_eq!((wrapped, read(wrapped, &message)), (ty, Ok((kind, bytes.to_vec()))));
        }
    }

    #[test]
    fn a_message_that_is_not_of_its_type_is_refused() {
        for (ty, message) in [
            (Type::CryptoPsbt, &[0x41, 7][..]),
            (Type::CryptoPsbt, &[0x01]),
            (Type::Bytes, &[0x42, 7]),
            (Type::Bytes, &[0x41, 7, 7]),
            (Type::Bytes, &[0x5f, 0x41, 7, 0xff]),
            (Type::OutputDescriptor, &[0xa0]),
        ] {
            assert!(matches!(read(ty, message), Err(Fault::Content { .. })), "{ty:?} {message:?}");
        }
    }
}
