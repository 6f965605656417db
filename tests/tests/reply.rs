//! Replies from the vault to the block: what is carried back is signatures and receipts only, and comes to the same.

use airlock_tests::office::{Office, SUPPLIER, assert_keys};
use bitcoin::Psbt;
use psbt_tools::envelope::{Envelope, Kind};
use serde_json::{Value, json};

const STORE: &str = "vault.store";

/// Mines, and says whether the payment is there.
fn confirmed(office: &Office, payment: usize) {
    office.node("regtest mine 1");
    office.node("sync");
    let payments = office.node("payments");
    assert_eq!(payments["payments"][payment]["confirmations"], 1, "{payments}");
}

fn reply(office: &Office, store: &str, file: &str, spend: &str, out: &str) -> Value {
    let told = office.signer_done(store, &format!("sign {file} --reply --consent {spend} -o {out}"));
    assert_eq!((&told["reply"], &told["out"]), (&json!(true), &json!(out)), "{told}");
    assert_eq!(told["bytes"], office.read(out).len());
    told
}

fn refused(office: &Office, line: &str, code: &str) -> String {
    let said = office.run(&format!("{line} --json"));
    assert_eq!((said.code, &said.json()["error"]["code"]), (3, &json!(code)), "{line}: {said:?}");
    assert!(said.stderr.contains("hint: "), "{said:?}");
    said.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_company_is_answered_with_replies_and_pays() {
    let office = Office::open();
    if !office.found_company() {
        return;
    }
    office.signer_done(STORE, "trust --authority gate/authority.pub");
    office.found_node();
    office.node("trust gate/authority.pub");
    for (wallet, script) in [("savings", "wpkh"), ("taproot", "tr")] {
        let key = format!("new-key --wallet {wallet} --network regtest --script {script} --words-unseen");
        office.signer_done(STORE, &key);
        office.signer_done(STORE, &format!("export --wallet {wallet} -o {wallet}.json"));
        office.gate(&format!("vault add {wallet}.json"));
        office.node(&format!("wallet import {wallet} --file {wallet}.json"));
        office.fund(wallet, "2btc");
    }
    for (at, wallet) in ["savings", "taproot"].into_iter().enumerate() {
        let line = format!("pay {wallet} --to {SUPPLIER}=0.4btc --feerate 5 --purpose rent -o {wallet}.psbt");
        let pay = office.node(&line);
        office.done(&format!("gatekeeper request {wallet}.psbt --key desk -o {wallet}-request.psbt"));
        let checked = office.gate(&format!("check {wallet}-request.psbt"));
        assert_eq!(checked["manifest"]["purpose"], "rent");
        assert!(checked["manifest"]["sender"].as_str().unwrap().starts_with("the holder of key SHA256:"));
        office.gate(&format!("submit {wallet}-request.psbt -o {wallet}-permitted.psbt"));

        let spend = pay["spend_id"].as_str().unwrap();
        let permitted = format!("{wallet}-permitted.psbt");
        let review = office.signer_done(STORE, &format!("review {permitted}"));
        assert_eq!(review["manifest"]["sender"], "the gatekeeper of Two Friends GmbH");
        assert_eq!(review["manifest"]["request_id"], pay["request_id"]);
        let (short, whole) = (format!("{wallet}-reply.airlock"), format!("{wallet}-signed.psbt"));
        reply(&office, STORE, &permitted, spend, &short);
        // The vault repeats itself: the same signatures, the same receipt, the same file.
        office.signer_done(STORE, &format!("sign {permitted} --consent {spend} -o {whole}"));
        let merged = format!("psbt-tools combine {permitted} {short} -o {wallet}-merged.psbt");
        assert_eq!(office.run(&merged).code, 0);
        assert_eq!(office.read(&format!("{wallet}-merged.psbt")), office.read(&whole), "byte for byte");
        assert!(office.read(&short).len() < office.read(&whole).len() / 2);

        let told = office.done(&format!("psbt-tools inspect {short}"));
        assert_keys(&told, &["kind", "sha256", "receipts", "signatures", "manifest"]);
        assert_eq!((&told["kind"], &told["spend_id"]), (&json!("reply"), &pay["spend_id"]));
        assert_eq!(told["receipts"].as_array().unwrap().len(), 1);
        damaged(&office, &short);

        let submitted = office.node(&format!("submit {short}"));
        assert_eq!(submitted["submitted"][0]["spend_id"], pay["spend_id"]);
        assert_eq!(
            (&submitted["submitted"][0]["receipts"], &submitted["submitted"][0]["replies"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(submitted["manifests"][0]["kind"], "reply");
        assert_eq!(submitted["manifests"][0]["manifest"]["purpose"], "rent");
        let again = office.node(&format!("submit {whole}"));
        assert_eq!(
            again["submitted"][0]["txid"], submitted["submitted"][0]["txid"],
            "the whole file is the same"
        );
        confirmed(&office, at);
    }
    office.signer_done(STORE, "receipts -o receipts.json");
    let clean = office.node("reconcile --receipts receipts.json --permits savings-permitted.psbt --permits taproot-permitted.psbt");
    assert_eq!(clean["verdict"], "clean", "{clean}");
}

/// One bit on the way, in the middle and at the end, and a byte too few.
fn damaged(office: &Office, short: &str) {
    let good = office.read(short);
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    office.write("flipped.airlock", flipped);
    office.write("cut.airlock", &good[..good.len() - 1]);
    for file in ["flipped.airlock", "cut.airlock"] {
        let message = refused(office, &format!("watch-node submit {file} --data node"), "damaged");
        assert!(message.contains("damaged on its way"), "{message}");
    }
}

#[test]
fn replies_of_two_vaults_come_in_any_order_and_to_the_right_attempt() {
    let office = Office::open();
    office.found_node();
    let mut descriptor = "wsh(sortedmulti(2,A,B))".to_owned();
    for store in ["A", "B"] {
        let told = office.session(
            store,
            &[
                "new-key --wallet main --network regtest --script wsh-multi --words-unseen".to_owned(),
                format!("export --wallet main -o key-{store}.json"),
            ],
        );
        let key = told[1]["key"].as_str().unwrap();
        let end = if store == "A" { "," } else { ")" };
        let (before, after) = descriptor.split_once(&format!("{store}{end}")).unwrap();
        descriptor = format!("{before}{key}/<0;1>/*{end}{after}");
    }
    let wallet = policies::wallet::Wallet::new(bitcoin::Network::Regtest, &[&descriptor]).unwrap();
    for store in ["A", "B"] {
        let register =
            format!("register --wallet main --descriptor \"{descriptor}\" --consent {}", wallet.id());
        office.session(store, &[register, format!("export --wallet main -o {store}.json")]);
        office.node(&format!("wallet import main --file {store}.json"));
    }
    office.fund("main", "1btc");
    office.fund("main", "1btc");
    for (at, order) in [["A", "B"], ["B", "A"]].into_iter().enumerate() {
        let pay = office.node(&format!("pay main --to {SUPPLIER}=0.3btc --feerate 5 -o pay-{at}.psbt"));
        let (spend, file) = (pay["spend_id"].as_str().unwrap(), format!("pay-{at}.psbt"));
        let replies = order.map(|store| format!("pay-{at}-{store}.airlock"));
        for (store, out) in order.iter().zip(&replies) {
            let told = reply(&office, store, &file, spend, out);
            assert_eq!(told["manifest"]["sender"], "watch-node");
        }
        let first = office.run(&format!("watch-node submit {} --data node --json", replies[0]));
        assert_eq!(
            (first.code, &first.json()["error"]["code"]),
            (4, &json!("signatures-missing")),
            "{first:?}"
        );
        assert_eq!(first.json()["waiting"][0]["signed"].as_array().unwrap().len(), 1, "{first:?}");
        let whole = format!("psbt-tools combine {file} {} {} -o whole-{at}.psbt", replies[0], replies[1]);
        assert_eq!(office.run(&whole).code, 0);
        let turned = format!("psbt-tools combine {file} {} {} -o turned-{at}.psbt", replies[1], replies[0]);
        assert_eq!(office.run(&turned).code, 0);
        assert_eq!(office.read(&format!("whole-{at}.psbt")), office.read(&format!("turned-{at}.psbt")));
        let envelope = Envelope::read(&Psbt::deserialize(&office.read(&format!("whole-{at}.psbt"))).unwrap());
        let envelope = envelope.unwrap();
        assert_eq!((envelope.get(Kind::Receipt).count(), envelope.get(Kind::Manifest).count()), (2, 0));
        office.node(&format!("submit {}", replies[1]));
        confirmed(&office, at);
        // A reply that is played again is the payment that it always was.
        let again = office.node(&format!("submit {}", replies[0]));
        assert_eq!(
            (&again["submitted"][0]["again"], &again["submitted"][0]["payment"]),
            (&json!(true), &pay["payment"])
        );
    }
    // The reply to another payment, and to one that nobody asked for here.
    let other = office.run("psbt-tools combine pay-1.psbt pay-0-A.airlock -o never.psbt");
    assert!(other.code == 3 && other.stderr.contains("the reply is to transaction"), "{other:?}");
    let elsewhere = Office::open();
    elsewhere.found_node();
    elsewhere.write("pay-0-A.airlock", office.read("pay-0-A.airlock"));
    let message = refused(&elsewhere, "watch-node submit pay-0-A.airlock --data node", "other-wallet");
    assert!(message.starts_with("this is somebody else's file"), "{message}");
    for store in ["A", "B"] {
        elsewhere.write(&format!("{store}.json"), office.read(&format!("{store}.json")));
        elsewhere.node(&format!("wallet import main --file {store}.json"));
    }
    let message = refused(&elsewhere, "watch-node submit pay-0-A.airlock --data node", "unknown-payment");
    assert!(message.contains("which no payment of this folder is"), "{message}");
}
