//! `sign --reply`, and what a file says of itself.

mod common;

use cold_signer::reader::{Descriptors, Open, Reader, Reading};
use cold_signer::{Error, Result};
use common::authority::sign;
use common::laptop::{Laptop, code};
use common::{console, psbt, signature, spend, wallet};
use policies::codec::Canonical;
use policies::id::WalletId;
use policies::identity::{Namespace, PublicKey};
use policies::permit::{Receipt, ReceiptStatement, vault_id};
use policies::request::Head;
use policies::wallet::Branch;
use psbt_tools::form::Form;
use psbt_tools::import::{Context, import};
use psbt_tools::manifest::{Says, of, stamp};
use psbt_tools::reply::{Reply, merge};
use serde_json::{Value, json};

fn open(document: Vec<u8>) -> (Reader, Result<Reading>) {
    let wallet = wallet();
    let wallets = vec![Descriptors {
        network: wallet.network(),
        external: wallet.descriptor(Branch::External),
        internal: wallet.descriptor(Branch::Internal),
    }];
    open_with(document, wallets)
}

fn open_with(document: Vec<u8>, wallets: Vec<Descriptors>) -> (Reader, Result<Reading>) {
    let mut reader = Reader::spawn(console()).unwrap();
    let reading = reader.open(Open { document, wallets, now: 1_795_240_249 });
    (reader, reading)
}

fn receipt(n: u8) -> Receipt {
    let (spend, _) = spend(&wallet(), None);
    let audit_key =
        PublicKey::ed25519(ed25519_dalek::SigningKey::from_bytes(&[n; 32]).verifying_key().to_bytes());
    let statement = ReceiptStatement {
        network: spend.network(),
        wallet: spend.wallet(),
        head: Head { vault: vault_id(&audit_key), sequence: 7, hash: [9; 32] },
        spend: spend.id(),
        unsigned_txid: spend.unsigned_txid(),
        permit: None,
    };
    let signature = sign(n, Namespace::Receipt, &statement.to_bytes());
    Receipt { statement, signature }
}

/// The file as somebody sends it.
fn said(sender: &str, wallet: WalletId) -> Vec<u8> {
    let says = Says::new(sender, bitcoin::Network::Regtest, wallet);
    stamp(&mut psbt(&self::wallet()), &Form::default(), &says).unwrap()
}

#[test]
fn the_reader_answers_with_a_reply_to_the_same_effect() {
    let wallet = wallet();
    let (spend, _) = spend(&wallet, None);
    let document = said("watch-node", wallet.id());
    let answer = |as_reply: bool| {
        let (reader, reading) = open(document.clone());
        assert_eq!(reading.unwrap().manifest, of(&document), "the console shows what the file claims");
        let signatures = vec![signature(&spend, &wallet)];
        match as_reply {
            true => reader.reply(signatures, receipt(8).to_bytes()).unwrap(),
            false => reader.attach(signatures, receipt(8).to_bytes()).unwrap(),
        }
    };
    let (short, whole) = (answer(true), answer(false));
    let reply = Reply::read(&short).unwrap();
    assert_eq!((reply.spend(), reply.signatures()), (spend.id(), 1));
    let base = import(document.clone(), std::slice::from_ref(&wallet), &Context::default()).unwrap();
    assert_eq!(merge(&base, &reply).unwrap(), whole, "byte for byte");
    assert!(of(&whole).unwrap().says.sender().starts_with("vault "), "the signer is the last writer");
}

#[test]
fn what_does_not_verify_is_in_no_reply() {
    let wallet = wallet();
    let (spend, _) = spend(&wallet, None);
    let answer = |signature, receipt: Vec<u8>| {
        let (reader, reading) = open(psbt(&wallet).serialize());
        reading.unwrap();
        reader.reply(vec![signature], receipt).unwrap_err()
    };
    let mut wrong = signature(&spend, &wallet);
    wrong.signature[20] ^= 1;
    assert_eq!(answer(wrong, receipt(8).to_bytes()).code(), "C28");
    assert_eq!(answer(signature(&spend, &wallet), b"receipt".to_vec()).code(), "malformed");
    let mut forged = receipt(8);
    forged.signature = sign(9, Namespace::Receipt, &forged.statement.to_bytes());
    let error = answer(signature(&spend, &wallet), forged.to_bytes());
    assert_eq!((error.code().as_str(), error.exit_code()), ("malformed", 3));
}

