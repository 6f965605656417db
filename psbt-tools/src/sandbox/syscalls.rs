//! seccomp: the system calls that computing and answering need; any other kills the process.

use super::{SandboxError, failed};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;

const CONTROL: &str = "seccomp";

/// Allowed with any argument.
const PLAIN: &[i64] = &[
    // Memory; mmap and mprotect are below.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    // Randomness for hash tables, time, locks.
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    // Signals that arrive, and the end.
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The socket to whoever started the process is descriptor 0.
const SOCKET: u64 = 0;

const MAP_SHARED_OR_PRIVATE: u64 = 0x03;
const MAP_PRIVATE: u64 = 0x02;
const MAP_ANONYMOUS: u64 = 0x20;
const PROT_EXEC: u64 = 0x04;

/// Installs the filter on every thread of the process.
///
/// # Errors
/// [`SandboxError`] where the kernel refuses it.
pub fn confine_syscalls() -> Result<(), SandboxError> {
    let program = program().map_err(failed(CONTROL))?;
    apply_filter_all_threads(&program).map_err(failed(CONTROL))
}

fn program() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        PLAIN.iter().map(|number| (*number, Vec::new())).collect();
    for number in [libc::SYS_read, libc::SYS_write] {
        rules.insert(number, vec![rule(&[(0, SeccompCmpOp::Eq, SOCKET)])?]);
    }
    let not_executable = (2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0);
    let private =
        (3, SeccompCmpOp::MaskedEq(MAP_SHARED_OR_PRIVATE | MAP_ANONYMOUS), MAP_PRIVATE | MAP_ANONYMOUS);
    rules.insert(libc::SYS_mmap, vec![rule(&[not_executable.clone(), private])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(&[not_executable])?]);
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, BackendError> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|(argument, operator, value)| {
            SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
        })
        .collect();
    SeccompRule::new(conditions?)
}
