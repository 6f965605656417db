//! From payment to reconciliation with the real program, on the embedded chain and on Bitcoin Core; people, gatekeeper
//! and vault are keys here.

mod abandon;
mod across;
mod back_to_self;
#[path = "../bitcoind/mod.rs"]
mod bitcoind;
mod bump;
mod bump_on_core;
mod core;
mod cosigners;
mod coverage;
mod facts;
mod finalised;
mod foreign;
mod from_psbt;
mod interrupted;
mod pay;
mod people;
mod reconcile;
mod reorganised;
mod replies;
mod reserves;
mod submit;
mod trust;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use people::Vault;

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// The one object on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|_| panic!("no single object: {} {}", self.stdout, self.stderr))
    }

    /// The code of the error on stdout.
    pub fn error(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A folder with a node and the files that travel.
pub struct Walk {
    dir: tempfile::TempDir,
}

impl Walk {
    /// A node on the embedded chain.
    pub fn empty() -> Self {
        let walk = Self { dir: tempfile::tempdir().unwrap() };
        walk.done("init --network regtest --chain embedded");
        walk
    }

    /// A node that has pinned the authority, watches the vault's wallet and has one coin of 1 BTC.
    pub fn funded(vault: &Vault) -> Self {
        let walk = Self::empty();
        walk.write("authority.pub", people::authority(5).to_armor().as_bytes());
        walk.done("trust authority.pub");
        walk.write("savings.json", vault.export().to_string().as_bytes());
        walk.done("wallet import savings --file savings.json");
        walk.done("regtest mine 101");
        walk.fund("1btc");
        walk
    }

    /// Pays the wallet's next address, and mines it.
    pub fn fund(&self, amount: &str) {
        let address = self.done("address savings")["address"].as_str().unwrap().to_owned();
        self.done(&format!("regtest fund {address} {amount}"));
        self.done("regtest mine 1");
        self.done("sync");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// What a line without `--json` says to a person.
    pub fn text(&self, line: &str) -> String {
        self.say(&[], line).stdout
    }

    /// Runs a line with `--json`.
    pub fn run(&self, line: &str) -> Answer {
        self.say(&["--json"], line)
    }

    fn say(&self, options: &[&str], line: &str) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_watch-node"))
            .args(options)
            .args(["--data", "node"])
            .args(line.split_whitespace())
            .current_dir::<&Path>(self.dir.path())
            .output()
            .unwrap();
        Answer {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a line that must succeed.
    pub fn done(&self, line: &str) -> Value {
        let answer = self.run(line);
        assert_eq!(answer.code, 0, "{line}: {}", answer.stderr);
        answer.json()
    }

    /// Runs a line that must be refused with this exit code and word.
    pub fn refused(&self, line: &str, code: i32, word: &str) {
        let answer = self.run(line);
        assert_eq!((answer.code, answer.error().as_str()), (code, word), "{line}: {}", answer.stderr);
        assert!(answer.stderr.contains("error: ") && answer.stderr.contains("\nhint: "), "{line}");
    }

    /// The state of the first payment.
    pub fn state(&self) -> String {
        self.done("payments")["payments"][0]["state"].as_str().unwrap().to_owned()
    }
}
