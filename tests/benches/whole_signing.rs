//! A payment from the bytes of its file to the bytes of the signed file: ours, what libsecp256k1 alone must do, and the
//! signers of other people, in one run. Nothing is asserted about time.
//!
//! `cargo bench -p airlock-tests --bench whole_signing [-- --quick]`
//!
//! Steps, `total`, `floor` and `ratio` are processor time on one thread, so that a busy machine does not blur them. The
//! floor has each operation once. Reader and vault are two processes that do not believe each other: both derive every
//! script and both verify every signature, and `ratio×2` is beside a floor that has these operations twice. `wall` and
//! what is set beside the peers is the time that passes, with the second thread that both processes have.
//!
//! Every case is signed in processes of its own, so that its peak of memory is its own. Of the peers only the call that
//! signs is timed: reading, signing and writing the file. Core's is an RPC, with `bitcoin-cli` around it; peers
//! neither check nor verify anything.

mod payment;

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::peers::{Core, Peer, Script};
use bitcoin::base64::Engine;
use bitcoin::base64::prelude::BASE64_STANDARD;
use payment::{Kind, OPERATIONS, STEPS, Signer};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// The argument that makes this program the process of one case.
const CASE: &str = "--case";
/// The argument that makes it use both threads.
const BOTH: &str = "--both-threads";

/// How many inputs a payment has; of a multisig a tenth less, so that its transaction still fits into a block.
fn sizes(kind: Kind, quick: bool) -> [u32; 2] {
    let sizes = if quick { [100, 1_000] } else { [1_000, 10_000] };
    if kind == Kind::Wsh { sizes.map(|inputs| inputs / 10 * 9) } else { sizes }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CASE) {
        return case(&arguments[at + 1], arguments.iter().any(|argument| argument == BOTH));
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let mut fewer = Vec::new();
    println!("ours, in µs for each input (median), beside libsecp256k1 alone");
    print!("{:<6}{:>7}", "script", "inputs");
    STEPS
        .iter()
        .chain(&["total", "floor", "ratio", "ratio×2", "wall", "growth"])
        .for_each(|title| print!("{title:>8}"));
    println!("{:>10}   floor: {}", "peak MiB", OPERATIONS.join(" + "));
    for kind in Kind::ALL {
        let mut smaller = None;
        for inputs in sizes(kind, quick) {
            let measured = measure(kind, inputs);
            measured.print(kind, inputs, smaller);
            if smaller.is_none() {
                fewer.push((kind, inputs, measured.wall));
            }
            smaller.get_or_insert(measured.total);
        }
    }
    println!("\nothers, in µs for each input; ×: as many times ours");
    let core = Bitcoind::start();
    for (kind, inputs, ours) in fewer {
        compare(kind, inputs, ours, core.as_ref());
    }
}

/// What a case took, each for one input, in microseconds.
struct Measured {
    steps: Vec<f64>,
    total: f64,
    wall: f64,
    operations: Vec<f64>,
    peak_mib: f64,
}

/// Runs a case in its own processes.
fn measure(kind: Kind, inputs: u32) -> Measured {
    let file = Signer::new(kind).payment(inputs);
    let (alone, both) = (run(kind, &file, false), run(kind, &file, true));
    let each = |said: &Value, name: &str| -> Vec<f64> {
        let all = said[name].as_array().unwrap().iter();
        all.map(|seconds| seconds.as_f64().unwrap() * 1e6 / f64::from(inputs)).collect()
    };
    Measured {
        steps: each(&alone, "steps"),
        total: each(&alone, "total")[0],
        wall: each(&both, "total")[0],
        operations: each(&alone, "operations"),
        peak_mib: both["peak_kib"].as_f64().unwrap() / 1024.0,
    }
}

/// What the process of a case says.
fn run(kind: Kind, file: &[u8], both: bool) -> Value {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CASE, kind.word()])
        .args(both.then_some(BOTH))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(file).unwrap();
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

impl Measured {
    fn print(&self, kind: Kind, inputs: u32, smaller: Option<f64>) {
        let floor: f64 = self.operations.iter().sum();
        let twice = floor + self.operations[0] + self.operations[3];
        print!("{:<6}{inputs:>7}", kind.word());
        self.steps.iter().chain(&[self.total, floor]).for_each(|time| print!("{time:>8.1}"));
        print!("{:>8.2}{:>8.2}{:>8.1}", self.total / floor, self.total / twice, self.wall);
        // Of the whole payment, so ten times as many inputs may take 10.5 times as long.
        let growth = smaller.map_or("-".to_owned(), |smaller| format!("{:.2}", self.total * 10.0 / smaller));
        let parts: Vec<_> = self.operations.iter().map(|time| format!("{time:.1}")).collect();
        println!("{growth:>8}{:>10.0}   {}", self.peak_mib, parts.join(" + "));
    }
}

/// The process of one case: reads the file, signs it several times, says what it took: processor time on one thread, or
/// the time that passes with two.
fn case(word: &str, both: bool) {
    let signer = Signer::new(Kind::ALL.into_iter().find(|kind| kind.word() == word).unwrap());
    let clock: payment::Clock = if both { passing } else { working };
    if both {
        policies::helper::start().unwrap();
    }
    let mut file = Vec::new();
    std::io::stdin().read_to_end(&mut file).unwrap();
    let inputs = u32::try_from(bitcoin::Psbt::deserialize(&file).unwrap().inputs.len()).unwrap();
    let (mut steps, mut operations) = (vec![signer.sign(file.clone(), clock)], Vec::new());
    let peak_kib = peak_kib();
    steps.clear();
    // Taken in turns, so that both meet the same machine.
    for _ in 0..(5_000 / inputs).clamp(3, 9) {
        steps.push(signer.sign(file.clone(), clock));
        if !both {
            operations.push(signer.floor(inputs, clock));
        }
    }
    let total = median(steps.iter().map(|times| times.iter().sum()));
    let operations = if both { vec![] } else { medians(&operations) };
    let said = json!({
        "steps": medians(&steps), "total": [total], "operations": operations, "peak_kib": peak_kib,
    });
    println!("{said}");
}

/// The time that passes.
fn passing() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap()
}

/// The processor's time for this thread.
fn working() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// The medians of each column, in seconds.
fn medians<const N: usize>(runs: &[[Duration; N]]) -> Vec<f64> {
    (0..N).map(|column| median(runs.iter().map(|times| times[column]))).collect()
}

fn median(times: impl Iterator<Item = Duration>) -> f64 {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A line for each peer.
fn compare(kind: Kind, inputs: u32, ours: f64, core: Option<&Bitcoind>) {
    let signer = Signer::new(kind);
    let secret = signer.secret_descriptors();
    let file = BASE64_STANDARD.encode(signer.payment(inputs));
    let mut peers: Vec<Box<dyn Peer>> = Vec::new();
    if let Some(core) = core {
        peers.push(Box::new(Core { core, highest_index: inputs - 1 }));
    }
    peers.extend(["bdk", "embit"].into_iter().filter_map(Script::find).map(|peer| Box::new(peer) as _));
    for peer in peers {
        let times = [(); 3].map(|()| peer.sign(&secret, &file).1);
        let each = median(times.into_iter()) * 1e6 / f64::from(inputs);
        println!("{:<6}{inputs:>7}  {:<6}{each:>10.1}{:>8.2}×", kind.word(), peer.name(), each / ours);
    }
}
