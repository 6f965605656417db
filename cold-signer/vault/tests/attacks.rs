//! Each control of the sandbox is attacked by a child process: this program runs itself again with the
//! name of an attack. A control counts only when the attack fails for the expected reason and the same act
//! succeeds without the control.

#![allow(unsafe_code)] // attacks need raw system calls; each touches no memory of ours

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use cold_vault::harden::{self, Outcome};
use cold_vault::passphrase::Passphrase;
use cold_vault::record::Kind;
use cold_vault::seal::KdfCost;
use cold_vault::secret::Secret;
use cold_vault::store::{Content, Store};
use rustix::fs::{Mode, OFlags};

const ATTACK: &str = "AIRLOCK_TEST_ATTACK";
const STORE: &str = "AIRLOCK_TEST_STORE";
const SIGSYS: i32 = 31;
/// The act succeeded.
const DONE: u8 = 0;
/// The act was answered with an error.
const DENIED: u8 = 40;

type Act = fn(&Path, &File) -> rustix::io::Result<()>;

/// What the filter must answer with death. Each works without it.
const KILLED: &[(&str, Act)] = &[
    ("open", |path, _| rustix::fs::open(path, OFlags::RDONLY, Mode::empty()).map(drop)),
    // The second thread began before the filter.
    ("open-by-helper", |path, _| {
        let path = path.to_owned();
        policies::helper::start().map_err(|_| rustix::io::Errno::AGAIN)?;
        let opened =
            policies::helper::run(move || rustix::fs::open(&path, OFlags::RDONLY, Mode::empty()).map(drop));
        opened.and_then(|opened| opened.recv().ok()).unwrap_or(Err(rustix::io::Errno::AGAIN))
    }),
    ("truncate", |_, file| rustix::fs::ftruncate(file, 0)),
    ("pwrite", |_, file| rustix::io::pwrite(file, b"x", 0).map(drop)),
    ("fallocate", |_, file| rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, 4096)),
    ("rename", |path, _| rustix::fs::rename(path, path.with_extension("moved"))),
    ("unlink", |path, _| rustix::fs::unlink(path)),
    ("link", |path, _| rustix::fs::link(path, path.with_extension("linked"))),
    ("chmod", |_, file| rustix::fs::fchmod(file, Mode::from_raw_mode(0o644))),
    ("setfl", |_, file| rustix::fs::fcntl_setfl(file, OFlags::empty())),
    ("socket", |_, _| {
        use rustix::net::{AddressFamily, SocketType, socket};
        socket(AddressFamily::INET, SocketType::STREAM, None).map(drop)
    }),
    ("unix-socket", |_, _| {
        use rustix::net::{AddressFamily, SocketType, socket};
        socket(AddressFamily::UNIX, SocketType::STREAM, None).map(drop)
    }),
    ("exec", |_, _| {
        let status = Command::new("/bin/true").stdin(Stdio::null()).status();
        status.map(drop).map_err(|_| rustix::io::Errno::ACCESS)
    }),
    ("thread", |_, _| std::thread::spawn(|| ()).join().map_err(|_| rustix::io::Errno::AGAIN)),
    ("ptrace", |_, _| raw(libc_ptrace_traceme())),
    ("prctl", |_, _| rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)),
    ("shared-mmap", |_, file| map(file, rustix::mm::MapFlags::SHARED, rustix::mm::ProtFlags::WRITE)),
    ("exec-mmap", |_, file| {
        map(file, rustix::mm::MapFlags::PRIVATE, rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::EXEC)
    }),
    ("kill", |_, _| rustix::process::test_kill_process(rustix::process::getpid())),
];

