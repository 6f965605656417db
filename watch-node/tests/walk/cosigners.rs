//! Wallets of several keys: who has signed, who is missing, and by which path it goes out.

use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Network, Psbt, Sequence};
use serde_json::{Value, json};

use crate::Walk;
use crate::pay::TO;

/// The account of a cosigner (BIP48).
const ACCOUNT: &str = "48h/1h/0h/2h";

fn master(n: u8) -> Xpriv {
    Xpriv::new_master(Network::Regtest, &[n; 32]).unwrap()
}

fn key(n: u8) -> String {
    let secp = Secp256k1::new();
    let path: DerivationPath = ACCOUNT.parse().unwrap();
    let account = Xpub::from_priv(&secp, &master(n).derive_priv(&secp, &path).unwrap());
    format!("[{}/{ACCOUNT}]{account}/<0;1>/*", master(n).fingerprint(&secp))
}

/// A node that watches a wallet of the keys 1, 2 and 3, with so many coins of 0.1 BTC.
pub fn funded(template: &str, coins: usize) -> Walk {
    let walk = Walk::empty();
    let descriptor = template.replace("K1", &key(1)).replace("K2", &key(2)).replace("K3", &key(3));
    walk.done(&format!("wallet import savings --descriptor {descriptor}"));
    walk.done("regtest mine 101");
    for _ in 0..coins {
        walk.fund("0.1btc");
    }
    walk
}

/// Only these inputs signed by a key.
pub fn sign(walk: &Walk, n: u8, from: &str, to: &str, inputs: impl Fn(usize) -> bool) {
    let before = Psbt::deserialize(&walk.read(from)).unwrap();
    let mut psbt = before.clone();
    psbt.sign(&master(n), &Secp256k1::new()).unwrap();
    for (at, input) in psbt.inputs.iter_mut().enumerate().filter(|(at, _)| !inputs(*at)) {
        *input = before.inputs[at].clone();
    }
    walk.write(to, &psbt.serialize());
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect()
}

/// The wallet's name of a key: its number and fingerprint.
fn name(n: u8) -> String {
    format!("key {n} {}", fingerprint(n))
}

/// How that name ends, whatever the number.
pub fn fingerprint(n: u8) -> String {
    format!("({})", master(n).fingerprint(&Secp256k1::new()))
}

#[test]
fn any_two_of_three_sign_in_any_order_and_it_is_said_who_is_missing() {
    for (first, second, in_turn) in [(1, 2, false), (3, 1, true), (2, 3, false)] {
        let walk = funded("wsh(sortedmulti(2,K1,K2,K3))", 1);
        walk.done(&format!("pay savings --to {TO}=0.04btc --feerate 5 -o a.psbt"));
        let payment = walk.done("payments show 1");
        assert_eq!(names(&payment["cosigning"]["missing"]), [name(1), name(2), name(3)]);
        sign(&walk, first, "a.psbt", "first.psbt", |_| true);
        walk.refused("submit first.psbt", 4, "signatures-missing");
        // The same again adds nothing.
        walk.refused("submit first.psbt first.psbt", 4, "signatures-missing");
        let text = walk.text("payments");
        assert!(text.contains(&format!("signed   {}\n", name(first))), "{text}");
        let others: Vec<_> = [1, 2, 3].into_iter().filter(|n| *n != first).map(name).collect();
        assert!(text.contains(&format!("missing  1 of {}, for path 1", others.join(", "))), "{text}");
        let cosigning = walk.done("payments show 1")["cosigning"].clone();
        assert_eq!(
            (names(&cosigning["signed"]), names(&cosigning["missing"])),
            (vec![&*name(first)], others.iter().map(String::as_str).collect())
        );
        assert_eq!(cosigning["paths"][0]["needed"], 1);

        let before = if in_turn {
            walk.done("payments export 1 --with-signatures -o next.psbt");
            "next.psbt"
        } else {
            "a.psbt"
        };
        sign(&walk, second, before, "second.psbt", |_| true);
        walk.done("submit second.psbt");
        walk.done("regtest mine 1");
        walk.done("sync");
        assert_eq!(walk.state(), "confirmed");
        assert_eq!(walk.done("reconcile")["verdict"], "clean");
    }
}

