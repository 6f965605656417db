//! A typed line as words, quoted as shells do it, without any of their expansions.

use crate::{Error, Result};

/// Longest line, in bytes.
pub const MAX_LINE_LEN: usize = 4_096;

/// Most words of a line.
const MAX_WORDS: usize = 512;

/// A word, and where it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without its quotes.
    pub text: String,
    /// Byte of the line at which it begins, with its quotes.
    pub start: usize,
    /// Whether a quote is still open at the end of the line.
    pub open: bool,
}

/// Splits a whole line. Blanks part words; `'…'` is literal, in `"…"` a backslash keeps `"` and `\`, and outside of
/// quotes it keeps anything. A word that begins with `#` begins a remark.
///
/// # Errors
/// [`Error::Line`]: too long, too many words, a control character, or a quote that is not closed.
pub fn split(line: &str) -> Result<Vec<String>> {
    let words = scan(line)?;
    if words.iter().any(|word| word.open) {
        return Err(Error::Line("a quote or a backslash at the end is not closed"));
    }
    Ok(words.into_iter().map(|word| word.text).collect())
}

/// Splits a line that may not be finished.
///
/// # Errors
/// As [`split`], but for the open quote.
pub fn scan(line: &str) -> Result<Vec<Word>> {
    if line.len() > MAX_LINE_LEN {
        return Err(Error::Line("the line is too long"));
    }
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Error::Line("the line holds a control character"));
    }
    let mut words = Vec::new();
    let mut letters = line.char_indices().peekable();
    while let Some((start, c)) = letters.peek().copied() {
        if is_blank(c) {
            letters.next();
            continue;
        }
        if c == '#' {
            break;
        }
        if words.len() >= MAX_WORDS {
            return Err(Error::Line("the line has too many words"));
        }
        let mut word = Word { text: String::new(), start, open: false };
        while let Some((_, c)) = letters.next_if(|(_, c)| !is_blank(*c)) {
            match c {
                '\'' => word.open = !quoted(&mut letters, c, false, &mut word.text),
                '"' => word.open = !quoted(&mut letters, c, true, &mut word.text),
                '\\' => match letters.next() {
                    Some((_, kept)) => word.text.push(kept),
                    None => word.open = true,
                },
                c => word.text.push(c),
            }
        }
        words.push(word);
    }
    Ok(words)
}

/// A word as it must be typed.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// Takes what stands in quotes; whether they were closed.
fn quoted(
    letters: &mut impl Iterator<Item = (usize, char)>,
    end: char,
    escapes: bool,
    text: &mut String,
) -> bool {
    while let Some((_, c)) = letters.next() {
        if c == end {
            return true;
        }
        if !(escapes && c == '\\') {
            text.push(c);
            continue;
        }
        match letters.next() {
            Some((_, kept @ ('"' | '\\'))) => text.push(kept),
            Some((_, other)) => text.extend(['\\', other]),
            None => return false,
        }
    }
    false
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_and_quoted_as_in_a_shell() {
        let words = |line: &str| split(line).unwrap();
        assert_eq!(words("  sign a.psbt\t-o b "), ["sign", "a.psbt", "-o", "b"]);
        assert_eq!(words(r#"sign 'a b' "c \"d\" \e" f\ g"#), ["sign", "a b", r#"c "d" \e"#, "f g"]);
        assert_eq!(words(r#"keys '' x"y"z  # remark 'open"#), ["keys", "", "xyz"]);
        assert_eq!(words("# all of it"), Vec::<String>::new());
        assert_eq!(words("sign $HOME ~ * `x`"), ["sign", "$HOME", "~", "*", "`x`"], "nothing is expanded");
    }

    #[test]
    fn lines_out_of_bounds_and_open_quotes_are_refused() {
        for bad in
            ["sign 'a", "sign \"a", "sign a\\", "sign \u{1b}[2J", "a\nb", &"x".repeat(MAX_LINE_LEN + 1)]
        {
            let error = split(bad).unwrap_err();
            assert_eq!((error.exit_code(), error.code().as_str()), (2, "usage"), "{bad:?}");
        }
        assert!(split(&"x ".repeat(MAX_WORDS)).is_ok());
        assert!(split(&"x ".repeat(MAX_WORDS + 1)).is_err());
    }

    #[test]
    fn a_quoted_word_is_read_back_as_it_was() {
        for word in ["plain-1.psbt", "two words", "a\"b\\c'd", "", "#x", "ü", "$x"] {
            assert_eq!(split(&quote(word)).unwrap(), [word], "{}", quote(word));
        }
        assert_eq!(quote("plain-1.psbt"), "plain-1.psbt");
    }
}