fn main() -> ExitCode {
    if let Ok(attack) = std::env::var(ATTACK) {
        return child(&attack, Path::new(&std::env::var(STORE).unwrap()));
    }
    let mut failures = 0;
    let mut claim = |name: &str, holds: bool| {
        println!("{} ... {}", name, if holds { "ok" } else { "FAILED" });
        failures += u32::from(!holds);
    };
    for (name, _) in KILLED {
        let free = run(&format!("free {name}"));
        claim(&format!("control: {name} works without the sandbox"), free.code() == Some(0));
        let caged = run(&format!("caged {name}"));
        claim(&format!("{name} after the filter kills the process"), caged.signal() == Some(SIGSYS));
    }
    claim("the signing loop's work passes the whole sandbox", run("work").code() == Some(0));
    claim("landlock alone denies opening any file", run("landlock").code() == Some(0));
    claim("an injected fault is answered and does not kill", run("enosys").code() == Some(0));
    claim("a crash leaves no core", {
        let crash = run("crash");
        crash.signal() == Some(6) && !crash.core_dumped()
    });
    claim("inherited descriptors and the environment are gone", run("inherited").code() == Some(0));
    claim("capabilities and new privileges are gone", run("privileges").code() == Some(0));
    claim("another process of the same user cannot trace or read it", trace_is_refused());
    ExitCode::from(u8::from(failures > 0))
}

/// Runs this program as a child with its own fresh store.
fn run(attack: &str) -> std::process::ExitStatus {
    let (folder, path) = fresh_store();
    let inherited = File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ATTACK, attack).env(STORE, &path).env("AIRLOCK_TEST_FD", inherited.as_raw_fd().to_string());
    let output = command.stdin(Stdio::null()).output().unwrap();
    drop(folder);
    if !output.status.success() && output.status.signal().is_none() {
        eprintln!("{attack}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status
}

/// The store is made once, at the floor of the key derivation, and copied for each attack.
fn fresh_store() -> (tempfile::TempDir, PathBuf) {
    static TEMPLATE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault");
    let bytes = TEMPLATE.get_or_init(|| {
        let made = folder.path().join("template");
        Store::create(&made, &passphrase(), KdfCost::FLOOR, 1_800_000_000).ok().unwrap();
        std::fs::read(made).unwrap()
    });
    std::fs::write(&path, bytes).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"an attacker does not know this").ok().unwrap()
}

