//! How a payload is written in codes.

use super::content::Content;
use super::symbol::Symbol;
use crate::Error;
use crate::qr::{self, Frames, Kind, Version};
use clap::ValueEnum;
use std::fmt;

/// How a payload is written in codes that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Uniform resources
    Ur,
    /// Coinkite's format
    Bbqr,
    /// One still code with a descriptor as it is
    Text,
}

impl Form {
    /// That of the answer to a payload that came in this format: the same where it is written, else UR.
    pub fn answering(format: qr::Format) -> Self {
        if format.answer() == qr::Format::Bbqr { Form::Bbqr } else { Form::Ur }
    }

    /// Its word on a command line and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Form::Ur => "ur",
            Form::Bbqr => "bbqr",
            Form::Text => "text",
        }
    }

    /// The form after this one, when a key goes through them.
    pub(super) fn next(self, content: &Content) -> Self {
        match self {
            Form::Ur => Form::Bbqr,
            Form::Bbqr if text_of(content).is_ok() => Form::Text,
            Form::Bbqr | Form::Text => Form::Ur,
        }
    }

    /// The version of symbols when none is asked for: what moves gets the densest one of `most`, what stands still the
    /// least that holds it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a payload that does not go into this form.
    pub fn version(self, content: &Content, most: Version) -> Result<Version, Error> {
        match self {
            Form::Ur | Form::Bbqr => Ok(most),
            Form::Text => {
                let text = text_of(content)?;
                let least = (1..=40).filter_map(Version::new).find(|version| Symbol::holds(text, *version));
                least.ok_or_else(|| too_large(text, ""))
            }
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Ur => "UR",
            Form::Bbqr => "BBQr",
            Form::Text => "text",
        })
    }
}

/// The codes of a payload, without end.
#[derive(Debug, Clone)]
pub struct Codes {
    form: Form,
    version: Version,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Frames(Frames),
    Text(String),
}

impl Codes {
    /// The codes of a version.
    ///
    /// # Errors
    /// [`Error::Frames`] when codes of that version cannot hold it; [`Error::Malformed`] for what is no descriptor, or too
    /// long for one code, in [`Form::Text`].
    pub fn new(content: &Content, form: Form, version: Version) -> Result<Self, Error> {
        let frames = |format| Frames::new(format, content.kind(), content.bytes(), version);
        let source = match form {
            Form::Ur => Source::Frames(frames(qr::Format::Ur)?),
            Form::Bbqr => Source::Frames(frames(qr::Format::Bbqr)?),
            Form::Text => {
                let text = text_of(content)?;
                if !Symbol::holds(text, version) {
                    return Err(too_large(text, &format!(" of version {}", version.number())));
                }
                Source::Text(text.to_owned())
            }
        };
        Ok(Self { form, version, source })
    }

    /// How it is written.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The version of the symbols.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many codes a reader needs that misses none. With one, the picture stands still.
    pub fn parts(&self) -> usize {
        match &self.source {
            Source::Frames(frames) => frames.parts(),
            Source::Text(_) => 1,
        }
    }

    /// The code of a number, from 0, without end.
    ///
    /// # Errors
    /// Those of [`Symbol::of`].
    pub fn code(&self, number: u64) -> Result<Symbol, Error> {
        match &self.source {
            Source::Frames(frames) => Symbol::of(&frames.frame(number), self.version),
            Source::Text(text) => Symbol::of_text(text, self.version),
        }
    }

    /// The codes that a folder or a moving picture holds: for UR every part and as many sums, so that a reader that misses
    /// some need not wait for the series to begin again; else every part.
    pub fn series(&self) -> impl ExactSizeIterator<Item = Result<Symbol, Error>> + '_ {
        let parts = self.parts();
        let count = if parts > 1 && self.form == Form::Ur { parts.saturating_mul(2) } else { parts };
        // At most 8,192.
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        (0..count).map(|number| self.code(u64::from(number)))
    }
}

/// The text that stands in one code. Only what a scan takes for a payload: other text in a code may be anything.
fn text_of(content: &Content) -> Result<&str, Error> {
    let text = std::str::from_utf8(content.bytes()).ok();
    // Decoders disagree about other characters.
    let text = text.filter(|text| content.kind() == Kind::Descriptor && text.is_ascii());
    text.ok_or_else(|| {
        Error::malformed(
            "only descriptors go into a code as they are: other text is not read back as a payload",
            "let it be carried in codes as ur or bbqr",
        )
    })
}

fn too_large(text: &str, of_version: &str) -> Error {
    Error::malformed(
        format!("a text of {} bytes does not fit into one code{of_version}", text.len()),
        "let it be carried in several codes: as ur or bbqr",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u8) -> Version {
        Version::new(number).unwrap()
    }

    #[test]
    fn text_takes_the_least_code_that_holds_it() {
        let content = Content::of(b"wpkh(xpub/<0;1>/*)#abcdefgh\n".to_vec()).unwrap();
        let least = Form::Text.version(&content, version(20)).unwrap();
        assert_eq!(least, version(2));
        let codes = Codes::new(&content, Form::Text, least).unwrap();
        assert_eq!((codes.parts(), codes.series().count()), (1, 1));
        assert!(codes.code(0).is_ok());
        let error = Codes::new(&content, Form::Text, version(1)).unwrap_err();
        assert_eq!(error.to_string(), "a text of 27 bytes does not fit into one code of version 1");
    }

    #[test]
    fn what_is_no_descriptor_or_too_long_is_refused() {
        let psbt = Content::of(b"psbt\xff\x01".to_vec()).unwrap();
        assert_eq!(Form::Text.version(&psbt, version(20)).unwrap_err().exit_code(), 3);
        for text in ["{\"a\":1}\n", "hello\n", "wpkh(\u{fc})"] {
            let error = Form::Text.version(&Content::of(text.into()).unwrap(), version(20)).unwrap_err();
            assert!(error.to_string().starts_with("only descriptors go"), "{error}");
        }
        let descriptor = |len| Content::of(format!("{:a<len$}\n", "wpkh(").into_bytes()).unwrap();
        let most = descriptor(2_953);
        assert_eq!(Form::Text.version(&most, version(20)).unwrap(), version(40));
        let long = descriptor(2_954);
        let error = Form::Text.version(&long, version(20)).unwrap_err();
        assert_eq!(error.to_string(), "a text of 2954 bytes does not fit into one code");
    }

    #[test]
    fn an_answer_comes_in_the_format_of_its_question() {
        assert_eq!(Form::answering(qr::Format::Bbqr), Form::Bbqr);
        for format in [qr::Format::Ur, qr::Format::Specter, qr::Format::Text] {
            assert_eq!(Form::answering(format), Form::Ur);
        }
    }

    #[test]
    fn a_series_has_sums_only_where_the_form_knows_them() {
        let content = Content::of([b"psbt\xff".as_slice(), &[9; 3_000]].concat()).unwrap();
        let ur = Codes::new(&content, Form::Ur, version(10)).unwrap();
        assert_eq!(ur.series().len(), ur.parts() * 2);
        let random: Vec<u8> = (0..3_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let content = Content::of(random).unwrap();
        let bbqr = Codes::new(&content, Form::Bbqr, version(10)).unwrap();
        assert!(bbqr.parts() > 1);
        assert_eq!(bbqr.series().len(), bbqr.parts());
    }
}
