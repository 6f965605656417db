//! Attempts of one payment on Bitcoin Core: replaced in its mempool, evicted, mined, undone and exchanged.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::{Psbt, Transaction};
use policies::wallet::ScriptKind;
use serde_json::Value;
use watch_node::chain::BlockSource;

use crate::bitcoind::{Bitcoind, script};
use crate::core::{Asked, Chain};
use crate::people::Vault;

const KINDS: [ScriptKind; 2] = [ScriptKind::Wpkh, ScriptKind::Tr];

fn started() -> Option<(Bitcoind, Cell<u32>)> {
    let bitcoind = Bitcoind::start()?;
    bitcoind.mine(125, &script());
    Some((bitcoind, Cell::new(1)))
}

fn attempts(chain: &Chain<'_>, asked: &Asked) -> Vec<Value> {
    chain.walk.done(&format!("payments show {}", asked.name))["attempts"].as_array().unwrap().clone()
}

fn states(chain: &Chain<'_>, asked: &Asked) -> Vec<String> {
    let listed = attempts(chain, asked);
    listed.iter().map(|attempt| attempt["state"].as_str().unwrap().to_owned()).collect()
}

/// The transaction as the vault signed it.
fn signed(chain: &Chain<'_>, asked: &Asked) -> Transaction {
    let mut psbt = Psbt::deserialize(&chain.walk.read(&asked.signed)).unwrap();
    psbt_tools::finalize::finalize(&mut psbt).unwrap();
    psbt.extract_tx_unchecked_fee_rate()
}

fn waiting(chain: &Chain<'_>) -> Vec<bitcoin::Txid> {
    chain.core.mempool().unwrap().unwrap()
}

#[test]
fn each_attempt_takes_the_place_of_the_one_before_and_the_last_is_mined() {
    let Some((bitcoind, reward)) = started() else { return };
    for kind in KINDS {
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 8));
        let coins = chain.deposit(3);
        chain.mine(1);
        chain.sync();
        let first = chain.pay(&coins[0..2]);
        chain.submit(&first);
        chain.sync();
        // The least that replaces, by itself: Core knows no feerate here.
        let second = chain.bump(&first, "");
        chain.check("clean", &[(&first, "seen")]);
        assert!(!chain.submit(&second));
        assert_eq!(waiting(&chain), [second.txid], "Core really replaces it");
        chain.sync();
        chain.check("clean", &[(&second, "seen")]);
        let back = chain.bump(&second, " --to-self --feerate 9");
        chain.submit(&back);
        assert_eq!(waiting(&chain), [back.txid]);
        chain.sync();
        chain.check("clean", &[(&back, "seen")]);
        assert_eq!(states(&chain, &first), ["broadcast", "broadcast", "seen"]);

        // Identical bytes of the right attempt are no error; those of another one pay too little.
        assert!(chain.submit(&back));
        chain.walk.refused(&format!("submit {}", second.signed), 3, "transaction-refused");
        chain.mine(1);
        chain.sync();
        chain.check("clean", &[(&back, "confirmed")]);
        assert_eq!(states(&chain, &first), ["replaced", "replaced", "confirmed"]);
        assert!(chain.submit(&back), "in a block as well");
        chain.walk.refused(&format!("submit {}", first.signed), 3, "transaction-refused");
        chain.walk.refused(&format!("bump {} -o x.psbt", first.name), 3, "not-replaceable");
        chain.mine(5);
        chain.sync();
        chain.check("clean", &[(&back, "settled")]);
    }
}

