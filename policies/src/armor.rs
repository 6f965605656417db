//! Bytes as text between two lines, 70 characters of base64 a line, as OpenSSH writes them.

use bitcoin::base64::Engine as _;
use bitcoin::base64::engine::general_purpose::STANDARD;

/// Characters of base64 in a line.
const LINE: usize = 70;

/// The armored text of some bytes.
pub fn armor(begin: &str, bytes: &[u8], end: &str) -> String {
    let mut text = String::from(begin);
    for (at, c) in STANDARD.encode(bytes).chars().enumerate() {
        if at.checked_rem(LINE) == Some(0) {
            text.push('\n');
        }
        text.push(c);
    }
    format!("{text}\n{end}\n")
}

/// The base64 between the two lines, without white space; `None` where a line is missing.
pub fn armored(begin: &str, text: &str, end: &str) -> Option<String> {
    let body = text.trim().strip_prefix(begin)?.strip_suffix(end)?;
    Some(body.chars().filter(|c| !c.is_ascii_whitespace()).collect())
}
