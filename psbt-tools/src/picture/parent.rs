//! The side that has a picture decoded.

use super::{CHILD_ARGUMENT, MAX_CODES};
use crate::qr::MAX_FRAME_CHARS;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;

/// How long one frame may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// Longest line that is read: all texts of a frame, each character escaped.
const MAX_LINE: u64 = (MAX_CODES * (MAX_FRAME_CHARS * 6 + 3) + 3) as u64;

/// Why the rest of a picture is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// It is none, too large, or broken.
    #[error("it is no PNG or GIF that is read here, or broken")]
    Unreadable,
    /// A frame took longer than two seconds.
    #[error("deadline: a frame took longer than 2 seconds")]
    Deadline,
    /// The decoder ended: a bomb, or a code that makes it panic.
    #[error("the decoder gave up on it")]
    Crash,
    /// The decoder said something that it never says.
    #[error("the decoder answered nonsense")]
    Nonsense,
}

/// Has the picture decoded by a child of this program, and hands the texts of each frame to `take` until that wants no
/// more. The program must call [`super::serve`] when its first argument is [`CHILD_ARGUMENT`].
///
/// # Errors
/// The system's, when the child cannot be started.
pub fn codes(picture: Vec<u8>, mut take: impl FnMut(Vec<String>) -> bool) -> io::Result<Result<(), Lost>> {
    let mut child = Ended(
        Command::new("/proc/self/exe")
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?,
    );
    let (Some(mut input), Some(output)) = (child.0.stdin.take(), child.0.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    // A child that ends early takes no more: that shows in how it ended.
    Builder::new().spawn(move || drop(input.write_all(&picture)))?;
    let (sender, lines) = sync_channel(4);
    Builder::new().spawn(move || read_lines(output, &sender))?;
    Ok(match follow(&lines, &mut take) {
        Followed::Ended => ending(&mut child.0)?,
        Followed::Enough => Ok(()),
        Followed::Lost(lost) => Err(lost),
    })
}

enum Followed {
    Ended,
    Enough,
    Lost(Lost),
}

fn follow(lines: &Receiver<Vec<u8>>, take: &mut impl FnMut(Vec<String>) -> bool) -> Followed {
    loop {
        match lines.recv_timeout(DEADLINE) {
            Ok(line) => match serde_json::from_slice::<Vec<String>>(&line) {
                Ok(texts) if texts.len() <= MAX_CODES => {
                    if !take(texts) {
                        return Followed::Enough;
                    }
                }
                Ok(_) | Err(_) => return Followed::Lost(Lost::Nonsense),
            },
            Err(RecvTimeoutError::Timeout) => return Followed::Lost(Lost::Deadline),
            Err(RecvTimeoutError::Disconnected) => return Followed::Ended,
        }
    }
}

/// Lines of the child, each within its limit.
fn read_lines(output: ChildStdout, sender: &SyncSender<Vec<u8>>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        match output.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        if sender.send(line).is_err() {
            return;
        }
    }
}

fn ending(child: &mut Child) -> io::Result<Result<(), Lost>> {
    let status = child.wait()?;
    Ok(match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(Lost::Unreadable),
        Some(_) | None => Err(Lost::Crash),
    })
}

/// A child that never outlives this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(script: &str) -> Result<(), Lost> {
        ending(&mut Command::new("sh").args(["-c", script]).spawn().unwrap()).unwrap()
    }

    #[test]
    fn a_decoder_that_dies_or_panics_is_told_from_one_that_cannot_read() {
        assert_eq!(ended("exit 0"), Ok(()));
        assert_eq!(ended("exit 1"), Err(Lost::Unreadable));
        assert_eq!(ended("exit 101"), Err(Lost::Crash));
        assert_eq!(ended("kill -ABRT $$"), Err(Lost::Crash));
    }

    #[test]
    fn a_decoder_that_hangs_or_talks_nonsense_is_given_up() {
        let followed = |line: Option<&str>| {
            let (sender, lines) = sync_channel(1);
            line.into_iter().for_each(|line| sender.send(line.as_bytes().to_vec()).unwrap());
            match follow(&lines, &mut |_| true) {
                Followed::Lost(lost) => Some(lost),
                Followed::Ended | Followed::Enough => None,
            }
        };
        assert_eq!(followed(None), Some(Lost::Deadline));
        let crowd = format!("[{}\"\"]", "\"\",".repeat(MAX_CODES));
        for nonsense in ["", "{}", "[1]", "[\"a\"", crowd.as_str()] {
            assert_eq!(followed(Some(nonsense)), Some(Lost::Nonsense), "{nonsense}");
        }
    }
}