#[test]
fn a_payment_that_was_evicted_is_tried_again_and_either_attempt_may_win() {
    let Some((bitcoind, reward)) = started() else { return };
    for (round, kind) in KINDS.into_iter().cycle().take(4).enumerate() {
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 10 + u8::try_from(round).unwrap()));
        let coins = chain.deposit(3);
        chain.mine(1);
        chain.sync();
        let first = chain.pay(&coins[0..2]);
        chain.submit(&first);
        chain.sync();
        // Bitcoin Core drops what has waited too long as soon as it takes something new.
        let later = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2 * 3_600;
        bitcoind.cli(&["setmocktime", &later.to_string()]);
        chain.deposit(1);
        bitcoind.cli(&["setmocktime", "0"]);
        assert!(!waiting(&chain).contains(&first.txid));
        chain.sync();
        chain.check("clean", &[(&first, "broadcast")]);
        let second = chain.bump(&first, " --feerate 12");
        if round < 2 {
            // Sent again, then replaced.
            assert!(chain.submit(&first));
        }
        chain.submit(&second);
        assert!(waiting(&chain).contains(&second.txid) && !waiting(&chain).contains(&first.txid));
        chain.sync();
        chain.check("clean", &[(&second, "seen")]);
        // A miner had kept the first.
        let winner = if round % 2 == 0 { &first } else { &second };
        chain.mine_only(&[signed(&chain, winner)]);
        chain.sync();
        chain.check("clean", &[(winner, "confirmed")]);
        assert_eq!(states(&chain, &first).iter().filter(|state| *state == "replaced").count(), 1);
    }
}

#[test]
fn a_reorganisation_exchanges_the_attempts_and_a_thief_is_told_from_both() {
    let Some((bitcoind, reward)) = started() else { return };
    for kind in KINDS {
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 8));
        let coins = chain.deposit(4);
        chain.mine(1);
        chain.sync();
        let first = chain.pay(&coins[0..2]);
        chain.submit(&first);
        chain.sync();
        let second = chain.bump(&first, " --feerate 15");
        let third = chain.bump(&first, " --to-self --feerate 40");
        chain.submit(&second);
        // The third is never sent from here, but its papers are known: whoever has the file may broadcast it.
        chain.walk.done(&format!("reconcile --permits {}", third.signed));
        chain.mine(1);
        chain.sync();
        chain.check("clean", &[(&second, "confirmed")]);
        let attempts = [&first, &second, &third];
        let conflict = chain.conflict(&first);
        for (depth, winner) in [(1, 0), (2, 1), (2, 0), (2, 2), (2, 1), (2, 2)] {
            chain.cut(depth);
            chain.mine_only(&[signed(&chain, attempts[winner])]);
            chain.mine_only(&[]);
            assert_eq!(chain.sync().disconnected, usize::try_from(depth).unwrap());
            chain.check("clean", &[(attempts[winner], "confirmed")]);
            let won = attempts[winner].txid.to_string();
            for (nth, attempt) in self::attempts(&chain, &first).iter().enumerate() {
                let state = if nth == winner { "confirmed" } else { "replaced" };
                assert_eq!(attempt["state"], state, "{nth}");
                assert_eq!(attempt["replaced_by"].as_str(), Some(won.as_str()).filter(|_| nth != winner));
            }
        }
        chain.cut(2);
        chain.mine_only(std::slice::from_ref(&conflict));
        chain.mine_only(&[]);
        chain.sync();
        let listed = chain.walk.done("payments")["payments"].clone();
        assert_eq!(listed[0]["state"], "replaced");
        let told = chain.walk.run("reconcile");
        assert_eq!((told.code, told.error().as_str()), (3, "unauthorised"));
        let stolen = conflict.compute_txid().to_string();
        let spends = told.json()["spends"].as_array().unwrap().clone();
        for spend in &spends {
            assert_eq!(spend["verdict"] == "unauthorised", spend["txid"] == stolen, "{spend}");
        }
        chain.check_coins();
        assert_eq!(states(&chain, &first), ["replaced", "replaced", "replaced"]);
        chain.walk.refused(&format!("bump {} -o x.psbt", first.name), 3, "not-replaceable");
    }
}

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

