//! What is proven to the gatekeeper: each header and each merkle proof is verified here, without the node's own code.

use std::cell::Cell;
use std::collections::BTreeMap;

use bitcoin::Psbt;
use bitcoin::block::Header;
use policies::codec::Canonical;
use policies::evidence::Previous;
use policies::wallet::{ScriptKind, Wallet};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::facts::{Facts, MAX_RIDING_HEADERS};
use serde_json::json;
use watch_node::Error;
use watch_node::chain::embedded::Embedded;
use watch_node::chain::{BlockSource, Relay};
use watch_node::store::Store;

use crate::Walk;
use crate::bitcoind::{Bitcoind, script};
use crate::core::{Asked, Chain};
use crate::pay::TO;
use crate::people::{Vault, permit_at, thief};

/// Transactions by txid with the heights that their proofs lead to and how many inputs are whose.
pub type Proven = BTreeMap<String, (u32, BTreeMap<String, usize>)>;

/// Believes nothing: work, links up to the tip, proofs, and whose coins they were.
pub fn verified(bytes: &[u8], wallets: &[&Wallet], source: &dyn BlockSource) -> (Facts, Proven) {
    let facts = Facts::from_bytes(bytes).unwrap();
    let mut heights = BTreeMap::new();
    let mut before: Option<&Header> = None;
    for (height, header) in (facts.from..).zip(&facts.headers) {
        header.validate_pow(header.target()).unwrap();
        if let Some(before) = before {
            assert_eq!(header.prev_blockhash, before.block_hash());
        }
        assert_eq!(source.hash_at(height).unwrap(), Some(header.block_hash()));
        heights.insert(header.block_hash(), (height, header.merkle_root));
        before = Some(header);
    }
    assert_eq!(before.unwrap().block_hash(), source.tip().unwrap().hash);
    let mut found = Proven::new();
    for proven in &facts.transactions {
        let (height, root) = heights[&proven.block];
        let (mut txids, mut positions) = (vec![], vec![]);
        assert_eq!(proven.proof.extract_matches(&mut txids, &mut positions).unwrap(), root);
        let txid = proven.transaction.compute_txid();
        assert_eq!(txids, [txid]);
        assert!(proven.transaction.input.iter().all(|input| input.witness.is_empty()));
        assert!(!proven.own.is_empty());
        let mut whose = BTreeMap::new();
        for own in &proven.own {
            let wallet = wallets.iter().find(|wallet| wallet.id() == own.wallet).unwrap();
            let coin = proven.transaction.input[own.input as usize].previous_output;
            let Previous::Output(output) = facts.previous.output(&coin) else {
                panic!("{coin} is not there")
            };
            assert_eq!(Some(&output.script_pubkey), wallet.script(own.keypath).as_ref());
            *whose.entry(own.wallet.to_string()).or_default() += 1;
        }
        assert!(found.insert(txid.to_string(), (height, whose)).is_none());
    }
    (facts, found)
}

/// Asks, signs and broadcasts; gives the transaction's id.
fn paid(walk: &Walk, vault: &Vault, wallet: &str, file: &str) -> String {
    walk.done(&format!("pay {wallet} --to {TO}=0.01btc --feerate 2 -o {file}"));
    walk.write(&format!("{file}-signed"), &vault.answer(&walk.read(file), Some(5), Some(vault.audit)));
    walk.done(&format!("submit {file}-signed"))["submitted"][0]["txid"].as_str().unwrap().to_owned()
}

fn deposit(walk: &Walk, wallet: &str, amounts: &[&str]) {
    for amount in amounts {
        let address = walk.done(&format!("address {wallet}"))["address"].as_str().unwrap().to_owned();
        walk.done(&format!("regtest fund {address} {amount}"));
    }
    walk.done("regtest mine 1");
    walk.done("sync");
}

