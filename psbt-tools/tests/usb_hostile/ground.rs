//! Where a hostile tree stands: a stick, a secret outside it, and what must be as it was afterwards.

use psbt_tools::files::{self, Folder, Obstacle, Patience};
use psbt_tools::usb::{self, Listing};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// The smallest PSBT.
pub const PSBT: &[u8] = b"psbt\xff\x01\x00\x0a\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

/// What no stick may get at.
pub const SECRET: &[u8] = b"psbt\xff SECRET of this machine";

pub struct Ground {
    root: TempDir,
}

/// What is done to a tree.
pub enum Act<'a> {
    /// Lists it, and says what became of this name.
    List(&'a [u8]),
    /// Lists it, and says how the list ended.
    ListAll,
    /// Takes the only payment.
    Take,
    /// Takes the file of this name.
    TakeNamed(&'a str),
    /// Reads a path as a person types it, relative to the stick.
    Typed(&'a str),
    /// Puts a payment on it under this name.
    Put(&'a [u8]),
    /// Writes an output file at this path on it, as every command does.
    Output(&'a str),
}

/// What came of it, and everything that was got from the stick.
pub struct Outcome {
    pub word: String,
    pub got: Vec<u8>,
}

impl Ground {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("stick")).unwrap();
        std::fs::create_dir(root.path().join("outside")).unwrap();
        std::fs::write(root.path().join("outside/secret.psbt"), SECRET).unwrap();
        Self { root }
    }

    pub fn stick(&self) -> PathBuf {
        self.root.path().join("stick")
    }

    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.stick().join(name.as_ref())
    }

    pub fn secret(&self) -> PathBuf {
        self.root.path().join("outside/secret.psbt")
    }

    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn link(&self, target: impl AsRef<Path>, name: &str) {
        std::os::unix::fs::symlink(target, self.path(name)).unwrap();
    }

    /// Every regular file and its content, wherever it is; large ones by their length.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.root.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = folder.read_dir() else { continue };
            for entry in entries.take(200) {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    let length = entry.metadata().unwrap().len();
                    let content = match length > 1 << 20 {
                        true => length.to_le_bytes().to_vec(),
                        false => std::fs::read(entry.path()).unwrap_or_default(),
                    };
                    files.insert(entry.path(), content);
                }
            }
        }
        files
    }
}

pub fn patience(seconds: f32) -> Patience {
    let silence = Duration::from_secs_f32(seconds);
    Patience { reading: silence, listing: silence, writing: silence, stop: None }
}

/// Does it to a stick.
pub fn act(stick: &Path, act: &Act<'_>, patience: &Patience) -> Outcome {
    let folder = || Folder::open(stick, patience.clone());
    let done = match act {
        Act::List(name) => folder().and_then(|folder| {
            let listing = usb::list(&folder).map_err(|obstacle| obstacle.reading("stick"))?;
            Ok((in_list(&listing, name), hashes(&listing)))
        }),
        Act::ListAll => folder().and_then(|folder| {
            let listing = usb::list(&folder).map_err(|obstacle| obstacle.reading("stick"))?;
            let ended = listing.ended.map_or("complete", |ended| ended.code());
            let counts = format!("{ended} {}/{}", listing.entries.len(), listing.skipped.len());
            Ok((counts, hashes(&listing)))
        }),
        Act::Take => folder().and_then(|folder| {
            let taken = usb::take(&folder, "stick", None)?;
            Ok((taken.name.to_string_lossy().into_owned(), taken.bytes))
        }),
        Act::TakeNamed(name) => folder().and_then(|folder| {
            let taken = usb::take(&folder, "stick", Some(OsStr::new(name)))?;
            Ok((format!("{} {}", taken.kind.as_str(), taken.sidecar.as_str()), taken.bytes))
        }),
        Act::Typed(path) => files::read_within(&stick.join(path), files::DEFAULT_LIMIT, patience)
            .map(|bytes| ("read".to_owned(), bytes)),
        Act::Put(name) => folder().and_then(|folder| {
            usb::put(&folder, OsStr::from_bytes(name), PSBT).map(|_| ("written".to_owned(), Vec::new()))
        }),
        Act::Output(path) => {
            files::write_new(&stick.join(path), PSBT, 0o600).map(|()| ("written".to_owned(), Vec::new()))
        }
    };
    match done {
        Ok((word, got)) => Outcome { word, got },
        Err(error) => {
            assert!(error.hint().is_some() || error.code() == "C27", "{error} has no hint");
            Outcome { word: word_of(&error), got: Vec::new() }
        }
    }
}

/// The code, and for what the system says its own reason.
fn word_of(error: &psbt_tools::Error) -> String {
    match error {
        psbt_tools::Error::Read { source, .. } | psbt_tools::Error::Write { source, .. } => {
            format!("{} {}", error.code(), system(source))
        }
        error => error.code(),
    }
}

/// The system's reason by its kind, or by its own name where Rust has none for it.
pub fn system(source: &std::io::Error) -> String {
    const EIO: i32 = 5;
    match source.raw_os_error() {
        Some(EIO) => "EIO".to_owned(),
        _ => format!("{:?}", source.kind()),
    }
}

fn in_list(listing: &Listing, name: &[u8]) -> String {
    let shown = name.escape_ascii().to_string();
    let entry = listing.entries.iter().find(|entry| entry.name.as_bytes() == name);
    let skipped = listing.skipped.iter().find(|skipped| skipped.name == shown);
    match (entry, skipped) {
        (Some(entry), None) => format!("{} {}", entry.kind.as_str(), entry.sidecar.as_str()),
        (None, Some(skipped)) => match &skipped.why {
            usb::Why::Obstacle(Obstacle::System(source)) => format!("unreadable {}", system(source)),
            why => why.code().to_owned(),
        },
        (None, None) => "not listed".to_owned(),
        (Some(_), Some(_)) => "listed twice".to_owned(),
    }
}

fn hashes(listing: &Listing) -> Vec<u8> {
    listing.entries.iter().flat_map(|entry| entry.sha256).collect()
}
