//! Against a real Bitcoin Core on regtest.

mod bitcoind;

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Address, Network, ScriptBuf, Witness};
use watch_node::Error;
use watch_node::chain::core::Core;
use watch_node::chain::{Acceptance, BlockSource, Relay, block};
use watch_node::coins::unspent;
use watch_node::config::{ChainConfig, Config};
use watch_node::index::script_at;
use watch_node::store::{Branch, NewWallet, Store};
use watch_node::tracker::Tracker;

use bitcoind::{Bitcoind, script, spend};

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
    let good = spend(&core, 1, &[ours], 1_000);
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
        vaults: Vec::new(),
    }
}
