//! Lines onto pages: wrapped, never cut.

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: usize,
    /// Characters of a line.
    pub columns: usize,
}

impl Default for Size {
    /// That of the oldest terminals.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// Smallest terminal for which pages are made; a smaller one scrolls, but shows everything.
const LEAST: Size = Size { rows: 10, columns: 40 };

/// Rows below the page: its number, and the prompt.
const FOOT: usize = 3;

/// Puts the body onto pages, each beginning with the head and ending with its number.
pub fn paginate(head: &[String], body: &[String], size: Size) -> Vec<String> {
    let size = Size { rows: size.rows.max(LEAST.rows), columns: size.columns.max(LEAST.columns) };
    let head: Vec<String> = head.iter().flat_map(|line| wrap(line, size.columns)).collect();
    let body: Vec<String> = body.iter().flat_map(|line| wrap(line, size.columns)).collect();
    let room = size.rows.saturating_sub(head.len() + FOOT).max(1);
    let chunks: Vec<&[String]> = body.chunks(room).collect();
    let count = chunks.len();
    chunks
        .iter()
        .enumerate()
        .map(|(at, chunk)| {
            let foot = format!("page {} of {count}", at + 1);
            let lines: Vec<&str> = head.iter().chain(*chunk).map(String::as_str).collect();
            format!("{}\n\n{foot}", lines.join("\n"))
        })
        .collect()
}

/// Breaks a line at spaces where there are any, else anywhere. Continued lines are indented as the first and marked, so
/// that foreign text of the right length cannot pass for a line of ours.
pub fn wrap(line: &str, columns: usize) -> Vec<String> {
    let indent: String =
        line.chars().take_while(|c| *c == ' ').take(columns / 2).chain("> ".chars()).collect();
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut width = 0;
    let mut last_space = None;
    for c in line.chars() {
        current.push(c);
        width += columns_of(c);
        if c == ' ' && current.trim_start().len() > 2 {
            last_space = Some(current.len());
        }
        if width > columns {
            let at = last_space.unwrap_or(current.len() - c.len_utf8());
            let rest = current.split_off(at);
            lines.push(current.trim_end_matches(' ').to_owned());
            current = format!("{indent}{rest}");
            width = current.chars().map(columns_of).sum();
            last_space = None;
        }
    }
    lines.push(current.trim_end_matches(' ').to_owned());
    lines
}

/// Columns of a character: two for everything that may be wide, so that no line is ever longer than it is counted.
fn columns_of(c: char) -> usize {
    if u32::from(c) < 0x1100 || matches!(c, '–' | '—' | '…' | '─') { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("line {n}")).collect()
    }

    #[test]
    fn every_line_is_on_exactly_one_page_and_no_page_is_higher_than_the_terminal() {
        let size = Size { rows: 12, columns: 40 };
        let pages = paginate(&["head".to_owned()], &lines(50), size);
        for page in &pages {
            assert!(page.starts_with("head\n") && page.lines().count() <= size.rows, "{page}");
        }
        for n in 0..50 {
            let on = pages.iter().filter(|page| page.lines().any(|line| line == format!("line {n}"))).count();
            assert_eq!(on, 1);
        }
        assert!(pages.last().unwrap().ends_with(&format!("page {0} of {0}", pages.len())));
    }

    #[test]
    fn a_long_word_is_broken_and_not_cut() {
        let long = "ab".repeat(500);
        let wrapped = wrap(&format!("  {long}"), 40);
        assert!(wrapped.iter().skip(1).all(|line| line.starts_with("  > ") && line.chars().count() <= 40));
        assert_eq!(wrapped.iter().map(|line| line.trim_start_matches([' ', '>'])).collect::<String>(), long);
        assert_eq!(
            wrap("one two three four five six seven eight nine", 20),
            ["one two three four", "> five six seven", "> eight nine"]
        );
    }

    #[test]
    fn a_tiny_terminal_still_gets_everything() {
        let pages = paginate(&lines(30), &lines(3), Size { rows: 1, columns: 1 });
        assert_eq!(pages.len(), 3);
    }
}
