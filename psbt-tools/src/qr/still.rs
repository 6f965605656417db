//! One code that holds all: a PSBT or a transaction as text, or a descriptor as it is. Read only.

use super::base43;
use super::descriptor::looks_like_descriptor;
use super::payload::{Format, Kind};
use super::{MAX_FRAME_CHARS, MAX_MESSAGE_LEN};
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER_PERMISSIVE};

/// How an encoding is read.
type Decode = fn(&str) -> Option<Vec<u8>>;

/// What a text holds; `None` unless it is a PSBT, a transaction or a descriptor.
pub(super) fn read(text: &str) -> Option<(Format, Kind, Vec<u8>)> {
    if looks_like_descriptor(text) {
        return Some((Format::Text, Kind::Descriptor, text.trim().as_bytes().to_vec()));
    }
    let encodings: [(Format, Decode); 3] =
        [(Format::Hex, hex), (Format::Base64, base64), (Format::Base43, short_base43)];
    encodings.into_iter().find_map(|(format, decode)| {
        let bytes = decode(text)?;
        let kind = Kind::of(&bytes);
        matches!(kind, Kind::Psbt | Kind::Transaction).then_some((format, kind, bytes))
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let fits = text.len() / 4 <= MAX_MESSAGE_LEN / 3;
    let decode = || BASE64.decode(text.as_bytes()).or_else(|_| BASE64_NOPAD.decode(text.as_bytes())).ok();
    fits.then(decode).flatten()
}

/// Base43 of one code only: its work grows with the square of the length.
fn short_base43(text: &str) -> Option<Vec<u8>> {
    (text.len() <= MAX_FRAME_CHARS).then(|| base43::decode(text)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_psbt_is_recognised_in_every_encoding() {
        let psbt = b"psbt\xff\x01\x02".to_vec();
        for (text, format) in [
            ("70736274FF0102", Format::Hex),
            ("70736274ff0102", Format::Hex),
            ("cHNidP8BAg==", Format::Base64),
        ] {
            assert_eq!(read(text), Some((format, Kind::Psbt, psbt.clone())), "{text}");
        }
        // 0x70736274ff0102 in base 43.
        let mut number = 0x70_7362_74ff_0102_u64;
        let mut digits = Vec::new();
        while number > 0 {
            digits.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ$*+-./:"[(number % 43) as usize]);
            number /= 43;
        }
        digits.reverse();
        let text = String::from_utf8(digits).unwrap();
        assert_eq!(read(&text), Some((Format::Base43, Kind::Psbt, psbt)));
    }

    #[test]
    fn a_descriptor_is_taken_as_it_is() {
        let (format, kind, bytes) = read("wpkh(xpub/<0;1>/*)#abcdefgh").unwrap();
        assert_eq!((format, kind, &bytes[..5]), (Format::Text, Kind::Descriptor, &b"wpkh("[..]));
    }

    #[test]
    fn anything_else_is_foreign() {
        for text in
            ["", "https://example.org", "bitcoin:bc1q", "0000", "AAAA", "hello", "{\"a\":1}", "\u{202e}"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
