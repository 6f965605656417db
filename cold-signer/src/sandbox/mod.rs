//! What the reader puts itself under before it receives a hostile byte. After it, the process can compute, answer on
//! its one descriptor, and end. Each control has a test that attacks it.

mod files;
mod syscalls;

use crate::sys;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

pub use files::confine_files;
pub use syscalls::confine_syscalls;

/// Memory of one document's reader, in bytes: 16 times the largest file.
pub const MAX_MEMORY: u64 = 1 << 30;

/// Processor time of one document's reader, in seconds.
pub const MAX_SECONDS: u64 = 300;

/// A control that could not be switched on.
#[derive(Debug, thiserror::Error)]
#[error("the reader's control {control} cannot be switched on: {reason}")]
pub struct SandboxError {
    /// Which control.
    pub control: &'static str,
    /// What the system said.
    pub reason: String,
}

/// Everything, in order. Descriptor 0 is the socket, 1 and 2 are `/dev/null`; the process has one thread and has
/// opened nothing itself. A second thread begins under all of it but the filter, which then is put on both.
///
/// # Errors
/// [`SandboxError`]: each control is a hard requirement.
pub fn confine() -> Result<(), SandboxError> {
    confine_process()?;
    confine_files()?;
    limit("open files", Resource::Nofile, 0)?;
    policies::helper::start().map_err(failed("second thread"))?;
    confine_syscalls()
}

/// Descriptors, limits, privileges.
///
/// # Errors
/// [`SandboxError`].
pub fn confine_process() -> Result<(), SandboxError> {
    sys::close_from(3).map_err(failed("close_range"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("parent death signal"))?;
    limit("core dumps", Resource::Core, 0)?;
    limit("file size", Resource::Fsize, 0)?;
    limit("memory", Resource::As, MAX_MEMORY)?;
    limit("processor time", Resource::Cpu, MAX_SECONDS)?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("undumpable"))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(failed("capabilities"))?;
    set_no_new_privs(true).map_err(failed("no new privileges"))
}

fn limit(control: &'static str, resource: Resource, most: u64) -> Result<(), SandboxError> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(resource, limit).map_err(failed(control))
}

fn failed<E: ToString>(control: &'static str) -> impl FnOnce(E) -> SandboxError {
    move |error| SandboxError { control, reason: error.to_string() }
}

#[cfg(test)]
mod tests;
