//! Where a program changes what is outside of it, found with a tracer, and a kill exactly there.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use airlock_tests::office::{Office, Said};
use rustix::process::{Pid, Signal, getpgid, kill_process, kill_process_group};

/// Calls that change what a crash leaves behind, or tell another process something. The question marks are for
/// machines that lack one.
const CALLS: [&str; 19] = [
    "?write",
    "?writev",
    "?pwrite64",
    "?pwritev",
    "?fdatasync",
    "?fsync",
    "?ftruncate",
    "?fallocate",
    "?unlink",
    "?unlinkat",
    "?rename",
    "?renameat",
    "?renameat2",
    "?link",
    "?linkat",
    "?openat",
    "?mkdir",
    "?sendto",
    "?sendmsg",
];

/// How long a call waits to be killed, in microseconds: far longer than this test needs to see it.
const HELD: u32 = 300_000;

/// How long a program may take to end after one of its processes was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A call of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The program, `reader` for the console's child of the same name.
    pub process: String,
    /// The call's name.
    pub call: String,
    /// Its number among the calls of that name by that process, from 1.
    pub when: usize,
    /// The file, without what differs from run to run.
    pub target: String,
    /// Whether it is the process that was started, which the others are children of.
    pub is_parent: bool,
}

/// Whom a kill meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Every process of the command.
    All,
    /// The process whose call it is; the others live on.
    One,
}

/// What is left of a command that was killed.
pub struct Killed {
    /// Whether the call was reached, and never done.
    pub hit: bool,
    /// What the command said, where it ended by itself.
    pub said: Option<Said>,
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} ({})", self.process, self.call, self.when, self.target)
    }
}

/// Runs a command undisturbed. Gives its sites in their order, and what it said.
pub fn sites(office: &Office, line: &str) -> (Vec<Site>, Said) {
    let output = office.command_below(&tracer(None), line).output().unwrap();
    let said = said(output);
    let calls = read(&std::fs::read_to_string(office.path("trace")).unwrap(), &office.path(""));
    std::fs::remove_file(office.path("trace")).unwrap();
    // A file that is only opened is not changed.
    (calls.into_iter().filter(|call| call.changes).map(|call| call.site).collect(), said)
}

