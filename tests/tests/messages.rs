//! Messages and proofs of reserves with the real programs: signed offline, by one key or several, verified by everybody.

use airlock_tests::bitcoind::Bitcoind;
use airlock_tests::funding::Fund;
use airlock_tests::office::{Office, Said};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{Amount, Network, Transaction, TxOut};
use policies::wallet::{Branch, Keypath, Wallet};
use serde_json::{Value, json};

const MESSAGE: &str = "Airlock, 21 November:\nthis address is ours — ja, wirklich.\n";

/// BIP341's point H, whose discrete logarithm nobody knows.
const NOBODY: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

fn new_key(office: &Office, store: &str, wallet: &str, script: &str) {
    let line = format!("new-key --wallet {wallet} --network regtest --script {script} --words-unseen");
    office.signer_done(store, &line);
}

/// A wallet over the keys of three vaults, registered at all of them; `A`, `B` and `C` stand for the keys.
fn shared(office: &Office, wallet: &str, script: &str, template: &str) -> Wallet {
    let mut descriptor = template.replace("NOBODY", NOBODY);
    for store in ["A", "B", "C"] {
        new_key(office, store, wallet, script);
        let export = office.signer_done(store, &format!("export --wallet {wallet}"));
        let key = format!("{}/<0;1>/*", export["key"].as_str().unwrap());
        descriptor = descriptor.replace(&format!("@{store}"), &key);
    }
    let registered = Wallet::new(Network::Regtest, &[&descriptor]).unwrap();
    for store in ["A", "B", "C"] {
        let id = registered.id();
        office.signer_done(
            store,
            &format!("register --wallet {wallet} --descriptor {descriptor} --consent {id}"),
        );
    }
    registered
}

fn address(wallet: &Wallet, index: u32) -> String {
    wallet.address(Keypath { branch: Branch::External, index }).unwrap().to_string()
}

/// What `psbt-tools verify-message` says of a signature of [`MESSAGE`].
fn verified(office: &Office, address: &str, file: &str) -> Said {
    office.run(&format!(
        "psbt-tools verify-message {address} --network regtest --message-file message --signature-file {file} --json"
    ))
}

fn assert_valid(office: &Office, address: &str, signed: &Value, form: &str) {
    assert_eq!((&signed["complete"], &signed["form"]), (&json!(true), &json!(form)), "{signed}");
    assert_eq!(signed["address"], address);
    office.write("signature", signed["signature"].as_str().unwrap());
    let said = verified(office, address, "signature");
    assert_eq!((said.code, said.json()["form"].as_str()), (0, Some(form)), "{said:?}");
}

fn refused(said: &Said, code: &str) {
    assert_eq!((said.code, said.json()["error"]["code"].as_str()), (3, Some(code)), "{said:?}");
}

#[test]
fn every_single_key_address_signs_by_bip322_and_bip137() {
    let core = Bitcoind::start();
    let office = Office::open();
    office.write("message", MESSAGE);
    for (script, form) in [
        ("pkh", "bip322-full"),
        ("sh-wpkh", "bip322-full"),
        ("wpkh", "bip322-simple"),
        ("tr", "bip322-simple"),
    ] {
        new_key(&office, "A", script, script);
        let own = office.signer_done("A", &format!("address --wallet {script} --index 7 --change"));
        let own = own["address"].as_str().unwrap();
        let sign = format!("sign-message --wallet {script} --message-file message --address {own}");
        let signed = office.signer_done("A", &sign);
        assert_valid(&office, own, &signed, form);
        assert_eq!(office.signer_done("A", &sign)["signature"], signed["signature"], "the same again");
        let full = office.signer_done("A", &format!("{sign} --format bip322-full"));
        assert_valid(&office, own, &full, "bip322-full");

        let old = office.signer("A", &format!("{sign} --format bip137 --json"));
        if script == "tr" {
            refused(&old, "message-form");
            assert!(old.json()["error"]["hint"].as_str().unwrap().contains("BIP322"));
            continue;
        }
        let old = old.json();
        assert_valid(&office, own, &old, "bip137");
        if let (Some(core), "pkh") = (&core, script) {
            // Arguments of bitcoin-cli end with their line.
            office.write("message", "one line");
            let old = office.signer_done("A", &format!("{sign} --format bip137"));
            let written = old["signature"].as_str().unwrap();
            assert_eq!(core.rpc("verifymessage", &[own, written, "one line"]), json!(true));
            assert_eq!(core.rpc("verifymessage", &[own, written, "another line"]), json!(false));
            office.write("message", MESSAGE);
        }
    }
    // What was signed stands in the vault's log, once each.
    let log = office.done("cold-vault log --store A");
    let records = log["records"].as_array().unwrap();
    assert_eq!(
        records.iter().filter(|record| record["type"] == "message").count(),
        9 + usize::from(core.is_some())
    );
}

