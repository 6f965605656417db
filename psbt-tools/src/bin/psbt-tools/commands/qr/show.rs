//! `qr show`: a file as QR codes, in the terminal or as pictures.

use clap::{Args, ValueEnum};
use psbt_tools::display::{escape, hash_words, hex};
use psbt_tools::qr::{self, Frames, Version};
use psbt_tools::show::{
    Content, DEFAULT_FRAMES_PER_SECOND, DEFAULT_VERSION, MAX_FRAMES_PER_SECOND, Symbol, gif, live, png,
    series, svg,
};
use psbt_tools::{Error, files};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Shows a file as QR codes, one after the other, until a key ends it: a PSBT, a transaction, a descriptor, anything.
///
/// A PSBT or a transaction that is written as text goes out in its binary form. Every code is read back before it is
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
    format: Format,
    /// How dense the codes are, 1 to 40; 20 unless given, or the densest that the terminal shows
    #[arg(long, value_name = "V", value_parser = version)]
    version: Option<Version>,
    /// Codes a second; no more than half of what the other side's camera sees
    #[arg(long, value_name = "N", default_value_t = DEFAULT_FRAMES_PER_SECOND,
        value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_FRAMES_PER_SECOND)))]
    fps: u8,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Uniform resources
    Ur,
    /// Coinkite's format
    Bbqr,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let content = Content::of(files::read(&arguments.file, files::DEFAULT_LIMIT)?)?;
    let (format, format_word) = match arguments.format {
        Format::Ur => (qr::Format::Ur, "ur"),
        Format::Bbqr => (qr::Format::Bbqr, "bbqr"),
    };
    let pictures = match (&arguments.png, &arguments.svg, &arguments.gif) {
        (Some(folder), _, _) => Pictures::Folder(folder, "png", png),
        (_, Some(folder), _) => Pictures::Folder(folder, "svg", |symbol| Ok(svg(symbol).into_bytes())),
        (_, _, Some(file)) => Pictures::Moving(file, arguments.fps),
        (None, None, None) => {
            live(&content, format, arguments.version, arguments.fps)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let version = arguments.version.or(Version::new(DEFAULT_VERSION)).ok_or_else(none)?;
    let frames = Frames::new(format, content.kind(), content.bytes(), version)?;
    let symbols = series(&frames, version);
    let codes = symbols.len();
    let name = pictures.write(symbols)?;
    let (sha256, parts) = (content.sha256(), frames.parts());
    if arguments.json {
        let about = json!({
            "format": format_word, "version": version.number(), "parts": parts, "codes": codes,
            "bytes": content.bytes().len(), "sha256": hex(&sha256), "words": hash_words(&sha256),
        });
        println!("{about}");
    } else {
        let noun = if codes == 1 { "code" } else { "codes" };
        println!("{name}: {codes} {noun} of version {}, least to see {parts}", version.number());
        println!("{}", hash_words(&sha256));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the pictures go.
enum Pictures<'a> {
    /// A folder, the ending of the names, and what draws one.
    Folder(&'a Path, &'static str, fn(&Symbol) -> Result<Vec<u8>, Error>),
    /// A file, and its codes a second.
    Moving(&'a Path, u8),
}

impl Pictures<'_> {
    /// Writes them; gives the name for a person.
    fn write(self, symbols: impl Iterator<Item = Result<Symbol, Error>>) -> Result<String, Error> {
        let path = match self {
            Pictures::Folder(folder, ending, draw) => {
                create(folder)?;
                for (number, symbol) in (1_u32..).zip(symbols) {
                    let path = folder.join(format!("{number:04}.{ending}"));
                    files::write_new(&path, &draw(&symbol?)?, 0o644)?;
                }
                folder
            }
            Pictures::Moving(file, fps) => {
                files::write_new(file, &gif(symbols, fps)?, 0o644)?;
                file
            }
        };
        Ok(escape(&path.to_string_lossy()))
    }
}

/// Makes a folder that must be new, so that the pictures of two payloads never get into one.
fn create(folder: &Path) -> Result<(), Error> {
    let name = escape(&folder.to_string_lossy());
    std::fs::create_dir(folder).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Exists(name),
        _ => Error::Write { name, source },
    })
}

fn version(text: &str) -> Result<Version, String> {
    text.parse().ok().and_then(Version::new).ok_or_else(|| "expected 1 to 40".to_owned())
}

fn none() -> Error {
    Error::Symbol("there is no such version".to_owned())
}
