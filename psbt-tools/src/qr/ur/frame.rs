//! One frame: `ur:type/body` for a whole payload, `ur:type/number-parts/body` for a part of one (BCR-2020-005).

use super::bytewords;
use super::content::Type;
use super::part::Part;
use crate::qr::fault::{Fault, form};
use crate::qr::payload::Format;

/// How every frame begins, in either case.
const SCHEME: &str = "ur:";

/// Longest name of a type that is repeated in a reason.
const MAX_TYPE_LEN: usize = 32;

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message.
    Whole(Type, Vec<u8>),
    /// A part of one.
    Part(Type, Part),
}

/// Reads a frame; `None` when the text does not begin like one.
pub(crate) fn parse(text: &str) -> Option<Result<Frame, Fault>> {
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| parse_path(rest))
}

fn parse_path(path: &str) -> Result<Frame, Fault> {
    let mut pieces = path.split('/');
    let name = pieces.next().unwrap_or_default();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(form(Format::Ur, "there is no type"));
    }
    let ty = Type::of(name).ok_or_else(|| Fault::Type {
        format: Format::Ur,
        found: name.chars().take(MAX_TYPE_LEN).collect::<String>().to_ascii_lowercase(),
    })?;
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(body), None, None) => Ok(Frame::Whole(ty, bytewords::decode(body)?)),
        (Some(sequence), Some(body), None) => {
            let part = Part::read(&bytewords::decode(body)?)?;
            let expected = format!("{}-{}", part.number, part.parts);
            if sequence != expected {
                let text = sequence.chars().take(MAX_TYPE_LEN).collect();
                return Err(Fault::Sequence { text, body: expected });
            }
            Ok(Frame::Part(ty, part))
        }
        _ => Err(form(Format::Ur, "it has not two or three pieces between slashes")),
    }
}

/// Writes a frame, in upper case.
pub(super) fn write(ty: Type, part: &Part) -> String {
    let name = ty.name().to_ascii_uppercase();
    format!("UR:{name}/{}-{}/{}", part.number, part.parts, bytewords::encode(&part.write()))
}

/// Writes a whole message as one frame, in upper case.
pub(super) fn write_whole(ty: Type, message: &[u8]) -> String {
    format!("UR:{}/{}", ty.name().to_ascii_uppercase(), bytewords::encode(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Part {
        Part { number: 12, parts: 8, message_len: 40, checksum: 7, data: vec![1, 2, 3, 4, 5] }
    }

    #[test]
    fn frames_are_read_in_either_case() {
        let text = write(Type::CryptoPsbt, &part());
        assert!(text.starts_with("UR:CRYPTO-PSBT/12-8/LP"));
        for text in [text.clone(), text.to_lowercase()] {
            assert_eq!(parse(&text), Some(Ok(Frame::Part(Type::CryptoPsbt, part()))));
        }
        let whole = write_whole(Type::Bytes, &[0x41, 7]);
        assert_eq!(parse(&whole), Some(Ok(Frame::Whole(Type::Bytes, vec![0x41, 7]))));
    }

    #[test]
    fn a_sequence_that_contradicts_the_body_is_refused() {
        let text = write(Type::Bytes, &part());
        for other in ["11-8", "12-9", "012-8", "+12-8", "12", "12-8-1", ""] {
            let text = text.replace("12-8", other);
            assert!(matches!(parse(&text), Some(Err(Fault::Sequence { .. }))), "{other}");
        }
    }

    #[test]
    fn broken_frames_are_refused() {
        let reason = |text: &str| parse(text).unwrap().unwrap_err();
        for text in
            ["ur:", "ur:/", "ur:bytes", "ur:bytes/1-1/aeae/x", "ur:by tes/ae", "ur:bytes/", "ur:bytes//"]
        {
            assert!(matches!(reason(text), Fault::Form { .. }), "{text}");
        }
        assert!(matches!(reason("ur:crypto-seed/aeadaolazmjendeoti"), Fault::Type { .. }));
        assert!(matches!(reason("ur:bytes/aeadaolazmjendeowf"), Fault::FrameChecksum { .. }));
        assert_eq!(parse("u"), None);
        assert_eq!(parse("http://ur:bytes/"), None);
        assert_eq!(parse("äöü"), None);
    }
}