#[test]
fn scripts_consent_by_the_whole_id_and_files_are_written_once() {
    let office = Office::open();
    office.write("message", MESSAGE);
    new_key(&office, "A", "main", "wpkh");
    let sign = "sign-message --wallet main --index 0 --message-file message";
    let other = "11".repeat(32);
    refused(&office.signer("A", &format!("{sign} --consent {other} --json")), "other-message");
    let id = office.signer_done("A", sign)["message_id"].as_str().unwrap().to_owned();
    let signed = office.signer_done("A", &format!("{sign} --consent {id} -o signature"));
    let address = signed["address"].as_str().unwrap();
    assert_eq!(verified(&office, address, "signature").code, 0);
    let again = office.signer("A", &format!("{sign} --consent {id} -o signature --json"));
    refused(&again, "exists");
    // The same id is no consent to another text.
    office.write("message", "another text");
    refused(&office.signer("A", &format!("{sign} --consent {id} --json")), "other-message");
    assert_eq!(verified(&office, address, "signature").code, 3, "another message");
    let nobody = office.signer("A", "sign-message --wallet main --message-file message --json");
    assert_eq!(nobody.code, 2, "{nobody:?}");
    office.write("message", [0xff, 0xfe]);
    assert_eq!(office.signer("A", &format!("{sign} --json")).code, 2, "no text");
}

#[test]
fn cosigners_sign_a_message_in_any_order() {
    let office = Office::open();
    office.write("message", MESSAGE);
    for (name, script, template, form) in [
        ("office", "wsh-multi", "wsh(sortedmulti(2,@A,@B,@C))", "bip322-simple"),
        ("tree", "multi", "tr(NOBODY,multi_a(2,@A,@B,@C))", "bip322-simple"),
        ("old", "sh-wsh-multi", "sh(wsh(sortedmulti(2,@A,@B,@C)))", "bip322-full"),
    ] {
        let own = address(&shared(&office, name, script, template), 3);
        for (first, second) in [("A", "B"), ("B", "A"), ("C", "A")] {
            let partial = format!("{name}-{first}{second}.json");
            let line = format!("sign-message --wallet {name} --index 3 --message-file message -o {partial}");
            let begun = office.signer_done(first, &line);
            assert_eq!((&begun["complete"], &begun["address"]), (&json!(false), &json!(own)), "{begun}");
            assert!(!begun["missing"].as_array().unwrap().is_empty(), "{begun}");
            assert_eq!(verified(&office, &own, &partial).code, 4, "one signature is not enough");
            let out = format!("{name}-{first}{second}.txt");
            let signed =
                office.signer_done(second, &format!("sign-message --wallet {name} --add {partial} -o {out}"));
            assert_eq!(signed["complete"], true, "{signed}");
            let said = verified(&office, &own, &out);
            assert_eq!((said.code, said.json()["form"].as_str()), (0, Some(form)), "{said:?}");
        }
    }
    // What is altered between two cosigners is refused, also by the one who signed it.
    let file: Value = serde_json::from_slice(&office.read("office-AB.json")).unwrap();
    let text = file["signatures"][0]["signature"].as_str().unwrap();
    let broken = format!("{}{}", &text[..20], text[20..].replacen('1', "2", 1));
    for (key, value, code) in [
        ("message", json!("another text"), "C28"),
        ("path", json!("0/4"), "C32"),
        ("address", json!("bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"), "C32"),
        ("form", json!("bip137"), "malformed"),
        ("signatures", json!([{"input": 0, "public_key": "02", "signature": "00"}]), "C28"),
        ("surplus", json!(1), "malformed"),
    ] {
        let mut altered = file.clone();
        altered[key] = value;
        office.write("altered.json", altered.to_string());
        refused(&office.signer("B", "sign-message --wallet office --add altered.json --json"), code);
    }
    let mut altered = file.clone();
    altered["signatures"][0]["signature"] = json!(broken);
    office.write("altered.json", altered.to_string());
    refused(&office.signer("B", "sign-message --wallet office --add altered.json --json"), "C28");
    refused(&office.signer("B", "sign-message --wallet tree --add office-AB.json --json"), "differs");
    office.write("message", "another text");
    let other = "sign-message --wallet office --add office-AB.json --message-file message --json";
    refused(&office.signer("B", other), "differs");
}

