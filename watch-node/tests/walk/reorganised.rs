//! Blocks vanish, payments are evicted, mined again and spent twice: states, verdicts and coins stay right.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::Transaction;
use policies::wallet::ScriptKind;
use serde_json::json;
use watch_node::chain::{BlockSource, Relay};

use crate::bitcoind::{Bitcoind, script};
use crate::core::{Asked, Chain};
use crate::people::Vault;

/// Bitcoin Core returns the transactions of so many undone blocks to its mempool (`validation.cpp`, `InvalidateBlock`).
const RETURNED: u32 = 10;

/// Confirmations after which a payment counts as settled.
const SETTLED: u32 = 6;

const KINDS: [ScriptKind; 2] = [ScriptKind::Wpkh, ScriptKind::Tr];

fn blocks(count: u32) -> usize {
    usize::try_from(count).unwrap()
}

/// How many blocks vanish.
const DEPTHS: std::ops::RangeInclusive<u32> = 1..=20;

fn started() -> Option<(Bitcoind, Cell<u32>)> {
    let bitcoind = Bitcoind::start()?;
    bitcoind.mine(145, &script());
    Some((bitcoind, Cell::new(1)))
}

/// A payment in each state, the confirmed and, from six blocks on, the settled one within the last `depth` blocks.
struct Each {
    settled: Asked,
    confirmed: Asked,
    exported: Asked,
    broadcast: Asked,
}

impl Each {
    fn new(chain: &Chain<'_>, depth: u32) -> Self {
        let coins = chain.deposit(8);
        chain.mine(1);
        chain.sync();
        let settled = chain.pay(&coins[0..2]);
        let confirmed = chain.pay(&coins[2..4]);
        for left in (1..=depth.max(SETTLED)).rev() {
            if left == depth.max(SETTLED) {
                chain.submit(&settled);
            }
            if left == depth.min(SETTLED - 1) {
                chain.submit(&confirmed);
            }
            if left == 1 {
                // A deposit that will be unconfirmed again, and a reward that will never have been.
                chain.deposit(1);
                chain.mine_for_wallet();
            } else {
                chain.mine(1);
            }
        }
        chain.sync();
        let exported = chain.pay(&coins[4..6]);
        let broadcast = chain.pay(&coins[6..8]);
        chain.submit(&broadcast);
        Self { settled, confirmed, exported, broadcast }
    }

    fn stand<'a>(&'a self, states: [&'a str; 4]) -> [(&'a Asked, &'a str); 4] {
        let [settled, confirmed, exported, broadcast] = states;
        [
            (&self.settled, settled),
            (&self.confirmed, confirmed),
            (&self.exported, exported),
            (&self.broadcast, broadcast),
        ]
    }
}

#[test]
fn a_reorganisation_of_any_depth_is_followed_in_each_payment_state() {
    let Some((bitcoind, reward)) = started() else { return };
    let chains = KINDS.map(|kind| Chain::new(&bitcoind, &reward, Vault::new(kind, 8)));
    for (depth, chain) in DEPTHS.zip(chains.iter().cycle()) {
        eprintln!("{} blocks vanish below {}", depth, chain.tip());
        let each = Each::new(chain, depth);
        // Not synced since it was broadcast; the settled payment is not within a shallow reorganisation.
        let listed = chain.walk.done("payments")["payments"].as_array().unwrap().clone();
        let states: Vec<_> = listed.iter().rev().take(4).rev().map(|payment| &payment["state"]).collect();
        assert_eq!(states, ["settled", "confirmed", "exported", "broadcast"]);
        let is_undone = depth >= SETTLED;

        // A source that is merely behind on the same chain undoes nothing.
        chain.sync();
        chain.check("clean", &each.stand(["settled", "confirmed", "exported", "seen"]));
        chain.cut(depth);
        assert_eq!(chain.sync().disconnected, 0);
        assert_eq!(chain.walk.done("reconcile")["verdict"], "clean");

        // Another branch without any of it. What Core does not take back into its mempool is still ours.
        for _ in 0..=depth {
            chain.mine_only(&[]);
        }
        assert_eq!(chain.sync().disconnected, blocks(depth));
        let is_returned = depth <= RETURNED;
        let settled = match (is_undone, is_returned) {
            (false, _) => "settled",
            (true, true) => "seen",
            (true, false) => "broadcast",
        };
        chain.check("clean", &each.stand([settled, "seen", "exported", "seen"]));
        if is_undone {
            assert!(chain.submit(&each.settled), "the same bytes again");
            chain.sync();
            chain.check("clean", &each.stand(["seen", "seen", "exported", "seen"]));
        }

        // Mined again, in another block.
        chain.mine(1);
        chain.sync();
        let settled = if is_undone { "confirmed" } else { "settled" };
        chain.check("clean", &each.stand([settled, "confirmed", "exported", "confirmed"]));
        chain.mine(SETTLED - 1);
        chain.sync();
        chain.check("clean", &each.stand(["settled", "settled", "exported", "settled"]));
    }
}

