//! `qr show`: a file as QR codes, in the terminal or as pictures.

use crate::output;
use clap::Args;
use psbt_tools::display::{hash_words, hex};
use psbt_tools::qr::Version;
use psbt_tools::show::{
    Codes, Content, DEFAULT_FRAMES_PER_SECOND, DEFAULT_VERSION, Form, Pictures, live, parse_fps,
    parse_version,
};
use psbt_tools::{Error, files};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shows a file as QR codes, one after the other, until a key ends it: a PSBT, a transaction, a descriptor, anything.
///
/// A PSBT or a transaction that is written as text goes out in its binary form, a descriptor without the end of its line.
/// Every code is read back before it is
/// shown. The six words under the codes are those of the payload's SHA-256: the other side must see the same.
///
/// Keys: + - density, < > speed, f format, p pause, q quit.
///
/// Example: psbt-tools qr show payment-signed.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file; `-` is standard input
    file: PathBuf,
    /// How the payload is written; Coldcard Q reads bbqr only, most others ur
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "ur")]
    format: Form,
    /// How dense the codes are, 1 to 40; 20 unless given, or the densest that the terminal shows
    #[arg(long, value_name = "V", value_parser = parse_version)]
    version: Option<Version>,
    /// Codes a second; no more than half of what the other side's camera sees
    #[arg(long, value_name = "N", default_value_t = DEFAULT_FRAMES_PER_SECOND, value_parser = parse_fps())]
    fps: u8,
    /// Show it in the terminal, as it is done unless pictures are written
    #[arg(long, conflicts_with = "pictures")]
    terminal: bool,
    /// Write one PNG a code into this folder instead
    #[arg(long, value_name = "DIR", group = "pictures")]
    png: Option<PathBuf>,
    /// Write one SVG a code into this folder instead
    #[arg(long, value_name = "DIR", group = "pictures")]
    svg: Option<PathBuf>,
    /// Write one moving picture instead
    #[arg(long, value_name = "FILE", group = "pictures")]
    gif: Option<PathBuf>,
    /// Print one JSON object about the pictures
    #[arg(long, requires = "pictures")]
    pub json: bool,
}

impl Arguments {
    fn pictures(&self) -> Option<Pictures<'_>> {
        match (&self.png, &self.svg, &self.gif) {
            (Some(folder), _, _) => Some(Pictures::Png(folder)),
            (_, Some(folder), _) => Some(Pictures::Svg(folder)),
            (_, _, Some(file)) => Some(Pictures::Gif(file, self.fps)),
            (None, None, None) => None,
        }
    }
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let content = Content::of(files::read(&arguments.file, files::DEFAULT_LIMIT)?)?;
    let form = arguments.format;
    let Some(pictures) = arguments.pictures().filter(|_| !arguments.terminal) else {
        live(&content, form, arguments.version, arguments.fps)?;
        return Ok(ExitCode::SUCCESS);
    };
    let version = match arguments.version {
        Some(version) => version,
        None => form.version(&content, Version::new(DEFAULT_VERSION).ok_or_else(none)?)?,
    };
    let codes = Codes::new(&content, form, version)?;
    let (parts, count) = (codes.parts(), pictures.write(&codes)?);
    let sha256 = content.sha256();
    if arguments.json {
        let about = json!({
            "format": form.word(), "version": version.number(), "parts": parts, "codes": count,
            "bytes": content.bytes().len(), "sha256": hex(&sha256), "words": hash_words(&sha256),
        });
        output::print(&format!("{about}\n"))?;
    } else {
        let noun = if count == 1 { "code" } else { "codes" };
        let (name, version, words) = (pictures.name(), version.number(), hash_words(&sha256));
        output::print(&format!(
            "{name}: {count} {noun} of version {version}, least to see {parts}\n{words}\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn none() -> Error {
    Error::Symbol("there is no such version".to_owned())
}
