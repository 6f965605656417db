//! Where output goes. A reader that has gone away is no fault of ours; a full disk is.

use psbt_tools::{Error, files};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    heard(written.map_err(|source| Error::Write { name: "standard output".to_owned(), source }))
}

/// Writes a file that everybody may read: nothing that is made here spends anything. `-` is standard output.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    heard(files::write_new(path, bytes, 0o644))
}

/// Writes a file that only its owner may read, as the programs do with payments. `-` is standard output.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    heard(files::write_new(path, bytes, 0o600))
}

/// Writes a line to standard error.
pub fn say(line: impl Display) {
    // Nobody is left to be told that standard error is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

fn heard(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(Error::Write { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
