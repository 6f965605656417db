//! The folder and the programs of a demo, and one command after the other.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tempfile::TempDir;

use super::crossing::Transport;
use crate::error::{Error, Result};

/// Our own programs, each found beside this one.
const OURS: [&str; 5] = ["watch-node", "gatekeeper", "cold-signer", "cold-vault", "psbt-tools"];

/// First argument by which this program becomes another one without a terminal.
pub const NO_TERMINAL: &str = "no-terminal";

/// Exit code when that program does not start, as shells have it.
pub const NOT_STARTED: i32 = 127;

/// Becomes the program that the arguments name, in a session of its own: without a terminal nothing can stop to ask
/// somebody, and a vault that makes a key says that nobody has seen its words. Returns only when that fails.
pub fn become_without_terminal(mut arguments: impl Iterator<Item = OsString>) -> std::io::Error {
    if let Err(error) = rustix::process::setsid() {
        return error.into();
    }
    match arguments.next() {
        Some(program) => Command::new(program).args(arguments).exec(),
        None => std::io::ErrorKind::InvalidInput.into(),
    }
}

/// Where everything happens.
pub struct Stage {
    dir: PathBuf,
    /// Removes the folder when the demo ends; `None` with `--keep`.
    _temporary: Option<TempDir>,
    programs: PathBuf,
    step: String,
    transport: Transport,
    /// The transcript goes to stderr, because stdout carries the one JSON object.
    is_json: bool,
    interrupted: Arc<AtomicBool>,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Stage {
    /// Makes the folder and looks for the programs.
    ///
    /// Errors: [`Error::MissingProgram`]; [`Error::Psbt`] when the folder to `keep` exists, [`Error::File`] when it cannot
    /// be made.
    pub fn new(keep: Option<&Path>, transport: Transport, is_json: bool) -> Result<Self> {
        let own = std::env::current_exe().map_err(Error::file("watch-node"))?;
        let programs = own.parent().map(Path::to_owned).unwrap_or_default();
        for program in OURS {
            let path = programs.join(program);
            if !path.is_file() {
                return Err(Error::MissingProgram {
                    program: program.to_owned(),
                    looked_for: path.display().to_string(),
                    hint: "build all programs: cargo build --release",
                });
            }
        }
        let (dir, temporary) = match keep {
            Some(dir) => {
                if dir.symlink_metadata().is_ok() {
                    return Err(psbt_tools::Error::Exists(dir.display().to_string()).into());
                }
                std::fs::create_dir(dir).map_err(Error::file(dir))?;
                (std::path::absolute(dir).map_err(Error::file(dir))?, None)
            }
            None => {
                let folder = tempfile::Builder::new()
                    .prefix("airlock-demo-")
                    .tempdir()
                    .map_err(Error::file("the temporary folder"))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The running command ends by itself, then the demo stops and everything is removed.
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(Error::file("signals"))?;
        }
        Ok(Self {
            dir,
            _temporary: temporary,
            programs,
            step: String::new(),
            transport,
            is_json,
            interrupted,
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What carries files over the gap.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Begins a step; errors name it.
    pub fn step(&mut self, title: &str) {
        self.step = title.to_owned();
        self.say(&format!("\n== {title}"));
    }

    /// Prints a line of the transcript.
    pub fn say(&self, line: &str) {
        let _ = if self.is_json {
            writeln!(std::io::stderr(), "{line}")
        } else {
            writeln!(std::io::stdout(), "{line}")
        };
    }

    /// An error that names the step.
    pub fn fault(&self, reason: impl Into<String>) -> Error {
        Error::Demo { step: self.step.clone(), reason: reason.into() }
    }

    /// Runs a command that must succeed; gives its standard output.
    pub fn run(&self, line: &[&str]) -> Result<String> {
        Ok(self.expect(line, 0)?.stdout)
    }

    /// As [`Self::run`], from one line: words between blanks, or in single quotes.
    pub fn typed(&self, line: &str) -> Result<String> {
        self.run(&words(line))
    }

    /// As [`Self::expect`], from one line.
    pub fn typed_expect(&self, line: &str, code: i32) -> Result<Answer> {
        self.expect(&words(line), code)
    }

    /// As [`Self::json_to_file`], from one line.
    pub fn typed_to_file(&self, line: &str, file: &str, code: i32) -> Result<Value> {
        self.json_to_file(&words(line), file, code)
    }

    /// Runs a command that must end with this exit code.
    pub fn expect(&self, line: &[&str], code: i32) -> Result<Answer> {
        self.say(&format!("\n$ {}", shown(line)));
        let answer = self.execute(line)?;
        for text in [&answer.stdout, &answer.stderr] {
            if !text.trim().is_empty() {
                self.say(text.trim_end());
            }
        }
        self.require(line, answer, code)
    }

    /// Runs a command with `--json` whose output goes to a file, as scripts do; gives the object.
    pub fn json_to_file(&self, line: &[&str], file: &str, code: i32) -> Result<Value> {
        self.say(&format!("\n$ {} > {file}", shown(line)));
        let answer = self.execute(line)?;
        if !answer.stderr.trim().is_empty() {
            self.say(answer.stderr.trim_end());
        }
        let answer = self.require(line, answer, code)?;
        self.write(file, answer.stdout.as_bytes())?;
        serde_json::from_str(&answer.stdout)
            .map_err(|error| self.fault(format!("`{}` printed no JSON object: {error}", shown(line))))
    }

    /// Writes a new file into the folder, readable by its owner only.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<()> {
        Ok(psbt_tools::files::write_new(&self.dir.join(file), bytes, 0o600)?)
    }

    /// Reads a file of the folder.
    pub fn read(&self, file: &str) -> Result<Vec<u8>> {
        Ok(psbt_tools::files::read(&self.dir.join(file), psbt_tools::files::DEFAULT_LIMIT)?)
    }

    /// Whether somebody wants the demo to end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn execute(&self, line: &[&str]) -> Result<Answer> {
        let [program, arguments @ ..] = line else { return Err(self.fault("an empty command")) };
        if self.is_interrupted() {
            return Err(self.fault("interrupted"));
        }
        let path = if OURS.contains(program) { self.programs.join(program) } else { PathBuf::from(program) };
        let own = std::env::current_exe().map_err(Error::file("watch-node"))?;
        let output = Command::new(own)
            .arg(NO_TERMINAL)
            .arg(&path)
            .args(arguments)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| self.fault(format!("{program} does not start: {error}")))?;
        if output.status.code() == Some(NOT_STARTED) {
            return Err(self.fault(format!("{program} does not start")));
        }
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn require(&self, line: &[&str], answer: Answer, code: i32) -> Result<Answer> {
        if self.is_interrupted() {
            return Err(self.fault("interrupted"));
        }
        if answer.code == code {
            return Ok(answer);
        }
        let said = if answer.stderr.trim().is_empty() { &answer.stdout } else { &answer.stderr };
        Err(self.fault(format!(
            "`{}` ended with exit code {}, expected {code}: {}",
            shown(line),
            answer.code,
            said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing")
        )))
    }
}

/// The words of a line; what stands in single quotes is one.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(
            |(at, part)| {
                if at.is_multiple_of(2) { part.split_whitespace().collect() } else { vec![part] }
            },
        )
        .collect()
}

/// A command as a person would type it: paths by their last part, words with blanks in quotes.
fn shown(line: &[&str]) -> String {
    let mut words = line.iter();
    let program = words.next().map(|program| program.rsplit('/').next().unwrap_or(program));
    let mut text = program.unwrap_or_default().to_owned();
    for word in words {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
        text.push(' ');
        if !word.is_empty() && word.chars().all(is_plain) {
            text.push_str(word);
        } else {
            text.push_str(&format!("'{}'", word.replace('\'', "'\\''")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_words_and_quotes_keep_blanks() {
        assert_eq!(
            words("pay  x --purpose 'invoice 7' -o f"),
            ["pay", "x", "--purpose", "invoice 7", "-o", "f"]
        );
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        assert_eq!(
            shown(&["/opt/bin/bitcoin-cli", "-regtest", "[\"02\"]", ""]),
            "bitcoin-cli -regtest '[\"02\"]' ''"
        );
        assert_eq!(shown(&["a", "wpkh([00/84'/1'])"]), r"a 'wpkh([00/84'\''/1'\''])'");
    }
}
