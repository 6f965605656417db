//! A real Bitcoin Core on regtest, over loopback, in a temporary folder.
//!
//! The program is found by `tests/bitcoind --find` at the workspace root; without one a test says so and
//! counts as skipped.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1};
use bitcoin::sighash::{Prevouts, SighashCache};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, Network, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut,
    Witness,
};
use watch_node::Error;
use watch_node::chain::BlockSource;
use watch_node::chain::core::Core;

pub struct Bitcoind {
    process: Child,
    cli: PathBuf,
    datadir: tempfile::TempDir,
    port: u16,
    program: PathBuf,
}

impl Bitcoind {
    fn find() -> Option<(PathBuf, PathBuf)> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bitcoind");
        let output = Command::new(script).arg("--find").stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let mut lines = text.lines().map(PathBuf::from);
        let found = (lines.next()?, lines.next()?);
        output.status.success().then_some(found)
    }

    pub fn start() -> Option<Self> {
        let Some((program, cli)) = Self::find() else {
            eprintln!("skipped: no bitcoind (tests/bitcoind builds one)");
            return None;
        };
        let datadir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Self::spawn(&program, datadir.path(), port);
        let node = Self { process, cli, datadir, port, program };
        node.wait_for_cookie();
        Some(node)
    }

    fn spawn(program: &Path, datadir: &Path, port: u16) -> Child {
        Command::new(program)
            .arg("-regtest")
            .arg(format!("-datadir={}", datadir.display()))
            .arg(format!("-rpcport={port}"))
            .args([
                "-rpcbind=127.0.0.1",
                "-rpcallowip=127.0.0.1",
                "-listen=0",
                "-dnsseed=0",
                "-txindex=0",
                "-mempoolexpiry=1",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Stops in order, so that the chain is flushed, and starts again with another cookie.
    pub fn restart(&mut self) {
        self.cli(&["stop"]);
        self.process.wait().unwrap();
        self.process = Self::spawn(&self.program, self.datadir.path(), self.port);
        self.wait_for_cookie();
    }

    fn wait_for_cookie(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.cookie().exists() || self.connect().is_err() {
            assert!(Instant::now() < deadline, "bitcoind does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn cookie(&self) -> PathBuf {
        self.datadir.path().join("regtest/.cookie")
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> Result<Core, Error> {
        Core::connect(&self.url(), &self.cookie(), Network::Regtest)
    }

    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.cli)
            .arg("-regtest")
            .arg(format!("-datadir={}", self.datadir.path().display()))
            .arg(format!("-rpcport={}", self.port))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn mine(&self, count: u32, to: &ScriptBuf) {
        let address = Address::from_script(to, Network::Regtest).unwrap().to_string();
        self.cli(&["generatetoaddress", &count.to_string(), &address]);
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Bitcoind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The key that mines.
fn keypair() -> Keypair {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[5; 32]).unwrap()
}

/// Where rewards go.
pub fn script() -> ScriptBuf {
    ScriptBuf::new_p2tr(&Secp256k1::new(), keypair().x_only_public_key().0, None)
}

/// A signed key-path spend of the reward in `chain`'s block at `height`, in equal parts to `to`.
pub fn spend(chain: &Core, height: u32, to: &[ScriptBuf], fee_sat: u64) -> Transaction {
    let reward = chain.block(chain.hash_at(height).unwrap().unwrap()).unwrap().txdata[0].clone();
    let spent = reward.output[0].clone();
    let value = (spent.value - Amount::from_sat(fee_sat)) / u64::try_from(to.len()).unwrap();
    let mut transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(reward.compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: to.iter().map(|script| TxOut { value, script_pubkey: script.clone() }).collect(),
    };
    let secp = Secp256k1::new();
    let sighash = SighashCache::new(&transaction)
        .taproot_key_spend_signature_hash(0, &Prevouts::All(&[spent]), TapSighashType::Default)
        .unwrap();
    let tweaked = keypair().tap_tweak(&secp, None).to_keypair();
    let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(sighash.to_byte_array()), &tweaked);
    transaction.input[0].witness = Witness::from_slice(&[signature.as_ref()]);
    transaction
}