#[test]
fn a_recovery_key_signs_under_its_lock_only() {
    let office = Office::open();
    office.write("message", MESSAGE);
    let template = "wsh(or_d(multi(2,@A,@B),and_v(v:pkh(@C),older(10))))";
    let own = address(&shared(&office, "heirs", "wsh-multi", template), 0);
    let sign = "sign-message --wallet heirs --index 0 --message-file message";
    refused(&office.signer("C", &format!("{sign} --json")), "C20");
    let signed = office.signer_done("C", &format!("{sign} --sequence 10"));
    assert_valid(&office, &own, &signed, "bip322-full");
    let said = verified(&office, &own, "signature").json();
    assert_eq!(said["sequence"], 10, "{said}");
}

/// Wallets of one key, of two of three keys, and of legacy scripts.
#[test]
fn reserves_of_several_wallets_are_signed_offline_and_verified_against_the_chain() {
    let Some(core) = Bitcoind::start() else { return };
    let office = Office::open();
    let fund = Fund::open(&core, 3);
    let (url, cookie) = (core.url(), core.cookie());
    office
        .node(&format!("init --network regtest --chain core --url {url} --cookie-file {}", cookie.display()));
    for (name, script) in [("savings", "wpkh"), ("legacy", "pkh")] {
        new_key(&office, "A", name, script);
    }
    shared(&office, "cold", "wsh-multi", "wsh(sortedmulti(2,@A,@B,@C))");
    let mut made = Vec::new();
    for (name, count) in [("savings", 3), ("cold", 2), ("legacy", 2)] {
        let export = office.signer_done("A", &format!("export --wallet {name} -o {name}.json"));
        office.node(&format!("wallet import {name} --file {name}.json"));
        let descriptors = ["external", "internal"].map(|branch| export[branch].as_str().unwrap().to_owned());
        let wallet = Wallet::new(Network::Regtest, &descriptors).unwrap();
        made.push(give(&fund, &wallet, count));
    }
    fund.mine(1);
    office.node("sync");
    let told = office.node("reserves savings cold legacy --message audit-2026 -o unsigned.json");
    let height = told["height"].as_u64().unwrap();
    office.write("previous", serialize_hex(&made[2]));

    // Each wallet in its turn; the second one by two vaults.
    let verify =
        |file: &str, more: &str| office.run(&format!("psbt-tools verify-reserves {file}{more} --json"));
    assert_eq!(verify("unsigned.json", "").code, 4);
    let missing = office.signer("A", "sign-reserves --wallet legacy unsigned.json -o 0.json --json");
    refused(&missing, "C01");
    let one = office.signer_done("A", "sign-reserves --wallet savings unsigned.json -o 1.json");
    assert_eq!((&one["complete"], &one["total_sat"]), (&json!(true), &json!(3_000_000)), "{one}");
    let two = office.signer_done("B", "sign-reserves --wallet cold 1.json -o 2.json");
    assert_eq!((&two["complete"], &two["holdings"][0]["coins"]), (&json!(false), &json!(2)), "{two}");
    assert_eq!(verify("2.json", "").code, 4, "not yet, but nothing is wrong");
    let three = office.signer_done("A", "sign-reserves --wallet cold 2.json -o 3.json");
    assert_eq!(three["complete"], true, "{three}");
    let id = office.signer("A", "sign-reserves --wallet legacy 3.json -o no.json --consent 00 --json");
    assert_eq!(id.code, 2, "{id:?}");
    let four = office.signer_done("A", "sign-reserves --wallet legacy 3.json --previous previous -o 4.json");
    assert_eq!(four["complete"], true, "{four}");
    refused(&office.signer("A", "sign-reserves --wallet savings 4.json -o 5.json --json"), "C12");

    // Without the chain nothing is proven; with it, everything.
    let said = verify("4.json", "");
    assert_eq!((said.code, said.json()["chain"].as_str()), (4, Some("not checked")), "{said:?}");
    let document: Value = serde_json::from_slice(&office.read("4.json")).unwrap();
    office.write("utxos.json", unspent(&core, &document).to_string());
    let said = verify("4.json", " --utxos utxos.json");
    assert_eq!((said.code, said.json()["verdict"].as_str()), (0, Some("valid")), "{said:?}");
    assert_eq!((&said.json()["height"], &said.json()["total_sat"]), (&json!(height), &json!(7_000_000)));

    // What is altered afterwards is found, and what is altered before is not the wallet's.
    for edit in [
        (|document: &mut Value| document["purpose"] = json!("audit-2027")) as fn(&mut Value),
        |document| document["height"] = json!(1),
        |document| document["holdings"][0]["coins"][0]["value_sat"] = json!(2_000_000),
        |document| document["holdings"][0]["name"] = json!("savings of others"),
        |document| {
            let coins = document["holdings"][1]["coins"].as_array().unwrap().clone();
            document["holdings"][1]["coins"] = json!(coins[..1]);
        },
    ] {
        let mut altered = document.clone();
        edit(&mut altered);
        office.write("altered.json", altered.to_string());
        let said = verify("altered.json", "");
        assert_eq!((said.code, said.json()["verdict"].as_str()), (3, Some("invalid")), "{said:?}");
    }
    let mut foreign: Value = serde_json::from_slice(&office.read("unsigned.json")).unwrap();
    foreign["holdings"][0]["coins"][0]["script_hex"] = json!("0014751e76e8199196d454941c45d1b3a323f1433bd6");
    office.write("foreign.json", foreign.to_string());
    let said = office.signer("A", "sign-reserves --wallet savings foreign.json -o 6.json --json");
    refused(&said, "C12");
    foreign["holdings"] = json!("all");
    office.write("broken.json", foreign.to_string());
    refused(&office.signer("A", "sign-reserves --wallet savings broken.json -o 6.json --json"), "malformed");
    assert!(!office.names().contains(&"6.json".to_owned()), "nothing is written for a refusal");
}