/// Runs a command, and kills at a site when the call is entered and before it is done.
pub fn kill_at(office: &Office, line: &str, site: &Site, whom: Whom) -> Killed {
    let mut child = office
        .command_below(&tracer(Some(site)), line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let path = office.path("trace");
    let seen =
        || std::fs::read_to_string(&path).map(|text| read(&text, &office.path(""))).unwrap_or_default();
    let is_it = |call: &&Call| {
        call.site.process == site.process && call.site.call == site.call && call.site.when == site.when
    };
    let mut hit = false;
    while child.try_wait().unwrap().is_none() {
        if let Some(call) = seen().iter().find(is_it) {
            hit = !call.done;
            match whom {
                _ if call.done => {}
                Whom::All => kill_group(&child),
                Whom::One => kill_process(pid(call.pid), Signal::KILL).unwrap(),
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Whoever is left has to notice, and to end.
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            kill_group(&child);
            panic!("{line}: a process lives on after the kill at {site}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    gone(&child);
    let output = child.wait_with_output().unwrap();
    let calls = seen();
    hit &= calls.iter().find(is_it).is_some_and(|call| !call.done);
    std::fs::remove_file(&path).unwrap();
    Killed { hit, said: output.status.code().map(|_| said(output)) }
}

/// Runs a command, and kills all of it after a while. Gives whether it still ran.
pub fn kill_after(office: &Office, line: &str, after: Duration) -> bool {
    let mut child = office.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let ran = child.try_wait().unwrap().is_none();
    if ran {
        kill_group(&child);
        child.wait().unwrap();
        gone(&child);
    }
    ran
}

struct Call {
    site: Site,
    pid: i32,
    /// Whether it came back.
    done: bool,
    changes: bool,
}

fn tracer(site: Option<&Site>) -> Vec<String> {
    let calls = format!("trace=execve,{}", CALLS.join(","));
    let mut words: Vec<_> =
        ["strace", "-f", "-qq", "-y", "-s", "0", "-o", "trace", "-e", &calls].map(str::to_owned).into();
    if let Some(site) = site {
        let inject = format!("inject={}:delay_enter={HELD}:when={}", site.call, site.when);
        words.extend(["-e".to_owned(), inject]);
    }
    words
}

/// Reads a trace, whose last line may be cut.
fn read(trace: &str, folder: &Path) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut names: HashMap<i32, String> = HashMap::new();
    let mut starting: HashMap<i32, String> = HashMap::new();
    let mut parent = None;
    for line in trace.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let (Ok(pid), rest) = (pid.parse::<i32>(), rest.trim_start()) else { continue };
        let done = rest.contains(" = ") && !rest.contains(" = ?");
        if rest.starts_with("<... ") {
            if let Some(name) = starting.remove(&pid).filter(|_| rest.ends_with(" = 0")) {
                names.insert(pid, name);
            } else if let Some(call) = calls.iter_mut().rev().find(|call| call.pid == pid) {
                call.done |= done;
            }
            continue;
        }
        let Some((call, arguments)) = rest.split_once('(') else { continue };
        let quoted: Vec<_> = arguments.split('"').skip(1).step_by(2).collect();
        if call == "execve" {
            let name = quoted.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            let root = *parent.get_or_insert(pid);
            // The console starts itself once more as the reader.
            let is_again = pid != root && names.get(&root).is_some_and(|parent| parent == name);
            let name = if is_again { "reader" } else { name }.to_owned();
            if done && rest.ends_with(" = 0") {
                names.insert(pid, name);
            } else if !done {
                starting.insert(pid, name);
            }
            continue;
        }
        if !call.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            continue;
        }
        let when = calls.iter().filter(|known| known.pid == pid && known.site.call == call).count() + 1;
        let descriptor =
            arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(at, _)| at);
        let path = if quoted.len() > 1 || descriptor.is_none() || call.ends_with("at") {
            quoted.last()
        } else {
            None
        };
        let target = path.copied().filter(|path| !path.is_empty()).or(descriptor).unwrap_or("?");
        let site = Site {
            process: names.get(&pid).cloned().unwrap_or_default(),
            call: call.to_owned(),
            when,
            target: steady(target, folder),
            is_parent: parent == Some(pid),
        };
        let changes = call != "openat" || arguments.contains("O_CREAT");
        calls.push(Call { site, pid, done, changes });
    }
    calls
}

fn steady(target: &str, folder: &Path) -> String {
    let folder = folder.display().to_string();
    let target = target.strip_prefix(&folder).unwrap_or(target).trim_start_matches("./");
    if target.ends_with(".part") {
        return "*.part".to_owned();
    }
    match target.split_once(':') {
        Some((kind @ ("socket" | "pipe"), _)) => kind.to_owned(),
        _ if target.starts_with(folder.trim_end_matches('/')) => "the folder".to_owned(),
        _ => target.to_owned(),
    }
}

/// The tracer leads a group of its own, with everything that it traces.
fn kill_group(child: &Child) {
    let leader = pid(i32::try_from(child.id()).unwrap());
    let deadline = Instant::now() + PATIENCE;
    while getpgid(Some(leader)) != Ok(leader) {
        assert!(Instant::now() < deadline, "the command gets a group of its own");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process_group(leader, Signal::KILL).unwrap();
}

/// Waits until nobody of the command's group runs: what a killed process held is free only when it is gone.
fn gone(child: &Child) {
    let deadline = Instant::now() + PATIENCE;
    while runs(child.id()) {
        assert!(Instant::now() < deadline, "a killed process lives on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the group has a thread that is more than an exit code that nobody asked for. A process whose first thread is
/// gone may have another that still dies, and holds its files so long.
fn runs(group: u32) -> bool {
    let group = group.to_string();
    let threads =
        |process: std::fs::DirEntry| std::fs::read_dir(process.path().join("task")).into_iter().flatten();
    std::fs::read_dir("/proc").unwrap().flatten().flat_map(threads).flatten().any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // proc(5): the name stands in parentheses; state, parent and group follow.
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().take(3).collect();
        matches!(fields[..], [state, _, of] if of == group && !matches!(state, "Z" | "X"))
    })
}

fn pid(number: i32) -> Pid {
    Pid::from_raw(number).expect("a process")
}

fn said(output: std::process::Output) -> Said {
    Said {
        code: output.status.code().unwrap_or_else(|| panic!("{output:?}")),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