fn refused(document: Vec<u8>) -> Error {
    open(document).1.unwrap_err()
}

#[test]
fn a_file_of_another_wallet_is_somebody_elses_before_anything_is_judged() {
    let lying = refused(said("watch-node", WalletId::of(b"another")));
    assert_eq!((lying.code().as_str(), lying.exit_code()), ("manifest", 3), "the payment is ours");
    let error = open_with(said("watch-node", wallet().id()), vec![]).1.unwrap_err();
    assert_eq!((error.code().as_str(), error.exit_code()), ("other-wallet", 3));
    assert!(error.to_string().contains("this is somebody else's file"), "{error}");
    assert!(error.hint().contains("the machine that has this wallet"), "{}", error.hint());
}

#[test]
fn a_file_that_was_damaged_is_not_read() {
    let mut bytes = said("watch-node", wallet().id());
    // A derivation's path: nothing that any check would miss.
    let at = bytes.len() - 6;
    bytes[at] ^= 1;
    assert_eq!(refused(bytes).code(), "damaged");
}

#[test]
fn a_lying_sender_changes_nothing_but_what_is_shown_as_said() {
    let wallet = wallet();
    let honest = open(psbt(&wallet).serialize()).1.unwrap();
    let lying = open(said("the gatekeeper of Two Friends GmbH", wallet.id())).1.unwrap();
    assert_eq!((lying.bundle, lying.psbt_version), (honest.bundle, honest.psbt_version));
    let verdicts = |reading: &[policies::check::Finding]| -> Vec<_> {
        reading.iter().map(|finding| (finding.code, finding.outcome)).collect()
    };
    assert_eq!(verdicts(&lying.findings), verdicts(&honest.findings));
}

#[test]
fn a_standalone_key_replies_and_the_reply_is_the_signed_file() {
    let laptop = Laptop::new();
    laptop.done(&["new-key", "--wallet", "main", "--network", "regtest", "--script", "tr"]);
    let wallet = laptop.wallet("main");
    for name in ["a", "b"] {
        let spend = laptop.write(&format!("{name}-request.psbt"), &wallet, None);
        let consent = spend.id().to_string();
        let request = format!("{name}-request.psbt");
        let told = laptop.done(&["sign", &request, "--reply", "--consent", &consent]);
        let out = format!("{name}-reply.airlock");
        assert_eq!((&told["reply"], &told["manifest"]), (&json!(true), &Value::Null));
        assert_eq!(told["out"].as_str().unwrap().rsplit('/').next(), Some(out.as_str()));
        let (exit, refusal) = laptop.run(&["sign", &request, "--reply", "--consent", &consent]);
        assert_eq!((exit, code(&refusal)), (3, "exists"));
        laptop.done(&["sign", &request, "--consent", &consent, "-o", "whole.psbt"]);
        let read = |name: &str| std::fs::read(laptop.path(name)).unwrap();
        let base = import(read(&request), std::slice::from_ref(&wallet), &Context::default()).unwrap();
        let reply = Reply::read(&read(&out)).unwrap();
        assert_eq!(merge(&base, &reply).unwrap(), read("whole.psbt"));
        std::fs::remove_file(laptop.path("whole.psbt")).unwrap();
        if name == "a" {
            // A folder: what was answered with a reply is not signed again.
            let told = laptop.done(&["sign", ".", "--reply"]);
            assert_eq!(told["files"], json!([]), "{told}");
            assert!(told["left_out"][0]["reason"].as_str().unwrap().contains("a-reply.airlock"), "{told}");
        }
    }
}
