//! Each attack runs in a copy of this test program that has confined itself first.

use super::{Limits, confine, confine_files, confine_process, confine_with_helper};
use rustix::process::{Resource, getrlimit};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

const ATTACK: &str = "AIRLOCK_TEST_ATTACK";

const LIMITS: Limits = Limits { memory: 1 << 30, seconds: 60 };

/// The number of SIGSYS: what seccomp kills with.
const SIGSYS: i32 = 31;

/// Exit code of an attack that was stopped by an error rather than by a signal.
const STOPPED: i32 = 42;

fn attack(name: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::tests::victim", "--nocapture", "--test-threads=1"])
        .env(ATTACK, name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// Does nothing unless it is told which attack to run.
#[test]
fn victim() {
    let Ok(attack) = std::env::var(ATTACK) else { return };
    let stop = |stopped: bool| std::process::exit(if stopped { STOPPED } else { 0 });
    match attack.as_str() {
        "landlock" => {
            confine_files().unwrap();
            stop(
                std::fs::read("/proc/self/status").is_err()
                    && std::net::TcpListener::bind("127.0.0.1:0").is_err(),
            );
        }
        "limits" => {
            confine_process(&LIMITS).unwrap();
            assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
            assert_eq!(getrlimit(Resource::Cpu).maximum, Some(60));
            let grown = Vec::<u8>::new().try_reserve(usize::try_from(LIMITS.memory).unwrap());
            stop(grown.is_err() && std::fs::read("/proc/self/mem").is_err());
        }
        "helper" => confine_with_helper(&LIMITS).unwrap(),
        _ => confine(&LIMITS).unwrap(),
    }
    match attack.as_str() {
        "compute" => {
            let words: std::collections::HashMap<u32, Vec<u8>> =
                (0..2_000).map(|n| (n, vec![1; 4_096])).collect();
            stop(words.len() != 2_000);
        }
        "open" => drop(std::fs::File::open("/etc/hostname")),
        "socket" => drop(std::net::TcpStream::connect("127.0.0.1:22")),
        "unix-socket" => drop(std::os::unix::net::UnixStream::pair()),
        "exec" => drop(Command::new("/bin/true").spawn()),
        "thread" => drop(std::thread::Builder::new().spawn(|| ())),
        // The second thread began before the filter.
        "helper" => {
            let opened = policies::helper::run(|| drop(std::fs::File::open("/etc/hostname")));
            let _ = opened.unwrap().recv();
        }
        "kill" => drop(rustix::process::kill_process(
            rustix::process::getppid().unwrap(),
            rustix::process::Signal::TERM,
        )),
        "write-elsewhere" => drop(rustix::io::write(rustix::stdio::stderr(), b"x")),
        "dup" => drop(rustix::io::dup(rustix::stdio::stdin())),
        "prctl" => drop(rustix::thread::set_no_new_privs(true)),
        other => panic!("no attack {other}"),
    }
    stop(false);
}

#[test]
fn computing_is_possible_under_the_sandbox() {
    assert_eq!(attack("compute").code(), Some(0));
}

#[test]
fn every_way_out_kills_the_process() {
    for name in [
        "open",
        "socket",
        "unix-socket",
        "exec",
        "thread",
        "helper",
        "kill",
        "write-elsewhere",
        "dup",
        "prctl",
    ] {
        let status = attack(name);
        assert_eq!(status.signal(), Some(SIGSYS), "{name}: {status}");
    }
}

#[test]
fn landlock_alone_denies_files_and_tcp() {
    assert_eq!(attack("landlock").code(), Some(STOPPED));
}

#[test]
fn memory_core_dumps_and_tracing_are_limited() {
    assert_eq!(attack("limits").code(), Some(STOPPED));
}