#[test]
fn in_any_order_of_events_at_most_one_attempt_is_confirmed_and_coins_are_those_of_the_scan() {
    let Some((bitcoind, reward)) = started() else { return };
    for (seed, kind) in [(1, ScriptKind::Wpkh), (2, ScriptKind::Tr), (3, ScriptKind::Wpkh)] {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed << 40));
        let chain = Chain::new(&bitcoind, &reward, Vault::new(kind, 40 + u8::try_from(seed).unwrap()));
        let coins = chain.deposit(4);
        chain.mine(1);
        chain.sync();
        let base = chain.tip();
        let mut asked = vec![chain.pay(&coins[0..2])];
        asked.push(chain.bump(&asked[0], " --feerate 11"));
        let mut log = vec![];
        let mut winners = std::collections::BTreeSet::new();
        for _ in 0..30 {
            let any = dice.below(asked.len());
            match dice.below(6) {
                0 => {
                    let to_self = if dice.below(5) == 0 { " --to-self" } else { "" };
                    let state = chain.walk.state();
                    if ["confirmed", "settled"].contains(&state.as_str()) {
                        let line = format!("bump {}{to_self} -o x.psbt", asked[0].name);
                        chain.walk.refused(&line, 3, "not-replaceable");
                    } else if asked.len() < 7 {
                        asked.push(chain.bump(&asked[0], to_self));
                        log.push(format!("bump{to_self}"));
                    }
                }
                1 | 2 => {
                    let answer = chain.walk.run(&format!("submit {}", asked[any].signed));
                    assert!(answer.code == 0 || answer.error() == "transaction-refused", "{}", answer.stderr);
                    log.push(format!("submit {any}: {}", answer.code));
                }
                3 => {
                    chain.mine(1);
                    log.push("mine".to_owned());
                }
                _ => {
                    let room = chain.tip() - base;
                    // Often everything goes since the first payment, so that another attempt may be mined.
                    let depth = if dice.below(2) == 0 { room } else { room.min(2) };
                    if depth > 0 {
                        chain.cut(depth);
                    }
                    // What is in the rest of the chain excludes the others.
                    let is_kept = (base + 1..=chain.tip()).any(|height| {
                        let block = chain.core.block(chain.core.hash_at(height).unwrap().unwrap()).unwrap();
                        let mut txids = block.txdata.iter().map(Transaction::compute_txid);
                        txids.any(|txid| asked.iter().any(|attempt| attempt.txid == txid))
                    });
                    let mined = if is_kept { vec![] } else { vec![signed(&chain, &asked[any])] };
                    chain.mine_only(&mined);
                    (0..depth).for_each(|_| chain.mine_only(&[]));
                    log.push(format!("cut {depth}, {} of {any}", mined.len()));
                }
            }
            chain.sync();
            let states = states(&chain, &asked[0]);
            let confirmed: Vec<_> = (1..)
                .zip(&states)
                .filter(|(_, state)| ["confirmed", "settled"].contains(&state.as_str()))
                .map(|(nth, _)| nth)
                .collect::<Vec<u32>>();
            assert!(confirmed.len() <= 1, "{states:?} after {log:?}");
            if let [winner] = confirmed[..] {
                winners.insert(winner);
                let lost = states.iter().filter(|state| *state == "replaced").count();
                assert_eq!(lost + 1, states.len(), "{states:?} after {log:?}");
            }
            chain.check_coins();
            let told = chain.walk.run("reconcile");
            // Mined before its file came back here, it lacks its papers; it is never clean then.
            let seen = told.json()["spends"].as_array().unwrap().clone();
            let is_bare = |spend: &Value| spend["permit"] == "missing" && spend["receipt"] == "missing";
            assert_eq!(told.code, if seen.iter().any(is_bare) { 3 } else { 0 }, "{} {log:?}", told.stdout);
        }
        eprintln!("seed {seed}: {} attempts, confirmed at some time {winners:?}, {log:?}", asked.len());
        assert!(winners.len() > 1, "the walk exchanges attempts");
    }
}
