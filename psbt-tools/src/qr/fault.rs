//! Why a frame or a whole stream is not accepted.

use super::payload::Format;
use super::{MAX_FRAME_CHARS, MAX_MESSAGE_LEN, MAX_PARTS};

/// Each reason with the offending value and what was expected. [`Fault::hint`] says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is longer than any QR symbol can be.
    #[error("a frame of {0} characters; a QR code holds {MAX_FRAME_CHARS} at most")]
    FrameTooLong(usize),
    /// The text begins like no format, and is no PSBT, transaction or descriptor by itself.
    #[error("the code holds nothing that is read here")]
    Foreign,
    /// The text of a frame does not have the form of its format.
    #[error("a broken {format} frame: {what}")]
    Form {
        /// The format that the text begins like.
        format: Format,
        /// What is wrong.
        what: &'static str,
    },
    /// A type of content that is not read.
    #[error("{format} content of type {found:?} is not read")]
    Type {
        /// The format.
        format: Format,
        /// The type as the frame names it.
        found: String,
    },
    /// The frame's own check sum (bytewords) is wrong.
    #[error("the frame's check sum is {computed:08x} instead of {stated:08x}")]
    FrameChecksum {
        /// The sum that the frame states.
        stated: u32,
        /// The sum of its bytes.
        computed: u32,
    },
    /// No parts, or more than are read.
    #[error("{0} parts; 1 to {MAX_PARTS} are read")]
    Parts(u64),
    /// A part whose number is not among those that there are.
    #[error("part {number} of {parts}")]
    Number {
        /// The part's number as it is written.
        number: u64,
        /// How many parts there are.
        parts: u64,
    },
    /// The number in the frame's text and the one in its body differ.
    #[error("the frame's text says part {text}, its body says {body}")]
    Sequence {
        /// `number-parts` in the text.
        text: String,
        /// `number-parts` in the body.
        body: String,
    },
    /// An empty payload, or one above the limit.
    #[error("a payload of {0} bytes; 1 to {MAX_MESSAGE_LEN} are read")]
    MessageLen(u64),
    /// Parts that are too short for their payload, or too long.
    #[error("{parts} parts of {fragment_len} bytes for a payload of {message_len} bytes")]
    Fragments {
        /// How many parts there are.
        parts: usize,
        /// Bytes of a part.
        fragment_len: usize,
        /// Bytes of the payload.
        message_len: usize,
    },
    /// Two frames of one stream that cannot both belong to one payload.
    #[error("two different frames for part {0} of one payload")]
    Contradiction(usize),
    /// Parts of one stream that must be equally long and are not.
    #[error("parts of {0} and of {1} bytes in one payload")]
    UnequalParts(usize, usize),
    /// The payload's check sum is wrong.
    #[error("the payload's check sum is {computed:08x} instead of {stated:08x}")]
    Checksum {
        /// The sum that every frame states.
        stated: u32,
        /// The sum of the joined bytes.
        computed: u32,
    },
    /// The compressed bytes are broken.
    #[error("the compressed payload is broken: {0}")]
    Deflate(&'static str),
    /// The compressed bytes would grow above the limit.
    #[error("the compressed payload is above {MAX_MESSAGE_LEN} bytes")]
    Bomb,
    /// What was joined is not what its frames say.
    #[error("the payload is not {expected}: {what}")]
    Content {
        /// What the frames say.
        expected: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// What shall be shown does not fit.
    #[error("{len} bytes need more than {parts} QR codes of version {version}")]
    TooLarge {
        /// Bytes to show.
        len: usize,
        /// Most parts of the format.
        parts: usize,
        /// The version of the symbols.
        version: u8,
    },
}

impl Fault {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Fault::FrameTooLong(_) | Fault::Foreign => "show a PSBT, a transaction or a descriptor",
            Fault::Type { .. } => "show a PSBT, a transaction, a descriptor or plain bytes",
            Fault::Form { .. }
            | Fault::FrameChecksum { .. }
            | Fault::Number { .. }
            | Fault::Sequence { .. } => "go on scanning; the frame is ignored",
            Fault::Parts(_) | Fault::MessageLen(_) | Fault::Fragments { .. } | Fault::Bomb => {
                "carry it as a file; it is too large, or was made to do harm"
            }
            Fault::Contradiction(_) | Fault::UnequalParts(..) => {
                "two payloads were in view: show one of them only, and begin a new scan"
            }
            Fault::Checksum { .. } => "go on scanning one code only; the parts are collected anew",
            Fault::Deflate(_) | Fault::Content { .. } => {
                "show one code only and begin a new scan; if it happens again, carry it as a file"
            }
            Fault::TooLarge { .. } => "choose denser QR codes, or carry it as a file",
        }
    }
}

/// A broken frame.
pub(super) fn form(format: Format, what: &'static str) -> Fault {
    Fault::Form { format, what }
}
