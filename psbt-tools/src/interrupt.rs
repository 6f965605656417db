//! Signals end a scan or a show, not the program: what was read is kept first, and the terminal is given back as it was.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Watched once for the whole program, which may scan and show several times: in between the signals do what they always
/// do.
#[derive(Debug)]
struct Signals {
    idle: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    told_to_end: Arc<AtomicBool>,
}

/// The signals of this program, once there was anything to interrupt.
static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// The signals that end this scan or show, until this is dropped.
#[derive(Debug)]
pub(crate) struct Interrupt(&'static Signals);

impl Interrupt {
    /// From now on.
    pub(crate) fn watched() -> io::Result<Self> {
        let signals = match SIGNALS.get() {
            Some(signals) => signals,
            None => {
                let signals = register()?;
                SIGNALS.get_or_init(|| signals)
            }
        };
        signals.ended.store(false, Ordering::Relaxed);
        signals.idle.store(false, Ordering::Relaxed);
        Ok(Self(signals))
    }

    /// Whether one came.
    pub(crate) fn is_set(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.idle.store(true, Ordering::Relaxed);
    }
}

/// Whether SIGTERM or SIGHUP came during a scan or a show. They are meant for the program: one that goes on after its
/// commands ends now.
pub fn is_told_to_end() -> bool {
    SIGNALS.get().is_some_and(|signals| signals.told_to_end.load(Ordering::Relaxed))
}

fn register() -> io::Result<Signals> {
    let signals =
        Signals { idle: Arc::new(AtomicBool::new(true)), ended: Arc::default(), told_to_end: Arc::default() };
    // A program that handles a signal by itself goes on doing so in between.
    let handled = handled();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if !handled(signal) {
            // In this order: what scans and shows nothing ends at once.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.idle))?;
        }
        signal_hook::flag::register(signal, Arc::clone(&signals.ended))?;
    }
    for signal in [SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&signals.told_to_end))?;
    }
    Ok(signals)
}

/// Which signals this process handles or ignores, as proc(5) tells.
fn handled() -> impl Fn(i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        u64::from_str_radix(line.trim(), 16).unwrap_or_default()
    };
    let handled = mask("SigCgt:") | mask("SigIgn:");
    move |signal| {
        let bit = signal.checked_sub(1).and_then(|bit| u32::try_from(bit).ok());
        bit.and_then(|bit| handled.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
    }
}
