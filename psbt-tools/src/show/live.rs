//! The terminal that shows a payload and takes keys.

use super::DEFAULT_VERSION;
use super::content::Content;
use super::form::Form;
use super::player::{Player, Step, needs};
use super::terminal::Size;
use crate::Error;
use crate::interrupt::Interrupt;
use crate::qr::Version;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// How long a still picture stands before the terminal's size is looked at again.
const LOOK: Duration = Duration::from_millis(500);

/// Shows a payload in the controlling terminal until a person ends it. Without a version the densest that fits is taken,
/// up to [`DEFAULT_VERSION`].
///
/// # Errors
/// [`Error::Screen`] without a terminal, or with one too small for the version; those of [`Form::version`];
/// [`Error::Frames`]; [`Error::Symbol`]; [`Error::Interrupted`] when a signal ends it instead.
pub fn live(
    content: &Content,
    form: Form,
    version: Option<Version>,
    frames_per_second: u8,
) -> Result<(), Error> {
    let tty = terminal_of_ours()?;
    let version = chosen(content, form, version, size(&tty))?;
    let mut player = Player::new(content, form, version, frames_per_second)?;
    // Dropped after the screen is: the terminal is given back whatever comes.
    let interrupt = Interrupt::watched().map_err(terminal)?;
    let shown = Screen::enter(tty).and_then(|mut screen| play(&mut player, &mut screen, &interrupt));
    if interrupt.is_set() { Err(Error::Interrupted) } else { shown }
}

/// Whether there is a terminal that can show codes of a version, or any: asked before the work whose result is shown.
///
/// # Errors
/// [`Error::Screen`].
pub(super) fn can_show(version: Option<Version>) -> Result<(), Error> {
    let size = size(&terminal_of_ours()?);
    match version {
        Some(version) if size.shows(version) => Ok(()),
        None if size.densest().is_some() => Ok(()),
        wanted => Err(too_small(wanted, size)),
    }
}

fn terminal_of_ours() -> Result<File, Error> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| Error::Screen {
        what: "there is no terminal to show it in".to_owned(),
        hint: "write pictures instead: --png DIR or --gif FILE".to_owned(),
    })
}

fn chosen(content: &Content, form: Form, wanted: Option<Version>, size: Size) -> Result<Version, Error> {
    if let Some(version) = wanted {
        return if size.shows(version) { Ok(version) } else { Err(too_small(wanted, size)) };
    }
    let densest = size.densest().ok_or_else(|| too_small(None, size))?;
    let most = Version::new(DEFAULT_VERSION).map_or(densest, |most| densest.min(most));
    let version = form.version(content, most)?;
    if size.shows(version) { Ok(version) } else { Err(too_small(Some(version), size)) }
}

fn too_small(wanted: Option<Version>, size: Size) -> Error {
    let hint = match size.densest() {
        Some(densest) => format!("enlarge it; version {} would fit", densest.number()),
        None => "enlarge it, or write pictures instead: --png DIR or --gif FILE".to_owned(),
    };
    Error::Screen { what: wanted.or(Version::new(1)).map_or_else(String::new, needs), hint }
}

fn play(player: &mut Player<'_>, screen: &mut Screen, interrupt: &Interrupt) -> Result<(), Error> {
    let mut due = Instant::now();
    loop {
        let now = Instant::now();
        if now >= due {
            screen.put(player.screen(size(&screen.tty))?.as_bytes())?;
            let pause = match player.speed() {
                Some(speed) => Duration::from_secs(1).checked_div(u32::from(speed)).unwrap_or(LOOK),
                None => LOOK,
            };
            // A frame that was late is not made up for: the next one has its whole time.
            due = Instant::now().checked_add(pause).unwrap_or(now);
        }
        let key = screen.key(due.saturating_duration_since(Instant::now()))?;
        if interrupt.is_set() {
            return Ok(());
        }
        match key {
            Some(key) if player.press(key, size(&screen.tty)) == Step::Quit => return Ok(()),
            Some(_) => due = Instant::now(),
            None if player.speed().is_some() && Instant::now() >= due => player.advance(),
            None => {}
        }
    }
}

/// Rows and columns; what a terminal that does not tell most probably has.
fn size(tty: &File) -> Size {
    match tcgetwinsize(tty) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => {
            Size { rows: usize::from(size.ws_row), columns: usize::from(size.ws_col) }
        }
        Ok(_) | Err(_) => Size { rows: 24, columns: 80 },
    }
}

/// The terminal's other screen, without echo and without its own keys, until this is dropped.
struct Screen {
    tty: File,
    before: Termios,
}

impl Screen {
    fn enter(tty: File) -> Result<Self, Error> {
        let before = tcgetattr(&tty).map_err(|errno| terminal(errno.into()))?;
        let mut raw = before.clone();
        raw.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&tty, OptionalActions::Flush, &raw).map_err(|errno| terminal(errno.into()))?;
        let mut screen = Self { tty, before };
        // The other screen, no cursor, nothing on it.
        screen.put(b"\x1b[?1049h\x1b[?25l\x1b[2J")?;
        Ok(screen)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.tty.write_all(bytes).map_err(terminal)
    }

    /// A key, if one is pressed within that time.
    fn key(&mut self, wait: Duration) -> Result<Option<u8>, Error> {
        let wait = Timespec::try_from(wait).map_err(|_| terminal(io::ErrorKind::InvalidInput.into()))?;
        let mut descriptors = [PollFd::new(&self.tty, PollFlags::IN)];
        match poll(&mut descriptors, Some(&wait)) {
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(errno) => return Err(terminal(errno.into())),
        }
        let mut key = [0];
        match self.tty.read(&mut key).map_err(terminal)? {
            // The terminal is gone.
            0 => Err(Error::Interrupted),
            _ => Ok(key.first().copied()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing better can be done when the terminal is gone.
        let _ = self.tty.write_all(b"\x1b[0m\x1b[?25h\x1b[?1049l");
        let _ = tcsetattr(&self.tty, OptionalActions::Flush, &self.before);
    }
}

fn terminal(source: io::Error) -> Error {
    Error::Write { name: "the terminal".to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_asked_for_or_the_densest_that_fits() {
        let size = |rows, columns| Size { rows, columns };
        let number = |version: Result<Version, Error>| version.map(Version::number).unwrap();
        let content = Content::of(b"wpkh(xpub/<0;1>/*)#abcdefgh".to_vec()).unwrap();
        let ur = |wanted, size| chosen(&content, Form::Ur, wanted, size);
        assert_eq!(number(ur(None, size(24, 80))), 5);
        assert_eq!(number(ur(None, size(200, 200))), 20);
        assert_eq!(number(ur(Version::new(27), size(200, 200))), 27);
        let error = ur(Version::new(27), size(53, 101)).unwrap_err();
        assert_eq!(error.to_string(), "version 27 needs a terminal of 129 columns and 67 lines");
        assert_eq!(error.hint().unwrap(), "enlarge it; version 20 would fit");
        assert_eq!(error.exit_code(), 2);
        assert!(ur(None, size(5, 20)).unwrap_err().hint().unwrap().contains("--png"));
        // Text takes the least that holds it, and needs a terminal for that.
        assert_eq!(number(chosen(&content, Form::Text, None, size(200, 200))), 2);
        assert!(chosen(&content, Form::Text, None, size(15, 29)).is_err());
    }
}
