//! What the scanner and its child say to each other: a length, a letter, a body. Every length is compared before anything
//! is allocated, on both sides.

use super::decoder::{MAX_CODES, Sight};
use super::{picture, tape};
use crate::qr::{Format, Integrity, Kind, MAX_FRAME_CHARS, MAX_MESSAGE_LEN, MAX_PARTS, Payload, Progress};
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};

/// Longest order: all of a video that no child is done with. Pictures and the texts that are kept are less.
const MAX_ORDER: usize = tape::MAX_HEADER + tape::MAX_PENDING + 4;

/// Longest answer: the largest payload and what is said of it.
const MAX_ANSWER: usize = MAX_MESSAGE_LEN + 4_096;

/// Longest reason why a payload was given up, in bytes.
const MAX_FAULT: usize = 1_024;

/// Most payloads of which progress is told.
const MAX_STREAMS: usize = 8;

/// What the child is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// Texts of a scan of before, so many of them from before an interruption. Answered by [`Answer::Done`], after
    /// [`Answer::Unread`] when those from before make a payload by themselves.
    Texts(u32, Vec<String>),
    /// A picture file. Answered by a report for each frame after the first so many, then [`Answer::Done`].
    Picture(u32, Vec<u8>),
    /// A frame of a camera as JPEG. Answered by a report, then [`Answer::Done`].
    Jpeg(Vec<u8>),
    /// The next bytes of a video, whose first so many frames are left out. Answered by a report and
    /// [`Answer::Consumed`] for each frame that is complete, then [`Answer::Done`].
    Video(u32, Vec<u8>),
    /// The pixels of one frame: width, height. Answered by a report, then [`Answer::Done`].
    Luma(u32, u32, Vec<u8>),
    /// Nothing follows. Answered by [`Answer::Payload`], by [`Answer::Unread`] when its parts do not make one, or by
    /// [`Answer::Done`].
    End,
}

/// What the child answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The sandbox is closed; nothing was read yet.
    Ready,
    /// The sandbox cannot be closed.
    Open(String),
    /// What a frame told.
    Report(Box<Report>),
    /// So many bytes of the video are done with.
    Consumed(u64),
    /// The picture or video, or the rest of it, is not read.
    Unread(String),
    /// The order is carried out.
    Done,
    /// What the codes carried.
    Payload(Payload),
}

/// What a frame told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Codes that were read.
    pub(super) read: usize,
    /// What hinders, when none was.
    pub(super) sight: Option<Sight>,
    /// The texts that tell something new: what a new child must be given.
    pub(super) kept: Vec<String>,
    /// Payloads that were given up.
    pub(super) faults: Vec<String>,
    /// How far all is.
    pub(super) progress: Progress,
    /// Whether a payload is whole.
    pub(super) is_whole: bool,
    /// Whether several different ones are.
    pub(super) are_several: bool,
    /// Whether no code of anything else was ever in view.
    pub(super) is_alone: bool,
    /// Whether it is whole, and none was for a while in which its own were.
    pub(super) is_settled: bool,
}

impl Report {
    /// Whether it is within what a child says.
    fn is_plausible(&self) -> bool {
        let is_text = |text: &String| text.len() <= MAX_FRAME_CHARS && text.bytes().all(is_printable);
        let streams = &self.progress.streams;
        self.read <= MAX_CODES
            && self.kept.len() <= MAX_CODES
            && self.faults.len() <= MAX_CODES
            && self.faults.iter().all(|fault| fault.len() <= MAX_FAULT)
            && self.kept.iter().all(is_text)
            && streams.len() <= MAX_STREAMS
            && streams.iter().all(|stream| stream.rank <= stream.parts && stream.parts <= MAX_PARTS)
    }
}

/// Whether a character is one that the text of a frame with several parts has.
pub(super) fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

#[derive(Serialize, Deserialize)]
struct About {
    format: Format,
    kind: Kind,
    integrity: Integrity,
}

impl Order {
    /// Most reports that answer it; of a video, those before each [`Answer::Consumed`].
    pub(super) fn most_reports(&self) -> u32 {
        match self {
            Order::Picture(skip, bytes) => picture::most_frames(bytes).saturating_sub(*skip),
            Order::Jpeg(_) | Order::Video(..) | Order::Luma(..) => 1,
            Order::Texts(..) | Order::End => 0,
        }
    }