#[test]
fn every_spend_of_every_wallet_is_proven_and_nothing_else() {
    let (first, second) = (Vault::new(ScriptKind::Wpkh, 8), Vault::new(ScriptKind::Tr, 9));
    let walk = Walk::funded(&first);
    walk.write("second.json", second.export().to_string().as_bytes());
    walk.done("wallet import treasury --file second.json");
    walk.done("sync");
    deposit(&walk, "treasury", &["0.3btc", "0.4btc"]);
    deposit(&walk, "savings", &["0.3btc", "0.4btc", "0.5btc"]);
    let mut expected = Vec::new();
    expected.push(paid(&walk, &first, "savings", "1.psbt"));
    walk.done("regtest mine 3");
    walk.done("sync");
    // Several in one block, one of both kinds of wallets, one with two inputs, and a deposit.
    for (vault, wallet, file) in
        [(&first, "savings", "2.psbt"), (&second, "treasury", "3.psbt"), (&first, "savings", "4.psbt")]
    {
        expected.push(paid(&walk, vault, wallet, file));
    }
    walk.done("pay savings --to self --feerate 2 -o 5.psbt");
    walk.write("5-signed", &first.answer(&walk.read("5.psbt"), Some(5), Some(8)));
    let both = walk.done("submit 5-signed")["submitted"][0]["txid"].as_str().unwrap().to_owned();
    expected.push(both.clone());
    deposit(&walk, "savings", &["0.6btc"]);
    // One with a copy of the seed is proven as well; one that is not confirmed is not.
    walk.done(&format!("pay savings --to {TO}=0.59btc --feerate 2 -o a.psbt"));
    let stolen = first.elsewhere(&walk.read("a.psbt"), 1, &[(thief(), 10_000)]);
    Embedded::open(&walk.path("node")).unwrap().submit(&stolen).unwrap();
    expected.push(stolen.compute_txid().to_string());
    walk.done("regtest mine 2");
    walk.done("sync");
    paid(&walk, &second, "treasury", "6.psbt");
    walk.done("sync");

    let told = walk.done("facts --from 0 -o facts");
    let source = Embedded::open(&walk.path("node")).unwrap();
    let tip = source.tip().unwrap().height;
    let wallets = [&first.wallet, &second.wallet];
    let (facts, found) = verified(&walk.read("facts"), &wallets, &source);
    assert_eq!(
        told,
        json!({
            "out": "facts", "network": "regtest", "from": 0, "height": tip, "headers": tip + 1, "transactions": 6,
        })
    );
    assert_eq!((facts.from, facts.network), (0, bitcoin::Network::Regtest));
    expected.sort();
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(found[&both].1[&first.wallet.id().to_string()] > 1);
    let of_second = found.values().filter(|(_, whose)| whose.contains_key(&second.wallet.id().to_string()));
    assert_eq!(of_second.count(), 1);
    let together = found[&both].0;
    assert_eq!(found.values().filter(|(height, _)| *height == together).count(), 4, "in one block");
    drop(source);

    // From a height on: what is older is left out.
    walk.done(&format!("facts --from {together} -o later"));
    let source = Embedded::open(&walk.path("node")).unwrap();
    let (later, found) = verified(&walk.read("later"), &wallets, &source);
    assert_eq!((later.from, later.headers.len(), found.len()), (together, (tip - together + 1) as usize, 5));
    drop(source);
    walk.refused(&format!("facts --from {} -o above", tip + 1), 2, "usage");
    walk.refused("facts -o facts", 3, "exists");
    walk.done("regtest mine 1");
    walk.refused("facts -o stale", 5, "stale");
    assert!(!walk.path("above").exists() && !walk.path("stale").exists());
}

