//! The walk on a real Bitcoin Core, whose own view of chain and mempool says what must come out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, Ordering};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use bitcoin::{Address, Amount, Network, OutPoint, Psbt, ScriptBuf, Transaction, Txid, WScriptHash};
use policies::wallet::{Branch, Keypath};
use serde_json::{Value, json};
use watch_node::chain::core::Core;
use watch_node::chain::{BlockSource, Relay};
use watch_node::store::Store;
use watch_node::tracker::{Progress, Tracker};

use crate::Walk;
use crate::bitcoind::{Bitcoind, script, spend};
use crate::pay::TO;
use crate::people::{Vault, ask, authority, thief};

/// Scripts of each branch that are looked for; more than any test hands out.
const RANGE: u32 = 200;
/// Scripts past the latest address that are looked for.
const WINDOW: u32 = 20;
/// Blocks in which Core is asked for a payment; more than any test mines on top of one.
const DEEPEST: u32 = 60;

/// Outputs with their scripts and amounts.
type Coins = BTreeMap<OutPoint, (ScriptBuf, Amount)>;

/// A node behind Bitcoin Core that watches the vault's wallet.
pub struct Chain<'a> {
    pub bitcoind: &'a Bitcoind,
    pub core: Core,
    pub vault: Vault,
    pub walk: Walk,
    /// Those of the wallet, derived without the node.
    scripts: BTreeSet<ScriptBuf>,
    /// Height of the next reward that was not spent yet.
    reward: &'a Cell<u32>,
}

/// A payment that was asked for.
pub struct Asked {
    pub name: String,
    pub file: String,
    /// The signed file.
    pub signed: String,
    pub txid: Txid,
    pub coins: Vec<OutPoint>,
}

impl<'a> Chain<'a> {
    /// `reward` counts the rewards that are spent; it needs as many blocks to [`script`] and 100 more.
    pub fn new(bitcoind: &'a Bitcoind, reward: &'a Cell<u32>, vault: Vault) -> Self {
        let walk = Walk { dir: tempfile::tempdir().unwrap() };
        let (url, cookie) = (bitcoind.url(), bitcoind.cookie());
        walk.done(&format!(
            "init --network regtest --chain core --url {url} --cookie-file {}",
            cookie.display()
        ));
        walk.write("authority.pub", authority(5).to_armor().as_bytes());
        walk.done("trust authority.pub");
        walk.write("savings.json", vault.export().to_string().as_bytes());
        walk.done("wallet import savings --file savings.json");
        Self { bitcoind, core: bitcoind.connect().unwrap(), scripts: scripts(&vault), vault, walk, reward }
    }

    pub fn tip(&self) -> u32 {
        self.core.tip().unwrap().height
    }

    fn fresh_script(&self) -> ScriptBuf {
        let address = self.walk.done("address savings")["address"].as_str().unwrap().to_owned();
        address.parse::<Address<_>>().unwrap().require_network(Network::Regtest).unwrap().script_pubkey()
    }

    /// Pays so many coins to the wallet with one transaction, left in the mempool.
    pub fn deposit(&self, count: u32) -> Vec<OutPoint> {
        let scripts: Vec<_> = (0..count).map(|_| self.fresh_script()).collect();
        let transaction = spend(&self.core, self.reward.replace(self.reward.get() + 1), &scripts, 10_000);
        let txid = self.core.submit(&transaction).unwrap();
        (0..count).map(|vout| OutPoint::new(txid, vout)).collect()
    }

    /// Mines what the mempool holds.
    pub fn mine(&self, count: u32) {
        self.bitcoind.mine(count, &script());
    }

    /// Mines what the mempool holds, for a reward of the wallet.
    pub fn mine_for_wallet(&self) {
        self.bitcoind.mine(1, &self.fresh_script());
    }

