//! A kill at any moment leaves the state before or after a change, never between.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bitcoin::Network;
use watch_node::chain::embedded::{Embedded, miner_script};
use watch_node::chain::{BlockSource, block};
use watch_node::coins::unspent;
use watch_node::config::{ChainConfig, Config};
use watch_node::store::{NewWallet, Store};
use watch_node::tracker::{Tracker, is_complete};

fn program(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watch-node"));
    command.arg("--data").arg(dir).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn kill_after(dir: &Path, arguments: &[&str], milliseconds: u64) {
    let mut child = program(dir, arguments).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(milliseconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_miner_killed_at_any_moment_leaves_a_valid_chain() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { network: Network::Regtest, chain: ChainConfig::Embedded };
    drop(Store::create(dir.path(), &config).unwrap());
    let mut heights = vec![];
    for round in 0..12 {
        kill_after(dir.path(), &["regtest", "mine", "1000"], 3 + round * 7);
        let chain = Embedded::open(dir.path()).unwrap();
        let tip = chain.tip().unwrap();
        let mut previous = None;
        for height in 0..=tip.height {
            let hash = chain.hash_at(height).unwrap().unwrap();
            block::verify(&chain.block(hash).unwrap(), hash, previous, height, Network::Regtest).unwrap();
            previous = Some(hash);
        }
        chain.mine(1, &miner_script().unwrap()).unwrap();
        heights.push(tip.height);
    }
    assert!(heights.is_sorted(), "what was mined stays: {heights:?}");
    assert!(heights.iter().any(|height| *height > 12), "the kills came after some work: {heights:?}");
}

#[test]
fn a_sync_killed_at_any_moment_is_simply_continued() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { network: Network::Regtest, chain: ChainConfig::Embedded };
    let mut store = Store::create(dir.path(), &config).unwrap();
    store
        .add_wallet(&NewWallet {
            name: "miner".into(),
            wallet_id: [0; 32],
            external: descriptor(0),
            internal: descriptor(1),
            birthday: 0,
            vaults: Vec::new(),
        })
        .unwrap();
    let wallet = store.wallet("miner").unwrap();
    let script = watch_node::index::script_at(&wallet, watch_node::store::Branch::External, 0).unwrap();
    let tip = {
        let chain = Embedded::open(dir.path()).unwrap();
        chain.mine(400, &script).unwrap();
        chain.tip().unwrap()
    };
    for round in 0..8 {
        kill_after(dir.path(), &["sync"], 40 + round * 25);
        let height = store.tip().unwrap().map_or(0, |tip| tip.height);
        // Each reward of ours is known exactly up to the height that is scanned.
        let known = store.coins(None).unwrap().iter().filter(|coin| coin.height.is_some()).count();
        assert_eq!(known, height as usize);
        eprintln!("killed at height {height}");
    }
    let chain = Embedded::open(dir.path()).unwrap();
    Tracker::new(&mut store, &chain, 5).unwrap().pass(1, &mut |_, _| {}).unwrap();
    assert!(is_complete(&store, tip).unwrap());
    assert_eq!(unspent(&store, None).unwrap().len(), 400);
}

fn descriptor(branch: u32) -> String {
    let master = bitcoin::bip32::Xpriv::new_master(Network::Regtest, &[8; 32]).unwrap();
    let xpub = bitcoin::bip32::Xpub::from_priv(&bitcoin::secp256k1::Secp256k1::new(), &master);
    format!("wpkh({xpub}/{branch}/*)")
}
