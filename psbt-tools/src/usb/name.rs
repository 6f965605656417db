//! Names that every file system can hold and no screen gets wrong.

use policies::codec::deceives;
use std::ffi::OsStr;

/// Most UTF-16 units of a name on FAT, exFAT and NTFS, and most bytes on Linux.
pub const MAX_LEN: usize = 255;

/// What FAT and Windows refuse in names, beside control characters.
const RESERVED: &str = "<>:\"/\\|?*";

/// Names of devices on Windows, with any ending and in either case.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Why a name is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It has bytes that are no text.
    #[error("its name is no UTF-8")]
    NotText,
    /// A control character, or one that is invisible or turns the direction of writing.
    #[error("its name has the character U+{:04X}, which deceives who reads it", u32::from(*.0))]
    Deceives(char),
    /// FAT and Windows know no such character in names.
    #[error("its name has `{0}`, which FAT and Windows refuse")]
    Reserved(char),
    /// A device on Windows.
    #[error("its name is that of a device on Windows")]
    Device,
    /// FAT and Windows drop such an end.
    #[error("its name begins with a blank, or ends with a blank or a dot, which FAT and Windows drop")]
    Edge,
    /// Too long for FAT, or for Linux.
    #[error("its name has more than {MAX_LEN} units")]
    TooLong,
    /// There is none.
    #[error("it has no name")]
    Empty,
}

/// A name that may be shown and written.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &OsStr) -> Result<&str, BadName> {
    let text = name.to_str().ok_or(BadName::NotText)?;
    if text.is_empty() {
        return Err(BadName::Empty);
    }
    if let Some(c) = text.chars().find(|c| deceives(*c)) {
        return Err(BadName::Deceives(c));
    }
    if let Some(c) = text.chars().find(|c| RESERVED.contains(*c)) {
        return Err(BadName::Reserved(c));
    }
    if text.starts_with(' ') || text.ends_with([' ', '.']) {
        return Err(BadName::Edge);
    }
    if is_device(text) {
        return Err(BadName::Device);
    }
    if text.len() > MAX_LEN || text.encode_utf16().count() > MAX_LEN {
        return Err(BadName::TooLong);
    }
    Ok(text)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    let is_numbered = |prefix| {
        let number = stem.strip_prefix(prefix).map(|rest| rest.chars().collect::<Vec<_>>());
        matches!(number.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']))
    };
    DEVICES.contains(&stem.as_str()) || is_numbered("com") || is_numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn ordinary_names_pass() {
        let long = "x".repeat(255);
        for name in
            ["P-0042-permitted.psbt", "Löhne November.psbt", "給料.psbt", "console.psbt", "com.psbt", &long]
        {
            assert_eq!(check(OsStr::new(name)), Ok(name));
        }
    }

    #[test]
    fn each_bad_name_has_its_reason() {
        let long = "ü".repeat(128);
        for (name, reason) in [
            ("", BadName::Empty),
            ("a\u{1b}[2J.psbt", BadName::Deceives('\u{1b}')),
            ("a\nb", BadName::Deceives('\n')),
            ("tbsp.\u{202e}exe", BadName::Deceives('\u{202e}')),
            ("a:b", BadName::Reserved(':')),
            ("a\\b", BadName::Reserved('\\')),
            ("what?", BadName::Reserved('?')),
            ("CON", BadName::Device),
            ("nul.psbt", BadName::Device),
            ("Com1 .tar.gz", BadName::Device),
            ("lpt².psbt", BadName::Device),
            ("end.", BadName::Edge),
            ("end ", BadName::Edge),
            (" begin", BadName::Edge),
            ("..", BadName::Edge),
            (&long, BadName::TooLong),
        ] {
            assert_eq!(check(OsStr::new(name)), Err(reason), "{name:?}");
        }
        assert_eq!(check(OsStr::from_bytes(b"\xff.psbt")), Err(BadName::NotText));
    }
}
