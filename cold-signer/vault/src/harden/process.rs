//! Controls of the process itself: descriptors, environment, core dumps, ptrace, privileges.

use std::os::fd::RawFd;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use rustix::process::{dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::{Control, Outcome, on, required};
use crate::{Error, sys};

const STANDARD: [RawFd; 3] = [0, 1, 2];

pub(super) fn close_descriptors(keep: &[RawFd]) -> Result<Control, Error> {
    const NAME: &str = "inherited descriptors closed";
    let keep: Vec<RawFd> = STANDARD.iter().chain(keep).copied().collect();
    sys::close_all_except(&keep).map_err(required(NAME))?;
    Ok(on(NAME))
}

pub(super) fn clear_environment() -> Control {
    const NAME: &str = "environment empty";
    sys::clear_environment();
    let outcome = if std::env::vars_os().next().is_none() { Outcome::On } else { Outcome::Off };
    Control { name: NAME, outcome }
}

pub(super) fn forbid_core_dumps() -> Result<Control, Error> {
    const NAME: &str = "core dumps off";
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(required(NAME))?;
    if getrlimit(Resource::Core) != none {
        return Err(Error::Control { control: NAME, reason: "the limit is not zero".to_owned() });
    }
    Ok(on(NAME))
}

/// PR_SET_DUMPABLE 0: no ptrace by the same user, /proc/PID belongs to root.
pub(super) fn forbid_tracing() -> Result<Control, Error> {
    const NAME: &str = "undumpable";
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(required(NAME))?;
    if dumpable_behavior().map_err(required(NAME))? != DumpableBehavior::NotDumpable {
        return Err(Error::Control { control: NAME, reason: "the kernel did not keep it".to_owned() });
    }
    Ok(on(NAME))
}

pub(super) fn forbid_new_privileges() -> Result<Control, Error> {
    const NAME: &str = "no new privileges";
    rustix::thread::set_no_new_privs(true).map_err(required(NAME))?;
    Ok(on(NAME))
}

/// Gives up every capability; only a process started as root has any.
pub(super) fn drop_capabilities() -> Control {
    const NAME: &str = "no capabilities";
    // A kernel without ambient capabilities has none to clear.
    let _ = rustix::thread::clear_ambient_capability_set();
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    let outcome = match rustix::thread::set_capabilities(None, none)
        .and_then(|()| rustix::thread::capabilities(None))
    {
        Ok(left) if left.permitted.is_empty() && left.effective.is_empty() => Outcome::On,
        Ok(_) => Outcome::Off,
        Err(errno) => Outcome::Unavailable(errno.to_string()),
    };
    Control { name: NAME, outcome }
}
