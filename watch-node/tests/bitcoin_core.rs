//! Against a real Bitcoin Core on regtest, over loopback, in a temporary folder.
//!
//! The program is found by `tests/bitcoind --find` at the workspace root; without one the test says so and
//! counts as skipped.

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
use watch_node::chain::core::Core;
use watch_node::chain::{Acceptance, BlockSource, Relay, block};
use watch_node::coins::unspent;
use watch_node::config::{ChainConfig, Config};
use watch_node::index::script_at;
use watch_node::store::{Branch, NewWallet, Store};
use watch_node::tracker::Tracker;

struct Bitcoind {
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

    fn start() -> Option<Self> {
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
            .args(["-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", "-listen=0", "-dnsseed=0", "-txindex=0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Stops in order, so that the chain is flushed, and starts again with another cookie.
    fn restart(&mut self) {
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

    fn cookie(&self) -> PathBuf {
        self.datadir.path().join("regtest/.cookie")
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> Result<Core, Error> {
        Core::connect(&self.url(), &self.cookie(), Network::Regtest)
    }

    fn cli(&self, arguments: &[&str]) -> String {
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

    fn mine(&self, count: u32, to: &ScriptBuf) {
        let address = Address::from_script(to, Network::Regtest).unwrap().to_string();
        self.cli(&["generatetoaddress", &count.to_string(), &address]);
    }

    fn stop(&mut self) {
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

fn keypair() -> Keypair {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[5; 32]).unwrap()
}

fn script() -> ScriptBuf {
    ScriptBuf::new_p2tr(&Secp256k1::new(), keypair().x_only_public_key().0, None)
}

/// A signed key-path spend of the reward in `chain`'s block 1 to `to`.
fn spend(chain: &Core, to: ScriptBuf, fee_sat: u64) -> Transaction {
    let reward = chain.block(chain.hash_at(1).unwrap().unwrap()).unwrap().txdata[0].clone();
    let spent = reward.output[0].clone();
    let mut transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(reward.compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: vec![TxOut { value: spent.value - Amount::from_sat(fee_sat), script_pubkey: to }],
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

#[test]
fn blocks_mempool_and_relay_of_bitcoin_core_are_used_as_the_tracker_needs_them() {
    let Some(mut bitcoind) = Bitcoind::start() else { return };
    bitcoind.mine(101, &script());
    let core = bitcoind.connect().unwrap();
    let tip = core.tip().unwrap();
    assert_eq!(tip.height, 101);
    assert_eq!(core.hash_at(102).unwrap(), None);
    assert_eq!(core.header(tip.hash).unwrap().block_hash(), tip.hash);
    let mut previous = None;
    for height in 0..=tip.height {
        let hash = core.hash_at(height).unwrap().unwrap();
        block::verify(&core.block(hash).unwrap(), hash, previous, height, Network::Regtest).unwrap();
        previous = Some(hash);
    }
    assert!(matches!(core.block(bitcoin::BlockHash::from_byte_array([7; 32])), Err(Error::NoBlock(_))));

    // Acceptance, refusal, submission, retry.
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        network: Network::Regtest,
        chain: ChainConfig::Core { url: bitcoind.url(), cookie_file: bitcoind.cookie() },
    };
    let mut store = Store::create(folder.path(), &config).unwrap();
    let wallet = store.add_wallet(&taproot_wallet()).unwrap();
    let ours = script_at(&wallet, Branch::External, 3).unwrap();
    let good = spend(&core, ours, 1_000);
    let mut forged = good.clone();
    let mut signature = forged.input[0].witness.nth(0).unwrap().to_vec();
    signature[33] ^= 1;
    forged.input[0].witness = Witness::from_slice(&[signature]);
    assert!(matches!(core.test_acceptance(&forged).unwrap(), Acceptance::Refused(_)));
    assert!(matches!(core.submit(&forged), Err(Error::TransactionRefused { .. })));
    let Acceptance::Accepted { fee_sat, vsize_vb } = core.test_acceptance(&good).unwrap() else {
        panic!("not accepted")
    };
    assert_eq!((fee_sat, vsize_vb), (1_000, 111));
    let txid = core.submit(&good).unwrap();
    assert_eq!(core.submit(&good).unwrap(), txid, "a retry is no error");
    assert_eq!(core.test_acceptance(&good).unwrap(), Acceptance::Known);
    assert_eq!(core.mempool().unwrap().unwrap(), [txid]);
    let absent = bitcoin::Txid::from_byte_array([9; 32]);
    assert_eq!(core.mempool_transactions(&[absent, txid]).unwrap(), std::slice::from_ref(&good));
    assert_eq!(core.feerate_hint(6).unwrap(), None, "regtest has no fee history");

    // Pending, then confirmed, then undone by a reorganisation.
    let sync = |store: &mut Store| Tracker::new(store, &core, 20).unwrap().pass(1, &mut |_, _| {}).unwrap();
    sync(&mut store);
    let heights = |store: &Store| unspent(store, None).unwrap().iter().map(|c| c.height).collect::<Vec<_>>();
    assert_eq!(heights(&store), [None]);
    bitcoind.mine(1, &script());
    sync(&mut store);
    assert_eq!(heights(&store), [Some(102)]);
    let stale = core.tip().unwrap().hash.to_string();
    bitcoind.cli(&["invalidateblock", &stale]);
    let elsewhere = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([1; 20]));
    let address = Address::from_script(&elsewhere, Network::Regtest).unwrap().to_string();
    bitcoind.cli(&["generateblock", &address, "[]"]);
    bitcoind.cli(&["generateblock", &address, "[]"]);
    assert_eq!(sync(&mut store).disconnected, 1);
    assert_eq!(heights(&store), [None], "back in the mempool");
    bitcoind.mine(1, &script());
    sync(&mut store);
    assert_eq!(heights(&store), [Some(104)]);
    assert_eq!(core.submit(&good).unwrap(), txid, "confirmed long ago, still no error");

    // A restart writes a new cookie; the open connection finds it by itself.
    bitcoind.restart();
    assert_eq!(core.tip().unwrap().height, 104);

    assert!(matches!(
        Core::connect(&bitcoind.url(), &bitcoind.cookie(), Network::Bitcoin),
        Err(Error::WrongChain { .. })
    ));
    let wrong = folder.path().join("cookie");
    std::fs::write(&wrong, "__cookie__:wrong").unwrap();
    assert!(matches!(Core::connect(&bitcoind.url(), &wrong, Network::Regtest), Err(Error::BadCookie { .. })));
    bitcoind.stop();
    assert!(matches!(core.tip(), Err(Error::Unreachable { .. })));
}

fn taproot_wallet() -> NewWallet {
    let xpub = bitcoin::bip32::Xpub::from_priv(
        &Secp256k1::new(),
        &bitcoin::bip32::Xpriv::new_master(Network::Regtest, &[3; 32]).unwrap(),
    );
    NewWallet {
        name: "tap".into(),
        wallet_id: [3; 32],
        external: format!("tr({xpub}/0/*)"),
        internal: format!("tr({xpub}/1/*)"),
        birthday: 0,
        vault_id: None,
        audit_key: None,
        authority: None,
    }
}