fn give(fund: &Fund<'_>, wallet: &Wallet, count: u32) -> Transaction {
    let output = |index| TxOut {
        value: Amount::from_sat(1_000_000),
        script_pubkey: wallet.script(Keypath { branch: Branch::External, index: index * 11 }).unwrap(),
    };
    fund.pay((0..count).map(output).collect())
}

/// The document's coins as Core has them at its best block.
fn unspent(core: &Bitcoind, document: &Value) -> Value {
    let mut coins = Vec::new();
    for coin in document["holdings"].as_array().unwrap().iter().flat_map(|of| of["coins"].as_array().unwrap())
    {
        let outpoint = coin["outpoint"].as_str().unwrap();
        let (txid, vout) = outpoint.split_once(':').unwrap();
        let found = core.rpc("gettxout", &[txid, vout]);
        let value = Amount::from_btc(found["value"].as_f64().unwrap()).unwrap();
        coins.push(json!({
            "outpoint": outpoint,
            "value_sat": value.to_sat(),
            "script_hex": found["scriptPubKey"]["hex"],
        }));
    }
    json!({
        "format": "airlock-utxos-1",
        "network": "regtest",
        "height": core.rpc("getblockcount", &[]),
        "block_hash": core.rpc("getbestblockhash", &[]),
        "coins": coins,
    })
}
