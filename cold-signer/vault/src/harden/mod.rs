//! Hardening of the process that holds keys. Every control reports itself for `status`, and each has a
//! test that attacks it (`tests/attacks.rs`).
//!
//! Order in `main`:
//!
//! 1. [`begin`], before anything else: descriptors, environment, core dumps, ptrace, privileges.
//! 2. [`network_live`], which reads /sys.
//! 3. Open everything: store, terminal, passphrase descriptor.
//! 4. [`confine`]: Landlock, the second signing thread, seccomp. Key derivation and all signing happen after it.

mod files;
mod network;
mod process;
mod syscalls;

use std::os::fd::RawFd;

pub use files::confine_files;
pub use network::network_live;
pub use syscalls::confine_syscalls;

use crate::Error;

/// Whether a control is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In force, checked after it was switched on.
    On,
    /// Possible here, but not switched on.
    Off,
    /// Not possible here, and why.
    Unavailable(String),
}

/// One line of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Name, as shown.
    pub name: &'static str,
    /// Whether it is in force.
    pub outcome: Outcome,
}

/// First stage; call it as the first thing in `main`, while the process has one thread and no descriptor of
/// its own making. Closes every inherited descriptor except 0, 1, 2 and those in `keep`.
///
/// # Errors
/// [`Error::Control`] when a control that every supported kernel has cannot be switched on.
pub fn begin(keep: &[RawFd]) -> Result<Vec<Control>, Error> {
    Ok(vec![
        process::close_descriptors(keep)?,
        process::clear_environment(),
        process::forbid_core_dumps()?,
        process::forbid_tracing()?,
        process::drop_capabilities(),
        process::forbid_new_privileges()?,
    ])
}

/// Last stage: no file can be opened and no system call outside the signing loop can be made after this.
///
/// # Errors
/// [`Error::Control`]: both are hard requirements.
pub fn confine() -> Result<Vec<Control>, Error> {
    let files = confine_files()?;
    // After Landlock, which holds only for threads that begin later; before seccomp, which forbids new ones.
    policies::helper::start()
        .map_err(|error| Error::Control { control: "second thread", reason: error.to_string() })?;
    Ok(vec![files, confine_syscalls()?])
}

fn on(name: &'static str) -> Control {
    Control { name, outcome: Outcome::On }
}

fn required(control: &'static str) -> impl FnOnce(rustix::io::Errno) -> Error {
    move |errno| Error::Control { control, reason: errno.to_string() }
}