#[test]
fn facts_begin_shortly_before_where_the_gatekeeper_stood_at_its_latest_permit() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    assert_eq!(walk.done("facts -o none")["from"], 0, "no permit: a gatekeeper without a checkpoint");
    walk.done(&format!("pay savings --to {TO}=0.1btc --feerate 2 -o a.psbt"));
    walk.done("regtest mine 60");
    walk.done("sync");
    let median = |height: u32| {
        let source = Embedded::open(&walk.path("node")).unwrap();
        let span = height.saturating_sub(10)..=height;
        let mut times: Vec<_> =
            span.map(|at| source.header(source.hash_at(at).unwrap().unwrap()).unwrap().time).collect();
        times.sort_unstable();
        u64::from(times[times.len() / 2])
    };
    let spend = vault.spend(&walk.read("a.psbt"));
    let mut psbt = Psbt::deserialize(&walk.read("a.psbt")).unwrap();
    psbt_tools::manifest::remove(&mut psbt);
    for stood in [40, 90, 130] {
        let mut envelope = Envelope::read(&psbt).unwrap();
        envelope.insert(Kind::Permit, permit_at(median(stood), 5, &spend, 8).to_bytes()).unwrap();
        envelope.write(&mut psbt);
        walk.write("permitted.psbt", &psbt.serialize());
        walk.done("reconcile --permits permitted.psbt");
        // Times may repeat, and then the gatekeeper may have stood at the first of them.
        let first = (0..=stood).find(|height| median(*height) == median(stood)).unwrap();
        let from = walk.done(&format!("facts -o {stood}"))["from"].clone();
        assert_eq!(from, first - 12, "{stood}");
    }
    // A time that this branch has not reached yet.
    let mut envelope = Envelope::read(&psbt).unwrap();
    envelope.insert(Kind::Permit, permit_at(u64::from(u32::MAX), 5, &spend, 8).to_bytes()).unwrap();
    envelope.write(&mut psbt);
    walk.write("permitted.psbt", &psbt.serialize());
    walk.done("reconcile --permits permitted.psbt");
    let told = walk.done("facts -o future");
    assert_eq!(told["headers"], 12, "{told}");
}

fn riding(file: &[u8]) -> Vec<Vec<u8>> {
    let envelope = Envelope::read(&Psbt::deserialize(file).unwrap()).unwrap();
    envelope.get(Kind::Facts).map(<[u8]>::to_vec).collect()
}

#[test]
fn a_governed_payment_carries_facts_and_a_standalone_one_does_not() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    let first = paid(&walk, &vault, "savings", "1.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    let told = walk.done(&format!("pay savings --to {TO}=0.1btc --feerate 2 -o 2.psbt"));
    let [bytes]: [_; 1] = riding(&walk.read("2.psbt")).try_into().unwrap();
    let source = Embedded::open(&walk.path("node")).unwrap();
    let (facts, found) = verified(&bytes, &[&vault.wallet], &source);
    drop(source);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&first]);
    assert_eq!(
        told["facts"],
        json!({"from": 0, "headers": facts.headers.len(), "transactions": 1, "bytes": bytes.len()})
    );
    assert_eq!(told["facts_left_out"], json!(null));
    walk.done("payments export P-0002 -o again.psbt");
    assert_eq!(walk.read("2.psbt"), walk.read("again.psbt"));

    let plain = Vault::new(ScriptKind::Tr, 9);
    walk.write("plain.json", plain.export_obeying(None).to_string().as_bytes());
    walk.done("wallet import plain --file plain.json");
    walk.done("sync");
    deposit(&walk, "plain", &["0.3btc"]);
    let told = walk.done(&format!("pay plain --to {TO}=0.1btc --feerate 2 -o 3.psbt"));
    assert_eq!((&told["facts"], &told["facts_left_out"]), (&json!(null), &json!(null)));
    assert!(riding(&walk.read("3.psbt")).is_empty());
}

#[test]
fn facts_that_are_too_many_or_not_complete_are_left_out_and_the_payment_is_made() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::funded(&vault);
    walk.fund("0.3btc");
    walk.fund("0.4btc");
    walk.done("regtest mine 1");
    let pay = |file: &str| format!("pay savings --to {TO}=0.1btc --feerate 2 -o {file}");
    let said = walk.run(&pay("stale.psbt"));
    assert_eq!((said.code, &said.json()["facts"]), (0, &json!(null)));
    assert!(
        said.stderr.contains("note: the file carries no facts: the scan stands at height"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("`watch-node facts -o F`"), "{}", said.stderr);
    assert!(riding(&walk.read("stale.psbt")).is_empty());

    let most = u32::try_from(MAX_RIDING_HEADERS).unwrap();
    let tip = Embedded::open(&walk.path("node")).unwrap().tip().unwrap().height;
    walk.done(&format!("regtest mine {}", most - 1 - tip));
    walk.done("sync");
    assert_eq!(walk.done(&pay("all.psbt"))["facts"]["headers"], most);
    assert!(walk.read("all.psbt").len() < 200_000, "{}", walk.read("all.psbt").len());
    walk.done("regtest mine 1");
    walk.done("sync");
    let told = walk.done(&pay("long.psbt"));
    assert_eq!(told["facts"], json!(null));
    assert_eq!(told["facts_left_out"], "2017 headers would be needed, at most 2016 go into the document");
    assert_eq!(walk.done("facts -o facts")["headers"], most + 1, "the whole of it still goes by itself");

    // The document has a limit too.
    let store = Store::open(&walk.path("node")).unwrap();
    let source = Embedded::open(&walk.path("node")).unwrap();
    let refused = watch_node::facts::facts(&store, &source, 7, 2_009).unwrap_err();
    assert!(matches!(refused, Error::TooManyFacts { what: "headers", needed: 2_010, limit: 2_009 }));
    assert_eq!((refused.exit_code(), refused.code().as_ref()), (3, "too-many-facts"));
    assert!(refused.hint().contains("--from HEIGHT"));
    assert_eq!(watch_node::facts::facts(&store, &source, 7, 2_010).unwrap().headers.len(), 2_010);
}