    /// Writes it.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Order::Texts(before, texts) => {
                put(to, b'T', &[&before.to_be_bytes(), texts.join("\n").as_bytes()], MAX_ORDER)
            }
            Order::Picture(skip, bytes) => put(to, b'P', &[&skip.to_be_bytes(), bytes], MAX_ORDER),
            Order::Jpeg(bytes) => put(to, b'J', &[bytes], MAX_ORDER),
            Order::Video(skip, bytes) => put(to, b'V', &[&skip.to_be_bytes(), bytes], MAX_ORDER),
            Order::Luma(width, height, pixels) => {
                put(to, b'L', &[&width.to_be_bytes(), &height.to_be_bytes(), pixels], MAX_ORDER)
            }
            Order::End => put(to, b'E', &[], MAX_ORDER),
        }
    }

    /// Reads one.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let (letter, length) = head(from, MAX_ORDER)?;
        let mut left = length;
        let mut number = || {
            left = left.checked_sub(4)?;
            let mut bytes = [0; 4];
            from.read_exact(&mut bytes).ok().map(|()| u32::from_be_bytes(bytes))
        };
        let (first, second) = match letter {
            b'J' | b'E' => (0, 0),
            b'T' | b'P' | b'V' => (number().ok_or_else(nonsense)?, 0),
            b'L' => (number().ok_or_else(nonsense)?, number().ok_or_else(nonsense)?),
            _ => return Err(nonsense()),
        };
        let bytes = body(from, left)?;
        match letter {
            b'T' => {
                let text = String::from_utf8(bytes).map_err(|_| nonsense())?;
                Ok(Order::Texts(first, text.lines().map(str::to_owned).collect()))
            }
            b'P' => Ok(Order::Picture(first, bytes)),
            b'J' => Ok(Order::Jpeg(bytes)),
            b'V' => Ok(Order::Video(first, bytes)),
            b'L' => Ok(Order::Luma(first, second, bytes)),
            b'E' if bytes.is_empty() => Ok(Order::End),
            _ => Err(nonsense()),
        }
    }
}

impl Answer {
    /// Writes it.
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Answer::Ready => put(to, b'R', &[], MAX_ANSWER),
            Answer::Open(reason) => put(to, b'O', &[reason.as_bytes()], MAX_ANSWER),
            Answer::Report(report) => put(to, b'F', &[&serde_json::to_vec(report)?], MAX_ANSWER),
            Answer::Consumed(count) => put(to, b'C', &[&count.to_be_bytes()], MAX_ANSWER),
            Answer::Unread(reason) => put(to, b'U', &[reason.as_bytes()], MAX_ANSWER),
            Answer::Done => put(to, b'D', &[], MAX_ANSWER),
            Answer::Payload(Payload { format, kind, integrity, bytes }) => {
                let about = About { format: *format, kind: *kind, integrity: *integrity };
                let about = serde_json::to_vec(&about)?;
                let length = u16::try_from(about.len()).map_err(|_| nonsense())?;
                put(to, b'B', &[&length.to_be_bytes(), &about, bytes], MAX_ANSWER)
            }
        }
    }

    /// Reads one. What a child never says is [`ErrorKind::InvalidData`].
    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let (letter, length) = head(from, MAX_ANSWER)?;
        let most = match letter {
            b'R' | b'D' => 0,
            b'C' => 8,
            b'O' | b'U' => 1_024,
            // All texts of a frame, each character escaped, and as much for the rest.
            b'F' => 2 * MAX_CODES * MAX_FRAME_CHARS * 6,
            b'B' => MAX_ANSWER,
            _ => return Err(nonsense()),
        };
        if length > most {
            return Err(nonsense());
        }
        let bytes = body(from, length)?;
        let text = |bytes| String::from_utf8(bytes).map_err(|_| nonsense());
        match letter {
            b'R' => Ok(Answer::Ready),
            b'D' => Ok(Answer::Done),
            b'O' => Ok(Answer::Open(text(bytes)?)),
            b'U' => Ok(Answer::Unread(text(bytes)?)),
            b'C' => {
                let count = bytes.try_into().map_err(|_| nonsense())?;
                Ok(Answer::Consumed(u64::from_be_bytes(count)))
            }
            b'F' => serde_json::from_slice::<Report>(&bytes)
                .ok()
                .filter(Report::is_plausible)
                .map(|report| Answer::Report(Box::new(report)))
                .ok_or_else(nonsense),
            _ => payload(&bytes).map(Answer::Payload).ok_or_else(nonsense),
        }
    }
}

