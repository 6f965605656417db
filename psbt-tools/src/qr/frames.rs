//! What is shown: the frames of one payload, without end.

use super::bbqr;
use super::fault::Fault;
use super::payload::{Format, Kind};
use super::symbol::Version;
use super::ur;

/// The frames of one payload in one format, for QR codes of one version in alphanumeric mode at level L.
#[derive(Debug, Clone)]
pub struct Frames {
    format: Format,
    kind: Kind,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Ur(Box<ur::Encoder>),
    Bbqr(bbqr::Encoder),
}

impl Frames {
    /// Of the bytes of a payload, in the [`Format::answer`] to a format.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when codes of that version cannot hold it; [`Fault::MessageLen`] when it is empty.
    pub fn new(format: Format, kind: Kind, bytes: &[u8], version: Version) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Err(Fault::MessageLen(0));
        }
        let source = match format.answer() {
            Format::Bbqr => Source::Bbqr(bbqr::Encoder::new(kind, bytes, version)?),
            Format::Ur | Format::Specter | Format::Base43 | Format::Base64 | Format::Hex | Format::Text => {
                Source::Ur(Box::new(ur::Encoder::new(kind, bytes, version)?))
            }
        };
        Ok(Self { format: format.answer(), kind, source })
    }

    /// The format that is written.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What is shown.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How many frames a reader needs that misses none. With one, the picture stands still.
    pub fn parts(&self) -> usize {
        match &self.source {
            Source::Ur(encoder) => encoder.parts(),
            Source::Bbqr(encoder) => encoder.parts(),
        }
    }

    /// The text of the frame of a number, from 0, without end: UR goes on with sums of the parts, BBQr begins again.
    pub fn frame(&self, number: u64) -> String {
        match &self.source {
            Source::Ur(encoder) => encoder.frame(number),
            Source::Bbqr(encoder) => encoder.frame(number),
        }
    }
}