#[test]
fn a_confirmed_double_spend_replaces_a_payment_in_each_state_until_it_is_undone() {
    let Some((bitcoind, reward)) = started() else { return };
    for (depth, kind) in DEPTHS.zip(KINDS.into_iter().cycle()) {
        // What was stolen once stays told, so each round has its own node and wallet.
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 100 + u8::try_from(depth).unwrap()));
        let each = Each::new(&chain, depth);
        chain.sync();
        let is_undone = depth >= SETTLED;
        chain.check("clean", &each.stand(["settled", "confirmed", "exported", "seen"]));

        let mut spent_twice = vec![&each.confirmed, &each.exported, &each.broadcast];
        if is_undone {
            spent_twice.push(&each.settled);
        }
        let conflicts: Vec<Transaction> = spent_twice.iter().map(|asked| chain.conflict(asked)).collect();
        let old = chain.cut(depth);
        chain.mine_only(&conflicts);
        for _ in 0..depth {
            chain.mine_only(&[]);
        }
        assert_eq!(chain.sync().disconnected, blocks(depth));
        let settled = if is_undone { "replaced" } else { "settled" };
        chain.check("unauthorised", &each.stand([settled, "replaced", "replaced", "replaced"]));
        let listed = chain.walk.done("payments")["payments"].clone();
        let told = chain.walk.run("reconcile").json();
        for (asked, conflict) in spent_twice.iter().zip(&conflicts) {
            let txid = json!(conflict.compute_txid().to_string());
            let find = |list: &serde_json::Value, key: &str, value: &serde_json::Value| {
                list.as_array().unwrap().iter().find(|one| one[key] == *value).unwrap().clone()
            };
            assert_eq!(find(&listed, "payment", &json!(asked.name))["replaced_by"], txid);
            let spend = find(&told["spends"], "txid", &txid);
            assert_eq!((&spend["verdict"], &spend["payment"]), (&json!("unauthorised"), &json!(null)));
        }
        // What the chain knew of our own spends stays authorised beside it.
        let authorised = |spend: &&serde_json::Value| spend["verdict"] == "authorised";
        assert_eq!(told["spends"].as_array().unwrap().iter().filter(authorised).count(), 3);

        // The first branch comes back: what was replaced is reserved again, and nothing that was stolen is forgotten.
        chain.cut(depth + 1);
        bitcoind.cli(&["reconsiderblock", &old]);
        assert_eq!(chain.sync().disconnected, blocks(depth + 1));
        chain.check("unauthorised", &each.stand(["settled", "confirmed", "exported", "broadcast"]));

        // The payment that Core dropped is sent again where its double spend did not return, else that is mined.
        let is_returned = depth < RETURNED;
        if !is_returned {
            assert!(chain.submit(&each.broadcast));
        }
        chain.mine(1);
        chain.sync();
        let (exported, broadcast) =
            if is_returned { ("replaced", "replaced") } else { ("exported", "confirmed") };
        let confirmed = if depth.min(SETTLED - 1) + 1 >= SETTLED { "settled" } else { "confirmed" };
        chain.check("unauthorised", &each.stand(["settled", confirmed, exported, broadcast]));
    }
}

#[test]
fn a_payment_evicted_or_outbid_in_the_mempool_stays_reserved_and_is_sent_again() {
    let Some((bitcoind, reward)) = started() else { return };
    for kind in KINDS {
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 8));
        let coins = chain.deposit(3);
        chain.mine(1);
        chain.sync();
        let asked = chain.pay(&coins[0..2]);
        chain.submit(&asked);
        chain.sync();
        chain.check("clean", &[(&asked, "seen")]);
        let sent = chain.core.mempool_transactions(&[asked.txid]).unwrap();

        // Bitcoin Core drops what has waited too long as soon as it takes something new.
        let later = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2 * 3_600;
        bitcoind.cli(&["setmocktime", &later.to_string()]);
        chain.deposit(1);
        bitcoind.cli(&["setmocktime", "0"]);
        assert!(!chain.core.mempool().unwrap().unwrap().contains(&asked.txid));
        chain.sync();
        chain.check("clean", &[(&asked, "broadcast")]);
        let line =
            format!("pay savings --to {}=0.1btc --feerate 5 --coin {} -o b.psbt", crate::pay::TO, coins[0]);
        chain.walk.refused(&line, 3, "coin-unavailable");
        assert!(chain.submit(&asked));
        chain.sync();
        chain.check("clean", &[(&asked, "seen")]);
        assert_eq!(chain.core.mempool_transactions(&[asked.txid]).unwrap(), sent, "the same bytes");

        // Outbid, which is told at once, but nothing is lost before it confirms; and here it never does.
        let conflict = chain.conflict(&asked);
        chain.core.submit(&conflict).unwrap();
        assert!(!chain.core.mempool().unwrap().unwrap().contains(&asked.txid));
        chain.sync();
        chain.check("unauthorised", &[(&asked, "broadcast")]);
        chain.mine_only(&sent);
        chain.sync();
        chain.check("unauthorised", &[(&asked, "confirmed")]);

        // One block later it is the other way round, and once more, and again.
        for (depth, mined, state) in
            [(1, &conflict, "replaced"), (2, &sent[0], "confirmed"), (2, &conflict, "replaced")]
        {
            chain.cut(depth);
            chain.mine_only(std::slice::from_ref(mined));
            chain.mine_only(&[]);
            assert_eq!(chain.sync().disconnected, blocks(depth));
            chain.check("unauthorised", &[(&asked, state)]);
        }
    }
}
