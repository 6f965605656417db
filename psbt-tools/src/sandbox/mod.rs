//! What a process that decodes or parses hostile bytes puts itself under before the first of them. After it, the process
//! can compute, answer on its one descriptor, and end. Each control has a test that attacks it.

mod confined;
mod files;
mod socket;
mod syscalls;
mod timed;

use crate::sys;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, set_dumpable_behavior, set_parent_process_death_signal,
    setrlimit,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};

pub use confined::Confined;
pub use files::confine_files;
pub use socket::Socket;
pub use syscalls::confine_syscalls;
pub use timed::Timed;

/// What a process may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes of address space.
    pub memory: u64,
    /// Processor time, in seconds.
    pub seconds: u64,
}

/// A control that could not be switched on.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's control {control} cannot be switched on: {reason}")]
pub struct SandboxError {
    /// Which control.
    pub control: &'static str,
    /// What the system said.
    pub reason: String,
}

/// Everything, in order. Descriptor 0 is the socket, 1 and 2 are `/dev/null`; the process has one thread and has
/// opened nothing itself.
///
/// # Errors
/// [`SandboxError`]: each control is a hard requirement.
pub fn confine(limits: &Limits) -> Result<(), SandboxError> {
    confine_all_but_syscalls(limits)?;
    confine_syscalls()
}

/// The same with [`policies::helper`]: that thread begins under all of it but the filter, which then is put on both.
///
/// # Errors
/// [`SandboxError`]: each control is a hard requirement.
pub fn confine_with_helper(limits: &Limits) -> Result<(), SandboxError> {
    confine_all_but_syscalls(limits)?;
    policies::helper::start().map_err(failed("second thread"))?;
    confine_syscalls()
}

fn confine_all_but_syscalls(limits: &Limits) -> Result<(), SandboxError> {
    confine_process(limits)?;
    confine_files()?;
    limit("open files", Resource::Nofile, 0)
}

/// Descriptors, limits, privileges.
///
/// # Errors
/// [`SandboxError`].
pub fn confine_process(limits: &Limits) -> Result<(), SandboxError> {
    sys::close_from(3).map_err(failed("close_range"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("parent death signal"))?;
    limit("core dumps", Resource::Core, 0)?;
    limit("file size", Resource::Fsize, 0)?;
    limit("memory", Resource::As, limits.memory)?;
    limit("processor time", Resource::Cpu, limits.seconds)?;
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
