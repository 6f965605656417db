//! `NAME.sha256`, as `sha256sum NAME` prints it. It is written last: a file without it may be cut short, and one that
//! contradicts it is not what was written.

use crate::display::hex;
use crate::files::{Folder, Obstacle};
use std::ffi::{OsStr, OsString};

/// What a sidecar's name adds to the name of its file.
pub const ENDING: &str = ".sha256";

/// Longest sidecar, in bytes: a hash, two separators, a name, a line break.
const MAX_LEN: u64 = 1024;

/// What a sidecar says of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sidecar {
    /// The file is what was written.
    Right,
    /// It is not, or the sidecar is none.
    Wrong(String),
    /// There is none.
    Absent,
}

impl Sidecar {
    /// The word in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Sidecar::Right => "right",
            Sidecar::Wrong(_) => "wrong",
            Sidecar::Absent => "absent",
        }
    }

    /// Judges a file of a folder by the names that are there.
    pub(super) fn of(folder: &Folder, names: &[OsString], name: &OsStr, sha256: &[u8; 32]) -> Sidecar {
        let wrong = |why: String| Sidecar::Wrong(why);
        let wanted = sidecar_name(name);
        let found = match names.contains(&wanted) {
            true => wanted,
            false => {
                // On FAT, a name may come back in another case.
                let mut alike = names.iter().filter(|other| other.eq_ignore_ascii_case(&wanted));
                match (alike.next(), alike.next()) {
                    (None, _) => return Sidecar::Absent,
                    (Some(found), None) => found.clone(),
                    (Some(_), Some(_)) => return wrong("there are several sidecars".to_owned()),
                }
            }
        };
        match folder.read(&found, MAX_LEN) {
            Err(obstacle) => wrong(format!("the sidecar {obstacle}")),
            Ok(bytes) => match parse(&bytes, name) {
                Err(why) => wrong(why.to_owned()),
                Ok(stated) if stated == hex(sha256) => Sidecar::Right,
                Ok(_) => wrong("the sidecar states another SHA-256".to_owned()),
            },
        }
    }

    /// Judges a file whose sidecar alone is looked for.
    ///
    /// # Errors
    /// What the medium says.
    pub(super) fn beside(folder: &Folder, name: &OsStr, sha256: &[u8; 32]) -> Result<Sidecar, Obstacle> {
        let wanted = sidecar_name(name);
        let names = if folder.is_taken(&wanted)? { vec![wanted] } else { Vec::new() };
        Ok(Sidecar::of(folder, &names, name, sha256))
    }
}

/// The name of a file's sidecar.
pub fn sidecar_name(name: &OsStr) -> OsString {
    let mut sidecar = name.to_owned();
    sidecar.push(ENDING);
    sidecar
}

/// The line that `sha256sum` prints, and reads again with `-c`.
pub fn text(name: &str, sha256: &[u8; 32]) -> String {
    format!("{}  {name}\n", hex(sha256))
}

/// The hash that a sidecar states for this name, in lower case.
fn parse(bytes: &[u8], name: &OsStr) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the sidecar is no text")?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err("the sidecar has several lines");
    }
    // Two blanks, or a blank and an asterisk for what was read as binary.
    let (hash, named) = line
        .split_once("  ")
        .or_else(|| line.split_once(" *"))
        .ok_or("the sidecar is not in sha256sum's form")?;
    if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the sidecar is not in sha256sum's form");
    }
    if !OsStr::new(named).eq_ignore_ascii_case(name) {
        return Err("the sidecar is that of another file");
    }
    Ok(hash.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_sha256sum_are_read_and_nothing_else() {
        let hash = "ab".repeat(32);
        let name = OsStr::new("a b.psbt");
        let read = |text: String| parse(text.as_bytes(), name);
        assert_eq!(text("a b.psbt", &[0xab; 32]), format!("{hash}  a b.psbt\n"));
        for good in [
            format!("{hash}  a b.psbt\n"),
            format!("{hash}  a b.psbt"),
            format!("{} *A B.PSBT\r\n", hash.to_uppercase()),
        ] {
            assert_eq!(read(good).as_ref(), Ok(&hash));
        }
        for bad in [
            String::new(),
            hash.clone(),
            format!("{hash} a b.psbt\n"),
            format!("{hash}  other.psbt\n"),
            format!("{hash}  a b.psbt\n{hash}  a b.psbt\n"),
            format!("{}  a b.psbt\n", "g".repeat(64)),
            format!("{}  a b.psbt\n", "a".repeat(63)),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad:?}");
        }
        assert!(parse(b"\xff", name).is_err());
    }
}
