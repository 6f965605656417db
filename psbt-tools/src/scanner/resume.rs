//! The codes of an interrupted scan, in a file.

use super::failure::Failure;
use super::wire::is_printable;
use crate::display::{escape, hex};
use crate::qr::MAX_FRAME_CHARS;
use crate::{Error, files};
use bitcoin::hashes::{Hash, sha256};
use std::collections::HashSet;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the first line begins with; the SHA-256 of the other lines follows.
const MAGIC: &str = "airlock-scan 1 ";

/// Largest file.
const MAX_LEN: u64 = 48 * 1024 * 1024;

/// The file of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resume {
    path: PathBuf,
    /// Whether it is there, and is ours.
    is_there: bool,
}

impl Resume {
    /// Reads the file, if it is there: the texts of the scan before.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<String>), Error> {
        let resume = |is_there| Self { path: path.to_owned(), is_there };
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((resume(false), Vec::new())),
            Ok(_) | Err(_) => {}
        }
        let bytes = files::read(path, MAX_LEN)?;
        let name = || escape(&path.to_string_lossy());
        let texts = texts(&bytes).ok_or_else(|| Error::from(Failure::NoResume(name())))?;
        Ok((resume(true), texts))
    }

    /// Writes the texts of a scan that goes on later. A file that is not that of the scan is never replaced.
    pub(super) fn keep(&mut self, texts: &[String]) -> Result<(), Error> {
        // Once each: what was seen again in this scan confirms nothing in the next.
        let mut known = HashSet::new();
        let once = texts.iter().filter(|text| known.insert(text.as_str()));
        let body: String = once.flat_map(|text| [text.as_str(), "\n"]).collect();
        let sum = hex(&sha256::Hash::hash(body.as_bytes()).to_byte_array());
        let content = format!("{MAGIC}{sum}\n{body}");
        if self.is_there {
            self.replace(content.as_bytes())
        } else {
            files::write_new(&self.path, content.as_bytes(), 0o600)?;
            self.is_there = true;
            Ok(())
        }
    }

    /// Removes the file: what it was kept for is done.
    pub(super) fn done(&self) -> Result<(), Error> {
        if !self.is_there {
            return Ok(());
        }
        std::fs::remove_file(&self.path).map_err(|source| self.fault(source))
    }

    fn replace(&self, content: &[u8]) -> Result<(), Error> {
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{}.part", std::process::id()));
        let beside = PathBuf::from(beside);
        files::write_new(&beside, content, 0o600)?;
        std::fs::rename(&beside, &self.path).map_err(|source| self.fault(source))?;
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let synced = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        synced.map_err(|source| self.fault(source))
    }

    /// Its name, escaped.
    pub(super) fn name(&self) -> String {
        escape(&self.path.to_string_lossy())
    }

    fn fault(&self, source: std::io::Error) -> Error {
        Error::Write { name: self.name(), source }
    }
}

/// The texts of a file, if it is one of ours and whole.
fn texts(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once('\n')?;
    let sum = hex(&sha256::Hash::hash(body.as_bytes()).to_byte_array());
    let is_ours = head.strip_prefix(MAGIC) == Some(sum.as_str());
    let is_text = |line: &str| line.len() <= MAX_FRAME_CHARS && line.bytes().all(is_printable);
    let are_texts = body.is_empty() || body.ends_with('\n') && body.lines().all(is_text);
    (is_ours && are_texts).then(|| body.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_read_again_and_gone_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.part");
        let (mut resume, texts) = Resume::open(&path).unwrap();
        assert!(texts.is_empty());
        resume.keep(&["A".to_owned()]).unwrap();
        resume.keep(&["A".to_owned(), "B C".to_owned()]).unwrap();
        let (resume, texts) = Resume::open(&path).unwrap();
        assert_eq!(texts, ["A", "B C"]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        resume.done().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_seen_again_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.part");
        let (mut resume, _) = Resume::open(&path).unwrap();
        resume.keep(&["A", "B", "A", "C"].map(str::to_owned)).unwrap();
        assert_eq!(Resume::open(&path).unwrap().1, ["A", "B", "C"]);
    }

    #[test]
    fn a_file_that_is_not_ours_is_neither_read_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other");
        let mut changed = format!("{MAGIC}{}\nA\n", "0".repeat(64)).into_bytes();
        for content in [b"payment".to_vec(), Vec::new(), std::mem::take(&mut changed)] {
            std::fs::write(&path, &content).unwrap();
            let error = Resume::open(&path).unwrap_err();
            assert_eq!((error.code().as_str(), error.exit_code()), ("malformed", 3));
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        let (mut late, _) = Resume::open(&folder.path().join("late")).unwrap();
        std::fs::write(folder.path().join("late"), "theirs").unwrap();
        assert_eq!(late.keep(&[]).unwrap_err().code(), "exists");
    }

    #[test]
    fn lines_that_no_code_has_are_refused() {
        let file = |body: &str| {
            let sum = hex(&sha256::Hash::hash(body.as_bytes()).to_byte_array());
            texts(format!("{MAGIC}{sum}\n{body}").as_bytes())
        };
        assert_eq!(file("A\nB\n").unwrap(), ["A", "B"]);
        assert!(file("").unwrap().is_empty());
        assert!(file("A").is_none() && file("A\x1b[2J\n").is_none() && file("é\n").is_none());
        assert!(file(&format!("{}\n", "A".repeat(MAX_FRAME_CHARS + 1))).is_none());
    }
}
