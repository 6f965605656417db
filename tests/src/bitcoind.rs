//! A real Bitcoin Core on regtest, over loopback, in a temporary folder.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, Transaction};
use serde_json::Value;
use tempfile::TempDir;

use crate::programs::root;

/// How long Core may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `bitcoind -regtest`; it ends when this is dropped.
pub struct Bitcoind {
    process: Child,
    program: PathBuf,
    cli: PathBuf,
    datadir: TempDir,
    port: u16,
}

impl Bitcoind {
    /// Starts the one that `tests/bitcoind --find` finds; `None`, said aloud, where there is none.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Option<Self> {
        let Some((program, cli)) = find() else {
            eprintln!("skipped: no bitcoind (tests/bitcoind builds one)");
            return None;
        };
        let datadir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let process = launch(&program, datadir.path(), port);
        let core = Self { process, program, cli, datadir, port };
        core.answers();
        Some(core)
    }

    /// Stops it in peace, hands over the folder of its chain, and starts it again at the same address.
    ///
    /// # Panics
    /// When it does not stop or start.
    pub fn restart(&mut self, between: impl FnOnce(&Path)) {
        self.rpc("stop", &[]);
        self.process.wait().expect("bitcoind ends");
        between(&self.datadir.path().join("regtest"));
        self.process = launch(&self.program, self.datadir.path(), self.port);
        self.answers();
    }

    fn answers(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.ask("getblockcount", &[]).is_err() {
            assert!(Instant::now() < deadline, "bitcoind does not answer");
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// The RPC address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The cookie file.
    pub fn cookie(&self) -> PathBuf {
        self.datadir.path().join("regtest/.cookie")
    }

    /// Calls an RPC; the arguments go over standard input, where no length limits them.
    ///
    /// # Panics
    /// When Core answers with an error.
    pub fn rpc(&self, method: &str, arguments: &[&str]) -> Value {
        self.ask(method, arguments).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Whether the mempool would take a transaction; else why not.
    ///
    /// # Errors
    /// Core's reason.
    ///
    /// # Panics
    /// When Core answers with an error.
    pub fn would_accept(&self, transaction: &Transaction) -> Result<(), String> {
        let answer = self.rpc("testmempoolaccept", &[&format!("[\"{}\"]", serialize_hex(transaction))]);
        match answer[0]["allowed"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(answer.to_string()),
        }
    }

    /// The block at a height; the best one when left out.
    ///
    /// # Panics
    /// When Core answers with an error.
    pub fn block(&self, height: Option<u32>) -> Block {
        let hash = match height {
            Some(height) => self.rpc("getblockhash", &[&height.to_string()]),
            None => self.rpc("getbestblockhash", &[]),
        };
        let block = self.rpc("getblock", &[hash.as_str().expect("a hash"), "0"]);
        deserialize_hex(block.as_str().expect("a block")).expect("a block")
    }

    fn ask(&self, method: &str, arguments: &[&str]) -> Result<Value, String> {
        let mut child = Command::new(&self.cli)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.datadir.path().display()))
            .arg(format!("-rpcport={}", self.port))
            .args(["-stdin", method])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        // Core that is not up yet closes its end early; its exit code tells.
        let _ = input.write_all(arguments.join("\n").as_bytes());
        drop(input);
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // A bare word is a string that bitcoin-cli prints without its quotes.
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(program: &Path, datadir: &Path, port: u16) -> Child {
    Command::new(program)
        .arg("-regtest")
        .arg(format!("-datadir={}", datadir.display()))
        .arg(format!("-rpcport={port}"))
        .args(["-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-listen=0", "-dnsseed=0", "-txindex=0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bitcoind starts")
}

fn find() -> Option<(PathBuf, PathBuf)> {
    let script = root().join("tests/bitcoind");
    let output = Command::new(script).arg("--find").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines().map(PathBuf::from);
    let found = (lines.next()?, lines.next()?);
    output.status.success().then_some(found)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
