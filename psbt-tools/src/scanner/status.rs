//! What a person sees while a scan goes on.

use super::notice::{Notice, Outlook};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is written anew.
const PAUSE: Duration = Duration::from_millis(100);

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// One line on standard error that is written over and over, where that is a terminal; anything that is to be kept stands
/// above it. The line is gone when this is dropped.
#[derive(Debug)]
pub struct Status {
    is_terminal: bool,
    last: Option<Instant>,
    is_shown: bool,
}

impl Default for Status {
    fn default() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), last: None, is_shown: false }
    }
}

impl Status {
    /// Shows what happened.
    pub fn show(&mut self, notice: &Notice) {
        match notice {
            Notice::Outlook(outlook) => self.rewrite(outlook),
            Notice::Resumed(count) => self.keep(&format!("note: going on with {count} codes of before")),
            Notice::Unread(name, reason) => self.keep(&format!("note: {name}: {reason}")),
            Notice::Lost(name, lost) => self.keep(&format!("note: {name}: {lost}; going on without it")),
            Notice::GivenUp(reason) => self.keep(&format!("note: {reason}")),
        }
    }

    fn rewrite(&mut self, outlook: &Outlook) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if !self.is_terminal || !is_due {
            return;
        }
        self.last = Some(Instant::now());
        self.is_shown = true;
        let columns = rustix::termios::tcgetwinsize(rustix::stdio::stderr())
            .map_or(COLUMNS, |size| usize::from(size.ws_col).max(20));
        let line: String = line(outlook).chars().take(columns.saturating_sub(1)).collect();
        say(&format!("\r\x1b[2K{line}"));
    }

    fn keep(&mut self, line: &str) {
        self.clear();
        say(&format!("{line}\n"));
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            say("\r\x1b[2K");
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `14 of 52 parts · 8.1 frames/s · about 12 s left · too dark: …`
fn line(outlook: &Outlook) -> String {
    let mut line = match outlook.rank {
        Some((rank, parts)) => format!("{rank} of {parts} parts"),
        None => "no part yet".to_owned(),
    };
    let rate = outlook.frames_per_ten_seconds;
    // Writing to a text does not fail.
    let _ = write!(line, " · {}.{} frames/s", rate / 10, rate % 10);
    if let Some(left) = outlook.left.filter(|left| !left.is_zero()) {
        let _ = write!(line, " · about {} s left", left.as_secs().max(1));
    }
    if let Some(hindrance) = outlook.hindrance {
        let _ = write!(line, " · {hindrance}");
    }
    line
}

fn say(text: &str) {
    // Nobody is left to be told that standard error is gone.
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::notice::Hindrance;
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_how_long_and_what_hinders() {
        let outlook = Outlook {
            frames: 30,
            codes: 14,
            rank: Some((14, 52)),
            frames_per_ten_seconds: 81,
            left: Some(Duration::from_millis(12_400)),
            hindrance: Some(Hindrance::Torn),
        };
        assert_eq!(
            line(&outlook),
            "14 of 52 parts · 8.1 frames/s · about 12 s left · torn: hold still, or let the codes change more slowly"
        );
        assert_eq!(line(&Outlook::default()), "no part yet · 0.0 frames/s");
    }
}
