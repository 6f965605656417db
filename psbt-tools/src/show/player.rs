//! What is shown next, and what a key changes. No terminal, no clock.

use super::content::Content;
use super::form::{Codes, Form};
use super::terminal::{Size, lines};
use crate::Error;
use crate::display::hash_words;
use crate::qr::Version;
use std::fmt::Write;

/// Frames a second unless others are asked for: half of what a slow camera sees.
pub const DEFAULT_FRAMES_PER_SECOND: u8 = 8;

/// Most frames a second: half of what a good camera sees.
pub const MAX_FRAMES_PER_SECOND: u8 = 30;

/// What a key asks for beyond what the next screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To go on.
    On,
    /// To end.
    Quit,
}

/// A payload that is being shown.
#[derive(Debug)]
pub(super) struct Player<'a> {
    content: &'a Content,
    words: String,
    codes: Codes,
    frames_per_second: u8,
    paused: bool,
    number: u64,
    notice: Option<String>,
}

impl<'a> Player<'a> {
    /// Begins with the first frame.
    ///
    /// # Errors
    /// Those of [`Codes::new`].
    pub(super) fn new(
        content: &'a Content,
        form: Form,
        version: Version,
        frames_per_second: u8,
    ) -> Result<Self, Error> {
        Ok(Self {
            content,
            words: hash_words(&content.sha256()),
            codes: Codes::new(content, form, version)?,
            frames_per_second: frames_per_second.clamp(1, MAX_FRAMES_PER_SECOND),
            paused: false,
            number: 0,
            notice: None,
        })
    }

    /// Frames a second; `None` while the picture stands still.
    pub(super) fn speed(&self) -> Option<u8> {
        (!self.paused && self.codes.parts() > 1).then_some(self.frames_per_second)
    }

    /// The next frame's turn.
    pub(super) fn advance(&mut self) {
        self.number = self.number.wrapping_add(1);
    }

    /// Does what a key asks for.
    pub(super) fn press(&mut self, key: u8, size: Size) -> Step {
        self.notice = None;
        match key {
            b'+' | b'=' => self.change_version(1, size),
            b'-' | b'_' => self.change_version(-1, size),
            b'>' | b'.' => {
                self.frames_per_second = self.frames_per_second.saturating_add(1).min(MAX_FRAMES_PER_SECOND);
            }
            b'<' | b',' => self.frames_per_second = self.frames_per_second.saturating_sub(1).max(1),
            b'p' | b' ' => self.paused = !self.paused,
            b'f' => self.begin_again(self.codes.form().next(self.content), self.codes.version()),
            // Ctrl-C and Ctrl-D: the terminal's own keys are off.
            b'q' | 3 | 4 => return Step::Quit,
            _ => {}
        }
        Step::On
    }

    /// The bytes that show this state on a terminal of that size.
    ///
    /// # Errors
    /// [`Error::Symbol`].
    pub(super) fn screen(&self, size: Size) -> Result<String, Error> {
        // Synchronized output: a terminal that knows it shows the whole frame at once.
        let mut out = String::from("\x1b[?2026h\x1b[H");
        if size.shows(self.codes.version()) {
            lines(&self.codes.code(self.number)?, &mut out);
        } else {
            line(&mut out, size, &self.too_small(size));
        }
        line(&mut out, size, &self.state());
        out.push_str(&cut(&self.keys(), size));
        out.push_str("\x1b[K\x1b[J\x1b[?2026l");
        Ok(out)
    }

    fn change_version(&mut self, by: i8, size: Size) {
        let Some(version) = self.codes.version().number().checked_add_signed(by).and_then(Version::new)
        else {
            return;
        };
        if by > 0 && !size.shows(version) {
            self.notice = Some(needs(version));
        } else {
            self.begin_again(self.codes.form(), version);
        }
    }

    fn begin_again(&mut self, form: Form, version: Version) {
        match Codes::new(self.content, form, version) {
            Ok(codes) => (self.codes, self.number) = (codes, 0),
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                self.notice = Some(format!("{error}: {hint}"));
            }
        }
    }

    fn too_small(&self, size: Size) -> String {
        let fitting = match size.densest() {
            Some(version) => format!("version {} would fit", version.number()),
            None => "none fits this one".to_owned(),
        };
        format!("{}; {fitting}", needs(self.codes.version()))
    }

    fn state(&self) -> String {
        let speed = match self.speed() {
            Some(speed) => format!("{speed} frames a second"),
            None if self.paused => "paused".to_owned(),
            None => "one code".to_owned(),
        };
        let part = self.number.saturating_add(1);
        let parts = self.codes.parts();
        let (form, version) = (self.codes.form(), self.codes.version().number());
        format!("{form} version {version}  frame {part} ({parts} parts)  {speed}")
    }

    fn keys(&self) -> String {
        match &self.notice {
            Some(notice) => notice.clone(),
            None => format!("{}  |  + - density  < > speed  f format  p pause  q quit", self.words),
        }
    }
}

