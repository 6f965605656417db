//! Ctrl-C ends a scan, not the program: what was read is kept first.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Watched once for the whole program, which may scan several times: in between the signals do what they always do.
#[derive(Debug)]
struct Signals {
    idle: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

/// The signals that end this scan, until this is dropped.
#[derive(Debug)]
pub(super) struct Interrupt(&'static Signals);

impl Interrupt {
    /// From now on.
    pub(super) fn watched() -> io::Result<Self> {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
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
    pub(super) fn is_set(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.idle.store(true, Ordering::Relaxed);
    }
}

fn register() -> io::Result<Signals> {
    let signals = Signals { idle: Arc::new(AtomicBool::new(true)), ended: Arc::default() };
    // A program that handles a signal by itself goes on doing so between scans.
    let handled = handled();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if !handled(signal) {
            // In this order: what scans nothing ends at once.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.idle))?;
        }
        signal_hook::flag::register(signal, Arc::clone(&signals.ended))?;
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
