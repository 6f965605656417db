//! An operator at a pseudo-terminal: reads prompts, types, interrupts, hangs up.

use super::laptop::Laptop;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, ExitStatus, Stdio};

/// What the operator does at a prompt.
pub enum Act {
    /// Types a line.
    Type(String),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    End,
    /// Sends the program a signal of this name.
    Signal(&'static str),
    /// Ends the vault's process.
    KillVault,
    /// Closes the terminal.
    HangUp,
}

/// How a prompt ends.
const PROMPTS: [&str; 12] = [
    "stop: ",
    "again: ",
    "q quit",
    "want: ",
    "none: ",
    "assphrase: ",
    "Press Enter. ",
    "clear it: ",
    "for 24: ",
    "there: ",
    "cold-signer> ",
    "(locked)> ",
];

/// Both ends of a new terminal, which is nobody's controlling terminal yet.
pub fn terminal() -> (File, File) {
    // No child may hold it: while anybody does, closing it hangs nothing up.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, vec![]).unwrap().into_string().unwrap();
    let no_control = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
    let slave = OpenOptions::new().read(true).write(true).custom_flags(no_control).open(name).unwrap();
    (File::from(master), slave)
}

/// Plays a command at a terminal of 16 lines; gives how it ended and all that was on the screen.
pub fn play(
    laptop: &Laptop,
    arguments: &[&str],
    act: impl FnMut(usize, &str) -> Act,
) -> (ExitStatus, String) {
    play_on(laptop, (16, 72), arguments, act)
}

/// Plays a command at a terminal of so many rows and columns, which is its standard input and output as well.
pub fn play_on(
    laptop: &Laptop,
    size: (u16, u16),
    arguments: &[&str],
    act: impl FnMut(usize, &str) -> Act,
) -> (ExitStatus, String) {
    play_typing(laptop, size, &[arguments, &["--passphrase-file", "passphrase"]].concat(), act)
}

/// As [`play_on`], but the passphrase is typed as well.
pub fn play_typing(
    laptop: &Laptop,
    (rows, columns): (u16, u16),
    arguments: &[&str],
    mut act: impl FnMut(usize, &str) -> Act,
) -> (ExitStatus, String) {
    let (master, slave) = terminal();
    let mut master = Some(master);
    tcsetwinsize(&slave, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    // A shell's background job ignores Ctrl-C and hands that down; a person's terminal does not.
    let mut child = Command::new("env")
        .args(["--default-signal=INT", "setsid", "--ctty", "--wait"])
        .arg(laptop.path("cold-signer"))
        .args(arguments)
        .args(["--store", "vault.store", "--allow-network", "--kdf-floor"])
        .current_dir(laptop.folder.path())
        .env("TERM", "xterm")
        .stdin(Stdio::from(slave.try_clone().unwrap()))
        .stdout(Stdio::from(slave.try_clone().unwrap()))
        .stderr(Stdio::from(slave.try_clone().unwrap()))
        .spawn()
        .unwrap();
    let (mut screen, mut seen, mut prompts) = (String::new(), 0, 0);
    let mut pending = Vec::new();
    while let Some(terminal) = &mut master {
        let mut bytes = [0; 4_096];
        // The slave stays open here, so reading would never end: ask first whether anything is left to wait for.
        let mut ready = [rustix::event::PollFd::new(&*terminal, rustix::event::PollFlags::IN)];
        let wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        if rustix::event::poll(&mut ready, Some(&wait)).unwrap() == 0 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            continue;
        }
        let count = terminal.read(&mut bytes).unwrap();
        pending.extend_from_slice(&bytes[..count]);
        let whole = match std::str::from_utf8(&pending) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(error) => panic!("{error}"),
        };
        screen.push_str(std::str::from_utf8(&pending[..whole]).unwrap());
        pending.drain(..whole);
        if is_prompt(&screen[seen..]) {
            match act(prompts, &screen[seen..]) {
                Act::Type(text) => terminal.write_all(format!("{text}\r").as_bytes()).unwrap(),
                Act::Interrupt => terminal.write_all(b"\x03").unwrap(),
                Act::End => terminal.write_all(b"\x04").unwrap(),
                Act::Signal(name) => {
                    let id = child.id().to_string();
                    assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
                }
                Act::KillVault => {
                    kill_vault(laptop);
                    // The line editor says nothing by itself: an empty line does no harm elsewhere either.
                    terminal.write_all(b"\r").unwrap();
                }
                Act::HangUp => master = None,
            }
            (seen, prompts) = (screen.len(), prompts + 1);
        }
    }
    let status = child.wait().unwrap();
    if master.is_some() {
        let modes = tcgetattr(&slave).unwrap().local_modes;
        assert!(
            modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG),
            "the terminal is as it was"
        );
    }
    (status, screen)
}

/// Whether the screen ends with a prompt; the line editor moves the cursor about it.
fn is_prompt(screen: &str) -> bool {
    let mut parts = screen.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(
            part.trim_start_matches(|c: char| c == '?' || c.is_ascii_digit()).get(1..).unwrap_or_default(),
        );
    }
    let plain = plain.trim_end_matches('\r');
    let line = plain.rsplit('\n').next().unwrap_or_default();
    let number = line.rsplit_once("Word ").and_then(|(_, rest)| rest.strip_suffix(": "));
    let asks_word = number.is_some_and(|number| number.parse::<u8>().is_ok());
    asks_word || PROMPTS.iter().any(|end| plain.ends_with(end))
}

/// Kills the vault of this laptop, which nothing else runs.
fn kill_vault(laptop: &Laptop) {
    let program = laptop.path("cold-vault");
    let is_it = |process: &std::path::Path| {
        std::fs::read(process.join("cmdline"))
            .is_ok_and(|line| line.starts_with(program.as_os_str().as_encoded_bytes()))
    };
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let vaults: Vec<_> = processes.filter(|process| is_it(process)).collect();
    let [vault] = vaults.as_slice() else { panic!("{vaults:?}") };
    assert!(Command::new("kill").arg("-9").arg(vault.file_name().unwrap()).status().unwrap().success());
    // Its parent finds it ended only when its last thread is.
    let threads = || std::fs::read_dir(vault.join("task")).map_or(0, Iterator::count);
    let is_zombie = || {
        std::fs::read_to_string(vault.join("stat"))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while threads() > 1 || !(is_zombie() || threads() == 0) {
        assert!(std::time::Instant::now() < deadline, "the killed vault lives on");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// What an attentive operator types.
pub fn honest(screen: &str) -> Act {
    if screen.contains("  q quit") {
        return Act::Type("q".to_owned());
    }
    Act::Type(match screen.rsplit_once("Type ") {
        Some((_, rest)) => rest.split(' ').next().unwrap().to_owned(),
        None => String::new(),
    })
}