fn child(attack: &str, path: &Path) -> ExitCode {
    let fd: i32 = std::env::var("AIRLOCK_TEST_FD").ok().and_then(|text| text.parse().ok()).unwrap_or(-1);
    let answered =
        |result: rustix::io::Result<()>| ExitCode::from(if result.is_ok() { DONE } else { DENIED });
    if let Some((mode, name)) = attack.split_once(' ') {
        let act = KILLED.iter().find(|(known, _)| *known == name).unwrap().1;
        let file = File::options().read(true).write(true).open(path).unwrap();
        if mode == "caged" {
            harden::confine_syscalls().unwrap();
        }
        return answered(act(path, &file));
    }
    match attack {
        "work" => work(path),
        "landlock" => {
            let before = File::open(path).unwrap();
            harden::confine_files().unwrap();
            let denied = [path, Path::new("/etc/passwd"), Path::new("/dev/null"), Path::new("/")]
                .iter()
                .all(|path| File::open(path).is_err());
            let created = File::create(path.with_extension("new")).is_ok();
            let mut start = [0; 8];
            let still = rustix::io::pread(&before, &mut start, 0).is_ok() && &start == b"AIRVAULT";
            ExitCode::from(u8::from(!denied || created || !still))
        }
        "enosys" => {
            harden::confine().unwrap();
            // SAFETY: a system call number that the kernel does not have.
            let answer = unsafe { libc::syscall(0xffff_ffff) };
            let errno = std::io::Error::last_os_error().raw_os_error();
            ExitCode::from(u8::from(answer != -1 || errno != Some(libc::ENOSYS)))
        }
        "crash" => {
            harden::begin(&[]).unwrap();
            harden::confine().unwrap();
            std::process::abort()
        }
        "inherited" => {
            let controls = harden::begin(&[]).unwrap();
            let gone = cold_vault::adopt_descriptor(fd).is_err();
            let empty = std::env::vars_os().next().is_none();
            let all_on = controls.iter().all(|control| control.outcome == Outcome::On);
            ExitCode::from(u8::from(!gone || !empty || !all_on))
        }
        "privileges" => {
            harden::begin(&[]).unwrap();
            let caps = rustix::thread::capabilities(None).unwrap();
            let none = caps.effective.is_empty() && caps.permitted.is_empty();
            ExitCode::from(u8::from(!none || !rustix::thread::no_new_privs().unwrap()))
        }
        "wait" => {
            let _secret = Secret::take(&mut b"the secret to be read".to_owned()).ok().unwrap();
            if std::env::var_os("AIRLOCK_TEST_SOFT").is_none() {
                harden::begin(&[]).unwrap();
            }
            println!("ready");
            std::thread::sleep(std::time::Duration::from_secs(30));
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(99),
    }
}

/// All that a signing process does after the sandbox stands.
fn work(path: &Path) -> ExitCode {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut store = Store::open(path).ok().unwrap();
    harden::confine().unwrap();
    let key = store.unlock(&passphrase(), 1_800_000_000).ok().unwrap();
    let content = Content { kind: Kind::Intent, clear: b"clear", sealed: Some(&[7; 100_000]) };
    let head = store.append(&key, 1_800_000_001, &content).unwrap();
    let record = store.record(head.sequence).unwrap();
    let opened = store.unseal(&key, &record).ok().unwrap();
    let words = cold_vault::keys::MachineEntropy::draw().ok().unwrap();
    let entropy = words.mix(None, cold_vault::keys::WordCount::TwentyFour).ok().unwrap();
    let seed = entropy.seed("").ok().unwrap();
    let script = policies::wallet::ScriptKind::Tr;
    let account =
        cold_vault::derive::Account::derive(&seed, bitcoin::NetworkKind::Test, script, 0).ok().unwrap();
    account.copy().unwrap().branch(&[]).unwrap().child(0).unwrap();
    use std::io::{Read, Write};
    (&ours).write_all(b"signed").unwrap();
    let mut reply = [0; 6];
    (&theirs).read_exact(&mut reply).unwrap();
    ExitCode::from(u8::from(opened.expose() != [7; 100_000] || &reply != b"signed"))
}

/// A hardened child and a soft one, both looked at by an unprivileged process of the same user.
fn trace_is_refused() -> bool {
    let readable = |soft: bool| {
        let (folder, path) = fresh_store();
        let program = folder.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = Command::new(&program);
        command.env(ATTACK, "wait").env(STORE, &path).stdout(Stdio::piped()).stdin(Stdio::null());
        if soft {
            command.env("AIRLOCK_TEST_SOFT", "1");
        }
        let unprivileged = |command: &mut Command| {
            if rustix::process::geteuid().is_root() {
                use std::os::unix::process::CommandExt;
                command.uid(65_534).gid(65_534);
            }
        };
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        unprivileged(&mut command);
        let mut target = command.spawn().unwrap();
        let mut line = [0; 5];
        std::io::Read::read_exact(target.stdout.as_mut().unwrap(), &mut line).unwrap();
        let mut spy = Command::new("cat");
        spy.arg(format!("/proc/{}/environ", target.id())).stdout(Stdio::null()).stderr(Stdio::null());
        unprivileged(&mut spy);
        let read = spy.status().unwrap().success();
        target.kill().unwrap();
        target.wait().unwrap();
        read
    };
    readable(true) && !readable(false)
}

fn raw(answer: i64) -> rustix::io::Result<()> {
    if answer < 0 { Err(rustix::io::Errno::PERM) } else { Ok(()) }
}

fn libc_ptrace_traceme() -> i64 {
    // SAFETY: PTRACE_TRACEME reads and writes no memory.
    unsafe { libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0) }
}

fn map(
    file: &File,
    flags: rustix::mm::MapFlags,
    protection: rustix::mm::ProtFlags,
) -> rustix::io::Result<()> {
    // SAFETY: a new mapping that is never used.
    unsafe { rustix::mm::mmap(std::ptr::null_mut(), 512, protection, flags, file, 0) }.map(drop)
}
