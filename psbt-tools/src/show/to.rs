//! Where a command shows its result, as its command line says.

use super::content::Content;
use super::form::{Codes, Form};
use super::live::{can_show, live};
use super::pictures::Pictures;
use super::{DEFAULT_FRAMES_PER_SECOND, DEFAULT_VERSION, MAX_FRAMES_PER_SECOND};
use crate::Error;
use crate::display::{hash_words, hex};
use crate::qr::{self, Version};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The options of a command whose result may be shown as QR codes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "QR codes")]
pub struct To {
    /// Show it as QR codes in the terminal until a key ends it, as `ur` or `bbqr` [default: as what is answered came, else
    /// ur]
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, value_parser = moving())]
    qr: Option<Option<Form>>,
    /// Write one PNG a code into this new folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "gif")]
    png: Option<PathBuf>,
    /// Write one moving picture instead
    #[arg(long, value_name = "FILE")]
    gif: Option<PathBuf>,
    /// How dense the codes are, 1 to 40 [default: 20, or the densest that the terminal shows]
    #[arg(long, value_name = "V", value_parser = parse_version)]
    qr_version: Option<Version>,
    /// Codes a second; no more than half of what the other side's camera sees
    #[arg(long, value_name = "N", default_value_t = DEFAULT_FRAMES_PER_SECOND, value_parser = parse_fps())]
    qr_fps: u8,
}

/// What was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Shown {
    bytes: usize,
    sha256: [u8; 32],
    pictures: Option<Written>,
}

/// Pictures that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    name: String,
    form: Form,
    version: Version,
    parts: usize,
    codes: usize,
}

impl To {
    /// Whether anything is to be shown.
    pub fn is_wanted(&self) -> bool {
        self.qr.is_some() || self.pictures().is_some()
    }

    /// Whether it can be shown, where it is wanted: asked before the work whose result it is.
    ///
    /// # Errors
    /// [`Error::Screen`] without a terminal, or with one too small; [`Error::Exists`] when the pictures' name is taken.
    pub fn is_ready(&self) -> Result<(), Error> {
        match self.pictures() {
            Some(pictures) => pictures.is_free(),
            None if self.is_wanted() => can_show(self.qr_version),
            None => Ok(()),
        }
    }

    /// Shows it; returns when a person has ended it, or the pictures are written. What it answers, if anything, came in the
    /// format `answers`.
    ///
    /// # Errors
    /// Those of [`Self::is_ready`]; [`Error::Frames`], [`Error::Symbol`] and [`Error::Write`].
    pub fn show(&self, content: &Content, answers: Option<qr::Format>) -> Result<Shown, Error> {
        let form = self.qr.flatten().or(answers.map(Form::answering)).unwrap_or(Form::Ur);
        let pictures = match self.pictures() {
            None => {
                live(content, form, self.qr_version, self.qr_fps)?;
                None
            }
            Some(pictures) => {
                let version = self.qr_version.or(Version::new(DEFAULT_VERSION));
                let version = version.ok_or_else(|| Error::Symbol("there is no such version".to_owned()))?;
                let codes = Codes::new(content, form, version)?;
                let (parts, count) = (codes.parts(), pictures.write(&codes)?);
                Some(Written { name: pictures.name(), form, version, parts, codes: count })
            }
        };
        Ok(Shown { bytes: content.bytes().len(), sha256: content.sha256(), pictures })
    }

    fn pictures(&self) -> Option<Pictures<'_>> {
        let folder = self.png.as_deref().map(Pictures::Png);
        folder.or(self.gif.as_deref().map(|file| Pictures::Gif(file, self.qr_fps)))
    }
}

impl Shown {
    /// Lines for a person: where the pictures are, and the words that the other side must see.
    pub fn text(&self) -> String {
        let words = hash_words(&self.sha256);
        match &self.pictures {
            None => format!("shown as QR codes: {words}"),
            Some(Written { name, version, parts, codes, .. }) => {
                let noun = if *codes == 1 { "code" } else { "codes" };
                let version = version.number();
                format!("{name}: {codes} {noun} of version {version}, least to see {parts}\n{words}")
            }
        }
    }

    /// `{"bytes", "sha256", "words", "format"?, "version"?, "parts"?, "codes"?, "pictures"?}`: the last five only of
    /// pictures, for a person at a terminal may change them.
    pub fn to_json(&self) -> Value {
        let mut object =
            json!({"bytes": self.bytes, "sha256": hex(&self.sha256), "words": hash_words(&self.sha256)});
        if let (Some(object), Some(written)) = (object.as_object_mut(), &self.pictures) {
            object.insert("format".to_owned(), written.form.word().into());
            object.insert("version".to_owned(), written.version.number().into());
            object.insert("parts".to_owned(), written.parts.into());
            object.insert("codes".to_owned(), written.codes.into());
            object.insert("pictures".to_owned(), written.name.clone().into());
        }
        object
    }
}

/// A version of QR codes on a command line.
///
/// # Errors
/// What was expected.
pub fn parse_version(text: &str) -> Result<Version, String> {
    text.parse().ok().and_then(Version::new).ok_or_else(|| "expected 1 to 40".to_owned())
}

/// Codes a second on a command line.
pub fn parse_fps() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(1..=i64::from(MAX_FRAMES_PER_SECOND))
}

/// The forms that hold everything.
fn moving() -> impl clap::builder::TypedValueParser<Value = Form> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    let words = [Form::Ur, Form::Bbqr].map(Form::word);
    PossibleValuesParser::new(words).map(|word| if word == Form::Bbqr.word() { Form::Bbqr } else { Form::Ur })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        file: Option<String>,
        #[command(flatten)]
        to: To,
    }

    fn parsed(words: &[&str]) -> Line {
        Line::try_parse_from([&["it"], words].concat()).unwrap()
    }

    #[test]
    fn the_format_is_joined_to_its_option_so_that_no_file_is_taken_for_it() {
        assert!(!parsed(&["bbqr"]).to.is_wanted());
        let line = parsed(&["--qr", "bbqr"]);
        assert_eq!((line.to.qr, line.file.as_deref()), (Some(None), Some("bbqr")));
        assert_eq!(parsed(&["--qr=bbqr"]).to.qr, Some(Some(Form::Bbqr)));
        assert!(Line::try_parse_from(["it", "--qr=text"]).is_err());
        assert!(parsed(&["--png", "out"]).to.is_wanted());
        assert!(Line::try_parse_from(["it", "--png", "a", "--gif", "b"]).is_err());
    }

    #[test]
    fn an_answer_is_shown_as_its_question_came_unless_it_is_said_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::of(b"psbt\xff\x01\x02".to_vec()).unwrap();
        let shown = |name: &str, qr: &str, answers| {
            let out = folder.path().join(name);
            let to = parsed(&[qr, "--png", out.to_str().unwrap()]).to;
            to.is_ready().unwrap();
            let shown = to.show(&content, answers).unwrap();
            assert_eq!(to.is_ready().unwrap_err().code(), "exists");
            shown.to_json()["format"].as_str().unwrap().to_owned()
        };
        assert_eq!(shown("a", "--qr", None), "ur");
        assert_eq!(shown("b", "--qr", Some(qr::Format::Bbqr)), "bbqr");
        assert_eq!(shown("c", "--qr", Some(qr::Format::Specter)), "ur");
        assert_eq!(shown("d", "--qr=ur", Some(qr::Format::Bbqr)), "ur");
    }
}
