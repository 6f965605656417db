//! A symbol in characters: two modules in each, colours said outright so that no theme changes them.

use super::Symbol;
use super::symbol::side_of;
use crate::qr::Version;
use std::fmt::Write;

/// Light modules around: two are enough for the decoders of phones and wallets, and smaller terminals hold more.
const QUIET: usize = 2;

/// Lines under the symbol.
const LINES: usize = 2;

/// Rows and columns of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// The least that shows a version's symbols.
    pub(super) fn for_version(version: Version) -> Self {
        let modules = side_of(version).saturating_add(2 * QUIET);
        Self { rows: modules.div_ceil(2).saturating_add(LINES), columns: modules }
    }

    /// The densest version that it shows, if any.
    pub(super) fn densest(self) -> Option<Version> {
        (1..=40).rev().filter_map(Version::new).find(|version| self.shows(*version))
    }

    /// Whether it shows a version's symbols.
    pub(super) fn shows(self, version: Version) -> bool {
        let least = Self::for_version(version);
        least.rows <= self.rows && least.columns <= self.columns
    }
}

/// The lines of a symbol: upper half blocks, whose foreground is the upper module and whose background is the lower one.
pub(super) fn lines(symbol: &Symbol, out: &mut String) {
    let modules = symbol.width(QUIET);
    for y in (0..modules).step_by(2) {
        let mut before = None;
        for x in 0..modules {
            let colours = (symbol.is_dark(x, y, QUIET), symbol.is_dark(x, y.saturating_add(1), QUIET));
            if before != Some(colours) {
                let (upper, lower) = (level(colours.0), level(colours.1));
                // Writing to a string does not fail.
                let _ = write!(out, "\x1b[38;2;{upper}m\x1b[48;2;{lower}m");
                before = Some(colours);
            }
            out.push('\u{2580}');
        }
        out.push_str("\x1b[0m\x1b[K\r\n");
    }
}

fn level(dark: bool) -> &'static str {
    if dark { "0;0;0" } else { "255;255;255" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modules that a terminal shows for these lines.
    fn shown(lines: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in lines.split_terminator("\x1b[0m\x1b[K\r\n") {
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            for group in line.split("\x1b[38;2;").skip(1) {
                let (colours, blocks) = group.split_once("\u{2580}").unwrap();
                let (above, below) = colours.split_once("m\x1b[48;2;").unwrap();
                for _ in 0..=blocks.chars().count() {
                    upper.push(above == "0;0;0");
                    lower.push(below == "0;0;0m");
                }
            }
            rows.extend([upper, lower]);
        }
        rows
    }

    #[test]
    fn what_the_terminal_shows_reads_as_the_text() {
        for number in [1, 7, 20] {
            let symbol = Symbol::of("TERMINAL", Version::new(number).unwrap()).unwrap();
            let mut text = String::new();
            lines(&symbol, &mut text);
            let rows = shown(&text);
            assert_eq!((rows[0].len(), rows.len()), (symbol.width(QUIET), symbol.width(QUIET) + 1));
            let side = symbol.side();
            let grid = rqrr::SimpleGrid::from_func(side, |x, y| rows[y + QUIET][x + QUIET]);
            assert_eq!(rqrr::Grid::new(grid).decode().unwrap().1, "TERMINAL");
        }
    }

    #[test]
    fn a_terminal_shows_what_fits_it() {
        let size = |rows, columns| Size { rows, columns };
        assert_eq!(Size::for_version(Version::new(20).unwrap()), size(53, 101));
        assert_eq!(size(24, 80).densest(), Version::new(5));
        assert_eq!(size(53, 101).densest(), Version::new(20));
        assert_eq!(size(52, 101).densest(), Version::new(19));
        assert_eq!(size(12, 80).densest(), None);
        assert_eq!(size(1_000, 1_000).densest(), Version::new(40));
    }
}
