//! seccomp: only the system calls that the unlocked signing loop makes; any other kills the process.
//!
//! Not among them, on purpose: open*, truncate, ftruncate, rename*, link*, unlink*, pwrite*, fallocate,
//! socket, connect, bind, execve, clone, ptrace, process_vm_*, prctl, setrlimit. So the store's descriptors
//! can be read and appended to, and nothing else. Threads must be started before.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use super::{Control, on};
use crate::Error;

const NAME: &str = "seccomp";

/// Allowed with any argument.
const PLAIN: &[i64] = &[
    // The console's socket, the terminal, the store.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_fstat,
    libc::SYS_fdatasync,
    libc::SYS_close,
    // Memory; mmap and mprotect are below.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_munlock,
    // Randomness, time, threads that exist already, the end.
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // What a tracer that injects faults puts in place of a call: the kernel answers ENOSYS. Without it an
    // injected fault dies by SIGSYS, and the error paths are never tested.
    0xffff_ffff,
];

/// ioctl requests on the terminal: attributes and size. TIOCSTI, which types for the user, is not here.
const IOCTLS: &[u64] = &[
    libc::TCGETS,
    libc::TCSETS,
    libc::TCSETSW,
    libc::TCSETSF,
    libc::TCGETS2,
    libc::TCSETS2,
    libc::TCSETSW2,
    libc::TCSETSF2,
    libc::TIOCGWINSZ,
];

/// fcntl commands. F_SETFL, which would clear O_APPEND, is not here.
const FCNTLS: &[u64] = &[1 /* F_GETFD */, 3 /* F_GETFL */, 1030 /* F_DUPFD_CLOEXEC */];

const MAP_TYPE: u64 = 0x0f;
const MAP_PRIVATE: u64 = 0x02;
const PROT_EXEC: u64 = 0x04;

/// Installs the filter on every thread of the process.
///
/// # Errors
/// [`Error::Control`] where the kernel refuses it.
pub fn confine_syscalls() -> Result<Control, Error> {
    let refused = |reason: String| Error::Control { control: NAME, reason };
    // The page size is asked of the kernel once, with a call that the filter forbids.
    let _ = rustix::param::page_size();
    let program = program().map_err(|error| refused(error.to_string()))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| refused(error.to_string()))?;
    Ok(on(NAME))
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        PLAIN.iter().map(|number| (*number, Vec::new())).collect();
    let any_of = |argument, values: &[u64]| -> Result<Vec<SeccompRule>, _> {
        values.iter().map(|value| rule(&[(argument, SeccompCmpOp::Eq, *value)])).collect()
    };
    rules.insert(libc::SYS_ioctl, any_of(1, IOCTLS)?);
    rules.insert(libc::SYS_fcntl, any_of(1, FCNTLS)?);
    let not_executable = (2, SeccompCmpOp::MaskedEq(PROT_EXEC), 0);
    let private = (3, SeccompCmpOp::MaskedEq(MAP_TYPE), MAP_PRIVATE);
    rules.insert(libc::SYS_mmap, vec![rule(&[not_executable.clone(), private])?]);
    rules.insert(libc::SYS_mprotect, vec![rule(&[not_executable])?]);
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions: Result<Vec<_>, _> = conditions
        .iter()
        .map(|(argument, operator, value)| {
            SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
        })
        .collect();
    SeccompRule::new(conditions?)
}