#[test]
fn a_wallet_scanned_from_its_birthday_has_older_headers_from_the_source() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::empty();
    walk.done("regtest mine 120");
    walk.write("savings.json", vault.export().to_string().as_bytes());
    walk.done("wallet import savings --file savings.json --birthday 100");
    walk.refused("facts -o facts", 5, "stale");
    walk.done("sync");
    deposit(&walk, "savings", &["1btc"]);
    let spent = paid(&walk, &vault, "savings", "1.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.done("status")["scanned_from"], 100);
    for from in [0, 99, 100, 101] {
        walk.done(&format!("facts --from {from} -o {from}"));
        let source = Embedded::open(&walk.path("node")).unwrap();
        let (facts, found) = verified(&walk.read(&from.to_string()), &[&vault.wallet], &source);
        assert_eq!((facts.from, found.keys().collect::<Vec<_>>()), (from, vec![&spent]));
    }
}

#[test]
fn facts_follow_the_branch_that_bitcoin_core_follows() {
    let Some(bitcoind) = Bitcoind::start() else { return };
    bitcoind.mine(105, &script());
    let reward = Cell::new(1);
    let chain = Chain::new(&bitcoind, &reward, Vault::new(ScriptKind::Tr, 8));
    let coins = chain.deposit(4);
    chain.mine(1);
    chain.sync();
    let (first, second) = (chain.pay(&coins[..2]), chain.pay(&coins[2..]));
    chain.submit(&first);
    chain.mine(3);
    chain.submit(&second);
    chain.mine(2);
    let proven = |file: &str| {
        chain.sync();
        chain.walk.done(&format!("facts -o {file}"));
        let (facts, found) = verified(&chain.walk.read(file), &[&chain.vault.wallet], &chain.core);
        assert_eq!(facts.headers.len(), chain.tip() as usize + 1);
        let counted = found
            .into_iter()
            .map(|(txid, (height, whose))| (txid, (height, whose.into_values().sum::<usize>())));
        counted.collect::<BTreeMap<_, _>>()
    };
    let at = |list: &[(&Asked, u32)]| -> BTreeMap<String, (u32, usize)> {
        list.iter().map(|(asked, height)| (asked.txid.to_string(), (*height, 2))).collect()
    };
    let top = chain.tip();
    assert_eq!(proven("a"), at(&[(&first, top - 4), (&second, top - 1)]));
    // Another branch without the second one, then one with both in one block.
    chain.cut(2);
    for _ in 0..3 {
        chain.mine_only(&[]);
    }
    assert_eq!(proven("b"), at(&[(&first, top - 4)]));
    chain.mine(1);
    assert_eq!(proven("c"), at(&[(&first, top - 4), (&second, top + 2)]));
    let sent = chain.core.block(chain.core.hash_at(top + 2).unwrap().unwrap()).unwrap();
    let sent_first = chain.core.block(chain.core.hash_at(top - 4).unwrap().unwrap()).unwrap();
    chain.cut(7);
    chain.mine_only(&[sent_first.txdata[1].clone(), sent.txdata[1].clone()]);
    for _ in 0..7 {
        chain.mine_only(&[]);
    }
    assert_eq!(proven("d"), at(&[(&first, top - 4), (&second, top - 4)]));
}
