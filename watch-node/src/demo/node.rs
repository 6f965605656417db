//! A real `bitcoind -regtest` for the time of a demo.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::stage::Stage;
use crate::error::{Error, Result};

/// How long Bitcoin Core may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The data folder, inside the demo's.
const DATADIR: &str = "bitcoin";

/// A running node; it is stopped when this is dropped.
pub struct Node {
    process: Child,
    cli: String,
    /// Its RPC address.
    pub url: String,
}

impl Node {
    /// Starts a node on a free loopback port and waits until it answers.
    pub fn start(stage: &Stage) -> Result<Self> {
        let daemon = find()?;
        let cli = daemon.with_file_name("bitcoin-cli");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| stage.fault(format!("no free port: {error}")))?
            .port();
        std::fs::create_dir(stage.dir().join(DATADIR)).map_err(Error::file(DATADIR))?;
        let settings = format!(
            "[regtest]\nrpcport={port}\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\nlisten=0\ndnsseed=0\n"
        );
        stage.write("bitcoin/bitcoin.conf", settings.as_bytes())?;
        stage.say(&format!("\n$ bitcoind -regtest -datadir={DATADIR} &"));
        let process = Command::new(&daemon)
            .args(["-regtest", "-datadir=bitcoin"])
            .current_dir(stage.dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| stage.fault(format!("{} does not start: {error}", daemon.display())))?;
        let mut node =
            Self { process, cli: cli.display().to_string(), url: format!("http://127.0.0.1:{port}") };
        node.wait(stage)?;
        Ok(node)
    }

    /// The command line of `bitcoin-cli` for this node.
    pub fn command<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut line = vec![self.cli.as_str(), "-regtest", "-datadir=bitcoin"];
        line.extend(arguments);
        line
    }

    fn wait(&mut self, stage: &Stage) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(stage.fault(format!("bitcoind ended at once: {status}")));
            }
            let answers = Command::new(&self.cli)
                .args(["-regtest", "-datadir=bitcoin", "getblockcount"])
                .current_dir(stage.dir())
                .stdin(Stdio::null())
                .output()
                .is_ok_and(|output| output.status.success());
            if answers {
                return Ok(());
            }
            if Instant::now() > deadline || stage.is_interrupted() {
                return Err(stage.fault("bitcoind does not answer"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SIGTERM, so that it ends in order; the folder is removed right after.
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `BITCOIND_EXE`, else `bitcoind` on PATH, else the one that `tests/bitcoind` built.
fn find() -> Result<PathBuf> {
    let named = std::env::var_os("BITCOIND_EXE").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("bitcoind"));
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    let built = cache.map(|cache| cache.join("airlock/bitcoind-0.4.1/bin/bitcoind"));
    let found = match named {
        Some(named) => Some(named).filter(|path| path.is_file()),
        None => on_path.chain(built).find(|path| path.is_file()),
    };
    found.ok_or_else(|| Error::MissingProgram {
        program: "bitcoind".to_owned(),
        looked_for: "BITCOIND_EXE, PATH or ~/.cache/airlock".to_owned(),
        hint: "run tests/bitcoind once: it finds or builds one",
    })
}