fn payload(bytes: &[u8]) -> Option<Payload> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (about, bytes) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let About { format, kind, integrity } = serde_json::from_slice(about).ok()?;
    let is_sized = (1..=MAX_MESSAGE_LEN).contains(&bytes.len());
    is_sized.then(|| Payload { format, kind, integrity, bytes: bytes.to_vec() })
}

fn put(to: &mut impl Write, letter: u8, parts: &[&[u8]], most: usize) -> io::Result<()> {
    let length = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
    let length = u32::try_from(length).ok().filter(|_| length <= most).ok_or_else(nonsense)?;
    let [a, b, c, d] = length.to_be_bytes();
    to.write_all(&[letter, a, b, c, d])?;
    parts.iter().try_for_each(|part| to.write_all(part))?;
    to.flush()
}

/// The letter and the length of what follows.
fn head(from: &mut impl Read, most: usize) -> io::Result<(u8, usize)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [letter, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= most);
    Ok((letter, length.ok_or_else(nonsense)?))
}

/// Memory grows with what arrives, not with what is announced.
fn body(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if read == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

fn nonsense() -> io::Error {
    ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(order: &Order) -> io::Result<Order> {
        let mut bytes = Vec::new();
        order.write(&mut bytes)?;
        Order::read(&mut bytes.as_slice())
    }

    fn answer(answer: &Answer) -> io::Result<Answer> {
        let mut bytes = Vec::new();
        answer.write(&mut bytes)?;
        Answer::read(&mut bytes.as_slice())
    }

    fn payload(len: usize) -> Payload {
        let bytes = vec![7; len];
        Payload { format: Format::Ur, kind: Kind::Psbt, integrity: Integrity::Crc32, bytes }
    }

    #[test]
    fn what_is_said_is_what_is_heard() {
        let texts = vec!["UR:A".to_owned(), "B$ B".to_owned()];
        for said in [
            Order::Texts(1, texts.clone()),
            Order::Texts(0, Vec::new()),
            Order::Picture(3, vec![1, 2, 3]),
            Order::Jpeg(vec![1, 2]),
            Order::Video(0, vec![]),
            Order::Luma(2, 1, vec![0, 255]),
            Order::End,
        ] {
            assert_eq!(order(&said).unwrap(), said);
        }
        let report = Report { read: 2, kept: texts, sight: Some(Sight::Torn), ..Report::default() };
        for said in [
            Answer::Ready,
            Answer::Open("no".to_owned()),
            Answer::Report(Box::new(report)),
            Answer::Consumed(u64::MAX),
            Answer::Unread("why".to_owned()),
            Answer::Done,
            Answer::Payload(payload(3)),
        ] {
            assert_eq!(answer(&said).unwrap(), said);
        }
    }

    #[test]
    fn all_of_a_video_that_is_to_be_told_again_is_one_order() {
        let again = Order::Video(1, vec![0; tape::MAX_HEADER + tape::MAX_PENDING]);
        assert!(again.write(&mut io::sink()).is_ok());
    }

    #[test]
    fn lengths_are_compared_before_they_are_believed() {
        let kind = |error: io::Error| error.kind();
        for letter in *b"TPJVLE" {
            let head = [letter, 0xff, 0xff, 0xff, 0xff];
            assert_eq!(Order::read(&mut &head[..]).map_err(kind), Err(ErrorKind::InvalidData));
        }
        // The largest of each letter, and one more.
        for (letter, most) in [(b'R', 0_u32), (b'D', 0), (b'C', 8), (b'O', 1_024), (b'U', 1_024)] {
            let [a, b, c, d] = (most + 1).to_be_bytes();
            let said = [&[letter, a, b, c, d][..], &vec![b'a'; 2_000]].concat();
            assert_eq!(Answer::read(&mut said.as_slice()).map_err(kind), Err(ErrorKind::InvalidData));
        }
        assert!(answer(&Answer::Payload(payload(MAX_MESSAGE_LEN))).is_ok());
        assert!(answer(&Answer::Payload(payload(MAX_MESSAGE_LEN + 1))).is_err());
        assert!(answer(&Answer::Payload(payload(0))).is_err());
        let long = Report { faults: vec!["a".repeat(MAX_FAULT + 1)], ..Report::default() };
        assert!(answer(&Answer::Report(Box::new(long))).is_err());
        let cut = [b'P', 0, 0, 0, 9, 0, 0, 0, 0, 1];
        assert!(Order::read(&mut &cut[..]).is_err());
    }
}
