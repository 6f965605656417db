//! The commands as a person or a program meets them: output, hints, exit codes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no single object: {}", self.stdout))
    }
}

fn run(dir: &Path, line: &str) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_watch-node"))
        .arg("--data")
        .arg(dir.join("node"))
        .args(line.split_whitespace())
        .output()
        .unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Exit code, code word in JSON, error and hint on stderr.
fn refused(dir: &Path, line: &str, code: i32, word: &str) {
    let answer = run(dir, &format!("{line} --json"));
    assert_eq!(answer.code, code, "{line}: {}", answer.stderr);
    assert_eq!(answer.json()["error"]["code"], word, "{line}");
    let plain = run(dir, line);
    assert_eq!(plain.code, code, "{line}");
    assert!(plain.stdout.is_empty(), "{line}");
    assert!(
        plain.stderr.starts_with("error: ") && plain.stderr.contains("\nhint: "),
        "{line}: {}",
        plain.stderr
    );
}

const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

#[test]
fn a_folder_is_made_mined_and_synced() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let init = run(dir, "init --network regtest --chain embedded --json");
    assert_eq!(init.code, 0, "{}", init.stderr);
    assert_eq!(run(dir, "regtest mine 101 --json").json()["height"], 101);
    let txid = run(dir, &format!("regtest fund {ADDRESS} 0.5btc --json")).json();
    assert_eq!(txid["amount_sat"], 50_000_000);
    assert_eq!(run(dir, "regtest mine 1 --json").code, 0);
    let before = run(dir, "status --json").json();
    assert_eq!((&before["tip"], &before["complete"]), (&Value::from(102), &Value::from(false)));
    assert_eq!(run(dir, "sync").code, 0);
    let status = run(dir, "status --json").json();
    assert_eq!(status["network"], "regtest");
    assert_eq!((&status["height"], &status["tip"]), (&Value::from(102), &Value::from(102)));
    assert_eq!((&status["complete"], &status["wallets"]), (&Value::from(true), &Value::Array(vec![])));
    let balance = run(dir, "balance --json").json();
    for key in ["confirmed_sat", "pending_sat", "reserved_sat", "total_sat"] {
        assert_eq!(balance[key], 0, "{key}");
    }
    assert_eq!(run(dir, "coins --json").json()["coins"], Value::Array(vec![]));
    assert_eq!(run(dir, "history --json").json()["history"], Value::Array(vec![]));
    assert_eq!(run(dir, "wallet list --json").json()["wallets"], Value::Array(vec![]));
}

#[test]
fn each_refusal_has_its_exit_code_and_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    refused(dir, "status", 1, "not-initialised");
    for source in ["p2p", "electrum", "esplora"] {
        refused(dir, &format!("init --network regtest --chain {source}"), 3, "chain-unavailable");
    }
    refused(dir, "init --network mainnet --chain embedded", 3, "embedded-off-regtest");
    refused(dir, "init --network regtest --chain core", 2, "missing-option");
    refused(
        dir,
        "init --network regtest --chain core --url http://127.0.0.1:1 --cookie-file /nowhere/.cookie",
        1,
        "file",
    );
    refused(
        dir,
        "init --network regtest --chain core --url https://127.0.0.1:1 --cookie-file /nowhere/.cookie",
        2,
        "bad-url",
    );
    assert_eq!(run(dir, "init --network regtest --chain embedded").code, 0);
    refused(dir, "init --network regtest --chain embedded", 3, "already-initialised");
    refused(dir, &format!("regtest fund {ADDRESS} 0.5"), 2, "usage");
    refused(dir, "regtest fund 1BoatSLRHtKNngkdXEeobR76b53LETtpyT 1btc", 3, "wrong-network");
    refused(dir, "regtest fund nonsense 1btc", 2, "bad-address");
    refused(dir, &format!("regtest fund {ADDRESS} 1btc"), 3, "miner-poor");
    for command in ["balance", "coins", "history", "address"] {
        refused(dir, &format!("{command} nobody"), 3, "unknown-wallet");
    }
    let usage = run(dir, "no-such-command --json");
    assert_eq!(usage.code, 2);
    assert_eq!(usage.json()["error"]["code"], "usage");
}

#[test]
fn help_has_an_example_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        "init",
        "wallet import",
        "wallet list",
        "trust",
        "facts",
        "pay",
        "bump",
        "submit",
        "payments show",
        "payments export",
        "payments abandon",
        "reconcile",
        "demo",
        "sync",
        "status",
        "address",
        "balance",
        "history",
        "coins",
        "regtest mine",
        "regtest fund",
    ] {
        let help = run(dir.path(), &format!("{command} --help"));
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains("Example: watch-node "), "{command}");
    }
}

#[test]
fn two_processes_write_one_after_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(run(dir, "init --network regtest --chain embedded").code, 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(run(dir, "regtest mine 20").code, 0));
            scope.spawn(|| assert_eq!(run(dir, "sync").code, 0));
        }
    });
    assert_eq!(run(dir, "status --json").json()["tip"], 80);
}

#[test]
fn a_demo_without_its_programs_says_how_to_build_them() {
    let dir = tempfile::tempdir().unwrap();
    let alone = dir.path().join("watch-node");
    place(std::path::Path::new(env!("CARGO_BIN_EXE_watch-node")), &alone);
    let output = Command::new(&alone).arg("demo").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the demo needs gatekeeper"), "{stderr}");
    assert!(stderr.contains("hint: build all programs: cargo build --release"), "{stderr}");
}

/// Puts a program into a folder. Another process copies it: while this one held the copy open for writing, a child that
/// a neighbouring test starts at that moment would inherit the descriptor, and running the copy would fail (ETXTBSY).
fn place(program: &std::path::Path, to: &std::path::Path) {
    let copied = std::process::Command::new("cp").arg(program).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn the_help_of_wallets_of_several_keys_and_of_reserves_reads_well() {
    let dir = tempfile::tempdir().unwrap();
    let help = |name: &str| {
        format!("$ watch-node {name} --help\n{}", run(dir.path(), &format!("{name} --help")).stdout)
    };
    insta::assert_snapshot!(
        "help",
        ["reserves", "submit", "payments export", "wallet paths"].map(help).join("\n")
    );
}