    /// Mines exactly this, whatever the mempool holds; never the block that another call has mined.
    pub fn mine_only(&self, transactions: &[Transaction]) {
        static MINED: AtomicU8 = AtomicU8::new(0);
        let nth = [MINED.fetch_add(1, Ordering::Relaxed); 32];
        let script = ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array(nth));
        let address = Address::from_script(&script, Network::Regtest).unwrap().to_string();
        let list: Vec<_> = transactions.iter().map(serialize_hex).collect();
        self.bitcoind.cli(&["generateblock", &address, &json!(list).to_string()]);
    }

    /// Takes the last blocks away; returns the hash of the lowest of them.
    pub fn cut(&self, depth: u32) -> String {
        let hash = self.core.hash_at(self.tip() - depth + 1).unwrap().unwrap().to_string();
        self.bitcoind.cli(&["invalidateblock", &hash]);
        hash
    }

    /// What `watch-node sync` does, with a smaller window past the latest address: deriving a thousand scripts, again in
    /// each process, would be most of the time of these tests.
    pub fn sync(&self) -> Progress {
        let mut store = Store::open(&self.walk.path("node")).unwrap();
        let _lock = store.lock().unwrap();
        Tracker::new(&mut store, &self.core, WINDOW).unwrap().pass(1, &mut |_, _| {}).unwrap()
    }

    /// Asks for a payment from these coins.
    pub fn pay(&self, coins: &[OutPoint]) -> Asked {
        let named: String = coins.iter().map(|coin| format!(" --coin {coin}")).collect();
        let file = format!("{}.psbt", coins[0]);
        let told = self.walk.done(&format!("pay savings --to {TO}=0.1btc --feerate 5{named} -o {file}"));
        self.answered(&told, file, coins)
    }

    /// Asks for it once more.
    pub fn bump(&self, asked: &Asked, rest: &str) -> Asked {
        let nth =
            self.walk.done(&format!("payments show {}", asked.name))["attempts"].as_array().unwrap().len();
        let file = format!("{}-{}.psbt", asked.coins[0], nth + 1);
        let told = self.walk.done(&format!("bump {}{rest} -o {file}", asked.name));
        assert_eq!(told["attempt"], nth + 1);
        self.answered(&told, file, &asked.coins)
    }

    fn answered(&self, told: &Value, file: String, coins: &[OutPoint]) -> Asked {
        let name = told["payment"].as_str().unwrap().to_owned();
        let txid = told["unsigned_txid"].as_str().unwrap().parse().unwrap();
        let signed = format!("{name}-{}-signed.psbt", told["attempt"]);
        let asked = ask(&self.walk.read(&file), &[4]);
        self.walk.write(&signed, &self.vault.answer(&asked, Some(5), Some(self.vault.audit)));
        Asked { name, file, signed, txid, coins: coins.to_vec() }
    }

    /// Broadcasts a payment; returns whether it was the second time.
    pub fn submit(&self, asked: &Asked) -> bool {
        let told = self.walk.done(&format!("submit {}", asked.signed))["submitted"][0].clone();
        assert_eq!(told["txid"], asked.txid.to_string());
        told["again"].as_bool().unwrap()
    }

    /// Another spend of the payment's first coin, with a copy of the seed, at a higher fee.
    pub fn conflict(&self, asked: &Asked) -> Transaction {
        let file = self.walk.read(&asked.file);
        let spend = self.vault.spend(&file);
        let coin = Psbt::deserialize(&file).unwrap().unsigned_tx.input[0].previous_output;
        let value = spend.inputs().iter().find(|input| input.outpoint == coin).unwrap().value;
        self.vault.elsewhere(&file, 1, &[(thief(), value.to_sat() - 50_000)])
    }

    /// After a `sync`: these payments stand so, reservations follow from it, `reconcile` says this, and coins are
    /// Core's.
    pub fn check(&self, verdict: &str, expected: &[(&Asked, &str)]) {
        let listed = self.walk.done("payments")["payments"].clone();
        let confirmations = self.confirmations();
        let rows = Store::open(&self.walk.path("node")).unwrap().coins(None).unwrap();
        for (asked, state) in expected {
            let payment =
                listed.as_array().unwrap().iter().find(|payment| payment["payment"] == asked.name).unwrap();
            assert_eq!((&payment["state"], &asked.name), (&json!(state), &asked.name));
            assert_eq!(payment["txid"], asked.txid.to_string());
            assert_eq!(
                payment["confirmations"],
                confirmations.get(&asked.txid).copied().unwrap_or(0),
                "{}",
                asked.name
            );
            for coin in &asked.coins {
                let row = rows.iter().find(|row| row.outpoint == *coin).unwrap();
                let reserved = row.reserved_for.map(|number| format!("P-{number:04}"));
                let kept = Some(asked.name.clone()).filter(|_| *state != "replaced");
                assert_eq!(reserved, kept, "{state}");
            }
        }
        let told = self.walk.run("reconcile");
        assert_eq!(told.json()["verdict"], verdict, "{}", told.stdout);
        assert_eq!(told.code, if verdict == "clean" { 0 } else { 3 });
        self.check_coins();
    }

    /// The wallet's confirmed coins are those of `scantxoutset`, and the listed ones are those with the mempool on top.
    pub fn check_coins(&self) {
        let confirmed = self.scan();
        assert!(!confirmed.is_empty());
        let rows = Store::open(&self.walk.path("node")).unwrap().coins(None).unwrap();
        let ours: Coins = rows
            .into_iter()
            .filter(|row| row.height.is_some() && row.spent.is_none())
            .map(|row| (row.outpoint, (row.script, row.value)))
            .collect();
        assert_eq!(ours, confirmed);

        let mut with_mempool = confirmed;
        let txids = self.core.mempool().unwrap().unwrap();
        let mempool = self.core.mempool_transactions(&txids).unwrap();
        for transaction in &mempool {
            let txid = transaction.compute_txid();
            for (vout, output) in (0..).zip(&transaction.output) {
                if self.scripts.contains(&output.script_pubkey) {
                    let coin = (output.script_pubkey.clone(), output.value);
                    with_mempool.insert(OutPoint::new(txid, vout), coin);
                }
            }
        }
        for input in mempool.iter().flat_map(|transaction| &transaction.input) {
            with_mempool.remove(&input.previous_output);
        }
        let listed: Coins = self.walk.done("coins savings")["coins"]
            .as_array()
            .unwrap()
            .iter()
            .map(|coin| {
                let text = |name: &str| coin[name].as_str().unwrap();
                let script = ScriptBuf::from_hex(text("script_hex")).unwrap();
                let value = Amount::from_sat(coin["value_sat"].as_u64().unwrap());
                (text("outpoint").parse().unwrap(), (script, value))
            })
            .collect();
        assert_eq!(listed, with_mempool);
    }

    /// Core's own set of unspent outputs, for the wallet's descriptors.
    fn scan(&self) -> Coins {
        let wanted: Vec<_> = [Branch::External, Branch::Internal]
            .map(|branch| json!({"desc": self.vault.wallet.descriptor(branch), "range": [0, RANGE - 1]}))
            .to_vec();
        let told = self.bitcoind.cli(&["scantxoutset", "start", &json!(wanted).to_string()]);
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["bestblock"], self.core.tip().unwrap().hash.to_string());
        told["unspents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|coin| {
                let txid = coin["txid"].as_str().unwrap().parse().unwrap();
                let vout = u32::try_from(coin["vout"].as_u64().unwrap()).unwrap();
                let script = ScriptBuf::from_hex(coin["scriptPubKey"].as_str().unwrap()).unwrap();
                let value = Amount::from_btc(coin["amount"].as_f64().unwrap()).unwrap();
                (OutPoint::new(txid, vout), (script, value))
            })
            .collect()
    }

    /// Blocks from a transaction's own to the tip, as Core's latest blocks have it.
    fn confirmations(&self) -> BTreeMap<Txid, u32> {
        let mut found = BTreeMap::new();
        let mut hash = self.core.tip().unwrap().hash;
        for depth in 1..=DEEPEST {
            let block = self.core.block(hash).unwrap();
            found.extend(block.txdata.iter().map(|transaction| (transaction.compute_txid(), depth)));
            hash = block.header.prev_blockhash;
        }
        found
    }
}

fn scripts(vault: &Vault) -> BTreeSet<ScriptBuf> {
    [Branch::External, Branch::Internal]
        .into_iter()
        .flat_map(|branch| (0..RANGE).map(move |index| Keypath { branch, index }))
        .map(|place| vault.wallet.script(place).unwrap())
        .collect()
}
