//! The process that decodes one picture.

use super::frames::Luma;
use super::{MAX_LEN, gif, png};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::set_no_new_privs;
use std::io::{self, Read, Write};

/// Memory, in bytes.
const MAX_MEMORY: u64 = 256 << 20;

/// Processor time, in seconds.
const MAX_SECONDS: u64 = 60;

/// Decodes the picture on standard input: a line of JSON for each frame, with the texts of the codes in it. Before the
/// first byte it gives up every way to open anything.
///
/// # Errors
/// The system's, and [`io::ErrorKind::InvalidData`] for what is no picture that is read.
pub fn serve() -> io::Result<()> {
    confine()?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_LEN).read_to_end(&mut bytes)?;
    let mut out = io::stdout().lock();
    let mut tell = |luma: &Luma| {
        serde_json::to_string(&luma.texts())
            .is_ok_and(|texts| writeln!(out, "{texts}").and_then(|()| out.flush()).is_ok())
    };
    let whole = if bytes.starts_with(b"\x89PNG") {
        png::read(&bytes).is_some_and(|luma| tell(&luma))
    } else {
        gif::each(&bytes, tell)
    };
    if whole { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn confine() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        // Nothing can be opened any more, no socket either.
        (Resource::Nofile, 0),
        (Resource::As, MAX_MEMORY),
        (Resource::Cpu, MAX_SECONDS),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    set_no_new_privs(true)?;
    Ok(())
}
