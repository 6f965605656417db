//! `qr scan`: pictures of QR codes become a file again.

use bitcoin::hashes::{Hash, sha256};
use clap::Args;
use psbt_tools::display::{escape, hash_words, hex};
use psbt_tools::picture::{MAX_LEN, codes};
use psbt_tools::qr::{Integrity, Kind, Payload, Progress, Scan, State, Taken};
use psbt_tools::{Error, files};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Most pictures of one scan.
const MAX_PICTURES: usize = 10_000;

/// Reads the QR codes in pictures, in any order, and writes what they carry; exit code 4 when parts are missing.
///
/// Each picture is decoded in a process of its own with 256 MiB, which can open nothing. Compare the six words with those
/// of the sender: formats without a check sum (BBQr) rely on it.
///
/// Example: psbt-tools qr scan pictures -o payment-signed.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// PNG or GIF pictures, or folders of them
    #[arg(required = true, value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// The file to write; without it the payload is only described
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let mut view = View::default();
    for path in &listed(&arguments.pictures)? {
        view.look(path)?;
    }
    let payload = view.payload()?;
    let sha256 = sha256::Hash::hash(&payload.bytes).to_byte_array();
    if let Some(output) = &arguments.output {
        files::write_new(output, &payload.bytes, 0o644)?;
    }
    let (kind, integrity) = (kind_word(payload.kind), integrity_word(payload.integrity));
    if arguments.json {
        let about = json!({
            "kind": kind, "format": payload.format.to_string().to_lowercase(), "integrity": integrity,
            "bytes": payload.bytes.len(), "sha256": hex(&sha256), "words": hash_words(&sha256),
            "pictures": view.pictures, "frames": view.frames, "lost": view.lost,
        });
        println!("{about}");
    } else if arguments.output.as_deref() != Some(Path::new("-")) {
        println!("payload   {kind}, {} bytes, by {}", payload.bytes.len(), payload.format);
        println!("integrity {integrity}");
        println!("words     {}", hash_words(&sha256));
        println!("SHA-256   {}", hex(&sha256));
    }
    Ok(ExitCode::SUCCESS)
}

/// What was seen so far.
#[derive(Default)]
struct View {
    scan: Scan,
    payload: Option<Payload>,
    several: bool,
    pictures: usize,
    frames: usize,
    lost: usize,
}

impl View {
    /// Reads the codes of a picture; one that cannot be read is counted and said.
    fn look(&mut self, path: &Path) -> Result<(), Error> {
        let name = escape(&path.to_string_lossy());
        let picture = files::read(path, MAX_LEN)?;
        self.pictures = self.pictures.saturating_add(1);
        let read = codes(picture, |texts| {
            self.frames = self.frames.saturating_add(1);
            texts.iter().for_each(|text| self.take(text));
            true
        });
        match read {
            Ok(Ok(())) => {}
            Ok(Err(lost)) => {
                self.lost = self.lost.saturating_add(1);
                eprintln!("note: {name}: {lost}");
            }
            Err(source) => return Err(Error::Read { name, source }),
        }
        Ok(())
    }

    fn take(&mut self, text: &str) {
        let joined = match self.scan.take(text) {
            Taken::Joined(payload) => payload,
            Taken::Broken(fault) => return eprintln!("note: {fault}; {}", fault.hint()),
            Taken::New | Taken::Nothing | Taken::Ignored(_) => return,
        };
        match &self.payload {
            Some(payload) if payload.bytes != joined.bytes => self.several = true,
            Some(_) => {}
            None => self.payload = Some(joined),
        }
    }

    /// The only payload.
    fn payload(&mut self) -> Result<Payload, Error> {
        if self.several {
            return Err(Error::malformed(
                "the pictures show several payloads",
                "name the pictures of one of them",
            ));
        }
        if let Some(payload) = self.payload.take() {
            return Ok(payload);
        }
        match self.scan.unconfirmed() {
            Some(payload) => Ok(payload?),
            None => Err(self.missing(&self.scan.progress())),
        }
    }

    /// Why there is none.
    fn missing(&self, progress: &Progress) -> Error {
        let best = progress
            .streams
            .iter()
            .filter(|stream| stream.state != State::Broken)
            .max_by_key(|stream| stream.rank);
        let Some(best) = best else {
            let found = format!(
                "no payload in {} frames of {} pictures: {} codes that are not read here, {} broken ones",
                self.frames, self.pictures, progress.foreign, progress.faulty
            );
            return Error::malformed(found, "take sharper and larger pictures, one code in each");
        };
        Error::PartsMissing(format!(
            "{} of {} parts are known, from {} frames with codes of {} frames",
            best.rank, best.parts, progress.frames, self.frames
        ))
    }
}

/// The pictures themselves and those in folders, by name.
fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut listed = Vec::new();
    for path in paths {
        if !path.is_dir() {
            listed.push(path.clone());
            continue;
        }
        let fault = |source| Error::Read { name: escape(&path.to_string_lossy()), source };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fault)?.take(MAX_PICTURES) {
            let entry = entry.map_err(fault)?;
            if entry.file_type().map_err(fault)?.is_file() {
                inside.push(entry.path());
            }
        }
        inside.sort();
        listed.append(&mut inside);
    }
    listed.truncate(MAX_PICTURES);
    Ok(listed)
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Psbt => "psbt",
        Kind::Transaction => "transaction",
        Kind::Descriptor => "descriptor",
        Kind::Json => "json",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
    }
}

fn integrity_word(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::Single => "one code",
        Integrity::Crc32 => "check sum right",
        Integrity::Repeated => "no check sum; parts were seen again: compare the words",
        Integrity::Unchecked => "no check sum; parts were seen once: compare the words",
    }
}