/// What a version's symbols need.
pub(super) fn needs(version: Version) -> String {
    let least = Size::for_version(version);
    format!(
        "version {} needs a terminal of {} columns and {} lines",
        version.number(),
        least.columns,
        least.rows
    )
}

fn line(out: &mut String, size: Size, text: &str) {
    // Writing to a string does not fail.
    let _ = write!(out, "{}\x1b[K\r\n", cut(text, size));
}

/// At most one line of the terminal.
fn cut(text: &str, size: Size) -> String {
    text.chars().take(size.columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Size = Size { rows: 60, columns: 120 };

    fn content() -> Content {
        Content::of(
            [b"psbt\xff".as_slice(), &[7; 20], &(0..2_000u16).flat_map(u16::to_be_bytes).collect::<Vec<_>>()]
                .concat(),
        )
        .unwrap()
    }

    fn version(number: u8) -> Version {
        Version::new(number).unwrap()
    }

    fn press(player: &mut Player, keys: &str) {
        for key in keys.bytes() {
            assert_eq!(player.press(key, LARGE), Step::On);
        }
    }

    #[test]
    fn keys_change_density_speed_and_format_and_pause() {
        let content = content();
        let mut player = Player::new(&content, Form::Ur, version(10), 8).unwrap();
        let parts = player.codes.parts();
        player.advance();
        assert!(player.state().starts_with("UR version 10  frame 2"));
        press(&mut player, "++");
        assert!(player.state().starts_with("UR version 12  frame 1"), "{}", player.state());
        assert!(player.codes.parts() < parts);
        press(&mut player, "-");
        press(&mut player, ">>>");
        assert!(player.state().starts_with("UR version 11") && player.speed() == Some(11));
        press(&mut player, "<");
        press(&mut player, "f");
        assert!(
            player.state().starts_with("BBQr version 11") && player.state().ends_with("10 frames a second")
        );
        press(&mut player, "p");
        assert!(player.state().ends_with("paused") && player.speed().is_none());
        press(&mut player, &"-".repeat(50));
        assert!(player.codes.version().number() >= 1);
        for quit in [b'q', 3, 4] {
            assert_eq!(player.press(quit, LARGE), Step::Quit);
        }
    }

    #[test]
    fn speed_stays_within_its_bounds() {
        let content = content();
        let mut player = Player::new(&content, Form::Ur, version(10), 200).unwrap();
        assert_eq!(player.speed(), Some(MAX_FRAMES_PER_SECOND));
        press(&mut player, ">");
        assert_eq!(player.speed(), Some(MAX_FRAMES_PER_SECOND));
        press(&mut player, &"<".repeat(100));
        assert_eq!(player.speed(), Some(1));
    }

    #[test]
    fn a_screen_is_one_synchronized_write_that_fits() {
        let content = content();
        let player = Player::new(&content, Form::Ur, version(10), 8).unwrap();
        let screen = player.screen(LARGE).unwrap();
        assert!(screen.starts_with("\x1b[?2026h\x1b[H") && screen.ends_with("\x1b[?2026l"));
        assert_eq!(screen.matches('\n').count(), Size::for_version(version(10)).rows - 1);
        assert!(screen.contains(&hash_words(&content.sha256())));
    }

    #[test]
    fn too_small_a_terminal_says_which_version_fits() {
        let content = content();
        let mut player = Player::new(&content, Form::Ur, version(10), 8).unwrap();
        let small = Size { rows: 24, columns: 80 };
        let screen = player.screen(small).unwrap();
        assert!(
            screen.contains("version 10 needs a terminal of 61 columns and 33 lines; version 5 would fit")
        );
        assert!(!screen.contains('\u{2580}'));
        let exact = Size::for_version(version(10));
        assert_eq!(player.press(b'+', exact), Step::On);
        assert_eq!(player.codes.version(), version(10));
        assert!(player.keys().starts_with("version 11 needs"));
    }
}