#[test]
fn a_path_that_is_closed_says_when_it_opens_and_an_open_one_what_else_is() {
    let walk = funded("wsh(or_d(pk(K1),and_v(v:pkh(K2),older(10))))", 1);
    let early = format!("pay savings --to {TO}=0.04btc --feerate 5 --path 2 -o early.psbt");
    walk.refused(&early, 3, "path-closed");
    let height = walk.done("status")["height"].as_u64().unwrap();
    let outlook = walk.run(&early).json()["outlook"].clone();
    assert_eq!(
        outlook,
        walk.run("wallet paths savings")
            .json()
            .as_object()
            .map(|told| {
                let mut told = told.clone();
                told.remove("wallet");
                Value::Object(told)
            })
            .unwrap()
    );
    let paths = outlook["paths"].as_array().unwrap();
    assert_eq!((&paths[0]["open_sat"], &paths[0]["next_height"]), (&json!(10_000_000), &json!(null)));
    assert_eq!((&paths[1]["open_sat"], &paths[1]["waiting_sat"]), (&json!(0), &json!(10_000_000)));
    assert_eq!(paths[1]["next_height"], height + 9);
    let coin = walk.done("coins savings")["coins"][0]["outpoint"].as_str().unwrap().to_owned();
    let named = walk.run(&format!("{early} --coin {coin}"));
    assert_eq!((named.code, named.error().as_str()), (3, "path-closed"), "{}", named.stderr);
    assert!(!walk.path("early.psbt").exists());

    walk.done("regtest mine 9");
    walk.done("sync");
    walk.fund("0.1btc");
    let younger = walk.done("coins savings")["coins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|coin| coin["outpoint"].as_str().unwrap().to_owned())
        .find(|outpoint| *outpoint != coin)
        .unwrap();
    let named = walk.run(&format!("{early} --coin {younger}"));
    assert_eq!((named.code, named.error().as_str()), (3, "coin-unavailable"), "{}", named.stderr);
    assert!(named.stderr.contains("lets it go from block"), "{}", named.stderr);
    let text = walk.text(&format!("pay savings --to {TO}=0.04btc --feerate 5 --path 2 -o a.psbt"));
    assert!(text.contains("path    2: "), "{text}");
    assert!(text.contains("what each path can spend of these coins:\npath 1  "), "{text}");
    let told = walk.done("payments export 1 -o again.psbt");
    assert_eq!(told["payment"], "P-0001");
    // The owner can sign it too.
    let cosigning = walk.done("payments show 1")["cosigning"].clone();
    assert_eq!(names(&cosigning["missing"]), [name(1), name(2)]);
    sign(&walk, 2, "a.psbt", "signed.psbt", |_| true);
    walk.done("submit signed.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.state(), "confirmed");
}

#[test]
fn the_inputs_of_a_foreign_psbt_may_take_different_paths() {
    let walk = funded("wsh(or_d(pk(K1),and_v(v:pkh(K2),older(10))))", 2);
    walk.done("regtest mine 12");
    walk.done("sync");
    walk.done(&format!("pay savings --to {TO}=0.15btc --feerate 5 -o a.psbt"));
    walk.done("payments abandon 1");
    let mut made =
        Psbt::from_unsigned_tx(Psbt::deserialize(&walk.read("a.psbt")).unwrap().unsigned_tx).unwrap();
    made.unsigned_tx.input[1].sequence = Sequence::from_height(10);
    walk.write("foreign.psbt", &made.serialize());
    walk.done("pay --from-psbt foreign.psbt -o b.psbt");
    sign(&walk, 2, "b.psbt", "both-by-the-heir.psbt", |_| true);
    walk.refused("submit both-by-the-heir.psbt", 4, "signatures-missing");
    let cosigning = walk.done("payments show 2")["cosigning"].clone();
    assert_eq!(names(&cosigning["missing"]), [name(1)], "{cosigning}");
    sign(&walk, 1, "b.psbt", "first-by-the-owner.psbt", |at| at == 0);
    walk.refused("bump 2 --feerate 9 --max-fee 50000sat -o c.psbt", 3, "not-replaceable");
    walk.done("submit first-by-the-owner.psbt");
    walk.done("regtest mine 1");
    walk.done("sync");
    assert_eq!(walk.done("payments show 2")["state"], "confirmed");
}

#[test]
fn a_foreign_psbt_brings_its_signatures_along() {
    let walk = funded("wsh(sortedmulti(2,K1,K2,K3))", 1);
    walk.done(&format!("pay savings --to {TO}=0.04btc --feerate 5 -o a.psbt"));
    walk.done("payments abandon 1");
    sign(&walk, 3, "a.psbt", "foreign.psbt", |_| true);
    let told = walk.done("pay --from-psbt foreign.psbt -o b.psbt");
    let payment = told["payment"].as_str().unwrap();
    assert_eq!(names(&walk.done(&format!("payments show {payment}"))["cosigning"]["signed"]), [name(3)]);
    sign(&walk, 1, "b.psbt", "signed.psbt", |_| true);
    walk.done("submit signed.psbt");
}

#[test]
fn a_hash_lock_asks_for_its_preimage_once_the_signatures_are_enough() {
    let preimage = [7; 32];
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(&preimage);
    let walk = funded(&format!("wsh(and_v(v:pk(K1),sha256({hash})))"), 1);
    walk.done(&format!("pay savings --to {TO}=0.04btc --feerate 5 -o a.psbt"));
    sign(&walk, 1, "a.psbt", "signed.psbt", |_| true);
    walk.refused("submit signed.psbt", 4, "preimage-missing");
    walk.write("short", b"0707");
    walk.refused("submit signed.psbt --preimage-file short", 3, "malformed");
    walk.write("other", "08".repeat(32).as_bytes());
    walk.refused("submit signed.psbt --preimage-file other", 4, "preimage-missing");
    walk.write("preimage", "07".repeat(32).as_bytes());
    walk.done("submit signed.psbt --preimage-file preimage");
}
